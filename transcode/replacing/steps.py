"""The effects of a swap and of its undo, one at a time (trust.md S7).

Each is made to last before the next begins, and each can be repeated after a crash: the picture
decides what is still to be done.
"""

from __future__ import annotations

from errno import EEXIST
from typing import TYPE_CHECKING, Final

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.fs import fs, is_unsupported, parent_of
from transcode.replacing.journal import note
from transcode.replacing.names import next_free_name
from transcode.replacing.picture import (
    Holds,
    Identity,
    Names,
    Picture,
    Step,
    Unfit,
    names_of,
    next_back,
    next_forward,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.models import Replacement

MAX_STEPS: Final = 40  # NEXT_NAME may come up to MAX_NAME_TRIES times
_FAILPOINTS: Final = {step: declare(f"step.{step.name.lower()}", step.value) for step in Step}


def run_forward(
    row: Replacement,
    identity: Identity,
    *,
    fence: Callable[[], None],
    may_leave: bool,
) -> Picture:
    """Bring the names to where the swap wants them. Returns the last picture.

    Rests before the original leaves (new extension) unless `may_leave`. Raises Unfit, NotOurs,
    OSError, and what `fence` raises.
    """
    for _ in range(MAX_STEPS):
        fence()
        picture = identity.take_picture(names_of(row))
        step = next_forward(row, picture)
        if step is None or (step is Step.LEAVE and not may_leave):
            return picture
        take_step(row, picture, step)
    raise Unfit("the names keep changing under us")


def run_back(
    row: Replacement, identity: Identity, *, fence: Callable[[], None] = lambda: None
) -> None:
    """Bring the original back to its name and remove what is ours. Raises Unfit and OSError."""
    for _ in range(MAX_STEPS):
        fence()
        picture = identity.take_picture(names_of(row))
        step = next_back(row, picture)
        if step is None:
            return
        take_step(row, picture, step)
    raise Unfit("the names keep changing under us")


def take_step(row: Replacement, picture: Picture, step: Step) -> None:
    """One effect, then the fsync of the folders it changed. Raises Unfit, OSError, NotOurs."""
    names = names_of(row)
    _EFFECTS[step](row, names, picture)
    reach(_FAILPOINTS[step])
    for folder in _folders(names, step):
        fs.fsync_folder(folder)


def _folders(names: Names, step: Step) -> list[bytes]:
    """The changed folders; the trash first, so that a name lasts there before it goes elsewhere."""
    film = parent_of(names.final)
    trash = [parent_of(names.trash)] if names.trash else []
    if step in {Step.LINK_TRASH, Step.CLEAR_TRASH_CLAIM, Step.DROP_TRASH}:
        return [*trash, film] if step is Step.LINK_TRASH else trash
    if step in {Step.KEEP_IN_TRASH, Step.LEAVE, Step.DROP_ORIGINAL_NAME}:
        return [*trash, film]
    if step in {Step.PUT_BACK, Step.RETURN}:
        return [film, *trash]
    return [film]


def _trash(names: Names) -> bytes:
    if names.trash is None:
        raise Unfit("the journal names no place in the trash")
    return names.trash


def _link_trash(row: Replacement, names: Names, picture: Picture) -> None:
    """The original's second name. Without hard links: the exchange, or aside into the trash."""
    trash = _trash(names)
    try:
        fs.link(names.original, trash)
        return
    except OSError as error:
        if not is_unsupported(error):
            raise
    try:
        note(row, link_method="exchange")
        fs.rename_exchange(names.part, names.original)
        return
    except OSError as error:
        if not is_unsupported(error):
            raise
    note(row, link_method="aside")
    _move_checked(names.original, trash, picture.original.inode)


def _move_checked(source: bytes, target: bytes, inode: int) -> None:
    """Move a file and see that it is the one we meant; another one goes back where it was."""
    fs.rename_noreplace(source, target)
    if fs.lstat(target).st_ino != inode:
        fs.rename_noreplace(target, source)
        raise Unfit("another file came under the film's name while it was moved; it was put back")


def _exchange_checked(one: bytes, other: bytes, inode: int, *, or_over: Callable[[], None]) -> None:
    """Swap two names, and back when `one` then holds anything but `inode`, what `other` held.

    So whatever had come under a name a moment earlier is found and stays. `or_over` is called where
    the file system has no such exchange.
    """
    try:
        fs.rename_exchange(one, other)
    except OSError as error:
        if not is_unsupported(error):
            raise
        or_over()
        return
    if fs.lstat(one).st_ino != inode:
        fs.rename_exchange(one, other)
        raise Unfit("another file came under the name meanwhile; it was put back")


def _over_checked(source: bytes, target: bytes, inode: int) -> None:
    """Rename over a file that was proven to be replaceable, if it is still there."""
    if fs.lstat(target).st_ino != inode:
        raise Unfit("another file came under the name meanwhile; it was not touched")
    fs.rename_over(source, target)


def _swap_names(row: Replacement, names: Names, picture: Picture) -> None:
    _take_name_from_part(names, picture)


def _take_name_from_part(names: Names, picture: Picture) -> None:
    inode = picture.original.inode
    _exchange_checked(
        names.part,
        names.original,
        inode,
        or_over=lambda: _over_checked(names.part, names.original, inode),
    )


def _unswap_names(row: Replacement, names: Names, picture: Picture) -> None:
    fs.rename_exchange(names.part, names.original)


def _place(row: Replacement, names: Names, picture: Picture) -> None:
    if picture.original.holds == Holds.EMPTY:
        fs.rename_over(names.part, names.original)  # the name that we claimed before a crash
    else:
        fs.rename_noreplace(names.part, names.original)


def _keep_in_trash(row: Replacement, names: Names, picture: Picture) -> None:
    fs.rename_noreplace(names.part, _trash(names))


def _clear_trash_claim(row: Replacement, names: Names, picture: Picture) -> None:
    fs.unlink_own(_trash(names), picture.trash.inode)


def _drop_part(row: Replacement, names: Names, picture: Picture) -> None:
    others = {picture.original.inode, picture.trash.inode}
    if picture.part.holds == Holds.ORIGINAL and picture.part.inode not in others:
        raise Unfit("the part's name is the only one of the original")
    fs.unlink_own(names.part, picture.part.inode)


def _publish(row: Replacement, names: Names, picture: Picture) -> None:
    """The new name, never over another file: where it is taken, another one is chosen.

    A disk may say "taken" of a name that a look does not find (case, Unicode forms).
    """
    try:
        _give_name(row, names)
    except FileExistsError:
        found = fs.lstat_or_none(names.final)
        # Over a network a link may be made and its repeated request be refused: then it is ours.
        if found is None or found.st_ino != picture.part.inode:
            _next_name(row, names, picture)


def _give_name(row: Replacement, names: Names) -> None:
    try:
        fs.link(names.part, names.final)
    except FileExistsError:
        raise
    except OSError as error:
        if not is_unsupported(error):
            raise
        if fs.lstat_or_none(names.final) is not None:
            raise FileExistsError(EEXIST, "the name is taken", names.final) from None
        note(row, link_method="aside")  # an empty file there is from now on a claim of ours
        fs.rename_noreplace(names.part, names.final)


def _next_name(row: Replacement, names: Names, picture: Picture) -> None:
    note(row, final_raw=next_free_name(names.final), link_method="")


def _leave(row: Replacement, names: Names, picture: Picture) -> None:
    _move_checked(names.original, _trash(names), picture.original.inode)


def _drop_original_name(row: Replacement, names: Names, picture: Picture) -> None:
    if picture.original.inode != picture.trash.inode:
        raise Unfit("the film's name and the trash hold two files")
    fs.unlink_own(names.original, picture.trash.inode)


def _drop_trash(row: Replacement, names: Names, picture: Picture) -> None:
    is_original = picture.trash.holds == Holds.ORIGINAL
    if is_original and picture.original.inode != picture.trash.inode:
        raise Unfit("the film's name and the trash hold two files")
    fs.unlink_own(_trash(names), picture.trash.inode)


def _drop_final(row: Replacement, names: Names, picture: Picture) -> None:
    fs.unlink_own(names.final, picture.final.inode)


def _put_back(row: Replacement, names: Names, picture: Picture) -> None:
    """The original gets its name in one step; without an exchange, by way of the part's name."""
    trash, inode = _trash(names), picture.original.inode
    _exchange_checked(
        trash, names.original, inode, or_over=lambda: _link_or_move_aside(names, trash, inode)
    )


def _link_or_move_aside(names: Names, trash: bytes, inode: int) -> None:
    try:
        fs.link(trash, names.part)
    except OSError as error:
        if not is_unsupported(error):
            raise
        _move_checked(names.original, names.part, inode)


def _put_back_part(row: Replacement, names: Names, picture: Picture) -> None:
    _take_name_from_part(names, picture)


def _return(row: Replacement, names: Names, picture: Picture) -> None:
    if picture.original.holds == Holds.EMPTY:
        fs.rename_over(_trash(names), names.original)
    else:
        fs.rename_noreplace(_trash(names), names.original)


def _return_part(row: Replacement, names: Names, picture: Picture) -> None:
    fs.rename_noreplace(names.part, names.original)


_EFFECTS: Final[dict[Step, Callable[[Replacement, Names, Picture], None]]] = {
    Step.LINK_TRASH: _link_trash,
    Step.SWAP_NAMES: _swap_names,
    Step.UNSWAP_NAMES: _unswap_names,
    Step.PLACE: _place,
    Step.KEEP_IN_TRASH: _keep_in_trash,
    Step.CLEAR_TRASH_CLAIM: _clear_trash_claim,
    Step.DROP_PART: _drop_part,
    Step.PUBLISH: _publish,
    Step.NEXT_NAME: _next_name,
    Step.LEAVE: _leave,
    Step.DROP_ORIGINAL_NAME: _drop_original_name,
    Step.DROP_TRASH: _drop_trash,
    Step.DROP_FINAL: _drop_final,
    Step.PUT_BACK: _put_back,
    Step.PUT_BACK_PART: _put_back_part,
    Step.RETURN: _return,
    Step.RETURN_PART: _return_part,
}
