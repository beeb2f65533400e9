"""The process that `benchmarks.rescan` measures: `python -m benchmarks.rescan_child STEP ROOT`."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

import django

ROUNDS = 5
_BATCH = 1000


def fill(root: bytes) -> dict[str, Any]:
    """A library whose rows agree with the disk."""
    from django.core.management import call_command

    from library.file_records import apply_name, apply_path, apply_probe, probe_row
    from library.media_info import AudioStream, MediaInfo, VideoStream
    from library.models import Library, MediaFile, MediaProbe
    from library.scanning.identity import path_digest
    from library.scanning.names import ParsedName
    from library.scanning.walk import walk_library

    call_command("migrate", verbosity=0)
    shown = os.fsdecode(root)
    library = Library.objects.create(
        name="films", root=shown, root_raw=root, root_digest=path_digest(root)
    )
    info = MediaInfo(
        container="mkv",
        format_name="matroska,webm",
        size_bytes=1,
        duration_s=5400.0,
        start_s=0.0,
        bit_rate_kbps=4000,
        video=(VideoStream(0, "h264", profile="High", width=1920, height=1080),),
        audio=(AudioStream(1, "ac3", language="eng"), AudioStream(2, "aac", language="deu")),
    )
    found = walk_library(root, {}, pause=lambda _files, _folder: None).found
    for start in range(0, len(found), _BATCH):
        rows = []
        for file in found[start : start + _BATCH]:
            row = MediaFile(library=library, size_bytes=1, mtime_ns=file.mtime_ns)
            apply_path(row, file.path_rel)
            title = file.path_rel.rpartition(b"/")[2].decode().partition(" (")[0]
            apply_name(row, ParsedName("movie", title, 1999))
            apply_probe(row, info)
            rows.append(row)
        MediaFile.objects.bulk_create(rows)
        MediaProbe.objects.bulk_create([probe_row(row, info) for row in rows])
    return {"files": len(found)}


def measure(root: bytes) -> dict[str, Any]:
    """Scans and bare walks in turns. The first pair warms the caches and does not count."""
    from library.models import Library
    from library.scanning.scan import scan_library

    library = Library.objects.get()
    scans: list[float] = []
    walks: list[float] = []
    files = 0
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        files = _bare_walk(root)
        walks.append(time.perf_counter() - started)
        started = time.perf_counter()
        summary = scan_library(library.pk, report=_ignore, checkpoint=lambda: None)
        scans.append(time.perf_counter() - started)
        if summary.unchanged != files or summary.frozen_reason:
            raise RuntimeError(f"not a scan of unchanged files: {summary}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"scan_s": scans[1:], "walk_s": walks[1:], "files": files, "peak_mb": peak_mb}


def _ignore(*_args: Any, **_kwargs: Any) -> None:
    return None


def _bare_walk(root: bytes) -> int:
    files, pending = 0, [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(b"."):
                        pending.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)
                    files += 1
    return files


if __name__ == "__main__":
    django.setup()
    step = {"fill": fill, "measure": measure}[sys.argv[1]]
    sys.stdout.write(json.dumps(step(os.fsencode(sys.argv[2]))))
