"""Before a film's file leaves its name: who watches it, what Plex knows of it, and the wait.

These run in the runner (or in an undo), each within a deadline, and a Plex that is away costs
seconds: nothing here keeps a swap from going on for ever, and nothing raises.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from library.folding import display_path
from library.models import PlexPart, PlexServer, PlexSwap
from library.plex.client import PlexProblem
from mediaflow.base.failpoints import declare, reach
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_facts import (
    STEP_NOTED,
    STEP_SEEN,
    Place,
    joined,
    places_in,
)
from transcode.after_swap.plex_snapshot import from_film, from_row
from transcode.models import JournalState, Replacement

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)
LOOK_BUDGET_S: Final = 8.0  # for the question who watches
NOTE_BUDGET_S: Final = 20.0  # for what a server knows of a film
TOTAL_WAIT_S: Final = 600.0
POLL_S: Final = 2.0
AWAY_PATIENCE_S: Final = 30.0  # a Plex that does not answer while we wait for it
ASK_AGAIN_S: Final = 60.0
NOTED: Final = declare("plex.noted", "what Plex knows of the film is written down")
ASKED: Final = declare("plex.asked_before", "Plex looks at the folder with both names")
SEEN: Final = declare("plex.seen", "Plex has the new file on the same rating key")


def usable_servers() -> list[PlexServer]:
    """Those that can be told something: scans and edits are for the owner."""
    return list(PlexServer.objects.filter(is_enabled=True, is_owned=True).exclude(url=""))


# ------------------------------------------------------------------ who watches


def watched_by(file_id: int, deadline_s: float) -> str:
    """Hook `film_in_use`: "It is being watched on TV (Home)."; "" when nobody is, or nobody knows.

    Sessions of every server that has the film are looked at, also those of other people's accounts.
    """
    until = time.monotonic() + deadline_s
    known = PlexPart.objects.filter(file_id=file_id).select_related("plex_item__section__server")
    by_server: dict[int, tuple[PlexServer, set[str]]] = {}
    for part in known:
        server = part.plex_item.section.server
        if server.is_enabled and server.url:
            keys = by_server.setdefault(server.pk, (server, set()))[1]
            keys.add(part.plex_item.rating_key)
    for server, keys in by_server.values():
        budget_s = min(LOOK_BUDGET_S, until - time.monotonic())
        if text := _watched_on(server, keys, budget_s):
            return text
    return ""


def _watched_on(server: PlexServer, keys: set[str], budget_s: float) -> str:
    if budget_s <= 0:
        return ""
    try:
        with PlexCalls(server, budget_s=budget_s) as plex:
            sessions = plex.watching()
    except PlexProblem as problem:
        log.info("who watches on %s is not known: %s", server.name, problem.text)
        return ""
    watching = [session for session in sessions if session.rating_key in keys]
    if not watching:
        return ""
    players = sorted({session.player or "a player" for session in watching})
    return f"It is being watched on {', '.join(players)} ({server.name})."


# ------------------------------------------------------------------ what Plex knows


def note_what_plex_knows(replacement_id: int, deadline_s: float) -> None:
    """Hook `before_swap`: a PlexSwap row for each item of the film, before anything is touched."""
    row = Replacement.objects.filter(pk=replacement_id).first()
    if row is None:
        return
    until = time.monotonic() + deadline_s
    for server in usable_servers():
        places = places_in(row, server)
        if places:
            _note_places(row, server, places, until)
    reach(NOTED)


def _note_places(
    row: Replacement, server: PlexServer, places: Iterable[Place], until: float
) -> None:
    """From the server itself, or from our rows where it does not answer."""
    budget_s = min(NOTE_BUDGET_S, until - time.monotonic())
    plex: PlexCalls | None = None
    try:
        plex = PlexCalls(server, budget_s=budget_s) if budget_s > 0 else None
    except PlexProblem as problem:
        log.info("%s cannot be asked: %s", server.name, problem.text)
    try:
        for place in places:
            note_place(row, server, place, _snapshot(plex, server, place))
    finally:
        if plex is not None:
            plex.__exit__()


def _snapshot(plex: PlexCalls | None, server: PlexServer, place: Place) -> dict[str, Any]:
    if place.item is None:
        return {}
    if plex is not None:
        try:
            film = plex.film(place.item.rating_key)
        except PlexProblem as problem:
            log.info("%s cannot be asked: %s", server.name, problem.text)
        else:
            if film is not None:
                return from_film(film)
    return from_row(place.item)


def note_place(
    row: Replacement, server: PlexServer, place: Place, known: dict[str, Any]
) -> PlexSwap:
    """Write it down; what an earlier attempt (or the swap that is undone now) had is replaced."""
    swap, _made = PlexSwap.objects.update_or_create(
        replacement_id=row.pk,
        server=server,
        rating_key_before=place.item.rating_key if place.item else "",
        defaults={
            "section_key": place.section.key,
            "guid": place.item.guid if place.item else "",
            "rating_key_after": "",
            "before": {**known, "folder": place.folder},
            "step": STEP_NOTED,
            "reapplied": [],
            "lost": [],
            "error": "",
            "finished_at": None,
        },
    )
    return swap


# ------------------------------------------------------------------ both names exist


def wait_for_plex(replacement_id: int, deadline_s: float) -> bool:
    """Hook `before_original_leaves`: until Plex has the new file on the same rating key.

    True when every item has it (or no item is known). Ends early where no Plex answers and where
    an undo came between.
    """
    row = Replacement.objects.filter(pk=replacement_id).first()
    if row is None:
        return True
    until = time.monotonic() + min(deadline_s, TOTAL_WAIT_S)
    results = [_wait_on(row, server, until) for server in usable_servers()]
    return all(results)


def _wait_on(row: Replacement, server: PlexServer, until: float) -> bool:
    rows = PlexSwap.objects.filter(replacement_id=row.pk, server=server, step=STEP_NOTED)
    open_swaps = list(rows.exclude(rating_key_before=""))
    if not open_swaps:
        return True
    name = display_path(bytes(row.final_raw).rpartition(b"/")[2])
    away_since: float | None = None
    asked_at: float | None = None
    while open_swaps and time.monotonic() < until:
        if not Replacement.objects.filter(pk=row.pk, state=JournalState.PUBLISHED).exists():
            return False
        now = time.monotonic()
        is_due = asked_at is None or now - asked_at > ASK_AGAIN_S
        try:
            with PlexCalls(server, budget_s=min(until - now, NOTE_BUDGET_S)) as plex:
                if is_due:
                    for place in {(s.section_key, s.before["folder"]) for s in open_swaps}:
                        plex.refresh(*place)
                    asked_at = now
                    reach(ASKED)
                open_swaps = [s for s in open_swaps if not _is_seen(plex, s, name)]
            away_since = None
        except PlexProblem as problem:
            away_since = now if away_since is None else away_since
            is_hopeless = problem.kind in {"auth", "refused"}
            if is_hopeless or time.monotonic() - away_since > AWAY_PATIENCE_S:
                log.warning("%s is not waited for: %s", server.name, problem.text)
                return False
        if open_swaps:
            time.sleep(max(0.0, min(POLL_S, until - time.monotonic())))
    return not open_swaps


def _is_seen(plex: PlexCalls, swap: PlexSwap, name: str) -> bool:
    film = plex.film(swap.rating_key_before)
    if film is None or film.part_at(joined(swap.before["folder"], name)) is None:
        return False
    PlexSwap.objects.filter(pk=swap.pk, step=STEP_NOTED).update(step=STEP_SEEN)
    reach(SEEN)
    return True
