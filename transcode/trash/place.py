"""Where a film's original goes: the trash folder that a trial move from the film's folder reaches.

Two mounts of one disk have one device number and still refuse links between them, so only a trial
tells (faults 42 and 53). The trial uses our own part file under journalled names.
"""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from mediaflow.base.fs import fs, is_unsupported, join, name_of, parent_of
from transcode.outcomes import JobHeld
from transcode.replacing.journal import note
from transcode.replacing.names import MEDIAFLOW_FOLDER, SIDECAR_SUFFIX, TRASH_FOLDER, trash_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transcode.models import Replacement

SIDECAR_VERSION: Final = 1
# Media servers must not show what is in the trash: Jellyfin and Emby, Plex, Android.
IGNORE_FILES: Final = {b".ignore": b"", b".plexignore": b"*\n", b".nomedia": b""}


def choose_trash(row: Replacement) -> bytes:
    """A free path in the first trash folder that works, noted in the journal before it is tried.

    The order: the library root's own, then the film's folder and its parents up to the root. Makes
    the folder. Raises JobHeld when none works, OSError when the library cannot be reached.
    """
    root, original, part = bytes(row.root_raw), bytes(row.original_raw), bytes(row.part_raw)
    name = trash_name(original)
    last: OSError | None = None
    for folder in _candidates(root, parent_of(original)):
        made: list[bytes] = []
        target = join(folder, name)
        note(row, trash_raw=target)
        try:
            _make_folder(folder, made)
            _try_move(part, target)
            fs.fsync_folder(folder)  # the trial must not come back in a power cut
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}:
                raise
            last = error
            _remove_made(made)
            continue
        _write_ignore_files(folder)
        return target
    note(row, trash_raw=None)
    raise JobHeld(
        "no_trash",
        f"No trash folder inside {display_path(root)} can take the original of this film"
        f" ({last.strerror if last else 'no folder'}): it would have to be copied, so nothing is"
        " replaced here.",
    )


def _candidates(root: bytes, film_folder: bytes) -> Iterator[bytes]:
    yield join(root, MEDIAFLOW_FOLDER, TRASH_FOLDER)
    folder = film_folder
    while folder != root and folder.startswith(root.rstrip(b"/") + b"/"):
        yield join(folder, MEDIAFLOW_FOLDER, TRASH_FOLDER)
        folder = parent_of(folder)


def _make_folder(folder: bytes, made: list[bytes]) -> None:
    for path in (parent_of(folder), folder):
        if fs.mkdir(path):
            made.append(path)
            fs.fsync_folder(parent_of(path))
        elif fs.resolve(path) != join(fs.resolve(parent_of(path)), name_of(path)):
            raise OSError(errno.EXDEV, "the trash folder is a symbolic link", path)


def _try_move(part: bytes, target: bytes) -> None:
    """Link our empty part to the trash and drop the link; without hard links: move it and back."""
    try:
        fs.link(part, target)
    except OSError as error:
        if not is_unsupported(error):
            raise
        fs.rename_noreplace(part, target)
        fs.rename_noreplace(target, part)
    else:
        fs.unlink_own(target, fs.lstat(part).st_ino)


def _remove_made(made: list[bytes]) -> None:
    for path in reversed(made):
        fs.rmdir(path)


def _write_ignore_files(folder: bytes) -> None:
    for name, content in IGNORE_FILES.items():
        path = join(folder, name)
        if fs.lstat_or_none(path) is None:
            fs.write_new(path, content)


def is_gone_from_trash(trash: bytes) -> bool:
    """The file is not there although its trash folder is, as our own files in it show.

    Raises OSError when that cannot be told: a disk below the library may be unmounted there.
    """
    if fs.lstat_or_none(trash) is not None:
        return False
    folder = parent_of(trash)
    if all(fs.lstat_or_none(join(folder, name)) is None for name in IGNORE_FILES):
        raise FileNotFoundError(errno.ENOENT, "the trash folder is not there", folder)
    return fs.lstat_or_none(trash) is None  # again: it may have been mounted meanwhile


def sidecar_path(trash: bytes) -> bytes:
    return trash + SIDECAR_SUFFIX


def write_sidecar(row: Replacement) -> None:
    """Say beside the trashed original what it is: it can be put back with an empty database.

    Does nothing when it is there already, or when the replacement has no trash.
    """
    if not row.trash_raw:
        return
    path = sidecar_path(bytes(row.trash_raw))
    if fs.lstat_or_none(path) is not None:
        return
    root = bytes(row.root_raw).rstrip(b"/") + b"/"
    relative = bytes(row.original_raw).removeprefix(root)
    content = {
        "version": SIDECAR_VERSION,
        "what": "An original film, replaced by MediaFlow. To put it back by hand: move it to"
        " `original` (below the library's folder) and remove `replaced_by`.",
        "original": display_path(relative),
        "original_hex": relative.hex(),
        "replaced_by": display_path(bytes(row.final_raw).removeprefix(root)),
        "replaced_by_hex": bytes(row.final_raw).removeprefix(root).hex(),
        "job": str(row.job.uuid),
        "sha256": row.source_snapshot.get("sha256", ""),
        "size_bytes": row.source_snapshot.get("size_bytes"),
        "mtime_ns": row.source_snapshot.get("mtime_ns"),
        "output_sha256": row.output_sha256,
    }
    fs.write_new(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def remove_sidecar(row: Replacement) -> None:
    """Remove the sidecar that belongs to this replacement; another's stays. Raises OSError."""
    if not row.trash_raw:
        return
    path = sidecar_path(bytes(row.trash_raw))
    found = fs.lstat_or_none(path)
    # The name carries a UUID that is given once; a half-written one is ours as well.
    if found is not None:
        fs.unlink_own(path, found.st_ino)
