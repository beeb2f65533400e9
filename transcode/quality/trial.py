"""One CRF tried on the samples: encoded by the plan's own options, scored picture by picture."""

from __future__ import annotations

import json
import math
import os
import re
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING

import av.error

from mediaflow.base.input_guard import guarded_input
from transcode.encoders.registry import device_before_input
from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import run_ffmpeg
from transcode.outcomes import JobFailed
from transcode.planning.hdr10_plus import without_hdr10_plus
from transcode.planning.packet_index import read_packet_index
from transcode.quality.found import Probe, SampleScore
from transcode.verify.vmaf import percentile, weighted_mean, weighted_percentile
from transcode.verify.vmaf_graph import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.planning.packet_index import PacketIndex
    from transcode.quality.reference import Reference

ENCODED_NAME = "probe.mkv"
_SCORES_NAME = "scores.log"
# Of identical planes, where it would be infinite.
XPSNR_CEILING_DB = 60.0
_MUXERS = {"mp4": "mp4", "webm": "webm"}


class TrialFailed(JobFailed):
    """A sample could not be encoded or scored."""

    def __init__(self, text: str) -> None:
        super().__init__("quality_probe_failed", f"A sample could not be measured: {text}")


def try_quality(
    reference: Reference,
    plan: Plan,
    metric: str,
    *,
    checkpoint: Callable[[], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> Probe:
    """Encode and score the samples with this plan's CRF. Raises JobFailed or TrialFailed."""
    assert plan.video is not None
    assert plan.video.crf is not None
    folder = reference.folder
    result = run_ffmpeg(sample_argv(reference, plan), cwd=folder, checkpoint=checkpoint, log=log)
    problem = outcome_of(result, folder / ENCODED_NAME)
    if problem is not None:
        raise problem
    try:
        encoded = read_packet_index(os.fsencode(folder / ENCODED_NAME))
    except av.error.FFmpegError as error:
        raise TrialFailed(f"what was encoded cannot be read: {error.strerror}") from error
    if encoded.frames != reference.frames:
        raise TrialFailed(f"{encoded.frames} of {reference.frames} pictures came out.")
    scored = run_ffmpeg(score_argv(reference, plan, metric), cwd=folder, checkpoint=checkpoint)
    if not scored.is_ok:
        said = scored.stderr_lines[-1] if scored.stderr_lines else "nothing"
        raise TrialFailed(f"ffmpeg ended with {scored.return_code}: {said[:300]}")
    scores = read_scores(folder / _SCORES_NAME, metric)
    if len(scores) != reference.frames:
        raise TrialFailed(f"{len(scores)} of {reference.frames} pictures have a score.")
    (folder / ENCODED_NAME).unlink(missing_ok=True)
    return summed_up(
        plan.video.crf, scores, encoded, reference, seconds=result.seconds + scored.seconds
    )


def sample_argv(reference: Reference, plan: Plan) -> list[str]:
    """The job's own encode of the samples; its filters have been applied to the reference."""
    return [
        *ffmpeg_argv(),
        "-y",
        *device_before_input(plan.video_options),
        *reference.input(),
        *("-map", "0:v:0", "-an", "-sn", "-dn"),
        *_sample_options(plan),
        *("-f", _MUXERS.get(plan.container, "matroska"), ENCODED_NAME),
    ]


def _sample_options(plan: Plan) -> tuple[str, ...]:
    assert plan.video is not None
    applied = ",".join(plan.video.filters)
    options: list[str] = []
    values = plan.video_options
    for name, value in zip(values[::2], values[1::2], strict=True):
        option = name.removesuffix(":v:0")
        if option in ("-filter", "-vf"):
            # What stays is the upload to a device.
            rest = value.removeprefix(applied).lstrip(",")
            options += [name, rest] if rest else []
        elif option == "-dolbyvision":
            options += [name, "0"]  # the samples carry no metadata of single pictures
        elif option == "-x265-params":
            options += [name, without_hdr10_plus(value)]
        else:
            options += [name, value]
    return tuple(options)


def geometry_of(plan: Plan) -> Geometry:
    assert plan.video is not None
    video = plan.video
    return Geometry(video.width, video.height, video.pix_fmt, "")


def score_argv(reference: Reference, plan: Plan, metric: str) -> list[str]:
    """Both sides numbered from 0; the same format and range written onto both."""
    pix_fmt = geometry_of(plan).scored_format
    chain = f"settb=1/25,setpts=N,setparams=range=tv,format=pix_fmts={pix_fmt}"
    graph = f"[0:v:0]{chain}[r];[1:v:0]{chain}[d];[d][r]{_scorer(plan, metric)}[out]"
    encoded = guarded_input(
        os.fsencode(reference.folder / ENCODED_NAME), options=("-noautorotate",)
    )
    return [
        *ffmpeg_argv(loglevel="level+error"),
        *reference.input(),
        *encoded,
        *("-filter_complex", graph, "-map", "[out]"),
        *("-fps_mode", "passthrough", "-f", "null", "-"),
    ]


def _scorer(plan: Plan, metric: str) -> str:
    if metric == "xpsnr":
        return f"xpsnr=stats_file={_SCORES_NAME}:shortest=1:repeatlast=0"
    return (
        f"libvmaf=model=version={geometry_of(plan).model}:n_threads={os.cpu_count() or 1}"
        f":log_fmt=json:log_path={_SCORES_NAME}:shortest=1:repeatlast=0"
    )


def read_scores(path: Path, metric: str) -> list[float]:
    """One for each picture. Raises TrialFailed."""
    try:
        text = path.read_text(encoding="utf-8")
        if metric == "xpsnr":
            return [weighted_xpsnr(line) for line in text.splitlines() if line.startswith("n:")]
        return [float(frame["metrics"]["vmaf"]) for frame in json.loads(text)["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrialFailed(f"the scores cannot be read: {error}") from error


def weighted_xpsnr(line: str) -> float:
    """Luma counts four times, as in ab-av1; a perfect plane counts as the ceiling."""
    planes = [float(value) for value in re.findall(r"[yuv]: *([0-9.]+|inf)", line)]
    y, u, v = (min(XPSNR_CEILING_DB, value) for value in planes)
    return (4 * y + u + v) / 6


def summed_up(
    crf: float,
    scores: Sequence[float],
    encoded: PacketIndex,
    reference: Reference,
    *,
    seconds: float,
) -> Probe:
    """Scores and bytes by sample. The very first picture has no motion score and is left out."""
    keys = set(encoded.video_keys)
    ends = list(accumulate(reference.counts))
    samples = []
    for sample, end, count in zip(reference.samples, ends, reference.counts, strict=True):
        first = end - count
        sizes = encoded.video_sizes[first:end]
        pts = encoded.video_pts[first + 1 : end]
        own = scores[max(first, 1) : end] or scores[first:end]
        samples.append(
            SampleScore(
                first=sample.first,
                count=count,
                score=fmean(own),
                lowest=percentile(own, 5),
                start_bytes=sizes[0],
                rest_bytes=sum(sizes[1:]),
                keyframes=sum(ticks in keys for ticks in pts),
                weight=sample.weight,
            )
        )
    weights = [
        sample.weight / count
        for sample, count in zip(reference.samples, reference.counts, strict=True)
        for _picture in range(count)
    ]
    seen = list(zip(scores[1:] or scores, weights[1:] or weights, strict=True))
    assert all(math.isfinite(score) for score, _weight in seen)
    mean, low = weighted_mean(seen), weighted_percentile(seen, 5)
    return Probe(crf, mean, low, tuple(samples), round(seconds, 2))
