"""Figures that the rule of thumb is made of (`estimate` in Python, `savings_sql` in SQL). Pure.

Usual bits per pixel are those of 1080p films at the named CRF; a film that needs more than is usual
for its codec needs more in the other codec, too.
"""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE_PIXELS = 1920 * 1080
# Small pictures need more bits per pixel, large ones fewer.
SIZE_EXPONENT = -0.25
# Half of what a film needs beyond the usual comes with it into the other codec.
COMPLEXITY_EXPONENT = 0.5
# Bits per pixel of usual 1080p films as people have them, by codec; higher generations need fewer.
USUAL_BPP = {
    "av1": 0.045,
    "hevc": 0.065,
    "vp9": 0.075,
    "vvc": 0.045,
    "h264": 0.14,
    "vc1": 0.17,
    "mpeg4": 0.19,
    "wmv3": 0.19,
    "mpeg2video": 0.28,
    "mpeg1video": 0.35,
}
DEFAULT_BPP = 0.2
SPEED_FACTOR = {"fastest": 1.25, "fast": 1.08, "medium": 1.0, "slow": 0.96, "slowest": 0.93}
LOW, HIGH = 0.5, 1.8  # of the expected picture bytes: eight of ten films lie between
# With a target quality the CRF differs from film to film, and so does the size.
LOW_OF_TARGET, HIGH_OF_TARGET = 0.4, 2.1
# Hardware encoders need so many more bits for the same picture.
HARDWARE_FACTOR = 1.35
COPY_SLACK = 0.02  # a container's overhead
OVERHEAD_SHARE = 0.005
DEFAULT_AUDIO_KBPS = 192
USUAL_RATE = 25.0  # frames a second, where a film does not say


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for encoders of one codec, at 1080p."""

    bits_per_pixel: float
    at_crf: float
    halving_crf: float  # so many steps halve the bits
    crf_for_vmaf_95: float
    crf_per_point: float  # so many steps cost one point of VMAF
    generation: int


USUAL = {
    "h264": Usual(0.115, 21.0, 6.0, 22.5, 1.2, 1),
    "hevc": Usual(0.062, 22.0, 6.0, 23.5, 1.2, 2),
    "av1": Usual(0.046, 32.0, 9.0, 33.0, 2.0, 3),
}
GENERATION = {"h264": 1, "vp9": 2, "hevc": 2, "av1": 3, "vvc": 3}
SOFTWARE = {"x264": "h264", "x265": "hevc", "svtav1": "av1"}
# An XPSNR in dB that looks like VMAF 95, and how many points of VMAF a dB is worth.
XPSNR_LIKE_VMAF_95, VMAF_PER_DB = 41.0, 2.0
LINES_TO_PIXELS = {
    480: 854 * 480,
    576: 1024 * 576,
    720: 1280 * 720,
    1080: 1920 * 1080,
    1440: 2560 * 1440,
    2160: 3840 * 2160,
}
