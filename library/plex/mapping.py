"""How a path of Plex, Sonarr or Radarr is called here, and the way back.

The other side may run in a container or on Windows, so its paths are texts with their own
rules. A source that begins with a drive (`D:\\`) or two slashes (`\\\\nas\\films`) is of Windows:
compared without regard to case, either slash separates. Every other source begins with one slash
and is compared exactly. Prefixes are whole components: `/data/film` is no prefix of
`/data/films`. Local paths are bytes.

The core knows no Django; only `MappingTable.load` reads the database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from library.models import ArrServer, PlexServer

_DRIVE: Final = re.compile(r"[A-Za-z]:(?=[\\/]|$)")
_SLASHES: Final = re.compile(r"[\\/]+")


class MappingProblem(ValueError):
    """A source or a local folder that cannot be used; the text is for the person who typed it."""


@dataclass(frozen=True, slots=True)
class RemotePath:
    """An absolute path of another machine, taken apart."""

    is_windows: bool
    anchor: str  # "/", "D:" or "\\\\"
    names: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What is compared. Anchors of Windows never equal "/"."""
        if self.is_windows:
            return (self.anchor.lower(), *(name.lower() for name in self.names))
        return (self.anchor, *self.names)


@lru_cache(maxsize=64)  # one path is asked about several times in a row
def parse_remote(text: str) -> RemotePath | None:
    """None for what is not absolute or climbs (`..`): such a path must not leave its folder."""
    if "\0" in text:
        return None
    if drive := _DRIVE.match(text):
        found = RemotePath(True, drive[0], _names(_SLASHES.split(text[2:])))
    elif text[:1] in ("/", "\\") and text[1:2] in ("/", "\\"):
        found = RemotePath(True, "\\\\", _names(_SLASHES.split(text)))
    elif text.startswith("/"):
        found = RemotePath(False, "/", _names(text.split("/")))
    else:
        return None
    return None if ".." in found.names else found


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in ("", "."))


@dataclass(frozen=True, slots=True)
class Mapping:
    """One prefix. Made by `Mapping.of`, which checks it."""

    source: str
    local: bytes  # absolute, without a slash at its end; b"" is the root
    is_own: bool  # of the server itself, not for all
    remote: RemotePath

    @classmethod
    def of(cls, source: str, local: bytes, *, is_own: bool = True) -> Mapping:
        """Raises MappingProblem."""
        return cls(source.strip(), check_local(local), is_own, check_source(source))

    @property
    def local_names(self) -> tuple[bytes, ...]:
        return tuple(self.local.split(b"/")[1:])

    def covers(self, path: RemotePath) -> bool:
        return path.key[: len(self.remote.key)] == self.remote.key

    def to_local(self, path: RemotePath) -> bytes | None:
        """Of a path that is covered; None where it has characters that no name can have."""
        try:
            rest = [name.encode() for name in path.names[len(self.remote.names) :]]
        except UnicodeEncodeError:
            return None
        return b"/".join([self.local, *rest]) or b"/"

    def to_remote(self, names: tuple[bytes, ...]) -> str | None:
        """Of a file below the local folder; None where it has no name on the other side."""
        texts = [_text_or_none(name) for name in names[len(self.local_names) :]]
        rest = [text for text in texts if text is not None]
        if len(rest) != len(texts):
            return None
        if not self.remote.is_windows:
            return "/" + "/".join([*self.remote.names, *rest])
        if any("\\" in name for name in rest):
            return None
        separator = "\\" if "\\" in self.source or "/" not in self.source else "/"
        text = separator.join([*self.remote.names, *rest])
        if self.remote.anchor == "\\\\":
            return separator * 2 + text
        return self.remote.anchor + separator + text


def check_source(text: str) -> RemotePath:
    """Raises MappingProblem for what is no absolute folder of a Unix or Windows machine."""
    found = parse_remote(text.strip())
    if found is None or (found.anchor == "\\\\" and not found.names):
        raise MappingProblem(
            "Give the full folder as the other program writes it, such as /data/films or D:\\Films."
        )
    return found


def check_local(path: bytes) -> bytes:
    """The folder without slashes at its end. Raises MappingProblem for a relative path."""
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if not path.startswith(b"/") or b"\0" in path or b".." in names:
        raise MappingProblem("Give the full folder as it is called here; it begins with a slash.")
    return b"".join(b"/" + name for name in names)


def _text_or_none(name: bytes) -> str | None:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True, slots=True)
class MappingTable:
    """The mappings that hold for one server, in the order in which they are tried.

    Whatever `remote_path` returns, `local_path` leads back from it to the same file.
    """

    by_source: tuple[Mapping, ...] = ()
    by_local: tuple[Mapping, ...] = ()

    @classmethod
    def of(cls, mappings: Iterable[Mapping]) -> MappingTable:
        """Own ones go before those for all; among them the longest prefix wins."""
        rows = sorted(mappings, key=lambda row: row.source)
        return cls(
            tuple(sorted(rows, key=lambda row: (not row.is_own, -len(row.remote.names)))),
            tuple(sorted(rows, key=lambda row: (not row.is_own, -len(row.local_names)))),
        )

    @classmethod
    def load(cls, server: PlexServer | ArrServer | None) -> MappingTable:
        """The mappings of a server and those for all (one query); None: only those for all."""
        from django.db.models import Q

        from library.models import PathMapping, PlexServer

        owner = Q(plex_server=None, arr_server=None)
        if isinstance(server, PlexServer):
            owner |= Q(plex_server=server)
        elif server is not None:
            owner |= Q(arr_server=server)
        return cls.of(
            Mapping.of(
                row.source,
                bytes(row.local_raw),
                is_own=row.plex_server_id is not None or row.arr_server_id is not None,
            )
            for row in PathMapping.objects.filter(owner)
        )

    def mapping_of(self, text: str) -> Mapping | None:
        """The one that applies to a path of the other side."""
        path = parse_remote(text)
        if path is None:
            return None
        return next((row for row in self.by_source if row.covers(path)), None)

    def local_path(self, text: str) -> bytes | None:
        """How the file is called here, whether or not it is there.

        Without a mapping a Unix path is taken as it is; a Windows path is None.
        """
        path = parse_remote(text)
        if path is None:
            return None
        if row := self.mapping_of(text):
            return row.to_local(path)
        if path.is_windows:
            return None
        try:
            return ("/" + "/".join(path.names)).encode()
        except UnicodeEncodeError:
            return None

    def remote_path(self, local: bytes) -> str | None:
        """How the other side calls a file or folder of ours; None where it has no name for it."""
        try:
            clean = check_local(local) or b"/"
        except MappingProblem:
            return None
        names = tuple(name for name in clean.split(b"/") if name)
        rows = [row for row in self.by_local if names[: len(row.local_names)] == row.local_names]
        candidates = [row.to_remote(names) for row in rows] or [_text_or_none(clean)]
        for text in candidates:
            # A longer source may claim this text for another folder of ours.
            if text is not None and self.local_path(text) == clean:
                return text
        return None
