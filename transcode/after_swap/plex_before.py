"""Before a film's file leaves its name: who watches it, and the wait for Plex.

These run in the runner, each within a deadline, and a Plex that is away costs seconds: nothing here
keeps a swap from going on for ever, and nothing raises. What Plex knows: plex_note.py.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from library.models import PlexPart, PlexServer, PlexSwap
from library.plex.client import PlexProblem
from mediaflow.base.failpoints import declare, reach
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_facts import STEP_NOTED, STEP_SEEN, joined
from transcode.after_swap.plex_note import NOTE_BUDGET_S, usable_servers
from transcode.models import JournalState, Replacement

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)
LOOK_BUDGET_S: Final = 8.0  # for the question who watches
TOTAL_WAIT_S: Final = 600.0
POLL_S: Final = 2.0
AWAY_PATIENCE_S: Final = 30.0  # a Plex that does not answer while we wait for it
ASK_AGAIN_S: Final = 60.0
SCAN_BEGINS_S: Final = 5.0  # a scan that was asked for takes a moment to begin
ASKED: Final = declare("plex.asked_before", "Plex looks at the folder with both names")
SEEN: Final = declare("plex.seen", "Plex has the new file on the same rating key")


# Who watches


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


# Both names exist


def wait_for_plex(
    replacement_id: int, deadline_s: float, is_stopping: Callable[[], bool] = lambda: False
) -> bool:
    """Hook `before_original_leaves`: until Plex has the new file on the same rating key.

    True when every item has it (or no item is known). Ends early where no Plex answers, where an
    undo came between, and where MediaFlow ends.
    """
    row = Replacement.objects.filter(pk=replacement_id).first()
    if row is None:
        return True
    until = time.monotonic() + min(deadline_s, TOTAL_WAIT_S)
    waits = [wait for server in usable_servers() if (wait := _Wait(row, server)).is_open]
    while open_waits := [wait for wait in waits if wait.is_open]:
        if not Replacement.objects.filter(pk=row.pk, state=JournalState.PUBLISHED).exists():
            return False
        for wait in open_waits:
            left_s = until - time.monotonic()
            if left_s <= 0 or is_stopping():
                return False
            wait.look(min(left_s, NOTE_BUDGET_S))
        if any(wait.is_open for wait in waits):
            time.sleep(max(0.0, min(POLL_S, until - time.monotonic())))
    return not any(wait.is_hopeless for wait in waits)


class _Wait:
    """For one server: its items of the film that do not have the new file yet, and sections that
    could not be searched for it: these have it when they have looked at the folder."""

    def __init__(self, row: Replacement, server: PlexServer) -> None:
        noted = list(PlexSwap.objects.filter(replacement_id=row.pk, server=server, step=STEP_NOTED))
        self._server = server
        self._swaps = [swap for swap in noted if swap.rating_key_before]
        self._unknown = [swap for swap in noted if swap.before.get("is_unknown")]
        self._name = display_path(bytes(row.final_raw).rpartition(b"/")[2])
        self._asked_at: float | None = None
        self._away_since: float | None = None
        self.is_hopeless = False

    @property
    def is_open(self) -> bool:
        return bool(self._swaps or self._unknown) and not self.is_hopeless

    def look(self, budget_s: float) -> None:
        """Ask for a scan when that is due, and whether the file is there. Never raises."""
        now = time.monotonic()
        try:
            with PlexCalls(self._server, budget_s=budget_s) as plex:
                if self._asked_at is None or now - self._asked_at > ASK_AGAIN_S:
                    self._ask(plex)
                    self._asked_at = now
                self._swaps = [s for s in self._swaps if not _is_seen(plex, s, self._name)]
                if time.monotonic() - self._asked_at >= SCAN_BEGINS_S:
                    self._unknown = [s for s in self._unknown if plex.is_refreshing(s.section_key)]
            self._away_since = None
        except PlexProblem as problem:
            self._away_since = now if self._away_since is None else self._away_since
            is_dead = problem.kind in {"auth", "refused"}
            if is_dead or time.monotonic() - self._away_since > AWAY_PATIENCE_S:
                log.warning("%s is not waited for: %s", self._server.name, problem.text)
                self.is_hopeless = True

    def _ask(self, plex: PlexCalls) -> None:
        swaps = [*self._swaps, *self._unknown]
        for section_key, folder in {(s.section_key, s.before["folder"]) for s in swaps}:
            plex.refresh(section_key, folder)
        reach(ASKED)


def _is_seen(plex: PlexCalls, swap: PlexSwap, name: str) -> bool:
    film = plex.film(swap.rating_key_before)
    if film is None or film.part_at(joined(swap.before["folder"], name)) is None:
        return False
    mine = PlexSwap.objects.filter(pk=swap.pk, step=STEP_NOTED, generation=swap.generation)
    mine.update(step=STEP_SEEN)
    reach(SEEN)
    return True
