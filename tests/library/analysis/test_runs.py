"""Runs one after the other: what stays, what goes, what comes back, and who is remembered."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.analysis import decisions, merge, run
from library.analysis.services import start_analysis, start_due_analyses
from library.models import (
    AnalysisFact,
    AnalysisRun,
    Library,
    Recommendation,
    RecommendationState,
)
from mediaflow.base.models import OperationStatus
from mediaflow.base.operations import OperationCancelled, run_operation_here
from mediaflow.base.settings_store import set_setting
from tests.library.analysis.films import analyse, film, mpeg2
from tests.library.file_rows import make_library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from library.models import MediaFile

pytestmark = pytest.mark.django_db
State = RecommendationState


@pytest.fixture
def old_film(library: Library) -> MediaFile:
    """Said to be in an old codec, by a run."""
    file = film(library, **mpeg2())
    analyse()
    return file


def the_row() -> Recommendation:
    return Recommendation.objects.get(kind="codec")


def encode(file: MediaFile, *, is_done: bool = True) -> None:
    """As if somebody had made it HEVC elsewhere; or back."""
    type(file).objects.filter(pk=file.pk).update(video_codec="hevc" if is_done else "mpeg2video")


def test_a_second_run_changes_nothing_and_writes_nothing(old_film: MediaFile) -> None:
    before = list(Recommendation.objects.order_by("pk").values())
    run = analyse()
    assert list(Recommendation.objects.order_by("pk").values()) == before
    assert run.by_kind["codec"] == {
        "open": 1, "new": 0, "gone": 0, "savings_bytes": before[0]["savings_bytes"]
    }  # fmt: skip


def test_only_the_newest_runs_are_kept(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "KEPT_RUNS", 2)
    made = [analyse().pk for _ in range(4)]
    assert list(AnalysisRun.objects.order_by("pk").values_list("pk", flat=True)) == made[2:]


@pytest.mark.parametrize(
    ("rows", "slices", "expected"),
    [
        (1_000, 0.5, 2_000),
        (1_000, 1.5, 1_000),
        (2_000, 2.5, 1_000),
        (merge.MOST_SLICE_ROWS, 0.5, merge.MOST_SLICE_ROWS),
        (merge.SLICE_ROWS // 4, 9, merge.SLICE_ROWS // 4),
    ],
)
def test_slices_grow_and_shrink_with_the_time_that_one_takes(
    rows: int, slices: float, expected: int
) -> None:
    assert merge._next_rows(rows, slices * merge.SLICE_S) == expected


def test_what_is_no_longer_true_is_gone_and_opens_when_it_is_true_again(
    old_film: MediaFile,
) -> None:
    encode(old_film)
    assert analyse().by_kind["codec"]["gone"] == 1
    assert the_row().state == State.GONE
    encode(old_film, is_done=False)
    run = analyse()
    assert (the_row().state, run.by_kind["codec"]["open"]) == (State.OPEN, 1)
    assert the_row().first_run != the_row().last_run == run


def test_new_figures_are_written_to_the_row_that_is_there(old_film: MediaFile) -> None:
    before = the_row()
    type(old_film).objects.filter(pk=old_film.pk).update(size_bytes=9_000_000_000)
    analyse()
    assert the_row().pk == before.pk
    assert the_row().savings_bytes > before.savings_bytes
    assert (before.size_bytes, the_row().size_bytes) == (old_film.size_bytes, 9_000_000_000)


def test_dismissed_ones_are_never_opened_again(old_film: MediaFile) -> None:
    decisions.dismiss([the_row().pk], actor=None, reason="I like it so")
    for is_done in (True, False):
        encode(old_film, is_done=is_done)
        analyse()
        assert (the_row().state, the_row().dismissed_reason) == (State.DISMISSED, "I like it so")


@pytest.mark.parametrize(
    ("decide", "state"),
    [
        (partial(decisions.dismiss, reason="Mine"), State.DISMISSED),
        (partial(decisions.snooze, until=timezone.now() + timedelta(days=9)), State.SNOOZED),
        (decisions.accept, State.ACCEPTED),
    ],
)
def test_what_is_decided_while_a_run_ends_it_stays_decided(
    old_film: MediaFile, monkeypatch: pytest.MonkeyPatch, decide: Callable[..., int], state: str
) -> None:
    end = merge.Merge._end

    def end_late(self: merge.Merge, ids: Sequence[int], *rest: Any) -> int:
        if the_row().pk in ids:
            decide([the_row().pk], actor=None)
        return end(self, ids, *rest)

    monkeypatch.setattr(merge.Merge, "_end", end_late)
    encode(old_film)
    assert analyse().by_kind["codec"]["gone"] == 0
    assert the_row().state == state


def test_accepted_ones_stay_also_when_they_are_done(old_film: MediaFile) -> None:
    decisions.accept([the_row().pk], actor=None)
    encode(old_film)
    analyse()
    assert the_row().state == State.ACCEPTED


@pytest.mark.parametrize(
    ("days", "is_done", "state"),
    [(1, False, State.SNOOZED), (1, True, State.SNOOZED), (-1, False, State.OPEN),
     (-1, True, State.GONE)],
)  # fmt: skip
def test_snoozed_ones_wait_for_their_day(
    old_film: MediaFile, days: int, is_done: bool, state: str
) -> None:
    until = timezone.now() + timedelta(days=days)
    Recommendation.objects.update(state=State.SNOOZED, snoozed_until=until)
    encode(old_film, is_done=is_done)
    analyse()
    assert the_row().state == state
    assert (the_row().snoozed_until is None) is (state != State.SNOOZED)


def test_a_run_of_one_library_says_nothing_about_others(
    library: Library, old_film: MediaFile
) -> None:
    other = make_library("Other")
    film(other, **mpeg2())
    encode(old_film)
    run = analyse(library=other)
    assert (run.item_count, run.by_kind["codec"]["open"]) == (1, 1)
    states = dict(Recommendation.objects.values_list("library__name", "state"))
    assert states == {library.name: State.OPEN, "Other": State.OPEN}


def test_of_a_frozen_library_everything_stays_of_a_disabled_one_it_ends(
    library: Library, old_film: MediaFile
) -> None:
    encode(old_film)
    Library.objects.update(frozen_reason="It is not mounted.")
    analyse()
    assert the_row().state == State.OPEN
    Library.objects.update(frozen_reason="", is_enabled=False)
    analyse()
    assert the_row().state == State.GONE


def test_a_run_that_is_stopped_between_steps_is_finished_by_the_next(library: Library) -> None:
    film(library, **mpeg2(container="ts"))
    film(library, "TS", container="ts")
    calls = iter(range(100))

    def stop_soon() -> None:
        if next(calls) >= 3:
            raise OperationCancelled

    with pytest.raises(OperationCancelled):
        analyse(checkpoint=stop_soon)
    assert set(Recommendation.objects.values_list("kind", flat=True)) == {"codec"}
    analyse()
    assert set(Recommendation.objects.values_list("kind", flat=True)) == {"codec", "container"}
    assert Recommendation.objects.filter(kind="codec").count() == 1


def test_nothing_is_left_of_the_temporary_tables(old_film: MediaFile) -> None:
    from django.db import DatabaseError, transaction

    with pytest.raises(DatabaseError), transaction.atomic():
        AnalysisFact.objects.count()


def test_the_operation_keeps_its_run_and_says_what_it_found(library: Library) -> None:
    film(library, **mpeg2())
    done = run_operation_here(start_analysis(library, trigger="sync"))
    assert done.status == OperationStatus.COMPLETED
    run = AnalysisRun.objects.get(pk=done.result["run"])
    assert (run.trigger, run.library, run.finished_at is not None) == ("sync", library, True)
    assert done.message == "1 films: 1 recommendations."


def test_one_analysis_of_a_library_waits_at_a_time(library: Library) -> None:
    assert start_analysis(library).pk == start_analysis(library).pk
    assert start_analysis(library).pk != start_analysis().pk


def test_a_library_that_was_removed_meanwhile_is_a_failure_in_words(library: Library) -> None:
    operation = start_analysis(library)
    library.delete()
    assert run_operation_here(operation).message == "The library was removed."


class TestSchedule:
    @pytest.fixture(autouse=True)
    def scanned(self, library: Library) -> None:
        """By a scan that found something, after a run over everything."""
        AnalysisRun.objects.create()
        Library.objects.update(
            last_scan_at=timezone.now() + timedelta(seconds=1), last_scan_summary={"added": 2}
        )

    def started(self, days: float = 0.0) -> list[str]:
        begun = start_due_analyses(timezone.now() + timedelta(days=days))
        return [operation.args["trigger"] for operation in begun]

    def test_a_library_is_looked_at_after_a_scan_that_changed_it(self) -> None:
        assert self.started() == ["scan"]

    def test_a_scan_that_changed_nothing_starts_nothing(self) -> None:
        Library.objects.update(last_scan_summary={"added": 0, "files": 9})
        assert self.started() == []

    def test_one_look_after_a_scan_is_enough(self, library: Library) -> None:
        AnalysisRun.objects.create(library=library, started_at=library_scan(library))
        assert self.started() == []

    def test_everything_is_looked_at_once_a_day_or_a_week(self) -> None:
        set_setting("insights_after_scan", False, None)
        assert (self.started(0.9), self.started(1.1)) == ([], ["schedule"])
        set_setting("insights_schedule", "weekly", None)
        assert (self.started(6.9), self.started(7.1)) == ([], ["schedule"])
        set_setting("insights_schedule", "off", None)
        assert self.started(100) == []


def library_scan(library: Library) -> datetime:
    library.refresh_from_db()
    assert library.last_scan_at is not None
    return library.last_scan_at
