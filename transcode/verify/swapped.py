"""Rung 12: what lies at the final path, read from the disk, is what the ladder proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from mediaflow.base.fs import fs
from transcode.outcomes import JobFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.models import ProofRecord
    from transcode.verify.results import Proof

SWAPPED = "verify_swapped"


def check_swapped(
    path: bytes, proof: Proof | ProofRecord, *, tick: Callable[[], None] | None = None
) -> None:
    """Return when the bytes at `path` have the proven SHA-256 and open; the page cache is left out.

    Raises JobFailed("verify_swapped") when they differ, OSError when they cannot be read. Whoever
    swapped decides what to do then: the original is still in the trash.
    """
    found = fs.sha256(path, tick=tick)
    if found.stat.st_size != proof.output_bytes:
        raise JobFailed(
            SWAPPED,
            f"The file in place has {found.stat.st_size:,} bytes, the verified one has"
            f" {proof.output_bytes:,}.",
        )
    if not proof.output_sha256 or found.sha256 != proof.output_sha256:
        raise JobFailed(
            SWAPPED,
            "The file in place, read back from the disk, is not what was verified (another"
            " SHA-256): the disk or the network changed it on the way.",
        )
    try:
        probe_in_worker(path)
    except ProbeProblem as problem:
        raise JobFailed(
            SWAPPED, f"The file in place cannot be opened any more: {problem.text}"
        ) from problem
