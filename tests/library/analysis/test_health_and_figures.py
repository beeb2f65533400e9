"""The health score by its documented formula, and the grouped count that it is reckoned from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.analysis import figures
from library.analysis.health import Health, grade_of, rate_class, score_health
from library.listing.filters import files_matching
from library.models import Library, LibrarySnapshot, MediaFile, StorageFigures
from mediaflow.base.operations import run_operation_here
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


def health() -> Health:
    found = score_health(figures.count_figures())
    assert found is not None
    return found


def test_a_modern_lean_film_earns_all_points(library: Library) -> None:
    make_file(library, "Up", video_codec="hevc", bit_rate_kbps=4_000, audio_codec="eac3")
    found = health()
    assert (found.score, found.grade, found.steps) == (100, "A", ())
    assert found.next_grade == ""


def test_the_worst_film_earns_none(library: Library) -> None:
    make_file(
        library, "Old", video_codec="mpeg2video", bit_rate_kbps=30_000, container="mpg",
        audio_codec="wmav2",
    )  # fmt: skip
    assert (health().score, health().grade) == (0, "F")


def test_the_score_is_the_mean_over_the_films(library: Library) -> None:
    """Half of the films H.264 at 60 %, one of four far too high, one of four in AVI."""
    lean = {"bit_rate_kbps": 4_000, "audio_codec": "aac"}
    make_file(library, "A", video_codec="hevc", **lean)
    make_file(library, "B", video_codec="hevc", **{**lean, "bit_rate_kbps": 20_000})
    make_file(library, "C", video_codec="h264", container="avi", **lean)
    make_file(library, "D", video_codec="h264", **lean)
    found = health()
    parts = {part.name: part.score for part in found.parts}
    assert parts == {"codecs": 80, "bitrate": 84, "containers": 75, "sound": 100}
    assert found.score == round(40 * 0.8 + 30 * (3 + 0.35) / 4 + 15 * 0.75 + 15)


def test_what_would_raise_it_gains_what_it_says_and_its_filter_finds_the_films(
    library: Library,
) -> None:
    for number in range(8):
        make_file(library, f"New {number}", video_codec="hevc", bit_rate_kbps=4_000)
    make_file(library, "Old", video_codec="mpeg2video", bit_rate_kbps=4_000)
    make_file(library, "Older", video_codec="vc1", bit_rate_kbps=4_000)
    before = health()
    step = before.steps[0]
    assert step.text == "re-encode the 2 films in old codecs"
    assert files_matching(step.query).count() == step.files == 2
    files_matching(step.query).update(video_codec="hevc")
    assert health().score == before.score + round(step.points)


@pytest.mark.parametrize(
    ("resolution", "kbps", "expected"),
    [(1080, 7_999, 0), (1080, 8_000, 1), (1080, 15_000, 2), (1080, 25_000, 3), (2160, 19_999, 0)],
)
def test_the_limits_of_the_bit_rate_are_exact(
    library: Library, resolution: int, kbps: int, expected: int
) -> None:
    make_file(library, "Film", resolution=resolution, bit_rate_kbps=kbps)
    group = figures.count_figures().pictures[0]
    assert rate_class(group.resolution, group.rate_step) == expected


def test_grades_begin_at_their_limits() -> None:
    assert [grade_of(score) for score in (100, 90, 89, 75, 60, 45, 44, 0)] == list("AABBCDFF")


def test_the_first_step_tells_the_grade_that_it_reaches(library: Library) -> None:
    lean = {"bit_rate_kbps": 4_000, "audio_codec": "aac"}
    make_file(library, "Up", video_codec="hevc", **lean)
    assert (health().reaches, health().missing_points) == ("A", 0)
    make_file(library, "Old", video_codec="mpeg2video", **lean)
    found = health()
    assert (found.score, found.grade, found.missing_points) == (80, "B", 10)
    assert found.reaches == "A"


def test_files_that_were_never_read_count_in_none(library: Library) -> None:
    make_file(library, "Unread", video_codec="", resolution=0)
    assert score_health(figures.count_figures()) is None


def test_the_groups_add_up_to_a_plain_recount(library: Library) -> None:
    shows = make_library("Shows")
    for number in range(12):
        make_file(
            (library, shows)[number % 2], f"Film {number}", size_bytes=number * 10**9,
            video_codec=("h264", "hevc", "av1")[number % 3], container=("mkv", "avi")[number % 2],
        )  # fmt: skip
    gone = make_file(library, "Gone")
    MediaFile.objects.filter(pk=gone.pk).update(removed_from_list_at=timezone.now())
    found = figures.count_figures()
    listed = list(MediaFile.objects.filter(removed_from_list_at=None))
    assert found.files == len(listed) == sum(group.files for group in found.sounds)
    assert found.bytes == sum(file.size_bytes for file in listed)
    own = found.of_library(shows.pk)
    assert own.files == sum(file.library_id == shows.pk for file in listed)
    hevc = sum(group.bytes for group in found.pictures if group.codec == "hevc")
    assert hevc == sum(file.size_bytes for file in listed if file.video_codec == "hevc")


def test_the_stored_count_reads_back_as_it_was_made(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file(library, "Up", audio_label="Atmos")
    stored = figures.store_figures()
    figures.store_figures()
    monkeypatch.setattr(figures, "LIVE_UP_TO", -1)
    read = figures.read_figures()
    assert read is not None
    assert (read.pictures, read.sounds) == (stored.pictures, stored.sounds)
    assert StorageFigures.objects.count() == 1


def test_a_large_library_shows_no_figures_before_its_first_count(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "LIVE_UP_TO", -1)
    assert figures.read_figures() is None


def test_counting_is_due_after_a_scan_and_on_a_new_day(library: Library) -> None:
    assert figures.is_stale()
    figures.count_when_due()
    assert not figures.is_stale()
    assert figures.is_stale(timezone.now() + timedelta(days=1))
    Library.objects.update(last_scan_at=timezone.now())
    assert figures.is_stale()


def test_a_large_library_is_counted_by_one_process_of_its_own(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "LIVE_UP_TO", -1)
    make_file(library, "Up")
    figures.count_when_due()
    figures.count_when_due()
    count = figures.active_count()
    assert count is not None
    assert StorageFigures.objects.count() == 0
    assert run_operation_here(count).result["files"] == 1
    assert not figures.is_stale()


def test_a_count_writes_one_line_a_day_for_each_library(library: Library, operator: User) -> None:
    make_file(library, "Up", video_codec="hevc", bit_rate_kbps=4_000)
    done = run_operation_here(figures.start_count(operator))
    assert done.status == "completed"
    make_file(library, "Two")
    run_operation_here(figures.start_count(operator))
    row = LibrarySnapshot.objects.get()
    assert (row.library_name, row.file_count, row.day) == ("Films", 2, timezone.localdate())
    assert row.by_codec == {"hevc": [1, 8 * 10**9], "h264": [1, 8 * 10**9]}
    assert row.health_score == health().score
