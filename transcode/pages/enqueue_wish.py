"""What a person asks to be queued, as the form says it: which films, which preset, how and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.http import QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from library.listing.filters import FilterProblem
from library.listing.selection import SelectionProblem, read_selection
from transcode.models import OutputMode
from transcode.pages.access import FormProblem, read_priority
from transcode.pages.enqueue_preview import count_order, make_order
from transcode.queue.recommended import known_cause

if TYPE_CHECKING:
    from library.listing.exact_count import Counting
    from library.listing.selection import FileSelection
    from mediaflow.accounts.models import User
    from transcode.models import Preset
    from transcode.queue.enqueue import EnqueueOrder

MODES: Final = (
    ("", "As the preset says"),
    (OutputMode.REPLACE.value, "Replace the originals"),
    (OutputMode.BESIDE.value, "Write beside the originals"),
)
WISH_PROBLEMS: Final = (SelectionProblem, FilterProblem, FormProblem)


@dataclass(frozen=True, slots=True)
class EnqueueWish:
    selection: FileSelection
    preset: Preset
    mode: str  # one of MODES
    priority: int
    cause: str  # the recommendation that is followed, or ""
    counted: str  # the operation that counted what the person saw, or ""

    @property
    def order(self) -> EnqueueOrder:
        return make_order(
            self.preset, self.selection, output_mode=self.mode, priority=self.priority
        )

    def count(self, user: User) -> Counting | None:
        """More than 10,000 films are counted by an operation before they can be queued."""
        if self.selection.count is not None:
            return None
        return count_order(self.selection, self.order, self.counted, user)

    def links(self, counting: Counting) -> dict[str, str]:
        """The same preview as an address: to look again, and to count again."""
        values = {
            "select": "all",
            "q": self.selection.query,
            "preset": self.preset.slug,
            "mode": self.mode,
            "priority": str(self.priority),
            **({"cause": self.cause} if self.cause else {}),
        }
        path = reverse("transcode:enqueue_preview")
        here = urlencode({**values, "counted": str(counting.operation.pk)})
        return {"here": f"{path}?{here}", "count_again": f"{path}?{urlencode(values)}"}


def read_wish(data: QueryDict, user: User, preset: Preset | None) -> EnqueueWish:
    """Raises one of WISH_PROBLEMS; their `text` says what to do."""
    selection = read_selection(data, user)
    mode, priority = _read_mode(data), read_priority(data.get("priority", "") or "0")
    if selection.is_empty:
        raise FormProblem("Tick the films to queue first.")
    if preset is None:
        raise FormProblem("Make or choose a preset to queue with.")
    cause, counted = _read_cause(data, selection), data.get("counted", "")
    return EnqueueWish(selection, preset, mode, priority, cause, counted)


def _read_cause(data: QueryDict, selection: FileSelection) -> str:
    """The recommendation that is followed: as posted, or the one kind that the filter names."""
    named = known_cause(data.get("cause", ""))
    if named or not selection.is_all:
        return named
    kinds = QueryDict(selection.query).getlist("recommendation")
    return known_cause(kinds[0]) if len(kinds) == 1 else ""


def _read_mode(data: QueryDict) -> str:
    mode = data.get("mode", "")
    if mode not in {value for value, _label in MODES}:
        raise FormProblem("Choose whether to replace or to write beside.")
    return mode
