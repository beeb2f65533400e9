"""Rung 9: what the output's picture says about itself: depth, colour, HDR, shape, fields."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from library.media_info import MasteringDisplay
from library.probing.pool import run_guarded_worker
from transcode.planning.film_timing import TIMEOUT_S
from transcode.planning.hdr10_plus import is_handed_over, read_hdr10_plus
from transcode.planning.model import ExpectedColor
from transcode.planning.video import CLOSED_CAPTIONS
from transcode.verify.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library.media_info import VideoStream
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

COLOR = Verdict(9, "colour", "verify_colour")

# Matroska stores the display's values as floats, HEVC in fixed steps: the last digit may move.
DISPLAY_STEPS = 2
LIMITED_RANGE = "tv"
_LIMIT = "as planned"


def check_color(evidence: Evidence) -> RungResult:
    """Rung 9. A copied picture must say what the source says."""
    if evidence.planned_video is None:
        return COLOR.not_applicable("The film has no picture.")
    video = evidence.video_after
    if video is None:
        return COLOR.failed("no video stream", _LIMIT, "The output has no picture to look at.")
    expected, size = _expectation(evidence)
    if expected is None:
        text = "Nothing is known of the source's picture, so the copy cannot be compared with it."
        return COLOR.failed("source not described", _LIMIT, text)
    problem = next(_problems(expected, video, size), "") or _caption_problem(evidence, video)
    problem = problem or _hdr10_plus_problem(evidence)
    if problem:
        return COLOR.failed(problem, _LIMIT, f"The picture is not described as planned: {problem}.")
    described = " ".join(
        word
        for word in (
            f"{video.bit_depth}-bit",
            video.color_primaries,
            video.color_transfer,
            video.color_space,
            video.color_range,
            video.hdr.value,
        )
        if word
    )
    return COLOR.passed(described, _LIMIT, "Depth, colour, HDR and shape are as planned.")


def _expectation(evidence: Evidence) -> tuple[ExpectedColor | None, tuple[int, int]]:
    plan = evidence.plan.video
    if plan is not None and evidence.is_video_encoded:
        return plan.color, (plan.width, plan.height)
    before = evidence.video_before
    if before is None:
        return None, (0, 0)
    return ExpectedColor.as_it_is(before), (before.width, before.height)


def _problems(expected: ExpectedColor, video: VideoStream, size: tuple[int, int]) -> Iterator[str]:
    if (video.width, video.height) != size:
        yield f"{video.width}×{video.height} pixels, not {size[0]}×{size[1]}"
    if video.bit_depth != expected.bit_depth:
        yield f"{video.bit_depth} bits, not {expected.bit_depth}"
    for name, found, wanted in (
        # What says nothing is shown as "tv" everywhere; MP4 has no place for it alone.
        ("range", video.color_range or LIMITED_RANGE, expected.color_range),
        ("primaries", video.color_primaries, expected.color_primaries),
        ("transfer", video.color_transfer, expected.color_transfer),
        ("matrix", video.color_space, expected.color_space),
    ):
        if wanted and found != wanted:
            yield f"{name} “{found or 'not said'}”, not “{wanted}”"
    yield from _hdr_problems(expected, video)
    if video.rotation_deg % 360 != expected.rotation_deg % 360:
        yield f"rotation {video.rotation_deg}°, not {expected.rotation_deg}°"
    if ratio(video.sample_aspect_ratio) != ratio(expected.sample_aspect_ratio):
        yield (
            f"pixels of the shape {video.sample_aspect_ratio}, not {expected.sample_aspect_ratio}"
        )
    if video.is_interlaced != expected.is_interlaced:
        yield "interlaced" if video.is_interlaced else "not interlaced"


def _caption_problem(evidence: Evidence, video: VideoStream) -> str:
    """Closed captions travel inside the picture: no other rung sees them go."""
    before = evidence.video_before
    is_lost = before is not None and before.has_closed_captions and not video.has_closed_captions
    if not is_lost or CLOSED_CAPTIONS in evidence.plan.losses:
        return ""
    return "the closed captions are gone"


def _hdr10_plus_problem(evidence: Evidence) -> str:
    """Where the plan keeps it, it must be there picture by picture. Reads both films."""
    if not is_handed_over(evidence.plan.video_options):
        return ""
    before, after = (
        run_guarded_worker(
            read_hdr10_plus, path, timeout_s=TIMEOUT_S, checkpoint=evidence.run.checkpoint
        )
        for path in (evidence.run.source, evidence.output_raw)
    )
    return "" if before == after else "its HDR10+ metadata is not that of the source"


def _hdr_problems(expected: ExpectedColor, video: VideoStream) -> Iterator[str]:
    if video.hdr.value != expected.hdr:
        yield f"it is {video.hdr.value}, not {expected.hdr}"
    if video.dolby_vision_profile != expected.dolby_vision_profile:
        yield (
            f"Dolby Vision “{video.dolby_vision_profile or 'none'}”,"
            f" not “{expected.dolby_vision_profile or 'none'}”"
        )
    if expected.mastering_display is not None and not same_display(
        expected.mastering_display, video.mastering_display
    ):
        yield "the mastering display's values are not those of the source"
    for name, found, wanted in (
        ("MaxCLL", video.max_cll_nits, expected.max_cll_nits),
        ("MaxFALL", video.max_fall_nits, expected.max_fall_nits),
    ):
        if wanted is not None and found != wanted:
            yield f"{name} {'not said' if found is None else found}, not {wanted}"


def same_display(wanted: MasteringDisplay, found: MasteringDisplay | None) -> bool:
    """Equal but for the last digits, which formats round differently."""
    if found is None:
        return False
    return all(
        abs(getattr(wanted, name) - getattr(found, name)) <= DISPLAY_STEPS
        for name in MasteringDisplay.__dataclass_fields__
    )


def ratio(text: str) -> Fraction:
    """ "40:33" as a number; nothing, "0:1" and "1:1" mean square pixels."""
    above, _, below = text.replace("/", ":").partition(":")
    if not (above.isdigit() and below.isdigit()) or int(above) == 0 or int(below) == 0:
        return Fraction(1)
    return Fraction(int(above), int(below))
