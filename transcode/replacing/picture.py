"""What lies under the four names of a replacement, and which step follows from it. No effects.

A swap and its undo are small machines over this picture: look, take the one step that fits, look
again. So going on after a crash is the same code as going on, and the look after each step is the
check of the inode that trust.md asks for.
"""

from __future__ import annotations

import stat as stat_bits
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from mediaflow.base.fs import fs
from transcode.models import OutputMode
from transcode.replacing.snapshot import SourceSnapshot

if TYPE_CHECKING:
    import os

    from transcode.models import Replacement


class Holds(StrEnum):
    ABSENT = "nothing"
    ORIGINAL = "the original"
    OUTPUT = "our file"
    EMPTY = "an empty file"  # how a name is claimed where the kernel has no better way
    FOREIGN = "another file"


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies under one name; `stat` is None when nothing does."""

    holds: Holds
    stat: os.stat_result | None = None

    @property
    def inode(self) -> int:
        return self.stat.st_ino if self.stat else 0


@dataclass(frozen=True, slots=True)
class Names:
    """Absolute paths. `trash` is None where nothing leaves (output beside the original)."""

    original: bytes
    final: bytes
    part: bytes
    trash: bytes | None

    @property
    def is_same_name(self) -> bool:
        return self.original == self.final


@dataclass(frozen=True, slots=True)
class Picture:
    original: Seen
    final: Seen  # the same as `original` for a same-name swap
    part: Seen
    trash: Seen

    def __str__(self) -> str:
        return (
            f"the film's name holds {self.original.holds}, the new name {self.final.holds},"
            f" the part {self.part.holds}, the trash {self.trash.holds}"
        )


class Unfit(Exception):
    """What is on the disk fits no step. Nothing was touched; a person must look."""


class Step(Enum):
    """One effect on the disk. Each leaves a picture of its own."""

    LINK_TRASH = "link the original into the trash"
    SWAP_NAMES = "give the film's name to our file"
    UNSWAP_NAMES = "give the name back to what came between"
    PLACE = "give the free name to our file"
    KEEP_IN_TRASH = "move the original from the part's name into the trash"
    CLEAR_TRASH_CLAIM = "remove our empty file in the trash"
    DROP_PART = "remove the part's name"
    PUBLISH = "give our file its new name"
    NEXT_NAME = "choose another name"
    LEAVE = "move the original into the trash"
    DROP_ORIGINAL_NAME = "remove the original's name, which the trash has too"
    DROP_TRASH = "remove the trash's name, which the film has too"
    DROP_FINAL = "remove our file's new name"
    PUT_BACK = "give the film's name back to the original in the trash"
    PUT_BACK_PART = "give the film's name back to the original under the part's name"
    RETURN = "move the original out of the trash"
    RETURN_PART = "move the original from the part's name"


def names_of(row: Replacement) -> Names:
    return Names(
        original=bytes(row.original_raw),
        final=bytes(row.final_raw),
        part=bytes(row.part_raw),
        trash=bytes(row.trash_raw) if row.trash_raw else None,
    )


def is_beside(row: Replacement) -> bool:
    """True when the original stays where it is."""
    return row.mode != OutputMode.REPLACE


class Identity:
    """Tells the original and our output from anything else."""

    def __init__(self, row: Replacement, *, trust_inodes: bool) -> None:
        """`trust_inodes`: the file system was not remounted since the journal was written;
        otherwise what stat cannot tell is read and hashed."""
        self._source = SourceSnapshot.from_json(row.source_snapshot)
        self._output_inode = row.output_inode
        self._output_bytes = row.output_bytes
        self._output_sha256 = row.output_sha256
        self._trust_inodes = trust_inodes

    def look(self, path: bytes | None) -> Seen:
        """Raises OSError when the name cannot be looked at."""
        found = fs.lstat_or_none(path) if path is not None else None
        if found is None or path is None:
            return Seen(Holds.ABSENT)
        if not stat_bits.S_ISREG(found.st_mode):
            return Seen(Holds.FOREIGN, found)
        return Seen(self._tell(path, found), found)

    def _tell(self, path: bytes, found: os.stat_result) -> Holds:
        source = self._source
        if (found.st_ino, found.st_size, found.st_mtime_ns) == (
            source.inode,
            source.size_bytes,
            source.mtime_ns,
        ):
            return Holds.ORIGINAL
        if found.st_ino == self._output_inode and (
            self._trust_inodes
            # The output was given the film's own time (S4); one that was edited since has another.
            or (found.st_size, found.st_mtime_ns) == (self._output_bytes, source.mtime_ns)
        ):
            return Holds.OUTPUT
        if found.st_size == 0:
            return Holds.EMPTY
        if self._trust_inodes or found.st_size not in {source.size_bytes, self._output_bytes}:
            return Holds.FOREIGN
        return self._tell_by_content(path)

    def _tell_by_content(self, path: bytes) -> Holds:
        digest = fs.sha256(path).sha256
        if digest == self._output_sha256:
            return Holds.OUTPUT
        return Holds.ORIGINAL if digest == self._source.sha256 else Holds.FOREIGN

    def take_picture(self, names: Names) -> Picture:
        original = self.look(names.original)
        return Picture(
            original=original,
            final=original if names.is_same_name else self.look(names.final),
            part=self.look(names.part),
            trash=self.look(names.trash),
        )


_A, _O, _N, _E, _F = Holds.ABSENT, Holds.ORIGINAL, Holds.OUTPUT, Holds.EMPTY, Holds.FOREIGN

# (film's name, trash, part)
_FORWARD_SAME_NAME: dict[tuple[Holds, Holds, Holds], Step | None] = {
    (_O, _A, _N): Step.LINK_TRASH,
    (_O, _O, _N): Step.SWAP_NAMES,
    (_N, _O, _O): Step.DROP_PART,
    (_N, _O, _N): Step.DROP_PART,
    (_N, _O, _E): Step.DROP_PART,
    (_N, _O, _F): Step.UNSWAP_NAMES,
    (_N, _A, _F): Step.UNSWAP_NAMES,
    (_N, _A, _O): Step.KEEP_IN_TRASH,
    (_A, _O, _N): Step.PLACE,
    (_E, _O, _N): Step.PLACE,
    (_N, _O, _A): None,
}
# (film's name, new name, part, trash)
_FORWARD_NEW_NAME: dict[tuple[Holds, Holds, Holds, Holds], Step | None] = {
    (_O, _A, _N, _A): Step.PUBLISH,
    (_O, _F, _N, _A): Step.NEXT_NAME,
    (_O, _E, _N, _A): Step.NEXT_NAME,
    (
        _O,
        _O,
        _N,
        _A,
    ): Step.NEXT_NAME,  # one film under two names: hard links, or case does not count
    (_O, _N, _N, _A): Step.DROP_PART,
    (_O, _N, _A, _A): Step.LEAVE,
    (_O, _N, _A, _O): Step.DROP_ORIGINAL_NAME,
    (_A, _N, _A, _O): None,
}
# (new name, part)
_FORWARD_BESIDE: dict[tuple[Holds, Holds], Step | None] = {
    (_A, _N): Step.PUBLISH,
    (_F, _N): Step.NEXT_NAME,
    (_E, _N): Step.NEXT_NAME,
    (_O, _N): Step.NEXT_NAME,
    (_N, _N): Step.DROP_PART,
    (_N, _A): None,
}


def next_forward(row: Replacement, picture: Picture) -> Step | None:
    """The step that brings the swap on; None when all names are as they shall be. Raises Unfit."""
    p = picture
    if p.trash.holds == Holds.EMPTY:
        return Step.CLEAR_TRASH_CLAIM  # a claim, or the trial of the trash come back in a power cut
    try:
        if is_beside(row):
            return _FORWARD_BESIDE[p.final.holds, p.part.holds]
        if names_of(row).is_same_name:
            return _FORWARD_SAME_NAME[p.original.holds, p.trash.holds, p.part.holds]
        return _FORWARD_NEW_NAME[p.original.holds, p.final.holds, p.part.holds, p.trash.holds]
    except KeyError:
        raise Unfit(str(picture)) from None


def next_back(row: Replacement, picture: Picture) -> Step | None:
    """The step that brings the original back and removes what is ours; None when done.

    The part goes before the trash's name: once the part is gone nobody can swap it in, so a film
    whose own name still holds the original cannot lose it meanwhile. Raises Unfit.
    """
    if picture.trash.holds == Holds.EMPTY:
        return Step.CLEAR_TRASH_CLAIM
    if not is_beside(row) and picture.original.holds != Holds.ORIGINAL:
        if picture.original.holds != Holds.FOREIGN or picture.trash.holds != Holds.ABSENT:
            return _bring_back(picture)
        # Somebody put another film there before anything of ours became visible: it stays.
        if picture.part.holds == Holds.ORIGINAL or picture.final.holds == Holds.OUTPUT:
            raise Unfit(str(picture))
    if picture.part.holds not in {Holds.ABSENT, Holds.FOREIGN}:
        return Step.DROP_PART
    if picture.trash.holds in {Holds.ORIGINAL, Holds.OUTPUT}:
        return Step.DROP_TRASH
    is_other_name = is_beside(row) or not names_of(row).is_same_name
    is_claim = picture.final.holds == Holds.EMPTY and row.link_method == "aside"
    if is_other_name and (picture.final.holds == Holds.OUTPUT or is_claim):
        return Step.DROP_FINAL
    if picture.part.holds == Holds.FOREIGN or picture.trash.holds == Holds.FOREIGN:
        raise Unfit(str(picture))
    return None


# (film's name, trash, part)
_BRING_BACK: dict[tuple[Holds, Holds, Holds], Step] = {
    (_N, _O, _A): Step.PUT_BACK,
    (_N, _O, _E): Step.DROP_PART,
    (_N, _O, _N): Step.DROP_PART,
    (_N, _O, _O): Step.PUT_BACK_PART,
    (_N, _A, _O): Step.PUT_BACK_PART,
    (_N, _O, _F): Step.UNSWAP_NAMES,
    (_N, _A, _F): Step.UNSWAP_NAMES,
    (_A, _O, _A): Step.RETURN,
    (_A, _O, _N): Step.RETURN,
    (_E, _O, _A): Step.RETURN,
    (_E, _O, _N): Step.RETURN,
    (_A, _A, _O): Step.RETURN_PART,
    (_A, _O, _O): Step.RETURN,
}


def _bring_back(picture: Picture) -> Step:
    key = (picture.original.holds, picture.trash.holds, picture.part.holds)
    try:
        return _BRING_BACK[key]
    except KeyError:
        raise Unfit(str(picture)) from None


def has_changed_name(row: Replacement, picture: Picture) -> bool:
    """Whether the swap has become visible: from there it goes forward, before it goes back."""
    if is_beside(row) or not names_of(row).is_same_name:
        return picture.final.holds == Holds.OUTPUT
    is_name_free = picture.original.holds in {Holds.ABSENT, Holds.EMPTY}
    can_be_placed = picture.trash.holds == Holds.ORIGINAL and picture.part.holds == Holds.OUTPUT
    return picture.original.holds == Holds.OUTPUT or (is_name_free and can_be_placed)
