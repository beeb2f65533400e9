"""One pass over a library's folders: names as bytes, one stat per film, nothing opened. No Django.

The loop over entries is the hot path of a rescan (100,000 files at no more than three times a bare
`os.scandir` and `stat`): an unchanged film is compared in place and makes no object.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from library.scanning.names import (
    DISC_FOLDERS,
    DISC_IMAGE_SUFFIXES,
    SKIPPED_FOLDERS,
    VIDEO_SUFFIXES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MTIME_TOLERANCE_NS: Final = 2_000_000_000  # FAT and some NAS boxes store two-second steps
# A known row with this size never counts as unchanged: it needs a closer look.
NEEDS_A_LOOK: Final = -1
_PAUSE_S = 0.25
_LISTED = VIDEO_SUFFIXES | DISC_IMAGE_SUFFIXES
_DOT = ord(".")

# Relative path -> (size_bytes, mtime_ns, id): what the last scan saw.
KnownFiles = dict[bytes, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A film that is new or changed, or a disc folder."""

    path_rel: bytes
    size_bytes: int
    mtime_ns: int
    hard_link_count: int
    is_symlink: bool
    is_disc_folder: bool
    known_id: int | None  # None: no row has this path
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class WalkProblem:
    """A folder or file that could not be looked at. "" is the root itself."""

    path_rel: bytes
    text: str
    is_folder: bool


@dataclass(slots=True)
class WalkResult:
    found: list[FoundFile] = field(default_factory=list)
    problems: list[WalkProblem] = field(default_factory=list)
    unchanged: int = 0
    unchanged_bytes: int = 0
    folders: int = 0

    @property
    def is_clean(self) -> bool:
        """Every folder and film below the root was seen."""
        return not self.problems

    @property
    def files(self) -> int:
        return self.unchanged + len(self.found)


def walk_library(
    root: bytes,
    known: KnownFiles,
    *,
    pause: Callable[[int, bytes], None],
    folders: Sequence[bytes] = (b"",),
) -> WalkResult:
    """Compare the disk with `known`; what was seen is taken out of it, what is left was not seen.

    `pause(files so far, folder)` is called a few times a second; what it raises ends the walk.
    `folders`: where it begins, relative to the root; none of them lies in another.
    Links to folders are not followed; links to films count when they stay inside the root.
    """
    result = WalkResult()
    walker = _Walker(root, os.path.realpath(root) + b"/", known, result)
    pending = list(folders)
    next_pause = 0.0
    while pending:
        folder = pending.pop()
        result.folders += 1
        try:
            pending.extend(walker.read_folder(folder))
        except OSError as error:
            text = error.strerror or str(error)
            result.problems.append(WalkProblem(folder, text, is_folder=True))
        now = time.monotonic()
        if now >= next_pause:
            next_pause = now + _PAUSE_S
            pause(result.files, folder)
    return result


@dataclass(slots=True)
class _Walker:
    root: bytes
    real_root: bytes
    known: KnownFiles
    result: WalkResult

    def read_folder(self, folder: bytes) -> list[bytes]:
        """Look at one folder; returns the folders in it that are to be walked. Raises OSError."""
        prefix = folder + b"/" if folder else b""
        folders: list[bytes] = []
        pop, unchanged, unchanged_bytes = self.known.pop, 0, 0
        with os.scandir(self.root + b"/" + folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == _DOT:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    self._add_folder(folders, prefix + name, name)
                    continue
                if name[name.rfind(b".") :].lower() not in _LISTED:
                    continue
                path = prefix + name
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    self._note(path, error)
                    continue
                row = pop(path, None)
                size = status.st_size
                if (
                    row is not None
                    and row[0] == size
                    and -MTIME_TOLERANCE_NS <= row[1] - status.st_mtime_ns <= MTIME_TOLERANCE_NS
                ):
                    unchanged += 1
                    unchanged_bytes += size
                else:
                    self._add_file(path, status, row)
        self.result.unchanged += unchanged
        self.result.unchanged_bytes += unchanged_bytes
        return folders

    def _add_folder(self, folders: list[bytes], path: bytes, name: bytes) -> None:
        lowered = name.lower()
        if lowered in DISC_FOLDERS:
            self._add_disc(path)
        elif lowered not in SKIPPED_FOLDERS:
            folders.append(path)

    def _add_file(
        self, path: bytes, status: os.stat_result, row: tuple[int, int, int] | None
    ) -> None:
        is_symlink = stat.S_ISLNK(status.st_mode)
        if is_symlink:
            followed = self._follow(path)
            if followed is None:  # leads nowhere or out of the library: not listed
                return
            status = followed
            if row and row[:2] == (status.st_size, status.st_mtime_ns):
                self.result.unchanged += 1
                self.result.unchanged_bytes += status.st_size
                return
        if stat.S_ISREG(status.st_mode):
            self.result.found.append(
                FoundFile(
                    path_rel=path,
                    size_bytes=status.st_size,
                    mtime_ns=status.st_mtime_ns,
                    hard_link_count=status.st_nlink,
                    is_symlink=is_symlink,
                    is_disc_folder=False,
                    known_id=row[2] if row else None,
                    status=status,
                )
            )

    def _follow(self, path: bytes) -> os.stat_result | None:
        target = os.path.realpath(self.root + b"/" + path)
        inside = target.removeprefix(self.real_root)
        # Neither out of the library nor into what is hidden (`.mediaflow/`, the trash).
        if inside == target or any(part.startswith(b".") for part in inside.split(b"/")):
            return None
        try:
            return os.stat(target)  # noqa: PTH116  # names are bytes
        except OSError:
            return None

    def _add_disc(self, path: bytes) -> None:
        """A disc folder is one entry: the sum of its files and the latest of their times."""
        row = self.known.pop(path, None)
        size_bytes, mtime_ns = 0, 0
        pending = [self.root + b"/" + path]
        try:
            status = os.lstat(pending[0])
            while pending:
                with os.scandir(pending.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                            continue
                        inner = entry.stat(follow_symlinks=False)
                        size_bytes += inner.st_size
                        mtime_ns = max(mtime_ns, inner.st_mtime_ns)
        except OSError as error:
            self._note(path, error)
            return
        if row and row[0] == size_bytes and abs(row[1] - mtime_ns) <= MTIME_TOLERANCE_NS:
            self.result.unchanged += 1
            self.result.unchanged_bytes += size_bytes
            return
        known_id = row[2] if row else None
        found = FoundFile(path, size_bytes, mtime_ns, 1, False, True, known_id, status)
        self.result.found.append(found)

    def _note(self, path: bytes, error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return  # it went between listing and looking: not seen
        text = error.strerror or str(error)
        self.result.problems.append(WalkProblem(path, text, is_folder=False))


def describe(problem: WalkProblem) -> str:
    """A sentence for the library's page."""
    if not problem.path_rel:
        return f"The folder cannot be read: {problem.text}."
    kind = "folder" if problem.is_folder else "file"
    return f"The {kind} {display_path(problem.path_rel)} cannot be read: {problem.text}."
