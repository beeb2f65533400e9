"""Scans of real clips: new, changed, moved, missing, growing; what is left alone."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from library.models import Availability, FileKind, FileState, ItemFile, MediaFile, MediaItem
from library.probing.pool import ProbePool
from library.scanning.scan import scan_library
from tests.library.scanning import LONG_AGO_S, age, file_at, make_library, scan
from tests.media import HOSTILE_NAMES, make_clip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
FILM = "Film (2001)/Film (2001).mkv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_clip("two_audio", tmp_path / "films" / FILM)
    return tmp_path / "films"


@pytest.fixture
def no_probing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on every probe is a failure of the test."""

    def forbid() -> None:
        def fail(*_args: object, **_kwargs: object) -> None:
            pytest.fail("a file was opened")

        monkeypatch.setattr(ProbePool, "_send", fail)

    return forbid


def test_a_first_scan_fills_the_library(films: Path) -> None:
    library = make_library(films)
    summary = scan(library)
    assert (summary.files, summary.added, summary.errors) == (4, 4, 1)
    file = file_at(library, "Amélie (2001)/Amélie.2001.1080p.BluRay.mkv")
    assert (file.title, file.year, file.kind) == ("Amélie", 2001, FileKind.VIDEO)
    assert (file.container, file.video_codec, file.hdr) == ("mkv", "h264", "sdr")
    assert (file.audio_codec, file.audio_languages) == ("ac3", ",eng,deu,")
    assert file.search_text.startswith("amelie")
    assert file.state == FileState.NEW
    assert file.probe.detail["video"][0]["codec"] == "h264"
    episode = file_at(library, "The Office/Season 01/The.Office.S01E02.Diversity.mp4")
    assert (episode.show_title, episode.season, episode.episode) == ("The Office", 1, 2)
    # As the list shows them: also the one that cannot be read.
    assert library.file_count == 4
    assert library.total_bytes == sum(f.size_bytes for f in MediaFile.objects.all())
    assert library.last_scan_summary["added"] == 4


def test_a_broken_film_is_listed_with_its_reason(films: Path) -> None:
    library = make_library(films)
    scan(library)
    broken = file_at(library, "Broken (1999)/Broken (1999).mkv")
    assert broken.availability == Availability.UNREADABLE
    assert "damaged" in broken.availability_reason
    assert "damaged" in broken.probe.error


def test_an_empty_film_is_flagged(root: Path) -> None:
    make_clip("zero_length", root / "empty.mkv")
    library = make_library(root)
    scan(library)
    assert "empty" in file_at(library, "empty.mkv").availability_reason


def test_an_unchanged_library_opens_no_file(root: Path, no_probing: Callable[[], None]) -> None:
    library = make_library(root)
    scan(library)
    before = MediaFile.objects.get()
    no_probing()
    summary = scan(library)
    assert (summary.unchanged, summary.changed, summary.added) == (1, 0, 0)
    assert MediaFile.objects.get().probed_at == before.probed_at


def test_an_unchanged_broken_film_is_not_opened_again(
    tmp_path: Path, no_probing: Callable[[], None]
) -> None:
    make_clip("broken", tmp_path / "films" / "a.mkv")
    library = make_library(tmp_path / "films")
    scan(library)
    no_probing()
    assert scan(library).unchanged == 1


def test_a_changed_film_is_read_again(root: Path) -> None:
    library = make_library(root)
    scan(library)
    MediaFile.objects.update(state=FileState.FAILED, state_reason="x")
    make_clip("hevc", root / FILM)
    age(root, at=LONG_AGO_S + 100)
    summary = scan(library)
    file = MediaFile.objects.get()
    assert (summary.changed, summary.added) == (1, 0)
    assert (file.video_codec, file.state, file.state_reason) == ("hevc", FileState.NEW, "")


def test_a_touched_film_keeps_its_state(root: Path) -> None:
    library = make_library(root)
    scan(library)
    MediaFile.objects.update(state=FileState.COMPLETED)
    age(root, at=LONG_AGO_S + 100)
    assert scan(library).changed == 1
    assert MediaFile.objects.get().state == FileState.COMPLETED


