"""Why a film is not encoded at all: checked before the first second of work, each in one sentence.

`refuse_by_directory` looks at the directory entry and its folder, `refuse_by_reading` at what is in
the film, `refuse_by_plan` at what would come of it. All raise a JobOutcome or return None.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.file_records import BREAKS_OFF, has_holes
from library.models import Availability, LibraryKind
from library.scanning.settle import is_fresh
from transcode.models import OutputMode
from transcode.outcomes import JobFailed, JobHeld, JobSkipped, JobWaits
from transcode.planning.model import Action, Plan, StreamKind

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from library.models import MediaFile
    from transcode.planning.packet_index import PacketIndex
    from transcode.prediction.estimate import Estimate
    from transcode.presets.spec import PresetSpec

# Same or newer generation: encoding into an older one again makes no sense at the same bit rate.
_GENERATION = {"mpeg2video": 0, "mpeg4": 1, "vc1": 1, "h264": 2, "vp9": 3, "hevc": 3, "av1": 4}
# What O_NOFOLLOW says of a link, with O_DIRECTORY or without.
_IS_LINK = frozenset({errno.ELOOP, errno.ENOTDIR})
_READ_ONLY_HINT = "Nothing was changed; make the folder writable for MediaFlow and resume the job."


@dataclass(frozen=True, slots=True)
class FilmPolicy:
    """What the library and the job say about one film."""

    library_root: bytes
    output_mode: str
    output_dir: bytes | None
    hard_link_policy: str  # skip, replace
    never_replace: tuple[str, ...]  # folders below the root
    is_replace_allowed: bool
    settle_window_s: int
    known_size_bytes: int  # as the scan saw it, 0 unknown
    known_mtime_ns: int
    is_growing: bool

    @property
    def replaces(self) -> bool:
        return self.output_mode == OutputMode.REPLACE


def policy_of(file: MediaFile, *, output_mode: str, output_dir: bytes | None = None) -> FilmPolicy:
    """Raises JobSkipped for a film that only Plex reaches: its library is no folder."""
    library = file.library
    if library.kind != LibraryKind.FOLDER:
        raise JobSkipped("only_in_plex", "Only Plex reaches it; it is in no folder here.")
    return FilmPolicy(
        library_root=bytes(library.root_raw),
        output_mode=output_mode,
        output_dir=output_dir,
        hard_link_policy=library.hard_link_policy,
        never_replace=tuple(line for line in library.never_replace.splitlines() if line.strip()),
        is_replace_allowed=library.is_replace_allowed,
        settle_window_s=library.settle_window_s,
        known_size_bytes=file.size_bytes,
        known_mtime_ns=file.mtime_ns,
        is_growing=file.availability == Availability.GROWING,
    )


def refuse_by_directory(source: bytes, policy: FilmPolicy) -> None:
    """Faults 16, 17, 20 to 22, 43 to 45. Reads no content, writes nothing."""
    entry = _entry(source)
    _refuse_outside(source, policy.library_root, entry)
    if entry.st_size == 0:
        raise JobSkipped("zero_length", "The file is empty (0 bytes).")
    _refuse_growing(entry, policy)
    if has_holes(source, entry):
        raise JobSkipped(
            "sparse",
            "Parts of it were never written (a download that is not finished?). It is left alone.",
        )
    if policy.replaces:
        _refuse_by_policy(source, policy, entry)
    _refuse_unwritable(source, policy)


def _entry(source: bytes) -> os.stat_result:
    try:
        entry = os.lstat(source)
    except FileNotFoundError:
        raise JobFailed(
            "source_missing", "The film is no longer where the library knows it; scan again."
        ) from None
    except OSError as error:
        raise _unreachable(error) from error
    if stat.S_ISLNK(entry.st_mode):
        raise JobSkipped(
            "symlink",
            "It is a symbolic link. MediaFlow changes films only where they really lie: add that"
            " folder as a library.",
        )
    if not stat.S_ISREG(entry.st_mode):
        raise JobSkipped("not_a_file", "It is no regular file.")
    return entry


def _unreachable(error: OSError) -> JobWaits:
    reason = f"The film cannot be reached ({error.strerror}); is its disk mounted?"
    return JobWaits("source_unreachable", reason)


def _refuse_outside(source: bytes, root: bytes, entry: os.stat_result) -> None:
    """Walk down from the root without following a link: what is opened is what was looked at."""
    relative = os.path.relpath(source, root)
    parts = relative.split(b"/")
    outside = JobSkipped("outside_library", "It lies outside its library; nothing is done there.")
    if b".." in parts or os.path.isabs(relative):  # noqa: PTH117  # bytes
        raise outside
    try:
        opened = _stat_below(root, parts)
    except PermissionError as error:
        reason = f"The film cannot be read: {error.strerror}."
        raise JobFailed("source_unreadable", reason) from error
    except OSError as error:
        if error.errno in _IS_LINK:
            raise outside from error
        raise _unreachable(error) from error
    if (opened.st_dev, opened.st_ino) != (entry.st_dev, entry.st_ino):
        raise outside


def _stat_below(root: bytes, parts: list[bytes]) -> os.stat_result:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, flags | os.O_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        found = os.open(parts[-1], flags | os.O_NONBLOCK, dir_fd=descriptor)
        try:
            return os.fstat(found)
        finally:
            os.close(found)
    finally:
        os.close(descriptor)


def _refuse_growing(entry: os.stat_result, policy: FilmPolicy) -> None:
    is_as_scanned = (entry.st_size, entry.st_mtime_ns) == (
        policy.known_size_bytes,
        policy.known_mtime_ns,
    )
    fresh = is_fresh(entry.st_mtime_ns, now_s=time.time(), settle_window_s=policy.settle_window_s)
    if policy.is_growing or (fresh and policy.known_size_bytes and not is_as_scanned):
        raise JobWaits(
            "growing",
            "The file is still being written. It starts when the file has been quiet for"
            f" {policy.settle_window_s} s.",
            delay_s=max(10, policy.settle_window_s),
        )


def _refuse_by_policy(source: bytes, policy: FilmPolicy, entry: os.stat_result) -> None:
    if not policy.is_replace_allowed:
        raise JobSkipped(
            "replace_not_allowed",
            "Nothing may be replaced in its library; allow it on the folders page or write beside.",
        )
    if entry.st_nlink > 1 and policy.hard_link_policy == "skip":
        raise JobSkipped(
            "hard_linked",
            f"It has {entry.st_nlink} names (hard links), so replacing this one would save no"
            " space. The library's policy is to skip such films.",
        )
    relative = os.fsdecode(os.path.relpath(source, policy.library_root))
    for folder in policy.never_replace:
        name = folder.strip().strip("/")
        if name and (relative == name or relative.startswith(f"{name}/")):
            raise JobSkipped(
                "never_replace", f"Its folder “{name}” is marked as never to be replaced."
            )


def _refuse_unwritable(source: bytes, policy: FilmPolicy) -> None:
    folder = policy.output_dir or os.path.dirname(source)  # noqa: PTH120  # bytes
    shown = os.fsdecode(folder).encode("utf-8", "backslashreplace").decode()
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise JobHeld(
                "read_only", f"The disk of {shown} is mounted read-only. {_READ_ONLY_HINT}"
            )
        status = os.stat(folder)  # noqa: PTH116  # bytes
    except OSError as error:
        reason = f"The folder {shown} cannot be reached: {error.strerror}."
        raise JobWaits("folder_unreachable", reason) from error
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise JobHeld(
            "folder_not_writable", f"MediaFlow may not write in {shown}. {_READ_ONLY_HINT}"
        )
    user = os.geteuid()
    owners = {0, status.st_uid, os.lstat(source).st_uid}
    if policy.replaces and status.st_mode & stat.S_ISVTX and user not in owners:
        raise JobHeld(
            "folder_not_writable",
            f"{shown} is sticky: only the film's owner may move it. {_READ_ONLY_HINT}",
        )


def refuse_by_reading(index: PacketIndex) -> None:
    """Fault 23. A damaged middle is found by the ladder, which decodes everything."""
    if index.is_truncated:
        detail = index.problems[-1] if index.problems else "its end is missing"
        raise JobSkipped("truncated", f"{BREAKS_OFF}: {detail}. It is kept as it is.")


def refuse_done(info: MediaInfo, preset_slug: str) -> None:
    """The container's own tag tells, even with an empty database."""
    _job, _, made_with = info.mediaflow_tag.partition(";")
    if made_with == preset_slug:
        raise JobSkipped("already_done", f"MediaFlow already made it with “{preset_slug}”.")


