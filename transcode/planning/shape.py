"""Size and shape of the picture: rotation, crop, padding, scaling, pixel shape. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from library.media_info import resolution_class

if TYPE_CHECKING:
    from library.media_info import VideoStream
    from transcode.planning.borders import CropBox
    from transcode.presets.spec import VideoRule

# The frame that belongs to the name of a resolution class.
_BOXES = {
    480: (854, 480),
    576: (1024, 576),
    720: (1280, 720),
    1080: (1920, 1080),
    1440: (2560, 1440),
    2160: (3840, 2160),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The picture after rotation, cropping, padding and scaling; SAR is width to height."""

    width: int
    height: int
    sar: Fraction
    filters: tuple[str, ...]
    notes: tuple[str, ...] = ()
    is_turned: bool = False


def shape_of(video: VideoStream, rule: VideoRule, crop: CropBox | None) -> Shape:
    """`crop` lies in the upright picture: ffmpeg turns it before any filter sees it."""
    width, height, sar = video.width, video.height, aspect_ratio(video.sample_aspect_ratio)
    notes: list[str] = []
    filters: tuple[str, ...] = ()
    if video.rotation_deg % 180 == 90:
        width, height, sar = height, width, 1 / sar
    if video.rotation_deg:
        notes.append(f"The picture is turned by {video.rotation_deg}°, as its mark says.")
    if crop is not None:
        notes.append(
            f"Black bars are cut off: {width}×{height} becomes {crop.width}×{crop.height}."
        )
        width, height, filters = crop.width, crop.height, (crop.filter,)
    scaled = fit(width, height, sar, rule.max_resolution)
    if scaled is not None:
        notes.append(f"Scaled from {width}×{height} to {scaled[0]}×{scaled[1]}.")
        filters += (
            f"scale={scaled[0]}:{scaled[1]}:flags=lanczos",
            f"setsar={sar.numerator}/{sar.denominator}",
        )
        width, height = scaled
    elif width % 2 or height % 2:
        even = (width + width % 2, height + height % 2)
        # 4:2:0 needs even sizes: the last line or column is repeated, nothing is cut off.
        notes.append(
            f"Padded from {width}×{height} to {even[0]}×{even[1]}: 4:2:0 needs even sizes."
        )
        borders = f"fillborders=right={width % 2}:bottom={height % 2}:mode=smear"
        filters += (f"pad={even[0]}:{even[1]}:0:0", borders)
        width, height = even
    return Shape(width, height, sar, filters, tuple(notes), bool(video.rotation_deg))


def fit(width: int, height: int, sar: Fraction, cap: int) -> tuple[int, int] | None:
    """The even size within the cap's frame, or None when it fits already."""
    if not cap or resolution_class(width, height) <= cap:
        return None
    box_width, box_height = _BOXES[cap]
    shown_width = width * sar
    if shown_width < height:  # upright phone films
        box_width, box_height = box_height, box_width
    factor = min(Fraction(box_width) / shown_width, Fraction(box_height, height))
    if factor >= 1:
        return None
    return _even(width * factor), _even(height * factor)


def _even(size: Fraction) -> int:
    return max(2, 2 * round(size / 2))


def aspect_ratio(text: str) -> Fraction:
    """ "64:45" as a number; square pixels where it is unknown."""
    try:
        ratio = Fraction(text.replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return Fraction(1)
    return ratio if ratio > 0 else Fraction(1)
