"""An undo while Plex is still being told of the swap: the old work stops, the new one goes on."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mediaflow.base import failpoints
from tests.transcode.after_swap.test_kills import Killed, die_at
from tests.transcode.after_swap.test_plex import EDITED, LABELS, NEW_NAME
from transcode.after_swap import outbox
from transcode.models import Job, JobStatus, JournalState, OutboxEntry, Replacement
from transcode.replacing.undo import finish_open_undos, undo_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
__all__ = ["die_at"]


@pytest.fixture
def once_at() -> Iterator[Callable[[str, Callable[[], object]], list[str]]]:
    """`once_at(failpoint, act)`: act the first time it is reached; the list then holds its name."""

    def arm(name: str, act: Callable[[], object]) -> list[str]:
        seen: list[str] = []

        def on_reach(reached: str) -> None:
            if reached == name and not seen:
                seen.append(reached)
                act()

        failpoints.watch(on_reach)
        return seen

    yield arm
    failpoints.watch(None)


def swapped_and_made_anew(make_cinema: Callable[..., Cinema], **names: object) -> Cinema:
    """Plex has made the item anew, without what a person had set, and is not told yet."""
    cinema = make_cinema(film=EDITED, **names)
    assert cinema.world.run() == JobStatus.COMPLETED
    fresh = cinema.plex.world.renumber(cinema.film)
    for key in ("Label", "Collection", "Field", "titleSort"):
        fresh.own().pop(key, None)
    return cinema


def another_job(cinema: Cinema) -> Job:
    job = cinema.world.job
    return Job.objects.create(
        file=job.file, file_path=job.file_path, preset_slug=job.preset_slug,
        preset_spec=job.preset_spec, source_bytes=1,
    )  # fmt: skip


def test_an_undo_that_is_refused_takes_nothing_from_what_plex_is_being_told(
    make_cinema: Callable[..., Cinema], once_at: Callable[..., list[str]]
) -> None:
    """Another job of the film waits: the labels are still to be put back."""
    cinema = swapped_and_made_anew(make_cinema)
    another_job(cinema)
    refusals: list[str] = []
    once_at("plex.found", lambda: refusals.append(undo_job(cinema.world.job.pk, actor=None).reason))
    cinema.tell()
    assert "Another job of this film" in refusals[0]
    assert set(cinema.item().tags("Label")) == set(LABELS)
    swap = cinema.swap()
    assert (swap.step, swap.rating_key_after) == ("done", cinema.item().rating_key)
    assert "The label Kept" in swap.reapplied


@pytest.mark.parametrize("point", ["plex.scan_asked", "plex.found", "plex.edited",
                                   "plex.reapplied", "plex.analysis_asked"])  # fmt: skip
@pytest.mark.parametrize("names", [{}, NEW_NAME], ids=["same name", "new name"])
def test_a_call_that_is_overtaken_by_an_undo_stops_and_the_next_one_goes_on(
    make_cinema: Callable[..., Cinema],
    once_at: Callable[..., list[str]],
    point: str,
    names: dict[str, object],
) -> None:
    cinema = swapped_and_made_anew(make_cinema, **names)
    results: list[bool] = []
    once_at(point, lambda: results.append(undo_job(cinema.world.job.pk, actor=None).ok))
    later = {"file_restored": lambda _claim: outbox.Later("Not yet.", 3600)}
    for _ in range(10):
        outbox.work_on_due(known={**outbox.handlers(), **later})
        cinema.plex.wait_until_calm()
        if results:
            break
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    assert results == [True]
    entry = OutboxEntry.objects.get(kind="plex")
    assert (entry.outcome, entry.error) == ("The film changed once more; it begins anew.", "")
    assert cinema.swap().step == "noted"
    cinema.plex.wait_until_calm()
    OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    cinema.tell()
    assert cinema.item().files[-1] == cinema.plex_path(cinema.world.film)
    assert set(cinema.item().tags("Label")) == set(LABELS)
    assert cinema.swap().step == "done"
    outcomes = OutboxEntry.objects.filter(kind="plex").order_by("id").values_list("outcome")
    assert outcomes[0][0] == "The film was put back since; that is told by itself."


def test_after_a_kill_between_the_mark_and_the_announcement_it_is_announced_again(
    make_cinema: Callable[..., Cinema], die_at: Callable[[str, int], None]
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    cinema.tell()
    cinema.item().own()["Label"].append(cinema.plex.world.tag("Label", "Added after"))
    die_at("undo.marked", 1)
    with pytest.raises(Killed):
        undo_job(cinema.world.job.pk, actor=None)
    failpoints.watch(None)
    assert Replacement.objects.get().state == JournalState.UNDOING
    assert cinema.swap().step == "done"  # nobody was asked yet
    assert finish_open_undos() == 1
    assert "Added after" in cinema.swap().before["labels"]
    cinema.plex.world.renumber(cinema.item())
    cinema.item().own()["Label"] = []
    cinema.tell()
    assert {"Added after", *LABELS} <= set(cinema.item().tags("Label"))


def test_what_was_noted_before_the_names_changed_is_not_asked_for_again_after_a_kill(
    make_cinema: Callable[..., Cinema], die_at: Callable[[str, int], None]
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    die_at("undo.names_back", 1)
    with pytest.raises(Killed):
        undo_job(cinema.world.job.pk, actor=None)
    failpoints.watch(None)
    cinema.plex.requests.clear()
    assert finish_open_undos() == 1
    assert cinema.plex.requests == []
    assert set(cinema.swap().before["labels"]) == set(LABELS)


def test_an_undo_that_finds_something_in_its_way_lets_plex_be_told_of_the_swap_after_all(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema = swapped_and_made_anew(make_cinema)
    cinema.plex.world.scan_s = 3  # longer than a look, also on a busy machine
    outbox.work_on_due()
    assert cinema.swap().step == "scanned"  # on its way: the entry of the swap is there
    cinema.plex.wait_until_calm()
    cinema.plex.world.scan_s = 0.05

    def something_came(*_given: object) -> None:
        raise FileExistsError(errno.EEXIST, "the name is taken")

    with monkeypatch.context() as patched:
        patched.setattr("transcode.replacing.undo.run_back", something_came)
        assert "Something new came" in undo_job(cinema.world.job.pk, actor=None).reason
    assert Replacement.objects.get().state == JournalState.DONE
    cinema.tell()
    assert set(cinema.item().tags("Label")) == set(LABELS)
    assert cinema.swap().step == "done"
