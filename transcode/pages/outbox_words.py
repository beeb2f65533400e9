"""An entry of the outbox in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.after_swap.outbox import ARR, MAX_ATTEMPTS, PLEX

if TYPE_CHECKING:
    from transcode.models import OutboxEntry


@dataclass(frozen=True, slots=True)
class OutboxLine:
    """One line of the list. `kind` as components/_state.html knows it."""

    entry: OutboxEntry
    who: str
    what: str
    file: str
    kind: str
    word: str
    note: str
    is_free: bool  # may be tried again or dropped

    @classmethod
    def of(cls, entry: OutboxEntry) -> OutboxLine:
        kind, word = _state(entry)
        payload = entry.payload
        is_undo = bool(payload.get("is_undo"))
        path = str(payload.get("original" if is_undo else "final") or "")
        return cls(
            entry,
            who=str(payload.get("name") or "MediaFlow"),
            what=_what(entry.kind, is_undo=is_undo),
            file=path,
            kind=kind,
            word=word,
            note=entry.error or entry.outcome,
            is_free=entry.done_at is None and not entry.lease_token,
        )


def _what(kind: str, *, is_undo: bool) -> str:
    change = "was put back" if is_undo else "was replaced"
    words = {PLEX: "Plex learns that a film", ARR: "It learns that a film"}
    return f"{words.get(kind, 'The servers learn that a film')} {change}"


def _state(entry: OutboxEntry) -> tuple[str, str]:
    if entry.done_at is not None:
        return "ok", "Done"
    if entry.given_up_at is not None:
        return "bad", "Given up"
    if entry.lease_token:
        return "run", "Being told"
    if entry.attempts:
        return "wait", f"Tried {entry.attempts} of {MAX_ATTEMPTS}"
    return "wait", "Waits"
