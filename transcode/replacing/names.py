"""Names that a replacement gives: the part, the new name, the place in the trash. Pure, on bytes.

Every name fits 255 bytes, and a name in UTF-8 is cut between characters (fault 50).
"""

from __future__ import annotations

import re
from typing import Final
from uuid import uuid4

from mediaflow.base.fs import NAME_MAX_BYTES, join, name_of, parent_of

MAX_NAME_TRIES: Final = 30
SIDECAR_SUFFIX: Final = b".json"
MEDIAFLOW_FOLDER: Final = b".mediaflow"
TRASH_FOLDER: Final = b"trash"
_NUMBERED = re.compile(rb"\.mf(\d{1,3})$")


def part_path(folder: bytes) -> bytes:
    """`.mf-<uuid>.part`, never given twice: a process that hangs cannot swap in another's part."""
    return join(folder, b".mf-%s.part" % uuid4().hex.encode())


def final_path(original: bytes, extension: str) -> bytes:
    """Where the output goes: the film's own name when the extension says the same, in any case."""
    stem, suffix = split_suffix(name_of(original))
    wanted = extension.encode()
    if suffix.lower() == wanted.lower():
        return original
    return join(parent_of(original), fit_name(stem, wanted))


def beside_path(original: bytes, folder: bytes, extension: str) -> bytes:
    """The first name to try for an output that leaves the original alone."""
    stem, _ = split_suffix(name_of(original))
    path = join(folder, fit_name(stem, extension.encode()))
    return next_free_name(path) if path == original else path


def next_free_name(path: bytes) -> bytes:
    """`a.mkv` → `a.mf1.mkv` → `a.mf2.mkv` … Raises FileExistsError after MAX_NAME_TRIES."""
    stem, suffix = split_suffix(name_of(path))
    numbered = _NUMBERED.search(stem)
    number = int(numbered[1]) + 1 if numbered else 1
    if number > MAX_NAME_TRIES:
        raise FileExistsError(f"{MAX_NAME_TRIES} names are taken")
    plain = stem[: numbered.start()] if numbered else stem
    return join(parent_of(path), fit_name(plain, b".mf%d%s" % (number, suffix)))


def trash_name(original: bytes) -> bytes:
    """`<uuid>-<the film's name>`; leaves room for the sidecar's suffix."""
    stem, suffix = split_suffix(name_of(original))
    head = uuid4().hex.encode() + b"-"
    room = NAME_MAX_BYTES - len(SIDECAR_SUFFIX) - len(head)
    return head + fit_name(stem, suffix, room)


def fit_name(stem: bytes, suffix: bytes, room: int = NAME_MAX_BYTES) -> bytes:
    """Stem and suffix in at most `room` bytes; the stem gives way."""
    return cut_bytes(stem, room - len(suffix)) + suffix


def cut_bytes(name: bytes, room: int) -> bytes:
    """At most `room` bytes; UTF-8 stays UTF-8, other bytes are cut anywhere."""
    if len(name) <= room:
        return name
    try:
        name.decode()
    except UnicodeDecodeError:
        return name[:room]
    return name[:room].decode(errors="ignore").encode()


def split_suffix(name: bytes) -> tuple[bytes, bytes]:
    """Stem and suffix with its dot; a suffix of more than eight bytes is part of the title."""
    stem, dot, suffix = name.rpartition(b".")
    if not stem or not dot or len(suffix) > 8 or b" " in suffix:
        return name, b""
    return stem, dot + suffix
