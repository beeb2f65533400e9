"""Faults 8 to 13, 16, 17, 37, 38, 42, 53: disks that are full, gone, closed or not one."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import OperationalError

from mediaflow.base.fs import fs
from tests.faults.places import (
    NOBODY,
    Before,
    Refusing,
    as_user,
    bound,
    file_size_limit,
    mount,
    small_disk,
    unmount,
)
from tests.transcode.encode.world import clip_world
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import JobStatus, JournalState, Replacement
from transcode.outcomes import JobHeld, JobOutcome, JobWaits
from transcode.running.phases import encode, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
FILM = b"Film (2001)/film.mkv"
root_only = pytest.mark.service("root")


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


def _refused(world: World, outcome: type[JobOutcome], code: str) -> None:
    """The swap ends so; the film is untouched and nothing of ours lies beside it."""
    with pytest.raises(outcome, match=code):
        world.swap()
    files = tree(world.root)
    assert files[FILM] == digest(ORIGINAL_BYTES)
    assert not [path for path in files if path.endswith((b".part", b".json"))]
    assert world.output.exists(), "the output is kept for another try"


@root_only
@pytest.mark.django_db
def test_fault_08_a_work_disk_that_is_full_makes_the_job_wait_and_keeps_nothing_half(
    tmp_path: Path,
) -> None:
    job = clip_world(tmp_path, "h264_mkv")
    before = job.source.read_bytes()
    prepared = prepare(job.context())
    with small_disk(job.work_dir, "16k"):
        with pytest.raises(JobWaits, match="disk_full") as waits:
            encode(job.context(), prepared)
        assert list(job.work_dir.iterdir()) == []
    assert "full" in waits.value.reason
    assert job.source.read_bytes() == before


@root_only
def test_fault_09_a_full_target_disk_leaves_no_part_and_the_job_waits(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    films = tmp_path / "world0" / "films"
    with small_disk(films, "128k"):
        world = make_world(original=b"o" * 60_000)
        (films / "filler").write_bytes(b"f" * 30_000)
        _refused_original = tree(films)[FILM]
        with pytest.raises(JobWaits, match="disk_full"):
            world.swap()
        assert tree(films)[FILM] == _refused_original
        assert not [path for path in tree(films) if path.endswith(b".part")]
        assert world.journal().state == JournalState.ABANDONED


def test_fault_09_a_disk_that_fills_while_we_copy_leaves_no_part(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    fs.watcher = Refusing("write", code=errno.ENOSPC, suffix=b".part")
    _refused(world, JobWaits, "disk_full")


def test_fault_10_a_trash_that_is_full_means_no_swap(make_world: Callable[..., World]) -> None:
    world = make_world()
    fs.watcher = Refusing("open_exclusive", "write", code=errno.ENOSPC, suffix=b"/trash/")
    _refused(world, JobWaits, "disk_full")


def test_fault_10_a_database_that_is_full_means_no_swap(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world()

    def full(*_args: object, **_values: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr("transcode.replacing.swap._check_last_word", full)
    with pytest.raises(JobWaits, match="database_busy"):
        world.swap()
    monkeypatch.undo()
    assert tree(world.root)[FILM] == digest(ORIGINAL_BYTES)
    assert world.restart() == JobStatus.COMPLETED


def test_fault_11_a_file_larger_than_the_disk_takes_asks_a_person(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    with file_size_limit(1024):
        _refused(world, JobHeld, "file_too_big")


@root_only
def test_fault_12_15_nothing_is_ever_written_into_a_bare_mount_point(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    disk, films = tmp_path / "disk", tmp_path / "world0" / "films"
    with bound(disk, films):
        world = make_world()
        context = world.context("")
        unmount(films)
        (films / "Film (2001)").mkdir()  # a look-alike, as another program may leave it
        with pytest.raises(JobWaits, match="library_unreachable"):
            world.swap(context=context)
    assert tree(films) == {}
    assert digest(ORIGINAL_BYTES) in tree(disk).values()


@root_only
def test_fault_12_a_mount_that_goes_while_the_part_is_copied_gets_no_swap(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    disk, films = tmp_path / "disk", tmp_path / "world0" / "films"
    with bound(disk, films):
        world = make_world()
        fs.watcher = Before("write", lambda _call: unmount(films), b".part")
        with pytest.raises(JobWaits, match="library_unreachable"):
            world.swap()
        assert tree(films) == {}
        fs.watcher = None
        mount("--bind", str(disk), str(films))
        assert world.restart() == JobStatus.COMPLETED
        assert broken_invariants(world) == []


@root_only
@pytest.mark.parametrize("call", ["link", "rename_exchange", "unlink"])
def test_fault_13_a_mount_that_goes_in_mid_swap_is_resolved_when_it_is_back(
    make_world: Callable[..., World], tmp_path: Path, call: str
) -> None:
    disk, films = tmp_path / "disk", tmp_path / "world0" / "films"
    with bound(disk, films):
        world = make_world()

        def go(_call: object) -> None:
            if Replacement.objects.get().state == JournalState.SWAPPING:
                unmount(films)

        fs.watcher = _EveryTime(call, go)
        with pytest.raises(JobWaits):
            world.swap()
        fs.watcher = None
        assert digest(ORIGINAL_BYTES) in tree(disk).values()
        mount("--bind", str(disk), str(films))
        assert world.restart() == JobStatus.COMPLETED
        assert broken_invariants(world) == []


class _EveryTime(Before):
    def before(self, call: object) -> None:
        super().before(call)  # type: ignore[arg-type]  # the same
        self.is_done = False


@root_only
def test_fault_13_a_mount_that_goes_before_the_new_name_is_given_is_not_judged(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    """On the bare mount point the part is missing, which must not end the journal."""
    disk, films = tmp_path / "disk", tmp_path / "world0" / "films"
    with bound(disk, films):
        world = make_world(mode="beside")
        fs.watcher = Before("link", lambda _call: unmount(films), b".part")
        with pytest.raises(JobWaits):
            world.swap()
        fs.watcher = None
        assert world.journal().state == JournalState.SWAPPING
        mount("--bind", str(disk), str(films))
        assert world.restart() == JobStatus.COMPLETED
        assert broken_invariants(world) == []


@root_only
def test_fault_16_a_read_only_disk_is_said_and_asks_a_person(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    disk, films = tmp_path / "disk", tmp_path / "world0" / "films"
    with bound(disk, films):
        world = make_world()
        mount("-o", "remount,bind,ro", str(films))
        with pytest.raises(JobHeld, match="read_only"):
            world.swap()
        assert world.journal().state == JournalState.ABANDONED
        assert tree(films)[FILM] == digest(ORIGINAL_BYTES)


@pytest.fixture
def open_folders(tmp_path: Path) -> Iterator[None]:
    """Everything above the library, and our data directory, may be used by any user."""
    data_dir = Path(settings.DATA_DIR)
    changed = [data_dir, *[p for p in (tmp_path, *tmp_path.parents) if p.owner() == "root"]]
    before = {path: path.stat().st_mode for path in changed}
    for path in changed:
        path.chmod(0o777 if path in {data_dir, tmp_path} else before[path] | 0o055)
    (data_dir / "replacements.lock").touch()
    (data_dir / "replacements.lock").chmod(0o666)
    yield
    for path, mode in before.items():
        path.chmod(mode)


@root_only
@pytest.mark.parametrize("what", ["folder", "sticky folder"])
def test_fault_17_a_folder_that_may_not_be_written_is_said_and_asks_a_person(
    make_world: Callable[..., World], open_folders: None, what: str
) -> None:
    world = make_world()
    for path in [world.work.parent, world.work, world.root]:
        path.chmod(0o777)
    folder = world.root / "Film (2001)"
    folder.chmod(0o755 if what == "folder" else 0o1777)
    (world.root / ".mediaflow").chmod(0o777)
    world.output.chmod(0o644)
    os.chmod(world.film, 0o644)
    with as_user(NOBODY), pytest.raises(JobOutcome) as outcome:
        world.swap()
    assert isinstance(outcome.value, JobHeld), outcome.value
    assert outcome.value.reason_code in {"no_permission", "no_trash"}
    assert tree(world.root)[FILM] == digest(ORIGINAL_BYTES)
    assert not [path for path in tree(world.root) if path.endswith(b".part")]


def test_fault_37_a_busy_database_is_tried_again_before_the_swap_begins(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try is made anew; the swap begins with the one that gets through."""
    from transcode.replacing import swap as replace

    world = make_world()
    tries: list[str] = []
    real = replace._check_last_word

    def busy_once(*args: object) -> None:
        tries.append(world.journal().state)
        if len(tries) == 1:
            raise OperationalError("database is locked")
        real(*args)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr("transcode.replacing.swap._check_last_word", busy_once)
    monkeypatch.setattr("transcode.replacing.swap.retry_on_busy", _twice)
    assert world.swap().state == JournalState.DONE
    assert tries == [JournalState.STAGED, JournalState.STAGED]