def refuse_by_plan(info: MediaInfo, plan: Plan, spec: PresetSpec, estimate: Estimate) -> None:
    """Already as the preset wants it, or too little to gain even at best."""
    if _changes_nothing(info, plan):
        raise JobSkipped(
            "already_as_wanted",
            "It already is as the preset wants it: same container, every track only copied.",
        )
    if spec.video.encoder == "copy" or spec.min_saving_pct < 0:
        return
    most = info.size_bytes * (100 - spec.min_saving_pct) / 100
    if estimate.low <= most:
        return
    film = info.main_video
    codec = film.codec if film else ""
    target = plan.video.codec if plan.video else ""
    if _GENERATION.get(codec, 0) >= _GENERATION.get(target, 0):
        raise JobSkipped(
            "already_efficient",
            f"It already is {codec} at a low bit rate; encoding it as {target} would not make it"
            f" {spec.min_saving_pct} % smaller.",
        )
    raise JobSkipped(
        "too_small_gain",
        f"Even at best it would not become {spec.min_saving_pct} % smaller (estimated at least"
        f" {estimate.low:,} of {info.size_bytes:,} bytes).",
    )


def _changes_nothing(info: MediaInfo, plan: Plan) -> bool:
    if plan.container != info.container:
        return False
    return all(
        stream.action == Action.COPY or stream.kind == StreamKind.DATA for stream in plan.streams
    )
