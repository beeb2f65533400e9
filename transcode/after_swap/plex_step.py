"""After a swap or an undo: Plex looks at the folder, into the file, and what was lost is put back.

    due       the folder is scanned, together with those of all others that wait (one call)
    scanned   wait until the part is our file, on the same rating key or on a new one
    found     a new key gets its labels, collections, edits, date and plays back; then analyse
    analyzed  wait until Plex's streams are the file's

One entry of the outbox leads all items of one film on one server through these. Each call of
`tell_plex` goes as far as it can without waiting; it may be killed anywhere. An undo makes the rows
begin anew (another generation): a call that is still at work on the old ones writes nothing more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from library.media_info import MediaInfo
from library.models import PlexSection, PlexServer, PlexSwap
from library.plex.client import PlexProblem
from library.plex.sections import note_contact
from mediaflow.base.failpoints import declare, reach
from transcode.after_swap.disk import is_disk_away, later
from transcode.after_swap.outbox import Done, Failed, Later
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_facts import (
    STEP_ANALYZED,
    STEP_DONE,
    STEP_DUE,
    STEP_FOUND,
    STEP_SCANNED,
    common_folder,
    joined,
)
from transcode.after_swap.plex_rows import record_film
from transcode.after_swap.plex_snapshot import compared, edits_for, from_film
from transcode.models import JournalState, Replacement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from library.plex.facts import PartFacts
    from transcode.after_swap.outbox import Claim, Outcome
    from transcode.after_swap.plex_calls import Film

POLL_S: Final = 10.0
PATIENCE: Final = timedelta(minutes=10)  # for a scan or an analysis, before it counts as failed
SCAN_BEGINS: Final = timedelta(seconds=5)
BEGINS_ANEW: Final = "The film changed once more; it begins anew."
AT_REST: Final = frozenset({JournalState.DONE, JournalState.UNDONE})  # of a replacement
ACTIVE: Final = (STEP_DUE, STEP_SCANNED, STEP_FOUND, STEP_ANALYZED)
SCAN_ASKED: Final = declare("plex.scan_asked", "Plex was asked to look at the folder")
KEY_FOUND: Final = declare("plex.found", "Plex's part is our file")
EDITED: Final = declare("plex.edited", "the edit that puts things back was sent")
REAPPLIED: Final = declare("plex.reapplied", "what was put back is written down")
ANALYSIS_ASKED: Final = declare("plex.analysis_asked", "Plex was asked to look into the file")
FINISHED: Final = declare("plex.finished", "our rows say what Plex has")


class Superseded(Exception):
    """The row that this call works on has begun anew, or another process went on with it."""


def tell_plex(claim: Claim) -> Outcome:
    """Handler of entries of kind `plex`."""
    server = PlexServer.objects.filter(pk=claim.payload.get("server") or 0).first()
    row = Replacement.objects.filter(pk=claim.payload.get("replacement") or 0).first()
    if server is None or row is None or not server.is_enabled:
        return Done("The server was removed or switched off.")
    if row.state not in AT_REST:
        return Later("The film is being put back.", 30)
    if row.state == JournalState.UNDONE and not claim.payload.get("is_undo"):
        return Done("The film was put back since; that is told by itself.")
    if is_disk_away(row):
        return later(server.name)
    try:
        with PlexCalls(server) as plex:
            outcome = _Walk(claim, server, row, plex).go()
        note_contact(server)
        if not Replacement.objects.filter(pk=row.pk, state=row.state).exists():
            raise Superseded
        return outcome
    except Superseded:
        return Later(BEGINS_ANEW, POLL_S)
    except PlexProblem as problem:
        note_contact(server, problem)
        is_away = problem.kind in {"network", "auth", "busy"}
        _open_swaps(row, server).update(error=problem.text[:500])
        return Failed(problem.text, is_away=is_away)


def _open_swaps(row: Replacement, server: PlexServer) -> QuerySet[PlexSwap]:
    return PlexSwap.objects.filter(replacement_id=row.pk, server=server, step__in=ACTIVE)


class _Walk:
    """One entry on its way through the steps."""

    def __init__(self, claim: Claim, server: PlexServer, row: Replacement, plex: PlexCalls) -> None:
        self._claim, self._server, self._row, self._plex = claim, server, row, plex
        is_undone = row.state == JournalState.UNDONE
        self._path = bytes(row.original_raw if is_undone else row.final_raw)
        self._size = row.source_snapshot["size_bytes"] if is_undone else row.output_bytes
        self._info = _wanted_info(row, is_undone=is_undone)

    def go(self) -> Outcome:
        if _open_swaps(self._row, self._server).filter(step=STEP_DUE).exists():
            self._scan()
        waits: list[str] = []
        failures: list[str] = []
        for swap in _open_swaps(self._row, self._server):
            self._claim.checkpoint()
            outcome = self._advance_alone(swap)
            if isinstance(outcome, Later):
                waits.append(outcome.text)
            elif isinstance(outcome, Failed):
                failures.append(outcome.text)
                _mine(swap).update(error=outcome.text[:500])
        if failures:
            return Failed(" ".join(failures))
        if waits:
            return Later(waits[0], POLL_S)
        return Done(self._in_words())

    # Steps

    def _scan(self) -> None:
        """One call for each section, for all films that wait for one on this server."""
        waiting = _to_be_told(PlexSwap.objects.filter(server=self._server, step=STEP_DUE))
        by_section: dict[str, list[PlexSwap]] = {}
        for swap in waiting:
            by_section.setdefault(swap.section_key, []).append(swap)
        for key, swaps in by_section.items():
            self._claim.checkpoint()
            section = PlexSection.objects.filter(server=self._server, key=key).first()
            folders = [str(swap.before.get("folder", "")) for swap in swaps]
            self._plex.refresh(key, common_folder(folders, section.locations if section else []))
            reach(SCAN_ASKED)
            asked = PlexSwap.objects.filter(pk__in=[s.pk for s in swaps], step=STEP_DUE)
            for swap in asked:
                before = {**swap.before, "asked_at": timezone.now().isoformat()}
                _mine(swap).update(step=STEP_SCANNED, before=before)

    def _advance_alone(self, swap: PlexSwap) -> Outcome:
        """A refusal concerns one item: the others of the file go on."""
        try:
            return self._advance(swap)
        except PlexProblem as problem:
            if problem.kind != "refused":
                raise
            return Failed(problem.text)

    def _advance(self, swap: PlexSwap) -> Outcome:
        """As many steps as go without waiting."""
        if swap.step == STEP_SCANNED:
            outcome = self._look_for_file(swap)
            if outcome is not None:
                return outcome
        if swap.step == STEP_FOUND:
            outcome = self._put_back_and_analyze(swap)
            if outcome is not None:
                return outcome
        return self._compare_streams(swap)

    def _look_for_file(self, swap: PlexSwap) -> Outcome | None:
        """None: found."""
        if not swap.rating_key_before:
            _step(swap, STEP_DONE)
            return Done("Plex looks at the folder.")
        path = self._path_in_plex(swap)
        film = self._plex.film(swap.rating_key_before)
        if film is None or film.part_at(path) is None:
            kind = swap.before.get("type", "movie")
            title = str(swap.before.get("title", ""))
            film = self._plex.find_film(swap.section_key, kind, path, guid=swap.guid, title=title)
        part = film.part_at(path) if film is not None else None
        if film is None or part is None or part.size_bytes != self._size:
            return self._wait(swap, STEP_DUE, f"{self._server.name} has not found the file yet.")
        if self._left_over(swap, film) and self._is_scanning(swap):
            return Later(f"{self._server.name} still looks at the folder.", POLL_S)
        _step(swap, STEP_FOUND, rating_key_after=film.facts.rating_key)
        reach(KEY_FOUND)
        return None

    def _put_back_and_analyze(self, swap: PlexSwap) -> Outcome | None:
        """None: done. Plex may have made the item anew once more: then it is looked for again."""
        film = self._plex.film(swap.rating_key_after)
        if film is None:
            return self._wait(swap, STEP_DUE, f"{self._server.name} has lost the file again.")
        if swap.rating_key_after != swap.rating_key_before:
            self._put_back(swap, film)
        self._check(swap)
        self._plex.analyze(swap.rating_key_after)
        reach(ANALYSIS_ASKED)
        before = {**swap.before, "asked_at": timezone.now().isoformat()}
        _step(swap, STEP_ANALYZED, before=before)
        return None

    def _put_back(self, swap: PlexSwap, film: Film) -> None:
        """Only what differs is written, so a second time writes nothing."""
        now = from_film(film)
        first = swap.before.get("first") or now
        if "first" not in swap.before:  # what it was before the first edit, for the words
            _step(swap, STEP_FOUND, before={**swap.before, "first": now})
        kind = str(swap.before.get("type", "movie"))
        self._check(swap)
        if values := edits_for(swap.before, now):
            self._plex.edit(swap.section_key, kind, swap.rating_key_after, values)
        if swap.before.get("view_count") and not now["view_count"]:
            self._plex.mark_watched(swap.rating_key_after)
        reach(EDITED)
        after = self._plex.film(swap.rating_key_after)
        kept, lost = compared(swap.before, first, from_film(after) if after else {})
        _step(swap, STEP_FOUND, reapplied=kept, lost=lost)
        reach(REAPPLIED)

    def _compare_streams(self, swap: PlexSwap) -> Outcome:
        film = self._plex.film(swap.rating_key_after)
        part = film.part_at(self._path_in_plex(swap)) if film is not None else None
        if film is None or part is None:
            return self._wait(swap, STEP_DUE, f"{self._server.name} has lost the file again.")
        if not self._is_like_file(part):
            return self._wait(
                swap, STEP_FOUND, f"{self._server.name} still shows other tracks than the file has."
            )
        record_film(swap, film, part.path, self._row.file_id)
        lost = [*swap.lost, *self._left_over(swap, film)]
        _step(swap, STEP_DONE, error="", lost=lost, finished_at=timezone.now())
        reach(FINISHED)
        return Done("")

    # Questions

    def _check(self, swap: PlexSwap) -> None:
        """Before Plex is changed. Raises Superseded, OutboxStopped."""
        self._claim.checkpoint()
        if not _mine(swap).exists():
            raise Superseded

    def _wait(self, swap: PlexSwap, step_back: str, text: str) -> Outcome:
        """Later; when that took too long, a failure that begins again one step earlier."""
        asked_at = parse_datetime(str(swap.before.get("asked_at", "")))
        if asked_at is not None and timezone.now() - asked_at < PATIENCE:
            return Later(text, POLL_S)
        _step(swap, step_back)
        return Failed(text)

    def _path_in_plex(self, swap: PlexSwap) -> str:
        return joined(str(swap.before.get("folder", "")), _name_of(self._path))

    def _is_scanning(self, swap: PlexSwap) -> bool:
        """A scan that was asked for takes a moment to begin; one that hangs is not waited for."""
        asked_at = parse_datetime(str(swap.before.get("asked_at", "")))
        since = timezone.now() - asked_at if asked_at is not None else PATIENCE
        if since < SCAN_BEGINS or since >= PATIENCE:
            return since < SCAN_BEGINS
        return self._plex.is_refreshing(swap.section_key)

    def _left_over(self, swap: PlexSwap, film: Film) -> list[str]:
        """Where Plex does not empty its trash by itself, it still lists the file that has gone."""
        names = {bytes(self._row.original_raw), bytes(self._row.final_raw)} - {self._path}
        gone = [joined(str(swap.before.get("folder", "")), _name_of(path)) for path in names]
        if not any(film.part_at(path) for path in gone):
            return []
        return ["The old file stays listed as unavailable until Plex's trash is emptied"]

    def _is_like_file(self, part: PartFacts) -> bool:
        """Codec and size of the picture; nothing to compare with counts as alike."""
        wanted = self._info.main_video if self._info else None
        if part.size_bytes != self._size:
            return False
        if wanted is None:
            return True
        shown = part.info.main_video if part.info else None
        return shown is not None and (shown.codec, shown.width, shown.height) == (
            wanted.codec,
            wanted.width,
            wanted.height,
        )

    def _in_words(self) -> str:
        swaps = PlexSwap.objects.filter(replacement_id=self._row.pk, server=self._server)
        lost = sum(len(swap.lost) for swap in swaps)
        is_new = any(
            swap.rating_key_after and swap.rating_key_after != swap.rating_key_before
            for swap in swaps
        )
        if not is_new:
            return f"{self._server.name} is up to date."
        rest = f"; {lost} thing{'s' if lost != 1 else ''} could not be kept" if lost else ""
        return f"{self._server.name} made the item anew; what it had was put back{rest}."


def _to_be_told(swaps: Iterable[PlexSwap]) -> list[PlexSwap]:
    """Without those whose disk is away, each library looked at once, or that are being put back."""
    found = list(swaps)
    rows = Replacement.objects.select_related("library").in_bulk({s.replacement_id for s in found})
    away = {
        library_id
        for library_id, row in {row.library_id: row for row in rows.values()}.items()
        if is_disk_away(row)
    }
    moving = {pk for pk, row in rows.items() if row.state not in AT_REST}
    return [
        swap
        for swap in found
        if swap.replacement_id not in moving
        and _library_of(rows.get(swap.replacement_id)) not in away
    ]


def _library_of(row: Replacement | None) -> int | None:
    return row.library_id if row is not None else None


def _name_of(path: bytes) -> str:
    return path.rpartition(b"/")[2].decode("utf-8", "replace")


def _mine(swap: PlexSwap) -> QuerySet[PlexSwap]:
    """The row, while it is what this call saw of it."""
    return PlexSwap.objects.filter(pk=swap.pk, step=swap.step, generation=swap.generation)


def _step(swap: PlexSwap, step: str, **values: object) -> None:
    """Write a step, in the row and in `swap`. Raises Superseded."""
    if not _mine(swap).update(step=step, **values):
        raise Superseded
    swap.step = step
    for name, value in values.items():
        setattr(swap, name, value)


def _wanted_info(row: Replacement, *, is_undone: bool) -> MediaInfo | None:
    """What a probe said of the file in place."""
    raw = row.previous_file.get("probe") if is_undone else None
    if not is_undone and row.proof is not None:
        raw = row.proof.streams_after
    try:
        return MediaInfo.from_json(raw) if raw else None
    except (KeyError, TypeError, ValueError):
        return None