def _twice(action: Callable[[], object]) -> object:
    try:
        return action()
    except OperationalError:
        return action()


@pytest.mark.parametrize("restored", ["copying", "staged", "before the job", "after an undo"])
def test_fault_38_a_database_older_than_the_disk_redoes_nothing_and_loses_nothing(
    make_world: Callable[..., World], restored: str
) -> None:
    world = make_world()
    row = world.swap()
    values = {"job__status": JobStatus.QUEUED}
    del values
    _back_to(world, row, restored)
    before = tree(world.root)
    status = world.restart()
    assert tree(world.root) == before, "nothing is moved that the database does not know"
    assert status in {JobStatus.HELD, JobStatus.FAILED}


def _back_to(world: World, row: Replacement, restored: str) -> None:
    """The rows as a backup of an earlier moment would have them."""
    from transcode.models import Job, TrashEntry

    trash = row.trash_raw
    TrashEntry.objects.all().delete()
    Job.objects.update(status=JobStatus.QUEUED, finished_at=None)
    if restored == "before the job":
        Replacement.objects.all().delete()
        # The plan refuses a film that carries our tag; here the proof is what stops it.
        world.proof.is_passed = False
        world.proof.save()
    else:
        state = "copying" if restored == "copying" else "staged"
        if restored == "after an undo":
            state = "swapping"
            os.rename(os.fsdecode(bytes(trash or b"")), world.folder / "taken.mkv")
            os.unlink(world.film)
            os.unlink(os.fsdecode(bytes(trash or b"")) + ".json")
            (world.folder / "taken.mkv").rename(os.fsdecode(world.film) + ".mine")
        Replacement.objects.update(state=state)


