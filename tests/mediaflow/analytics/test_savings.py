"""Savings over time: freed only when the original is purged, nothing for what was undone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from mediaflow.analytics.charts import savings_chart
from mediaflow.analytics.savings import SavedDay, Savings, Waiting, points_of, read_savings
from tests.library.analysis.recommendation_rows import make_recommendation
from tests.library.file_rows import make_file, make_library
from transcode.models import Job, JobStatus, ProofRecord, Replacement, TrashEntry
from transcode.trash.sweep import trash_summary

if TYPE_CHECKING:
    from library.models import Library

pytestmark = pytest.mark.django_db
GB = 1_000_000_000


@pytest.fixture
def library() -> Library:
    return make_library("Films")


def make_job(library: Library, title: str, **values: Any) -> Job:
    defaults: dict[str, Any] = {
        "status": JobStatus.COMPLETED, "source_bytes": 8 * GB, "output_bytes": 3 * GB,
        "finished_at": timezone.now(), "preset_slug": "balanced", "preset_spec": {},
    }  # fmt: skip
    file = make_file(library, title)
    return Job.objects.create(file=file, file_path=file.path, **{**defaults, **values})


def put_in_trash(job: Job, state: str, ended_at: datetime | None = None) -> None:
    proof = ProofRecord.objects.create(job=job, is_passed=True)
    assert job.file is not None
    replacement = Replacement.objects.create(
        job=job, file=job.file, library=job.file.library, state="done", root_raw=b"/f",
        original_raw=b"/f/a", final_raw=b"/f/a", part_raw=b"/f/p", proof=proof,
        is_proof_passed=True,
    )  # fmt: skip
    TrashEntry.objects.create(
        replacement=replacement, path_raw=b"/t", size_bytes=job.source_bytes, state=state,
        ended_at=ended_at,
    )  # fmt: skip


def fresh(library_id: int | None = None) -> Savings:
    cache.clear()
    return read_savings(library_id)


def test_a_film_saves_when_it_is_done_and_frees_when_its_original_is_purged(
    library: Library,
) -> None:
    now = timezone.now()
    kept = make_job(library, "Kept")
    put_in_trash(kept, "kept")
    purged = make_job(library, "Purged", finished_at=now - timedelta(days=20))
    put_in_trash(purged, "purged", now - timedelta(days=6))
    found = fresh()
    assert (found.saved_bytes, found.freed_bytes) == (10 * GB, 5 * GB)
    assert (found.trash_bytes, found.trash_films, found.freed_films) == (8 * GB, 1, 1)
    assert found.next_purge_on == (timezone.now() + timedelta(days=14)).date()
    assert [day.saved_bytes for day in found.days if day.films] == [5 * GB, 5 * GB]


def test_the_next_purge_is_that_of_whichever_ends_first_in_the_zone_of_the_site(
    library: Library,
) -> None:
    evening = datetime(2026, 6, 1, 20, 0, tzinfo=UTC)
    for title, days_ago, retention_days, reason in (
        ("Long", 9, 30, ""), ("Short", 2, 7, ""), ("Stays", 20, 14, "The new film fails.")
    ):  # fmt: skip
        job = make_job(library, title)
        put_in_trash(job, "kept")
        TrashEntry.objects.filter(replacement__job=job).update(
            trashed_at=evening - timedelta(days=days_ago), retention_days=retention_days,
            kept_reason=reason,
        )  # fmt: skip
    with timezone.override("Asia/Tokyo"):
        assert fresh().next_purge_on == date(2026, 6, 7)
        assert trash_summary().next_purge_on == date(2026, 6, 7)
    with timezone.override(UTC):
        assert fresh(library.pk).next_purge_on == date(2026, 6, 6)


def test_a_job_that_ends_and_an_undo_show_at_once(library: Library) -> None:
    waiting = make_job(library, "Waits", status=JobStatus.QUEUED, finished_at=None)
    assert fresh().saved_bytes == 0
    make_job(library, "First", finished_at=timezone.now() - timedelta(hours=1))
    assert read_savings().saved_bytes == 5 * GB
    last = make_job(library, "Last")
    assert read_savings().saved_bytes == 10 * GB
    Job.objects.filter(pk=last.pk).update(undone_at=timezone.now())
    assert read_savings().saved_bytes == 5 * GB
    assert read_savings().waiting.films == 1
    assert waiting.pk < last.pk


def test_what_was_undone_or_written_beside_saves_nothing(library: Library) -> None:
    make_job(library, "Undone", undone_at=timezone.now())
    make_job(library, "Beside", output_mode="beside")
    make_job(library, "Skipped", status=JobStatus.SKIPPED, output_bytes=None)
    assert fresh().saved_bytes == 0


def test_the_queue_adds_what_is_predicted_or_recommended(library: Library) -> None:
    waiting = {"status": JobStatus.QUEUED, "output_bytes": None, "finished_at": None}
    make_job(
        library, "Predicted", predicted_bytes=5 * GB, predicted_bytes_low=4 * GB,
        predicted_bytes_high=6 * GB, **waiting,
    )  # fmt: skip
    job = make_job(library, "Recommended", **waiting)
    assert job.file is not None
    row = make_recommendation(job.file, saves=4 * GB)
    Job.objects.filter(pk=job.pk).update(recommendation=row)
    make_job(library, "Unknown", **waiting)
    assert fresh().waiting == Waiting(3, 7 * GB, 4 * GB, 9 * GB)


def test_one_library_counts_its_own(library: Library) -> None:
    make_job(library, "Mine")
    make_job(make_library("Shows"), "Theirs", output_bytes=7 * GB)
    assert fresh(library.pk).saved_bytes == 5 * GB
    assert fresh().saved_bytes == 6 * GB


def some_savings(*days: tuple[date, int, int], waiting: int = 0) -> Savings:
    return Savings(
        tuple(SavedDay(day, saved * GB, freed * GB) for day, saved, freed in days),
        0, 0, 0, None, Waiting(1, waiting * GB, waiting * GB // 2, waiting * GB * 2),
    )  # fmt: skip


def test_points_add_up_to_today_and_never_fall() -> None:
    today = date(2026, 11, 30)
    found = some_savings((date(2025, 1, 1), 5, 5), (date(2026, 10, 1), 3, 0), (today, 2, 0))
    for period in ("3m", "year", "all"):
        points = points_of(found, period, today)
        saved = [point.saved_bytes for point in points]
        assert saved == sorted(saved)
        assert (points[-1].day, saved[-1], points[-1].freed_bytes) == (today, 10 * GB, 5 * GB)
        assert all(point.freed_bytes <= point.saved_bytes for point in points)
    assert points_of(found, "all", today)[0].day == date(2025, 1, 1)


def test_the_chart_leaves_room_for_the_queue_and_says_it() -> None:
    today = date(2026, 11, 30)
    found = some_savings((today - timedelta(days=40), 6, 2), waiting=4)
    chart = savings_chart(points_of(found, "year", today), found.waiting)
    assert chart.future_line
    assert float(chart.today_x.rstrip("%")) < 95
    assert "the queue adds about 4.0" in chart.text.replace("\N{NO-BREAK SPACE}", " ")
    quiet = some_savings((today, 6, 2))
    assert savings_chart(points_of(quiet, "year", today), quiet.waiting).future_line == ""


def test_without_any_job_the_chart_is_still_one() -> None:
    nothing = some_savings()
    chart = savings_chart(points_of(nothing, "year", date(2026, 11, 30)), nothing.waiting)
    assert chart.saved_line.startswith("M0.0 100.0")
