"""One swap or undo becomes one entry for each server that has to know. No network here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F

from library.models import ArrServer, PlexServer, PlexSwap
from transcode.after_swap.outbox import (
    ARR,
    PLEX,
    RESTORED,
    Done,
    OutboxStopped,
    end,
    mine,
)
from transcode.after_swap.plex_facts import (
    STEP_DONE,
    STEP_DUE,
    places_in,
)
from transcode.after_swap.plex_note import note_place
from transcode.after_swap.plex_snapshot import from_row
from transcode.models import OutboxEntry, Replacement

if TYPE_CHECKING:
    from transcode.after_swap.outbox import Claim
    from transcode.after_swap.plex_facts import Place


def fan_out(claim: Claim) -> Done:
    """All entries in one transaction with the end of this one: after a kill none is there twice."""
    row = Replacement.objects.filter(pk=claim.payload.get("replacement") or 0).first()
    if row is None:
        return Done("Its swap is no longer known.")
    payload = {
        "replacement": row.pk,
        "is_undo": claim.kind == RESTORED,
        "original": claim.payload.get("original", ""),
        "final": claim.payload.get("final", ""),
    }
    places = {server: places_in(row, server) for server in _plex_servers()}
    plex = [server for server, found in places.items() if found or _is_noted(row, server)]
    arrs = list(ArrServer.objects.filter(is_enabled=True))
    with transaction.atomic():
        if not mine(claim).exists():
            raise OutboxStopped
        for server in plex:
            _add(PLEX, server.pk, server.name, payload, row)
            _make_due(row, server, places[server])
        for arr in arrs:
            _add(ARR, arr.pk, arr.name, payload, row)
        # Ended here, with the rows above: a kill after this finds nothing to repeat.
        outcome = Done(_in_words([*plex, *arrs]))
        _end_with(claim, outcome)
    return outcome


def _plex_servers() -> list[PlexServer]:
    return list(PlexServer.objects.filter(is_enabled=True, is_owned=True))


def _is_noted(row: Replacement, server: PlexServer) -> bool:
    """Also a section of which we have no row: the server itself told of it before the swap."""
    noted = PlexSwap.objects.filter(replacement_id=row.pk, server=server)
    return noted.exclude(step=STEP_DONE).exists()


def _make_due(row: Replacement, server: PlexServer, places: list[Place]) -> None:
    """What was noted before the swap is due now; where nothing was, our own rows say.

    What an earlier entry has not finished begins anew as well: the film is another one now.
    """
    swaps = PlexSwap.objects.filter(replacement_id=row.pk, server=server)
    unfinished = swaps.exclude(step=STEP_DONE)
    if not _is_noted(row, server):
        for place in places:
            note_place(row, server, place, from_row(place.item) if place.item else {})
    unfinished.update(step=STEP_DUE, generation=F("generation") + 1)


def _add(kind: str, server_id: int, name: str, payload: dict[str, Any], row: Replacement) -> None:
    OutboxEntry.objects.create(
        kind=kind, payload={**payload, "server": server_id, "name": name}, job_id=row.job_id
    )


def _end_with(claim: Claim, outcome: Done) -> None:
    if not end(claim, outcome):
        raise OutboxStopped


def _in_words(servers: list[PlexServer | ArrServer]) -> str:
    if not servers:
        return "No server has to know."
    return f"Told to {', '.join(server.name for server in servers)}."
