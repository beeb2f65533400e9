"""What Plex, Sonarr and Radarr were told of one job's swap, and what became of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.models import PlexSwap
from transcode.after_swap.outbox import ARR, PLEX
from transcode.after_swap.plex_facts import STEP_DONE, STEP_WORDS
from transcode.models import OutboxEntry, Replacement
from transcode.pages.outbox_words import OutboxLine

if TYPE_CHECKING:
    from transcode.models import Job


@dataclass(frozen=True, slots=True)
class ToldServer:
    """One server. `kind` as components/_state.html knows it; `note` says why or what."""

    name: str
    kind: str
    word: str
    note: str
    put_back: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    new_key: str = ""


def read_told(job: Job) -> list[ToldServer]:
    """Three statements; [] for a job that has swapped nothing, or where nobody has to know."""
    replacement_id = Replacement.objects.filter(job=job).values_list("pk", flat=True).first()
    if replacement_id is None:
        return []
    swaps = list(PlexSwap.objects.filter(replacement_id=replacement_id).select_related("server"))
    entries = OutboxEntry.objects.filter(job=job, kind__in=[PLEX, ARR]).order_by("-id")
    latest: dict[tuple[str, int], OutboxEntry] = {}
    for entry in entries:
        latest.setdefault((entry.kind, entry.payload.get("server", 0)), entry)
    told = [_of_entry(entry, swaps) for entry in latest.values()]
    known = {server for kind, server in latest if kind == PLEX}
    rest = {swap.server_id: swap for swap in swaps if swap.server_id not in known}
    return [*told, *(_of_swap(swap) for swap in rest.values())]


def _of_entry(entry: OutboxEntry, swaps: list[PlexSwap]) -> ToldServer:
    line = OutboxLine.of(entry)
    own = [s for s in swaps if entry.kind == PLEX and s.server_id == entry.payload.get("server")]
    waiting = next((swap for swap in own if swap.step != STEP_DONE), None)
    word = line.word
    if waiting is not None and line.kind in {"wait", "run"}:
        word = STEP_WORDS.get(waiting.step, word)
    return ToldServer(
        line.who,
        line.kind,
        word,
        line.note,
        put_back=tuple(text for swap in own for text in swap.reapplied),
        lost=tuple(text for swap in own for text in swap.lost),
        new_key=next((s.rating_key_after for s in own if _is_new(s)), ""),
    )


def _of_swap(swap: PlexSwap) -> ToldServer:
    """Before the swap is done there is no entry yet."""
    word = STEP_WORDS.get(swap.step, swap.step)
    return ToldServer(swap.server.name, "idle", word, swap.error)


def _is_new(swap: PlexSwap) -> bool:
    return bool(swap.rating_key_after) and swap.rating_key_after != swap.rating_key_before