def test_a_renamed_film_is_the_same_row(root: Path, no_probing: Callable[[], None]) -> None:
    library = make_library(root)
    scan(library)
    before = MediaFile.objects.get()
    MediaFile.objects.update(state=FileState.COMPLETED)
    (root / "Film (2001)").rename(root / "Other (1999)")
    (root / "Other (1999)" / "Film (2001).mkv").rename(root / "Other (1999)" / "Other (1999).mkv")
    summary = scan(library)
    file = MediaFile.objects.get()
    assert (summary.moved, summary.added, summary.missing) == (1, 0, 0)
    assert (file.pk, file.state) == (before.pk, FileState.COMPLETED)
    assert (file.path, file.title, file.year) == ("Other (1999)/Other (1999).mkv", "Other", 1999)
    assert file.added_at == before.added_at
    assert [item.title for item in MediaItem.objects.all()] == ["Other"]


def test_a_film_that_comes_back_under_another_name_is_the_same_row(root: Path) -> None:
    make_clip("hevc", root / "Second (2002).mkv")
    library = make_library(root)
    scan(library)
    pk = file_at(library, FILM).pk
    (root / FILM).rename(root.parent / "aside.mkv")
    assert scan(library).missing == 1
    (root.parent / "aside.mkv").rename(root / "Back (2001).mkv")
    assert scan(library).moved == 1
    file = MediaFile.objects.get(pk=pk)
    assert (file.path, file.availability) == ("Back (2001).mkv", Availability.PRESENT)


def test_a_copy_is_a_new_file(root: Path) -> None:
    library = make_library(root)
    scan(library)
    (root / "Copy (2001).mkv").write_bytes((root / FILM).read_bytes())
    age(root)
    summary = scan(library)
    assert (summary.added, summary.moved, MediaFile.objects.count()) == (1, 0, 2)


def test_equal_films_moved_together_keep_their_rows(root: Path) -> None:
    (root / "a").mkdir()
    for name in ("one.mkv", "two.mkv"):
        (root / "a" / name).write_bytes((root / FILM).read_bytes())
    library = make_library(root)
    scan(library)
    pks = {file.path.rpartition("/")[2]: file.pk for file in MediaFile.objects.all()}
    (root / "a").rename(root / "b")
    assert scan(library).moved == 2
    assert file_at(library, "b/one.mkv").pk == pks["one.mkv"]
    assert file_at(library, "b/two.mkv").pk == pks["two.mkv"]


def test_a_lost_film_is_missing_and_found_again(root: Path) -> None:
    make_clip("hevc", root / "Second (2002).mkv")
    library = make_library(root)
    scan(library)
    (root / FILM).rename(root.parent / "aside.mkv")
    assert scan(library).missing == 1
    file = file_at(library, FILM)
    assert file.availability == Availability.MISSING
    assert library.file_count == 2  # it stays in the list until somebody takes it off
    assert scan(library).missing == 0  # said once
    (root.parent / "aside.mkv").rename(root / FILM)
    scan(library)
    file.refresh_from_db()
    assert (file.availability, file.availability_reason) == (Availability.PRESENT, "")


def test_a_film_in_work_is_left_to_its_job(root: Path) -> None:
    make_clip("hevc", root / "Second (2002).mkv")
    library = make_library(root)
    scan(library)
    MediaFile.objects.filter(path=FILM).update(state=FileState.PROCESSING)
    (root / FILM).unlink()
    summary = scan(library)
    file = file_at(library, FILM)
    assert (summary.missing, file.availability) == (0, Availability.PRESENT)
    assert file.state == FileState.PROCESSING


