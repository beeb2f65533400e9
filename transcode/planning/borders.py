"""Black bars: from what many pictures of a film show to what may be cut off. Pure.

Only bars that nearly all bright pictures share are cut, and never into a picture that was looked
at. Where some pictures reach further than the rest (films that change their shape, subtitles or
logos inside the bars) nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_BAR_LINES = 8  # both bars of one direction together; less is not worth another shape
MIN_PICTURES = 8
# An edge counts as the picture's when so many pictures reach it; dark scenes end earlier.
MIN_SHARE = 0.5
EDGE_SLACK = 4


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """What is not black in one picture; both edges are included."""

    left: int
    right: int
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class CropBox:
    """What stays. In the upright picture, as filters see it."""

    x: int
    y: int
    width: int
    height: int

    @property
    def filter(self) -> str:
        return f"crop={self.width}:{self.height}:{self.x}:{self.y}"


@dataclass(frozen=True, slots=True)
class Borders:
    """`box` None: nothing is cut off, and `note` says why."""

    box: CropBox | None
    note: str


NOT_LOOKED_AT = Borders(None, "Black bars are looked for when the job starts.")


def judge_borders(
    seen: Sequence[SeenPicture], width: int, height: int, *, line_step: int = 2
) -> Borders:
    """`width`×`height` is the upright picture; `line_step` 4 keeps the fields of interlaced films.

    Subtitles that lie in the bars of pictures between those that were looked at cannot be known.
    """
    if len(seen) < MIN_PICTURES:
        return Borders(
            None, f"Too few bright pictures ({len(seen)}) to tell black bars; nothing is cut off."
        )
    union = SeenPicture(
        min(p.left for p in seen),
        max(p.right for p in seen),
        min(p.top for p in seen),
        max(p.bottom for p in seen),
    )
    box = _box(union, width, height, line_step)
    if box is None:
        return Borders(None, f"No black bars: {len(seen)} pictures were looked at.")
    if not _is_shared(union, seen):
        return Borders(
            None, "The black bars are not the same in the whole film; nothing is cut off."
        )
    return Borders(
        box,
        f"{len(seen)} pictures of the whole film share these black bars. Whether a subtitle is"
        " ever drawn into them cannot be known.",
    )


def _box(union: SeenPicture, width: int, height: int, line_step: int) -> CropBox | None:
    """Grown to even edges; a direction with thin bars is left whole."""
    left, right = union.left // 2 * 2, min(width, -(-(union.right + 1) // 2) * 2)
    top = union.top // line_step * line_step
    bottom = min(height, -(-(union.bottom + 1) // line_step) * line_step)
    if left + width - right < MIN_BAR_LINES:
        left, right = 0, width
    if top + height - bottom < MIN_BAR_LINES:
        top, bottom = 0, height
    if (right - left, bottom - top) == (width, height):
        return None
    if right - left < width // 2 or bottom - top < height // 4:
        return None  # no film looks so; rather a dark one
    return CropBox(left, top, right - left, bottom - top)


def _is_shared(union: SeenPicture, seen: Sequence[SeenPicture]) -> bool:
    needed = MIN_SHARE * len(seen)
    return all(
        sum(abs(getattr(p, edge) - getattr(union, edge)) <= EDGE_SLACK for p in seen) >= needed
        for edge in SeenPicture.__slots__
    )
