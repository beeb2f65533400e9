"""A Plex that gives an item up between two steps, scans without end, or refuses one item of two."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.plex.client import PlexProblem
from transcode.after_swap import outbox, plex_before, plex_step
from transcode.after_swap.plex_calls import PlexCalls
from transcode.models import OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
NEW_NAME = {"name": b"Film (2001)/film.avi", "extension": ".mkv"}


def one_round(cinema: Cinema) -> None:
    outbox.work_on_due()
    cinema.plex.wait_until_calm()
    OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())


def test_an_item_made_anew_after_it_was_found_gets_its_labels_too(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plex_before, "TOTAL_WAIT_S", 0.0)
    cinema = make_cinema(film={"labels": ["Kept"]}, **NEW_NAME)
    cinema.world.run()
    cinema.plex.world.renumber(cinema.film)
    cinema.item().own().pop("Label", None)
    times = 0

    def reach(name: str) -> None:
        nonlocal times
        if name == plex_step.KEY_FOUND:
            times += 1
            if times == 1:
                cinema.plex.world.renumber(cinema.item())
                cinema.item().own().pop("Label", None)

    monkeypatch.setattr(plex_step, "reach", reach)
    for _ in range(6):
        one_round(cinema)
        if times:
            break
    assert cinema.swap().step == "found"
    monkeypatch.setattr(plex_step, "PATIENCE", timedelta(0))
    one_round(cinema)
    assert cinema.swap().step == "due"  # looked for from the beginning
    monkeypatch.undo()
    cinema.tell()
    swap = cinema.swap()
    assert (swap.step, swap.rating_key_after) == ("done", cinema.item().rating_key)
    assert cinema.item().tags("Label") == ["Kept"]


def test_a_scan_without_end_is_not_waited_for(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file stays listed, and the section says for ever that it is being scanned."""
    monkeypatch.setattr(plex_before, "TOTAL_WAIT_S", 0.0)
    monkeypatch.setattr(PlexCalls, "is_refreshing", lambda _self, _key: True)
    cinema = make_cinema(**NEW_NAME)
    cinema.plex.world.auto_empty_trash = False
    cinema.world.run()
    for _ in range(4):
        one_round(cinema)
    assert cinema.swap().step == "scanned"
    monkeypatch.setattr(plex_step, "PATIENCE", timedelta(0))
    cinema.tell()
    assert cinema.swap().step == "done"


def test_what_plex_refuses_for_one_item_is_noted_there(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: PlexCalls, _key: str) -> None:
        raise PlexProblem("refused", "Home refused the request (HTTP 404).", status=404)

    cinema = make_cinema()
    cinema.world.run()
    with monkeypatch.context() as patched:
        patched.setattr(PlexCalls, "analyze", refuse)
        for _ in range(3):
            one_round(cinema)
    entry = OutboxEntry.objects.get(kind="plex")
    assert entry.attempts >= 1
    assert cinema.swap().error == "Home refused the request (HTTP 404)."
    cinema.tell()
    assert cinema.swap().step == "done"