def test_the_new_name_of_a_running_swap_gets_no_row(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = make_library(root)
    scan(library)
    MediaFile.objects.update(state=FileState.PROCESSING)
    tagged(root / "Film (2001)" / "Film (2001).mp4")
    age(root)
    scan(library)
    assert [file.path for file in MediaFile.objects.all()] == [FILM]


def tagged(path: Path) -> None:
    """A film that carries MediaFlow's tag."""
    from library.demo.clips import Bench, ClipSize
    from tests.media import ffmpeg_path

    make_clip("h264_mkv", path.with_name("plain.mkv"))
    bench = Bench(ffmpeg=ffmpeg_path(), folder=path.parent, size=ClipSize())
    tag = ["-metadata", "MEDIAFLOW=0b5f1a2c;balanced", "-f", "matroska"]
    bench.run("-i", "plain.mkv", "-c", "copy", *tag, f"file:{path}")
    path.with_name("plain.mkv").unlink()


def test_with_an_empty_database_our_own_output_is_known_as_done(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    tagged(tmp_path / "films" / "Film (2001).mkv")
    library = make_library(tmp_path / "films")
    scan(library)
    file = MediaFile.objects.get()
    assert (file.state, file.mediaflow_tag) == (FileState.COMPLETED, "0b5f1a2c;balanced")


def test_a_file_being_written_waits_and_is_read_when_it_is_done(root: Path) -> None:
    library = make_library(root)
    with (root / "New (2020).mkv").open("wb") as growing:
        growing.write(b"x" * 1000)
        growing.flush()
        summary = scan(library)
        file = file_at(library, "New (2020).mkv")
        assert (summary.growing, file.availability) == (1, Availability.GROWING)
        assert (file.probed_at, file.title) == (None, "New")
    make_clip("h264_mkv", root / "New (2020).mkv")
    age(root)
    scan(library)
    file.refresh_from_db()
    assert (file.availability, file.video_codec) == (Availability.PRESENT, "h264")


def test_a_fresh_file_that_nobody_writes_is_read_at_once(root: Path) -> None:
    library = make_library(root)
    make_clip("h264_mkv", root / "New (2020).mkv")
    moment = time.time() - 3
    os.utime(root / "New (2020).mkv", (moment, moment))
    assert scan(library).growing == 0
    assert file_at(library, "New (2020).mkv").availability == Availability.PRESENT


def test_a_pre_allocated_file_is_marked_sparse(root: Path) -> None:
    make_clip("sparse", root / "Torrent (2010).mkv")
    library = make_library(root)
    scan(library)
    assert file_at(library, "Torrent (2010).mkv").is_sparse
    assert not file_at(library, FILM).is_sparse


def test_hard_links_are_recorded(root: Path) -> None:
    (root / "Link (2001).mkv").hardlink_to(root / FILM)
    library = make_library(root)
    scan(library)
    assert {file.hard_link_count for file in MediaFile.objects.all()} == {2}


def test_discs_extras_and_samples_are_listed_by_kind(root: Path) -> None:
    (root / "Heat (1995)" / "BDMV").mkdir(parents=True)
    (root / "Heat (1995)" / "BDMV" / "index.bdmv").write_bytes(b"x")
    (root / "Alien (1979).iso").write_bytes(b"x")
    make_clip("h264_mkv", root / "Film (2001)" / "Film-trailer.mkv")
    make_clip("hevc", root / "Film (2001)" / "sample.mkv")
    library = make_library(root)
    assert scan(library).errors == 0
    kinds = dict(MediaFile.objects.values_list("path", "kind"))
    assert kinds["Heat (1995)/BDMV"] == kinds["Alien (1979).iso"] == FileKind.DISC
    assert kinds["Film (2001)/Film-trailer.mkv"] == FileKind.EXTRA
    assert kinds["Film (2001)/sample.mkv"] == FileKind.SAMPLE
    discs = MediaItem.objects.filter(kind="disc").values_list("title", "year")
    assert set(discs) == {("Heat", 1995), ("Alien", 1979)}
    assert scan(library).unchanged == 5


def test_one_file_of_two_episodes_belongs_to_two_items(tmp_path: Path) -> None:
    make_clip("h264_mkv", tmp_path / "tv" / "Show" / "Show - S01E01-E02.mkv")
    scan(make_library(tmp_path / "tv"))
    assert sorted(MediaItem.objects.values_list("season", "episode")) == [(1, 1), (1, 2)]
    assert ItemFile.objects.count() == 2


def test_two_parts_and_editions_belong_to_one_film(tmp_path: Path) -> None:
    for name in ("Film (1999) cd1.avi", "Film (1999) cd2.avi"):
        make_clip("mpeg4_avi", tmp_path / "f" / name)
    make_clip("hevc", tmp_path / "f" / "Film (1999) {edition-Final Cut}.mkv")
    scan(make_library(tmp_path / "f"))
    item = MediaItem.objects.get()
    found = sorted(item.item_files.values_list("edition", "part_index"))
    assert found == [("", 1), ("", 2), ("Final Cut", 0)]


def test_hostile_names_are_listed_and_survive_a_rescan(tmp_path: Path) -> None:
    root = tmp_path / "100%d"
    for name in HOSTILE_NAMES:
        make_clip("h264_mkv", bytes(root) + b"/" + name + b".mkv")
    library = make_library(root)
    summary = scan(library)
    assert (summary.added, summary.errors) == (len(HOSTILE_NAMES), 0)
    assert {bytes(path) for path in MediaFile.objects.values_list("path_raw", flat=True)} == {
        name + b".mkv" for name in HOSTILE_NAMES
    }
    assert scan(library).unchanged == len(HOSTILE_NAMES)
    assert not list(tmp_path.rglob("canary"))


def test_hostile_content_costs_its_own_file_only(root: Path) -> None:
    for kind in ("hls_as_mkv", "ffconcat_as_mkv", "magicyuv", "huge_dimensions", "endless"):
        make_clip(kind, root / f"{kind}.mkv")
    library = make_library(root)
    summary = scan(library)
    assert summary.added == 6
    assert file_at(library, FILM).availability == Availability.PRESENT
    assert file_at(library, "hls_as_mkv.mkv").availability == Availability.UNREADABLE
    assert file_at(library, "endless.mkv").duration_ms == 0


def test_a_stopped_scan_keeps_what_it_read_and_marks_nothing_missing(root: Path) -> None:
    class Cancelled(Exception):
        pass

    for number in range(4):
        make_clip("hevc", root / f"{number}.mkv")
    library = make_library(root)
    scan(library)
    (root / "0.mkv").unlink()
    make_clip("h264_mkv", root / "New.mkv")
    age(root)

    def report(
        done: int, total: int | None = None, current: str = "", rate_per_s: float | None = None,
        message: str = "",
    ) -> None:  # fmt: skip
        if total is not None:
            raise Cancelled

    with pytest.raises(Cancelled):
        scan_library(library.pk, report=report, checkpoint=lambda: None)
    assert not MediaFile.objects.filter(availability=Availability.MISSING).exists()
    assert scan(library).added == 1


def test_progress_names_the_film_and_the_rate(root: Path) -> None:
    seen: list[tuple[int, int | None, str, float | None]] = []

    def report(
        done: int, total: int | None = None, current: str = "", rate_per_s: float | None = None,
        message: str = "",
    ) -> None:  # fmt: skip
        seen.append((done, total, current, rate_per_s))

    scan_library(make_library(root).pk, report=report, checkpoint=lambda: None)
    assert (1, 1, FILM) in [entry[:3] for entry in seen]
    assert any(rate for *_rest, rate in seen)


def test_a_removed_film_stays_away_until_it_changes(root: Path) -> None:
    from library.services import remove_from_list

    library = make_library(root)
    scan(library)
    assert remove_from_list(MediaFile.objects.all()) == 1
    scan(library)
    assert MediaFile.objects.get().removed_from_list_at is not None
    make_clip("hevc", root / FILM)
    age(root, at=LONG_AGO_S + 60)
    scan(library)
    assert MediaFile.objects.get().removed_from_list_at is None
