"""Joins proven chunks without encoding again; all else comes from the film, as in a whole run.

The joined film gets the record of a whole one, so everything after this sees no difference.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.input_guard import guarded_input
from transcode.chunks.commands import (
    concat_list,
    concat_text,
    first_tracks_read,
    join_options,
    late_start_s,
)
from transcode.chunks.store import ChunkStore, chunk_key, sha256_of
from transcode.encoding.encode import (
    ENCODED_STEM,
    encoded_file,
    extract_covers,
    finished_earlier,
    phase_progress,
    remove_leftovers,
)
from transcode.encoding.ffmpeg import ffmpeg_argv, shown_command
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import run_ffmpeg
from transcode.encoding.records import RECORD_NAME, EncodeRecord, write_record
from transcode.encoding.source_check import refuse_missing, refuse_replaced
from transcode.outcomes import JobFailed
from transcode.running.context import PhaseProgress
from transcode.running.work_folders import CHUNKS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transcode.chunks.encoding import CutFilm
    from transcode.chunks.store import ChunkRecord
    from transcode.encoding.process import FfmpegResult
    from transcode.encoding.progress import FfmpegProgress
    from transcode.running.context import RunContext

FAIL_STARTED = declare("join.started", "every chunk counts, the join is about to start")
FAIL_FINISHED = declare("join.finished", "the joined film is written, nothing says so on disk")
FAIL_RECORDED = declare("join.recorded", "the record of the joined film is on disk")
LIST_NAME = "list.ffconcat"
# Where one chunk ends and the next begins the muxer may set a decoding time right. The ladder
# compares every presented time with the source, of the picture; so the same of a sound is told.
_BOUNDARY = re.compile(r"^\[vost#.*non-monotonic dts", re.IGNORECASE)


def join_chunks(ctx: RunContext, film: CutFilm) -> Path:
    """The film with all its tracks. Safe to run twice. Raises JobOutcome."""
    finished = finished_earlier(ctx, film.plan)
    if finished is not None:
        ctx.log("an earlier attempt joined the chunks of this plan: its film is used again")
        return finished
    store = ChunkStore.of(ctx.work_dir, film.plan)
    records = _records(ctx, film, store)
    remove_leftovers(ctx.work_dir)
    extract_covers(ctx, film.plan)
    target = encoded_file(ctx.work_dir, film.plan)
    partial = target.with_name(f"{ENCODED_STEM}.part{film.plan.extension}")
    argv = join_argv(film, store, records, partial.name)
    ctx.log(f"$ {shown_command(argv)}")
    ctx.report(PhaseProgress(note=f"Joining {len(records)} chunks"))
    reach(FAIL_STARTED)

    def report(progress: FfmpegProgress) -> None:
        ctx.report(replace(phase_progress(progress, film.plan), note="Joining the chunks"))

    result = run_ffmpeg(
        argv, cwd=ctx.work_dir, on_progress=report, checkpoint=ctx.checkpoint, log=ctx.log
    )
    problem = outcome_of(result, partial)
    if problem is not None:
        partial.unlink(missing_ok=True)
        refuse_missing(ctx)
        raise problem
    refuse_replaced(ctx)
    reach(FAIL_FINISHED)
    record = EncodeRecord(
        film.plan.digest(),
        sha256_of(partial, ctx.checkpoint),
        partial.stat().st_size,
        whole_result(result, [r.result for r in records]),
    )
    partial.replace(target)
    write_record(ctx.work_dir / RECORD_NAME, record)
    ctx.log(f"joined {len(records)} chunks to {record.size_bytes:,} bytes")
    reach(FAIL_RECORDED)
    return target


def _records(ctx: RunContext, film: CutFilm, store: ChunkStore) -> list[ChunkRecord]:
    """Of all chunks, each read once more: hours may lie between its encode and the join.

    Raises JobFailed; the next attempt encodes what is not what it was.
    """
    ctx.report(PhaseProgress(note="Reading the chunks back"))
    found = []
    for number, chunk in enumerate(film.plan.chunks):
        record = store.proven(chunk_key(film.plan, chunk), ctx.checkpoint)
        if record is None:
            text = f"The finished chunk {number} is gone from the disk or no longer what it was."
            raise JobFailed("chunk_lost", text, is_retryable=True)
        found.append(record)
    return found


def join_argv(
    film: CutFilm, store: ChunkStore, records: Sequence[ChunkRecord], output: str
) -> list[str]:
    """Writes the list; the command runs in the work folder."""
    plan = film.plan
    names = [store.path(record.key).name for record in records]
    durations = concat_list(plan, plan.chunks, film.index.time_base)
    (store.folder / LIST_NAME).write_text(concat_text(names, durations), encoding="ascii")
    late_s = late_start_s(plan, film.index, film.start_s)
    return [
        *ffmpeg_argv(),
        "-y",
        *guarded_input(film.source, options=plan.input_options),
        # Ours alone: a list of bare names in our own folder, files that our encoders wrote.
        *("-itsoffset", f"{late_s:.6f}", "-protocol_whitelist", "file"),
        *("-format_whitelist", "concat,matroska,webm,mov", "-f", "concat", "-safe", "1"),
        *("-i", f"file:{CHUNKS_FOLDER}/{LIST_NAME}"),
        *join_options(plan),
        output,
        *first_tracks_read(plan, film.index, film.format_name),
    ]


def whole_result(join: FfmpegResult, parts: Sequence[FfmpegResult]) -> FfmpegResult:
    """How all of it ended, as one result for the ladder: each line once, in order."""
    own = [line for line in join.stderr_lines if not _BOUNDARY.search(line.strip())]
    lines = [line for part in parts for line in part.stderr_lines] + own
    return replace(
        join,
        stderr_lines=tuple(dict.fromkeys(lines)),
        seconds=join.seconds + sum(part.seconds for part in parts),
        saw_end=join.saw_end and all(part.saw_end for part in parts),
        omitted_lines=join.omitted_lines + sum(part.omitted_lines for part in parts),
    )