@root_only
@pytest.mark.parametrize("name", [b"sub/film.mkv", b"sub/film.avi"])
def test_fault_42_one_disk_in_two_mounts_gets_a_trash_on_the_films_side(
    make_world: Callable[..., World], tmp_path: Path, name: bytes
) -> None:
    films = tmp_path / "world0" / "films"
    with bound(films / "hidden", films / "sub"):
        world = make_world(name=name)
        row = world.swap()
        expected = os.fsencode(films / "sub" / ".mediaflow" / "trash")
        assert os.path.dirname(bytes(row.trash_raw or b"")) == expected
        assert [p for p in tree(films / "sub") if p.startswith(b".mediaflow")]
        assert tree(films / "sub")[b"film.mkv"] == world.output_sha256
        assert (films / "sub" / ".mediaflow" / "trash" / ".plexignore").exists()


@root_only
def test_fault_53_a_trash_on_another_disk_is_not_used(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world()
    with small_disk(world.root / ".mediaflow" / "trash", "1m"):
        row = world.swap()
        assert b"Film (2001)/.mediaflow/trash/" in bytes(row.trash_raw or b"")
    assert digest(ORIGINAL_BYTES) in tree(world.root).values()


def test_fault_53_where_no_trash_works_nothing_is_replaced_and_no_folder_is_left(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    fs.watcher = Refusing("link", code=errno.EXDEV, suffix=b"/trash/")
    _refused(world, JobHeld, "no_trash")
    assert not (world.root / "Film (2001)" / ".mediaflow").exists()
    assert not (world.root / ".mediaflow" / "trash").exists()
