"""What the runner calls, in this order: prepare, encode, assemble. Each may be repeated after a
crash and goes on from what is on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.input_guard import guarded_input
from transcode.chunks.film import encode_as_planned, joined_film
from transcode.encoding.encode import OUTPUT_STEM, read_encode_result
from transcode.encoding.ffmpeg import ffmpeg_argv, shown_command
from transcode.outcomes import JobFailed
from transcode.prediction.watching import watched_encode
from transcode.running.preparing import Prepared, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

FAIL_MOVED = declare("assemble.moved", "the output has its final name in the work folder")
FAIL_ASSEMBLED = declare("assemble.done", "the output is on disk for certain")


def encode(ctx: RunContext, prepared: Prepared) -> Path | None:
    """The encoded film with all its tracks, or None: its chunks, still to be joined.

    Raises JobOutcome; JobSkipped once what is done shows that it will not be worth it.
    """
    with watched_encode(ctx, prepared):
        return encode_as_planned(ctx, prepared.plan, prepared.info, prepared.index)


def assemble(ctx: RunContext, prepared: Prepared, encoded: Path | None) -> Path:
    """Join what was encoded in chunks, give the film its final name in the work folder, and force
    it onto the disk. Safe to run twice. Raises JobOutcome.
    """
    ctx.checkpoint()
    if encoded is None:
        encoded = joined_film(ctx, prepared.plan, prepared.info, prepared.index)
    output = ctx.work_dir / f"{OUTPUT_STEM}{prepared.plan.extension}"
    try:
        encoded.replace(output)
        reach(FAIL_MOVED)
        _force_to_disk(output)
        _force_to_disk(ctx.work_dir)
    except OSError as error:
        raise JobFailed(
            "assemble_failed",
            f"The encoded film could not be written to the work folder: {error.strerror}.",
            is_retryable=True,
        ) from error
    reach(FAIL_ASSEMBLED)
    return output


def display_command(plan: Plan, source: bytes, output: str) -> str:
    """The command as a person could paste it into a shell."""
    options = guarded_input(source, options=plan.input_options)
    argv = [*ffmpeg_argv(), *options, *plan.output_options, output]
    return shown_command(argv)


def _force_to_disk(path: Path) -> None:
    """fsync of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["Prepared", "assemble", "display_command", "encode", "prepare", "read_encode_result"]
