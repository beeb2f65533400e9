"""I1 to I5 of trust.md, looked for on the disk and in the rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from library.models import MediaFile
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, is_ours_to_keep, tree
from transcode.models import (
    Job,
    JobStatus,
    JournalState,
    OutputMode,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.replacing.journal import OPEN

if TYPE_CHECKING:
    from tests.transcode.replace.world import World


def broken_invariants(world: World, *, original: bytes = ORIGINAL_BYTES) -> list[str]:
    """I1 to I5 of trust.md, after a restart has had its turn. [] when all hold."""
    job = Job.objects.get(pk=world.job.pk)
    row = Replacement.objects.filter(job=job).first()
    files = tree(world.root)
    problems = _lost_or_spoiled(world, row, files, digest(original))
    if job.status == JobStatus.RUNNING:
        problems.append("I5: the job still runs after the restart")
    if row is not None and row.state == JournalState.STUCK:
        if job.status != JobStatus.HELD:
            problems.append("I5: stuck, but nobody is asked")
        return problems
    problems += _leftovers(world, job, row, files, digest(original))
    return problems


def _lost_or_spoiled(
    world: World, row: Replacement | None, files: dict[bytes, str], original: str
) -> list[str]:
    problems = []
    entry = TrashEntry.objects.filter(replacement=row).first() if row else None
    is_purged = entry is not None and entry.state == TrashState.PURGED
    if original not in files.values() and not is_purged:
        problems.append(f"I1/I2: the original is gone: {sorted(files)}")
    if is_purged and world.output_sha256 not in files.values():
        problems.append("I1: purged, and no verified film is there")
    for path, sha in world.sidecars.items():
        if files.get(path) != sha:
            problems.append(f"I3: {path!r} was touched")
    return problems


def _leftovers(
    world: World,
    job: Job,
    row: Replacement | None,
    files: dict[bytes, str],
    original: str,
) -> list[str]:
    """Exactly what the end state wants lies below the root, nothing else."""
    state = row.state if row else None
    problems = [f"I5: journal {state}"] if state in OPEN else []
    if state == JournalState.DONE and job.status != JobStatus.COMPLETED:
        problems.append(f"I5: swapped, but the job is {job.status}")
    expected = _expected_files(world, row, files, original)
    now = {path: sha for path, sha in files.items() if not is_ours_to_keep(path)}
    wanted = {path: sha for path, sha in expected.items() if not is_ours_to_keep(path)}
    if now != wanted:
        extra = sorted(set(now) - set(wanted))
        missing = sorted(set(wanted) - set(now))
        other = sorted(p for p in set(now) & set(wanted) if now[p] != wanted[p])
        problems.append(f"I5: extra {extra}, missing {missing}, other bytes {other}")
    problems += _row_differs(world)
    return problems


def _expected_files(
    world: World, row: Replacement | None, files: dict[bytes, str], original: str
) -> dict[bytes, str]:
    root = os.fsencode(world.root) + b"/"
    expected = dict(world.sidecars)
    if row is None or row.state != JournalState.DONE or row.mode != OutputMode.REPLACE:
        expected[world.film.removeprefix(root)] = original
    if row is None or row.state != JournalState.DONE:
        return expected
    if bytes(row.final_raw).startswith(root):
        expected[bytes(row.final_raw).removeprefix(root)] = world.output_sha256
    entry = TrashEntry.objects.filter(replacement=row).first()
    if entry is not None and entry.state == TrashState.KEPT:
        trash = bytes(entry.path_raw).removeprefix(root)
        expected[trash] = original
        expected[trash + b".json"] = files.get(trash + b".json", "no sidecar")
    return expected


def _row_differs(world: World) -> list[str]:
    """The library's row names a file that is there with that size."""
    file = MediaFile.objects.get(pk=world.file.pk)
    path = os.path.join(os.fsencode(world.root), bytes(file.path_raw))
    try:
        size = os.stat(path).st_size
    except OSError:
        return [f"the row names {path!r}, which is not there"]
    return [] if size == file.size_bytes else [f"the row says {file.size_bytes}, not {size} bytes"]
