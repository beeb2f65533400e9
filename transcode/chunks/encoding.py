"""Encodes one chunk with one ffmpeg and proves it picture by picture. No database: runs in threads.

A chunk counts when the time of every picture that went into the encoder is the planned one: frame
counts and first and last times are not enough (measured: chunks one GOP late with the right count).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mediaflow.base.failpoints import declare, reach
from mediaflow.base.input_guard import guarded_input
from transcode.chunks.commands import chunk_options, planned_film, seek_options
from transcode.chunks.cutting import pictures_of
from transcode.chunks.store import ChunkRecord, sha256_of
from transcode.encoders.registry import device_before_input
from transcode.encoding.ffmpeg import ffmpeg_argv, shown_command
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import run_ffmpeg
from transcode.verify.harmless import normalised, unknown_lines

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence
    from fractions import Fraction
    from pathlib import Path

    from transcode.chunks.store import ChunkStore
    from transcode.encoding.process import FfmpegResult
    from transcode.encoding.progress import FfmpegProgress
    from transcode.outcomes import JobOutcome
    from transcode.planning.model import Plan, PlannedChunk
    from transcode.planning.packet_index import PacketIndex

FAIL_STARTED = declare("chunk.started", "the ffmpeg of a chunk is about to start")
FAIL_FINISHED = declare("chunk.finished", "a chunk is encoded, its pictures are not checked")
FAIL_NAMED = declare("chunk.named", "a chunk has its name, nothing is recorded of it")
FAIL_KEPT = declare("chunk.kept", "a chunk and its first record are there, its slot is free")
# Repeated messages one by one: they are counted against those of the lead-in.
_LOG_LEVEL = "repeat+level+warning"


class FfmpegFailed(Exception):
    """An ffmpeg did not end well. `outcome` is what becomes of the job when nothing helps."""

    def __init__(self, outcome: JobOutcome, result: FfmpegResult) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome
        self.result = result


class OtherPictures(Exception):
    """What left the decoder is not what was planned; another lead may do."""


@dataclass(frozen=True, slots=True)
class CutFilm:
    """The film that is encoded in chunks, and how."""

    source: bytes
    plan: Plan
    index: PacketIndex
    start_s: float  # of the container
    format_name: str = ""  # FFmpeg's, of the container


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """One chunk to be encoded; numbers count from 0."""

    number: int
    chunk: PlannedChunk
    key: str


@dataclass(frozen=True, slots=True)
class Calls:
    """What the caller gets told meanwhile; `checkpoint` may raise, which ends the ffmpeg."""

    checkpoint: Callable[[], None]
    on_progress: Callable[[FfmpegProgress], None]
    log: Callable[[str], None]
    # The slot is free again: the chunk is kept, what follows is reading and writing.
    ended: Callable[[], None]
    # Raises when the film is no longer the planned one.
    check_source: Callable[[], None]


def encode_chunk(
    film: CutFilm,
    task: ChunkTask,
    store: ChunkStore,
    calls: Calls,
    *,
    lead: int,
    video_options: Sequence[str],
) -> ChunkRecord:
    """Encode it, check its pictures and keep it; its record still lacks its parameter sets.

    Its slot is held until a run that comes after a kill finds the chunk: the next one on that slot
    begins after that, so a kill never costs both.
    Raises FfmpegFailed, JobOutcome, OtherPictures and what `calls.checkpoint` raises.
    """
    part, times = store.part(task.key), store.times(task.key)
    argv = chunk_argv(film, task, (part.name, times.name), lead, video_options)
    calls.log(f"$ {shown_command(argv)}")
    reach(FAIL_STARTED)
    result = run_ffmpeg(
        argv,
        cwd=store.folder,
        on_progress=calls.on_progress,
        checkpoint=calls.checkpoint,
        log=calls.log,
    )
    reach(FAIL_FINISHED)
    problem = outcome_of(result, part)
    if problem is not None:
        store.drop(task.key)
        raise FfmpegFailed(problem, result)
    calls.check_source()
    _check_times(times, pictures_of(film.index, task.chunk), film.index.time_base)
    result = without_lead_in(result, film, task, lead, calls)
    record = _keep(store, task, result, calls)
    calls.ended()
    reach(FAIL_KEPT)
    return record


def _keep(store: ChunkStore, task: ChunkTask, result: FfmpegResult, calls: Calls) -> ChunkRecord:
    """Nothing waits for the disk here: after a power cut the hash tells."""
    part, path = store.part(task.key), store.path(task.key)
    sha256 = sha256_of(part, calls.checkpoint)
    part.replace(path)
    store.times(task.key).unlink()
    reach(FAIL_NAMED)
    record = ChunkRecord(
        key=task.key,
        sha256=sha256,
        size_bytes=path.stat().st_size,
        frames=task.chunk.frames,
        extradata_sha256="",
        seconds=result.seconds,
        result=result,
    )
    store.keep(record)
    return record


def chunk_argv(
    film: CutFilm,
    task: ChunkTask,
    names: tuple[str, str],
    lead: int,
    video_options: Sequence[str],
) -> list[str]:
    """The command line; it runs in the chunks' folder. `names`: the chunk's, and of its times."""
    seek = seek_options(film.index, task.chunk, film.start_s, lead)
    options = guarded_input(film.source, options=(*film.plan.input_options, *seek))
    output, times = names
    return [
        *ffmpeg_argv(loglevel=_LOG_LEVEL),
        "-y",
        *device_before_input(video_options),
        *options,
        *chunk_options(film.plan, task.chunk, times, video_options),
        output,
    ]


def _check_times(path: Path, planned: array[int], time_base: Fraction) -> None:
    """Raises OtherPictures unless every time is the planned one."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OtherPictures(f"the times of its pictures cannot be read ({error})") from error
    for place, (line, wanted) in enumerate(zip(lines, planned, strict=False)):
        ticks, _space, base = line.partition(" ")
        numerator, _slash, denominator = base.partition("/")
        # Whole numbers: pts · base = wanted · time_base.
        left = int(ticks) * int(numerator) * time_base.denominator
        if left != wanted * time_base.numerator * int(denominator):
            raise OtherPictures(
                f"picture {place} of {len(planned)} is that of tick {ticks} ({base}), not {wanted}"
            )
    if len(lines) != len(planned):
        raise OtherPictures(f"{len(lines)} pictures left the decoder, not {len(planned)}")


