"""kill -9 at every step of telling Plex: the next consumer goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mediaflow.base import failpoints
from tests.transcode.after_swap.test_plex import EDITED, LABELS, NEW_NAME
from transcode.after_swap import outbox
from transcode.models import JobStatus, OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
POINTS = [
    "outbox.claimed", "outbox.told", "plex.scan_asked", "plex.found", "plex.edited",
    "plex.reapplied", "plex.analysis_asked", "plex.finished",
]  # fmt: skip


class Killed(BaseException):
    """As SIGKILL: no handler of the code in between sees it."""


@pytest.fixture
def die_at() -> Iterator[Callable[[str, int], None]]:
    def arm(name: str, nth: int) -> None:
        left = nth

        def on_reach(reached: str) -> None:
            nonlocal left
            if reached == name:
                left -= 1
                if left == 0:
                    raise Killed

        failpoints.watch(on_reach)

    yield arm
    failpoints.watch(None)


def kill_and_go_on(cinema: Cinema, arm: Callable[[str, int], None], point: str) -> int:
    """Every time the point is reached, once; returns how many deaths there were."""
    deaths = 0
    for nth in range(1, 12):
        arm(point, 1)
        try:
            for _ in range(4):
                outbox.work_on_due()
                cinema.plex.wait_until_calm()
                OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
        except Killed:
            deaths = nth
        else:
            break
        finally:
            failpoints.watch(None)
        for pk, token in OutboxEntry.objects.exclude(lease_token="").values_list(
            "pk", "lease_token"
        ):
            outbox.release(pk, token)  # what the sweeper does about a dead process
        cinema.plex.wait_until_calm()
        outbox.work_on_due()  # one round in peace, so that the next death is further on
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    return deaths


@pytest.mark.parametrize("point", POINTS)
def test_after_a_kill_the_next_consumer_goes_on(
    make_cinema: Callable[..., Cinema], die_at: Callable[[str, int], None], point: str
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    fresh = cinema.plex.world.renumber(cinema.film)
    for key in ("Label", "Collection", "Field", "titleSort"):
        fresh.own().pop(key, None)
    assert kill_and_go_on(cinema, die_at, point) >= 1
    cinema.tell()
    swap = cinema.swap()
    assert (swap.step, swap.rating_key_after) == ("done", fresh.rating_key)
    assert set(cinema.item().tags("Label")) == set(LABELS)
    assert cinema.item().tree["titleSort"] == "film, the"
    assert "The label Kept" in swap.reapplied
    # An edit may be sent again only where its answer was lost; then nothing differs any more.
    assert len(cinema.plex.edits) == 1
    assert cinema.plex.world.views[cinema.film.guid][0] == 3
    assert not outbox.open_entries().exists()


@pytest.mark.parametrize("point", ["plex.noted", "plex.asked_before", "plex.seen"])
def test_a_runner_that_dies_while_plex_is_waited_for_goes_on_with_the_swap(
    make_cinema: Callable[..., Cinema], die_at: Callable[[str, int], None], point: str
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    die_at(point, 1)
    with pytest.raises(Killed):
        cinema.world.run()
    failpoints.watch(None)
    assert cinema.world.restart() == JobStatus.COMPLETED
    cinema.tell()
    item = cinema.item()
    assert item.rating_key == cinema.film.rating_key
    assert item.files == [cinema.plex_path(cinema.world.final)]
    assert cinema.swap().step == "done"
