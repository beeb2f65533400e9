"""Threads of one ffmpeg and how many run at once. Pure.

Threads are set where the encode runs and are no part of the plan. Measured with ffmpeg 9: for x264,
x265 (WPP fixed to on) and SVT-AV1 the parameter sets are the same bytes for 1, 2 and 4 threads;
x265 without any pool is not, so a pool is always named. SVT-AV1 hears only its own `lp`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.encoders.model import VideoEncoder

GIB = 1024**3
MEMORY_SHARE = 0.6  # of what is free: the rest is for scoring, the disk cache and the neighbours
# Peak memory of one ffmpeg of 10 bit pictures, measured at 720p, 1080p and 2160p with the speed
# "slow" (x265: 0.40, 0.76 and 2.61 GB) and rounded up.
_BASE_BYTES = 160 * 1024**2
_BYTES_PER_PIXEL = {"x264": 360, "x265": 340, "svtav1": 230}
_SVTAV1_MANY_THREADS_BYTES_PER_PIXEL = 380
_HARDWARE_BYTES_PER_PIXEL = 120
HARDWARE_PROCESSES = 2  # sessions per encoding unit that keep it busy; GeForce allows 2 and more
HARDWARE_THREADS = 2  # decoding and filters stay on the processor
# What is left of a running chunk, in chunks: with more than this it is a neighbour to the end.
_LONG = 0.7
# More threads than there are cores cost these little (x265: 4 % with twice as many; SVT-AV1 13 %).
_PATIENT_FAMILIES = frozenset({"x264", "x265"})


@dataclass(frozen=True, slots=True)
class Parallelism:
    processes: int
    threads_each: int
    is_chosen: bool = field(default=False, compare=False)  # the threads, by a person


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a film when one of its chunks starts."""

    to_start: int  # chunks, this one included
    running: tuple[float, ...] = ()  # what each running one has left, in work of this one
    is_only_wave: bool = False  # all that are to be encoded start at once


def threads_of_next(family: str, size: Parallelism, rest: Rest) -> int:
    """Threads of the chunk that starts now: the last ones get the cores that others will leave.

    Not while those run: the processor is shared by threads, so of two alike that start together
    one with twice as many ends early, and the other is then alone with its one thread for long
    (measured: 45 s instead of 37 s). What starts together gets the same: where that costs little,
    twice its share, so that the one that takes longest has more than that at the end. Not more than
    twice: memory is reckoned for the share.
    """
    threads = size.processes * size.threads_each
    neighbours = sum(left > _LONG for left in rest.running)
    share = max(size.threads_each, threads // (rest.to_start + neighbours))
    if rest.is_only_wave and family in _PATIENT_FAMILIES and not size.is_chosen:
        return min(threads, 2 * share)
    return share


def with_threads(
    encoder: VideoEncoder, video_options: Sequence[str], threads: int
) -> tuple[str, ...]:
    """The options of the plan's video with the number of threads put in (0: as they are).

    x265 and SVT-AV1 take it inside their own parameter list, which can be given once only.
    """
    if threads <= 0 or encoder.is_hardware:
        return tuple(video_options)
    if encoder.family == "x265":
        extra = f"pools={threads}:frame-threads={_frame_threads(threads)}"
        return _with_params(video_options, f"{encoder.params_option}:v:0", extra)
    if encoder.family == "svtav1":
        extra = f"lp={_parallel_level(threads)}"
        return _with_params(video_options, f"{encoder.params_option}:v:0", extra)
    return (*video_options, "-threads:v:0", str(threads))


def _frame_threads(threads: int) -> int:
    """Frames in the works at once: more of them cost a little quality."""
    return 1 if threads == 1 else 2 if threads <= 4 else 3


def _parallel_level(threads: int) -> int:
    """SVT-AV1 counts levels from 1 to 6, not threads."""
    for level, most in enumerate((1, 2, 4, 8, 16), start=1):
        if threads <= most:
            return level
    return 6


def _with_params(options: Sequence[str], name: str, extra: str) -> tuple[str, ...]:
    result = list(options)
    if name in result:
        at = result.index(name) + 1
        result[at] = f"{result[at]}:{extra}"
        return tuple(result)
    return (*result, name, extra)


def memory_needed_bytes(encoder: VideoEncoder, width: int, height: int, threads: int) -> int:
    """Peak memory of one encode, on the safe side."""
    per_pixel = _BYTES_PER_PIXEL.get(encoder.family, _HARDWARE_BYTES_PER_PIXEL)
    if encoder.family == "svtav1" and threads > 1:
        per_pixel = _SVTAV1_MANY_THREADS_BYTES_PER_PIXEL
    many = 1 + 0.03 * max(0, threads - 1)
    return _BASE_BYTES + int(width * height * per_pixel * many)


def how_many_at_once(
    encoder: VideoEncoder,
    width: int,
    height: int,
    cores: int,
    memory_bytes: int,
    *,
    wanted_processes: int = 0,
    wanted_threads: int = 0,
) -> Parallelism:
    """Encodes at once and threads of each; what a person wants (not 0) is taken as it is.

    Several with few threads beat one with many (measured: 0.94 of the time on two cores), as far
    as memory goes.
    """
    if encoder.is_hardware:
        return Parallelism(
            wanted_processes or HARDWARE_PROCESSES, wanted_threads or HARDWARE_THREADS
        )
    cores = max(1, cores)
    threads = wanted_threads or (1 if cores <= 4 else 2 if cores <= 16 else 4)
    each_bytes = memory_needed_bytes(encoder, width, height, threads)
    fitting = max(1, int(memory_bytes * MEMORY_SHARE / each_bytes))
    processes = wanted_processes or max(1, min(cores // threads, fitting))
    if not wanted_threads:
        threads = max(threads, cores // processes)  # few fit: each gets more
    return Parallelism(processes, max(1, threads), is_chosen=wanted_threads > 0)
