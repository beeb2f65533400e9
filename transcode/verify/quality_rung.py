"""Rung 8: the picture, measured by VMAF against the preset's floors."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from library.media_info import HdrKind
from transcode.verify.evidence import Verdict
from transcode.verify.film_sides import Compared, output_side, source_side
from transcode.verify.vmaf import VmafFailed, choose_windows, measure_vmaf
from transcode.verify.vmaf_graph import Geometry, Window

if TYPE_CHECKING:
    from library.media_info import VideoStream
    from transcode.planning.packet_index import PacketIndex
    from transcode.quality.found import FoundQuality
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult
    from transcode.verify.vmaf import VmafScore

QUALITY = Verdict(8, "quality", "verify_quality")
METHOD_CHARS = 120


def check_quality(evidence: Evidence) -> RungResult:
    """Rung 8: VMAF mean and 5th percentile over sampled windows, aligned by frame index."""
    plan, video = evidence.plan, evidence.video_after
    if plan.video is None or not evidence.is_video_encoded:
        return QUALITY.not_applicable("The picture is copied unchanged.")
    if not plan.is_vmaf_checked:
        return QUALITY.not_applicable("The preset does not ask for VMAF.")
    limit = f"mean ≥ {plan.min_vmaf_mean:g}, p5 ≥ {plan.min_vmaf_p5:g}"
    if plan.video.target_vmaf is not None:
        limit += f", aimed at {plan.video.target_vmaf:g}"
    if video is None:
        return QUALITY.failed("no video stream", limit, "The output has no picture to measure.")
    try:
        score = evidence.side.take("vmaf", partial(_measure, evidence, video))
    except VmafFailed as failed:
        return QUALITY.failed("no score", limit, f"The picture could not be measured: {failed}")
    evidence.score = score
    return _judge(evidence, score, limit)


def begin_quality(evidence: Evidence) -> None:
    """Beside the decoding, where the rung will ask for it."""
    plan, video = evidence.plan, evidence.video_after
    if plan.video and evidence.is_video_encoded and plan.is_vmaf_checked and video is not None:
        evidence.side.begin("vmaf", partial(_measure, evidence, video))


def _judge(evidence: Evidence, score: VmafScore, limit: str) -> RungResult:
    plan = evidence.plan
    measured = f"VMAF mean {score.mean:.2f}, p5 {score.p5:.2f}"
    if not score.is_aligned:
        bad = next(window for window in score.windows if not window.is_aligned)
        return QUALITY.failed(
            f"{measured}, out of step near frame {bad.window.first}",
            "no shift fits better",
            f"Near frame {bad.window.first} the output shows another frame of the film than it"
            " should: one frame off fits clearly better.",
        )
    if score.mean < plan.min_vmaf_mean or score.p5 < plan.min_vmaf_p5:
        return QUALITY.failed(
            measured,
            limit,
            f"The picture lost too much: {measured}, the preset asks for {limit} ({score.method}).",
        )
    return QUALITY.passed(measured, limit, f"{measured} ({score.method}).")


def _measure(evidence: Evidence, video: VideoStream) -> VmafScore:
    source, output = evidence.source_index, evidence.output_index
    planned = evidence.planned_video
    if planned is None or not source.video_pts or not output.video_pts:
        raise VmafFailed("There are no frames to compare.")
    reference = source_side(
        evidence.run.source, planned.source_index, evidence.before, source, evidence.plan
    )
    distorted = output_side(evidence.output_raw, video.index, evidence.after, output)
    ratio = reference.frames_per_source_frame
    windows, weights = promised_windows(
        evidence.prepared.found, ratio, len(output.video_pts), len(source.video_pts)
    )
    if not windows:
        windows = choose_windows(
            len(output.video_pts),
            _frames_per_s(output),
            cost=lambda f: reference.frames_to_decode(f // ratio) + distorted.frames_to_decode(f),
        )
    score = measure_vmaf(
        reference,
        distorted,
        Geometry(video.width, video.height, video.pix_fmt, video.color_range),
        windows,
        work_dir=evidence.run.work_dir,
        threads=os.cpu_count() or 1,
        checkpoint=evidence.side.checkpoint,
        on_window=lambda n: evidence.note(8, "compares the picture", 100 * n / len(windows)),
        weights=weights,
    )
    is_hdr = video.hdr != HdrKind.SDR
    evidence.compared = Compared(reference, distorted, score.windows, is_hdr)
    return _with_space(score, video)


def promised_windows(
    found: FoundQuality | None, ratio: int, frames: int, source_frames: int
) -> tuple[tuple[Window, ...], tuple[float, ...]]:
    """A promise is measured where it was made: the windows and weights of the search's samples.

    Nothing where no quality was searched for, or the output has other frames than the samples: one
    whose rate was made constant shows other scenes under the same numbers.
    """
    samples = found.samples if found is not None else ()
    if not samples or frames != ratio * source_frames:
        return (), ()
    windows = tuple(Window(s.first * ratio, s.count) for s in samples)
    return windows, tuple(s.weight for s in samples)


def _frames_per_s(index: PacketIndex) -> float:
    pts = index.video_pts
    length = (pts[-1] - pts[0]) * index.time_base if len(pts) > 1 else Fraction(0)
    return float((len(pts) - 1) / length) if length else 0.0


def _with_space(score: VmafScore, video: VideoStream) -> VmafScore:
    """HDR is compared in its own signal; the models know only SDR, so that is said."""
    if video.hdr == HdrKind.SDR:
        return score
    method = f"{score.method}, compared as {video.hdr.value} (the model is trained on SDR)"
    return replace(score, method=method[:METHOD_CHARS])