def without_lead_in(
    result: FfmpegResult, film: CutFilm, task: ChunkTask, lead: int, calls: Calls
) -> FfmpegResult:
    """The result without the messages about pictures before the chunk, which nobody sees.

    Decoding from the middle of a film misses references at first. Only when there is an unknown
    line the lead-in is decoded once more by itself, and what it says then is taken off, one by one:
    each picture of the film lies in exactly one chunk, whose own messages stay.
    """
    unknown = unknown_lines(result.stderr_lines)
    if not unknown or task.number == 0:
        return result
    argv = lead_in_argv(film, task, lead)
    said = run_ffmpeg(argv, checkpoint=calls.checkpoint)
    explained = Counter(normalised(line) for line in said.stderr_lines)
    kept = []
    for line in result.stderr_lines:
        if explained[normalised(line)] > 0:
            explained[normalised(line)] -= 1
        else:
            kept.append(line)
    calls.log(f"{len(result.stderr_lines) - len(kept)} messages were about the lead-in only")
    return replace(result, stderr_lines=tuple(kept))


def lead_in_argv(film: CutFilm, task: ChunkTask, lead: int) -> list[str]:
    """Decodes what lies before the chunk, and throws it away."""
    seek = seek_options(film.index, task.chunk, film.start_s, lead)
    options = guarded_input(film.source, options=(*film.plan.input_options, "-threads", "1", *seek))
    return [
        *ffmpeg_argv(loglevel=_LOG_LEVEL),
        *options,
        *("-map", f"0:{planned_film(film.plan).source_index}"),
        *("-filter:v:0", f"trim=end_pts={task.chunk.start_pts}"),
        *("-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", "demux", "-f", "null", "-"),
    ]
