"""What Plex knows of a film, written down before a swap or an undo touches anything.

In the runner (or in an undo), within a deadline; a Plex that is away costs seconds, and nothing
raises. What a server does not say in time our own rows say, and where there are none, the record of
the job names what may be lost.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.db.models import F

from library.models import PlexServer, PlexSwap
from library.plex.client import PlexProblem
from mediaflow.base.failpoints import declare, reach
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_facts import STEP_NOTED, places_in
from transcode.after_swap.plex_search import look_elsewhere
from transcode.after_swap.plex_snapshot import FROM_PLEX, from_film, from_row
from transcode.models import Replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transcode.after_swap.plex_facts import Place

log = logging.getLogger(__name__)
NOTE_BUDGET_S: Final = 20.0  # for what a server knows of a film
NOTED: Final = declare("plex.noted", "what Plex knows of the film is written down")


def usable_servers() -> list[PlexServer]:
    """Those that can be told something: scans and edits are for the owner."""
    return list(PlexServer.objects.filter(is_enabled=True, is_owned=True).exclude(url=""))


def note_what_plex_knows(replacement_id: int, deadline_s: float) -> None:
    """Hook `before_swap`: a PlexSwap row for each item of the film, before anything is touched."""
    row = Replacement.objects.filter(pk=replacement_id).first()
    if row is None:
        return
    until = time.monotonic() + deadline_s
    for server in usable_servers():
        with _asked(server, min(NOTE_BUDGET_S, until - time.monotonic())) as plex:
            _note_places(row, server, plex)
    reach(NOTED)


@contextmanager
def _asked(server: PlexServer, budget_s: float) -> Iterator[PlexCalls | None]:
    """None: it cannot be asked, or there is no time left for it."""
    plex: PlexCalls | None = None
    try:
        plex = PlexCalls(server, budget_s=budget_s) if budget_s > 0 else None
    except PlexProblem as problem:
        log.info("%s cannot be asked: %s", server.name, problem.text)
    try:
        yield plex
    finally:
        if plex is not None:
            plex.__exit__()


def _note_places(row: Replacement, server: PlexServer, plex: PlexCalls | None) -> None:
    """First the items that our rows know; then sections are searched that are not synced, or whose
    item is another one by now."""
    settled: set[str] = set()
    rest: list[Place] = []
    for place in places_in(row, server):
        known = _snapshot(plex, server, place) if place.rating_key else None
        if known is None and not _is_noted(row, server, place):
            rest.append(place)
        else:
            note_place(row, server, place, known or _from_rows(place))
            settled.add(place.section_key)
    for sighting in look_elsewhere(row, server, plex, settled, rest):
        place, film = sighting.place, sighting.film
        known = from_film(film) if film is not None else _from_rows(place)
        note_place(row, server, place, known, unknown=sighting.unknown)


def _snapshot(plex: PlexCalls | None, server: PlexServer, place: Place) -> dict[str, Any] | None:
    """None: the server says that it has no such item."""
    if plex is not None:
        try:
            film = plex.film(place.rating_key)
        except PlexProblem as problem:
            log.info("%s cannot be asked: %s", server.name, problem.text)
        else:
            return from_film(film) if film is not None else None
    return _from_rows(place)


def _from_rows(place: Place) -> dict[str, Any]:
    return from_row(place.item) if place.item is not None else {}


def _is_noted(row: Replacement, server: PlexServer, place: Place) -> bool:
    """Whether Plex itself has said of this item what is still to be put back."""
    unfinished = PlexSwap.objects.filter(**_key(row, server, place), finished_at=None)
    return any(swap.before.get("source") == FROM_PLEX for swap in unfinished)


def _key(row: Replacement, server: PlexServer, place: Place) -> dict[str, Any]:
    return {
        "replacement_id": row.pk,
        "server": server,
        "section_key": place.section_key,
        "rating_key_before": place.rating_key,
    }


def note_place(
    row: Replacement,
    server: PlexServer,
    place: Place,
    known: dict[str, Any],
    *,
    unknown: str = "",
) -> None:
    """Write it down; what an earlier attempt (or the swap that is undone now) had is replaced.

    But not by less: what Plex itself said stays until it has all been put back. `unknown`: in
    words, what may be lost because it could not be asked for.
    """
    key = _key(row, server, place)
    if known.get("source") != FROM_PLEX:
        earlier = PlexSwap.objects.filter(**key, finished_at=None).first()
        if earlier is not None and earlier.before.get("source") == FROM_PLEX:
            known = earlier.before
    values: dict[str, Any] = {
        "guid": place.guid,
        "rating_key_after": "",
        "before": {**known, "folder": place.folder, "is_unknown": bool(unknown)},
        "step": STEP_NOTED,
        "reapplied": [],
        "lost": [unknown] if unknown else [],
        "error": "",
        "finished_at": None,
    }
    # Whoever is at work on the row sees that it begins anew, and stops (plex_step.Superseded).
    PlexSwap.objects.update_or_create(
        **key, defaults={**values, "generation": F("generation") + 1}, create_defaults=values
    )
