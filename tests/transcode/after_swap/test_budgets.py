"""A Plex that sends one byte now and then holds nobody up: each round of an entry has its time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.plex import writing
from library.plex.client import PlexProblem
from library.plex.writing import PlexWriter
from tests.transcode.after_swap.test_plex import EDITED, LABELS
from transcode.after_swap import outbox, plex_calls
from transcode.models import JobStatus, OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
BUDGET_S = 1.0
SOON_S = BUDGET_S + 5.0  # a busy machine


@pytest.mark.parametrize(
    "call", ["GET /?", "/refresh", "GET /library/metadata", "PUT /library/sections", "/analyze"]
)
def test_a_round_ends_in_time_whichever_call_drips(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    cinema = make_cinema(film=EDITED)
    assert cinema.world.run() == JobStatus.COMPLETED
    fresh = cinema.plex.world.renumber(cinema.film)
    fresh.own().pop("Label")
    dripping = cinema.plex.fail(call, drip_s=0.3, times=0)
    seconds = []
    with monkeypatch.context() as patched:
        patched.setattr(plex_calls, "STEP_BUDGET_S", BUDGET_S)
        for _ in range(20):
            begun = time.monotonic()
            outbox.work_on_due()
            seconds.append(time.monotonic() - begun)
            cinema.plex.wait_until_calm()
            OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
            if dripping.seen:
                break
    assert max(seconds) < SOON_S
    entry = OutboxEntry.objects.get(kind="plex")
    assert (entry.attempts, "did not answer in time" in entry.error) == (1, True)
    cinema.plex.faults.clear()
    cinema.tell()
    assert set(LABELS) <= set(cinema.item().tags("Label"))


def test_several_tries_of_one_read_share_the_time(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema = make_cinema()
    monkeypatch.setattr(plex_calls, "STEP_BUDGET_S", BUDGET_S)
    monkeypatch.setattr(plex_calls, "CALL_TIMEOUT_S", 0.7)
    cinema.plex.fail("/library/metadata", drip_s=0.3, times=0)
    begun = time.monotonic()
    with plex_calls.PlexCalls(cinema.server) as calls, pytest.raises(PlexProblem, match="in time"):
        calls.film(cinema.film.rating_key)
    assert time.monotonic() - begun < BUDGET_S + 0.6
    assert len(cinema.plex.calls("/library/metadata")) == 2


def test_an_edit_of_many_items_has_its_time_too(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema = make_cinema()
    monkeypatch.setattr(writing, "CALL_BUDGET_S", BUDGET_S)
    cinema.plex.fail("PUT", drip_s=0.3, times=0)
    begun = time.monotonic()
    with PlexWriter(cinema.server) as writer, pytest.raises(PlexProblem, match="in time"):
        writer.edit_items(cinema.section.key, 1, [cinema.film.rating_key], {"title.value": "x"})
    assert time.monotonic() - begun < SOON_S


def test_an_edit_that_a_busy_server_refuses_once_is_sent_again_in_the_same_round(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    assert cinema.world.run() == JobStatus.COMPLETED
    cinema.plex.world.renumber(cinema.film).own().pop("Label")
    busy = cinema.plex.fail("PUT /library/sections", status=503, retry_after="0.1", times=1)
    for _ in range(20):
        outbox.work_on_due()
        cinema.plex.wait_until_calm()
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
        if busy.seen:
            break
    assert busy.seen > 1
    assert OutboxEntry.objects.get(kind="plex").error == ""
    assert set(LABELS) <= set(cinema.item().tags("Label"))
