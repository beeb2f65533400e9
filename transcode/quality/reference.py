"""The samples of a film as one small film without loss: decoded and filtered once for all probes.

FFV1 in Matroska (which keeps the colour tags that x265 asks for), one file for each sample, read
one after the other as one input. The pictures are those that the encoder of the job gets: scaled,
deinterlaced and tone-mapped by the plan's own filters.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av.error

from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import run_ffmpeg
from transcode.outcomes import JobFailed, JobWaits
from transcode.planning.packet_index import read_packet_index
from transcode.verify.film_sides import source_side
from transcode.verify.vmaf_graph import FAR, NEAR, Excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.quality.found import FilmSource
    from transcode.quality.sampling import Sample
    from transcode.verify.vmaf_graph import FilmSide

LIST_NAME = "samples.ffconcat"
_DEFAULT_RATE = Fraction(25)


class ReferenceFailed(JobFailed):
    """The samples could not be cut out of the film."""

    def __init__(self, text: str) -> None:
        reason = f"Samples of the film could not be taken: {text}"
        super().__init__("samples_failed", reason, is_retryable=True)


@dataclass(frozen=True, slots=True)
class Reference:
    """`counts`: pictures of each sample, as many as came out of the filters."""

    folder: Path
    samples: tuple[Sample, ...]
    counts: tuple[int, ...]
    rate: Fraction

    @property
    def frames(self) -> int:
        return sum(self.counts)

    def input(self) -> list[str]:
        """ffmpeg's arguments; it runs in `folder`. The list and its files are our own."""
        guard = ["-protocol_whitelist", "file", "-format_whitelist", "concat,matroska,webm"]
        guard += ["-codec_whitelist", "ffv1", "-safe", "1"]
        # A rate before the input replaces the timestamps: one picture after the other.
        return [*guard, "-f", "concat", "-r", str(self.rate), "-i", LIST_NAME]


def cut_reference(
    film: FilmSource,
    plan: Plan,
    samples: Sequence[Sample],
    folder: Path,
    *,
    checkpoint: Callable[[], None] | None = None,
    on_sample: Callable[[int], None] | None = None,
) -> Reference:
    """Cut all samples into `folder`. Raises ReferenceFailed, and JobWaits for a full disk."""
    assert film.index.video_index is not None
    side = source_side(film.path, film.index.video_index, film.info, film.index, plan)
    rate = frame_rate(film)
    counts = []
    for number, sample in enumerate(samples):
        if on_sample is not None:
            on_sample(number)
        counts.append(_cut_patiently(side, plan, sample, folder, number, rate, checkpoint))
    lines = ["ffconcat version 1.0"]
    for number, count in enumerate(counts):
        lines += [f"file {_name(number)}", f"duration {float(count / rate):.6f}"]
    (folder / LIST_NAME).write_text("\n".join(lines) + "\n", encoding="ascii")
    return Reference(folder, tuple(samples), tuple(counts), rate)


def frame_rate(film: FilmSource) -> Fraction:
    """The film's mean rate: pictures of a sample follow each other evenly."""
    pts = film.index.video_pts
    if len(pts) < 2 or pts[-1] <= pts[0]:
        return _DEFAULT_RATE
    mean = (len(pts) - 1) / ((pts[-1] - pts[0]) * film.index.time_base)
    return _usual_rate(mean)


def _usual_rate(mean: Fraction) -> Fraction:
    """24000/1001 where rounded timestamps say 23.9762."""
    for base in (Fraction(1), Fraction(1000, 1001)):
        near = round(mean / base) * base
        if near and abs(mean / near - 1) < Fraction(1, 5000):
            return near
    return mean.limit_denominator(1000)


def _name(number: int) -> str:
    return f"sample{number}.mkv"


def _cut_patiently(
    side: FilmSide,
    plan: Plan,
    sample: Sample,
    folder: Path,
    number: int,
    rate: Fraction,
    checkpoint: Callable[[], None] | None,
) -> int:
    """Seeking is an optimisation: a cut that comes out short is read again from further back."""
    ratio = side.frames_per_source_frame
    seen = "no attempt"
    for earlier in _tries(side):
        excerpt = Excerpt(side, sample.first * ratio, sample.count * ratio, earlier)
        argv = _cut_argv(excerpt, plan, rate, _name(number))
        result = run_ffmpeg(argv, cwd=folder, checkpoint=checkpoint)
        problem = outcome_of(result, folder / _name(number))
        if isinstance(problem, JobWaits):
            raise problem
        if not result.is_ok:
            seen = (result.stderr_lines or ("ffmpeg failed",))[-1][:300]
            continue
        count = _pictures(folder / _name(number))
        if count == excerpt.count:
            return count
        seen = f"{count} of {excerpt.count} pictures came out near picture {sample.first}"
        if earlier is None and count:  # the filters change the rate: what came out is the sample
            return count
    raise ReferenceFailed(f"{seen}.")


def _tries(side: FilmSide) -> tuple[int | None, ...]:
    if not side.has_exact_pts:
        return (None,)
    return (NEAR, FAR, None) if side.has_exact_seek else (FAR, None)


def _cut_argv(excerpt: Excerpt, plan: Plan, rate: Fraction, name: str) -> list[str]:
    assert plan.video is not None
    chain = f"{excerpt.cut(str(rate))},format=pix_fmts={plan.video.pix_fmt}"
    return [
        *ffmpeg_argv(loglevel="level+error"),
        "-y",
        *excerpt.input(),
        *("-filter_complex", f"[0:{excerpt.side.stream}]{chain}[v]", "-map", "[v]"),
        # Slices are coded at the same time; -g 1 makes each picture stand alone.
        *("-c:v", "ffv1", "-level", "3", "-slices", "16", "-slicecrc", "0", "-g", "1"),
        *("-fps_mode", "passthrough", "-f", "matroska", name),
    ]


def _pictures(path: Path) -> int:
    """0 for a file that cannot be read: the cut is made again in another way."""
    try:
        return read_packet_index(os.fsencode(path)).frames
    except av.error.FFmpegError:
        return 0
