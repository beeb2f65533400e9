"""Fault 38: after an old backup no swap is repeated, no trash purged that it does not know."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from library.models import Availability, Library, MediaFile
from library.scanning.identity import content_fingerprint
from library.scanning.marker import write_marker
from mediaflow.base.restore_flag import is_reconcile_pending
from mediaflow.base.settings_store import get_setting
from mediaflow.diagnostics.library_check import compare_library, library_checks
from mediaflow.recovery.reconcile import reconcile
from mediaflow.recovery.restore import mark_restored
from tests.library.file_rows import make_library, path_columns
from transcode.models import (
    Job,
    JobStatus,
    JournalState,
    ProofRecord,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.replacing.journal import advance
from transcode.replacing.snapshot import take_source_snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(tmp_path: Path) -> Library:
    root = tmp_path / "films"
    root.mkdir()
    raw = os.fsencode(root)
    row = make_library(root=str(root))
    write_marker(raw, row.marker_id)
    return row


def add_film(library: Library, name: str, content: bytes = b"film" * 500) -> MediaFile:
    path = os.fsencode(library.root) + b"/" + os.fsencode(name)
    with open(path, "wb") as handle:  # a path of bytes
        handle.write(content)
    found = os.lstat(path)
    return MediaFile.objects.create(
        library=library,
        **path_columns(os.fsencode(name)),
        size_bytes=found.st_size,
        mtime_ns=found.st_mtime_ns,
        content_fingerprint=content_fingerprint(path),
    )


def add_journal(file: MediaFile, state: str, *, in_trash: bytes | None = None) -> Replacement:
    root = os.fsencode(file.library.root)
    original = root + b"/" + bytes(file.path_raw)
    trash_folder = root + b"/.mediaflow/trash"
    trash = trash_folder + b"/" + uuid.uuid4().hex.encode() + b"-film.mkv"
    job = Job.objects.create(
        file=file, file_path=file.path, preset_slug="balanced", preset_spec={},
        status=JobStatus.COMPLETED,
    )  # fmt: skip
    proof = ProofRecord.objects.create(job=job, is_passed=True)
    row = Replacement.objects.create(
        job=job, file=file, library=file.library, state=state, root_raw=root,
        original_raw=original, final_raw=original, part_raw=root + b"/.mf-1.part",
        trash_raw=trash, proof=proof, is_proof_passed=True,
        source_snapshot=take_source_snapshot(original).to_json(), output_sha256="0" * 64,
    )  # fmt: skip
    if in_trash is not None:
        os.makedirs(trash_folder, exist_ok=True)  # a path of bytes
        with open(trash, "wb") as handle:  # a path of bytes
            handle.write(in_trash)
    TrashEntry.objects.create(replacement=row, path_raw=trash, size_bytes=len(in_trash or b"1234"))
    return row


def make_trash_folder(library: Library) -> Path:
    folder = Path(library.root, ".mediaflow", "trash")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".ignore").touch()
    return folder


def test_what_agrees_is_clean(library: Library) -> None:
    add_film(library, "Up (2009).mkv")
    add_journal(add_film(library, "Alien.mkv"), JournalState.DONE, in_trash=b"original")
    Path(library.root, ".mediaflow", "trash", ".nomedia").touch()
    report = compare_library(library)
    assert report.is_clean
    assert (report.files, report.trash_entries, report.journals) == (2, 1, 1)
    assert all(check.ok for check in library_checks(report))


def test_missing_changed_and_strange_files_are_named(library: Library, tmp_path: Path) -> None:
    add_film(library, "gone.mkv")
    (tmp_path / "films" / "gone.mkv").unlink()
    add_film(library, "edited.mkv")
    (tmp_path / "films" / "edited.mkv").write_bytes(b"another film" * 100)
    (tmp_path / "films" / ".mf-abc.part").write_bytes(b"x")
    (tmp_path / "films" / ".mediaflow" / "trash").mkdir(exist_ok=True)
    (tmp_path / "films" / ".mediaflow" / "trash" / "unknown.mkv").write_bytes(b"original")
    report = compare_library(library)
    assert report.missing == ["gone.mkv"]
    assert report.changed == ["edited.mkv"]
    assert len(report.leftovers) == 1
    assert len(report.unknown_trash) == 1
    failed = [check for check in library_checks(report) if not check.ok]
    assert all(check.hint for check in failed)
    assert "gone.mkv" in failed[0].detail


def test_a_folder_that_is_gone_is_not_compared_and_that_is_one_line(
    library: Library, tmp_path: Path
) -> None:
    add_film(library, "Up.mkv")
    (tmp_path / "films").rename(tmp_path / "elsewhere")
    report = compare_library(library)
    assert (report.files, report.missing) == (0, [])
    (line,) = library_checks(report)
    assert (line.ok, line.detail) == (False, "not compared: No such file or directory")
    assert "Mount it" in line.hint


def test_disc_folders_are_let_be_and_what_cannot_be_looked_at_is_not_called_missing(
    library: Library, tmp_path: Path
) -> None:
    disc, inside = add_film(library, "Disc"), add_film(library, "Up.mkv")
    (tmp_path / "films" / "Disc").unlink()
    (tmp_path / "films" / "Disc").mkdir()
    MediaFile.objects.filter(pk=disc.pk).update(size_bytes=50)
    name = b"Up.mkv/inside.mkv"  # below what is no folder
    MediaFile.objects.filter(pk=inside.pk).update(path_raw=name, path=name.decode())
    report = compare_library(library)
    assert report.unreadable == ["Up.mkv/inside.mkv (Not a directory)"]
    assert (report.missing, report.changed) == ([], [])


def test_a_file_only_touched_is_the_same_by_its_fingerprint(library: Library) -> None:
    add_film(library, "Up.mkv")
    os.utime(f"{library.root}/Up.mkv", (1, 1))
    assert compare_library(library).is_clean


def test_an_unmounted_library_is_not_compared_and_keeps_the_queue_paused(
    library: Library, tmp_path: Path
) -> None:
    add_film(library, "Up.mkv")
    (tmp_path / "films").rename(tmp_path / "elsewhere")
    (tmp_path / "films").mkdir()
    mark_restored()
    report = compare_library(library)
    assert report.unreachable
    assert not reconcile([report]).is_complete
    assert is_reconcile_pending()
    assert get_setting("queue_paused") is True
    assert MediaFile.objects.get().availability == Availability.PRESENT


def test_trash_that_is_gone_is_marked_lost_so_that_no_purge_and_no_undo_looks_for_it(
    library: Library,
) -> None:
    add_journal(add_film(library, "Alien.mkv"), JournalState.DONE)
    make_trash_folder(library)
    mark_restored()
    result = reconcile([compare_library(library)])
    assert (result.lost_trash, result.is_complete) == (1, True)
    assert TrashEntry.objects.get().state == TrashState.LOST
    assert get_setting("queue_paused") is False


def test_trash_unknown_to_the_database_stays_on_the_disk(library: Library, tmp_path: Path) -> None:
    unknown = tmp_path / "films" / ".mediaflow" / "trash" / "unknown.mkv"
    unknown.parent.mkdir(exist_ok=True)
    unknown.write_bytes(b"original")
    mark_restored()
    reconcile([compare_library(library)])
    assert unknown.read_bytes() == b"original"


def test_a_swap_that_was_finished_after_the_backup_is_not_done_again(
    library: Library, tmp_path: Path
) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.SWAPPING, in_trash=b"original")
    # Since the backup the swap was finished and the film then changed by somebody else.
    (tmp_path / "films" / "Alien.mkv").write_bytes(b"smaller")
    mark_restored()
    result = reconcile([compare_library(library)])
    row.refresh_from_db()
    assert (result.stopped_journals, row.state) == (1, JournalState.STUCK)
    assert "After a restore" in row.detail
    assert (tmp_path / "films" / "Alien.mkv").read_bytes() == b"smaller"


def test_a_swap_not_begun_whose_film_changed_is_stopped(library: Library, tmp_path: Path) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.STAGED)
    TrashEntry.objects.all().delete()
    assert not compare_library(library).unfit_journals
    (tmp_path / "films" / "Alien.mkv").write_bytes(b"already smaller")
    mark_restored()
    reconcile([compare_library(library)])
    row.refresh_from_db()
    assert row.state == JournalState.STUCK


def test_a_swap_that_waits_for_a_person_is_named_and_left_to_that_person(
    library: Library,
) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.STUCK, in_trash=b"original")
    assert compare_library(library).unfit_journals == [(row, "needs a person")]
    Replacement.objects.update(detail="The film changed.")
    report = compare_library(library)
    assert report.unfit_journals == [(row, "The film changed.")]
    assert reconcile([report]).stopped_journals == 0
    row.refresh_from_db()
    assert (row.state, row.detail) == (JournalState.STUCK, "The film changed.")


def test_an_optimised_file_that_left_its_place_is_named_and_its_undo_stays(
    library: Library, tmp_path: Path
) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.DONE, in_trash=b"original")
    final = tmp_path / "films" / "Alien.mkv"
    final.unlink()
    report = compare_library(library)
    assert report.unfit_journals == [(row, "the optimised file is not where it was put")]
    assert reconcile([report]).stopped_journals == 0
    row.refresh_from_db()
    assert row.state == JournalState.DONE
    Replacement.objects.update(final_raw=bytes(final.parent) + b"/" + b"x" * 300)  # nobody can tell
    assert not compare_library(library).unfit_journals


def test_an_undo_on_its_way_is_left_to_its_runner(library: Library) -> None:
    add_journal(add_film(library, "Alien.mkv"), JournalState.UNDOING, in_trash=b"original")
    assert not compare_library(library).unfit_journals


def test_a_swap_whose_names_cannot_be_looked_at_waits_for_a_person(library: Library) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.SWAPPING)
    TrashEntry.objects.all().delete()
    Job.objects.update(status=JobStatus.QUEUED)
    Replacement.objects.update(part_raw=os.fsencode(library.root) + b"/" + b"x" * 300)
    report = compare_library(library)
    assert report.unfit_journals[0][1] == "cannot be looked at: File name too long"
    assert reconcile([report]).stopped_journals == 1
    row.refresh_from_db()
    assert row.state == JournalState.STUCK
    assert Job.objects.get().status == JobStatus.HELD


def test_files_that_are_gone_are_marked_missing(library: Library, tmp_path: Path) -> None:
    add_film(library, "gone.mkv")
    (tmp_path / "films" / "gone.mkv").unlink()
    mark_restored()
    assert reconcile([compare_library(library)]).missing_files == 1
    assert MediaFile.objects.get().availability == Availability.MISSING


def test_trash_on_a_disk_that_is_away_is_not_marked_lost(library: Library) -> None:
    add_journal(add_film(library, "Alien.mkv"), JournalState.DONE)
    mark_restored()
    report = compare_library(library)
    assert reconcile([report]).lost_trash == 0
    assert TrashEntry.objects.get().state == TrashState.KEPT
    assert [check.name for check in library_checks(report) if not check.ok] == [
        "library Films: trash content"
    ]


def test_trash_that_was_changed_is_named_and_not_marked_lost(library: Library) -> None:
    add_journal(add_film(library, "Alien.mkv"), JournalState.DONE, in_trash=b"original")
    TrashEntry.objects.update(size_bytes=3)
    mark_restored()
    assert reconcile([compare_library(library)]).lost_trash == 0
    assert TrashEntry.objects.get().state == TrashState.KEPT


@pytest.mark.parametrize("state", [TrashState.LOST, TrashState.PURGED])
def test_a_file_whose_row_says_that_it_left_the_trash_is_unknown(
    library: Library, state: str
) -> None:
    add_journal(add_film(library, "Alien.mkv"), JournalState.DONE, in_trash=b"original")
    TrashEntry.objects.update(state=state)
    assert len(compare_library(library).unknown_trash) == 1


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING])
def test_a_stopped_swap_holds_its_job_and_can_go_on(
    library: Library, tmp_path: Path, status: str
) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), JournalState.SWAPPING, in_trash=b"original")
    token = "t" if status == JobStatus.RUNNING else ""
    Job.objects.update(status=status, lease_token=token)
    (tmp_path / "films" / "Alien.mkv").write_bytes(b"smaller")
    mark_restored()
    reconcile([compare_library(library)])
    row.refresh_from_db()
    assert (row.state, row.stuck_from) == (JournalState.STUCK, JournalState.SWAPPING)
    job = Job.objects.get()
    assert (job.status, job.reason_code) == (JobStatus.HELD, "swap_stuck")
    advance(row, row.stuck_from)  # as the runner does once a person lets the job go on


@pytest.mark.parametrize("state", [JournalState.SWAPPING, JournalState.PUBLISHED])
def test_a_swap_of_which_nothing_is_on_the_disk_is_given_up(library: Library, state: str) -> None:
    row = add_journal(add_film(library, "Alien.mkv"), state)
    TrashEntry.objects.all().delete()
    Job.objects.update(status=JobStatus.QUEUED)
    mark_restored()
    assert reconcile([compare_library(library)]).stopped_journals == 1
    row.refresh_from_db()
    assert row.state == JournalState.ABANDONED
    assert Job.objects.get().status == JobStatus.QUEUED


def test_missing_films_are_told_apart_by_their_row(library: Library, tmp_path: Path) -> None:
    gone = add_film(library, "gone.mkv")
    twin = add_film(library, "there.mkv")
    MediaFile.objects.filter(pk=twin.pk).update(path="gone.mkv")  # two names, one text
    (tmp_path / "films" / "gone.mkv").unlink()
    mark_restored()
    assert reconcile([compare_library(library)]).missing_files == 1
    assert MediaFile.objects.get(availability=Availability.MISSING).pk == gone.pk
