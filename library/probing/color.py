"""Colour, HDR and field order: numbers of ffmpeg's enums to its names, side data to values. Pure.

Numbers are those of ISO/IEC 23091-2 (libavutil/pixfmt.h); 2 means unspecified there.
"""

from __future__ import annotations

import struct

from library.media_info import HdrKind, MasteringDisplay

PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
SPACES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
RANGES = {1: "tv", 2: "pc"}
FIELD_ORDERS = {1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}  # libavcodec/defs.h
PQ, HLG = "smpte2084", "arib-std-b67"

# AVMasteringDisplayMetadata: ten rationals (R, G, B, white, each x and y; min, max), two flags.
_MASTERING = struct.Struct("=20i2i")
_LIGHT_LEVEL = struct.Struct("=2I")


def read_mastering_display(raw: bytes) -> MasteringDisplay | None:
    """Side data MASTERING_DISPLAY_METADATA. None when too short or without both halves."""
    if len(raw) < _MASTERING.size:
        return None
    *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(raw)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    if not (has_primaries and has_luminance) or any(den == 0 for _, den in pairs):
        return None
    units = [50_000] * 8 + [10_000] * 2
    values = [round(num * unit / den) for (num, den), unit in zip(pairs, units, strict=True)]
    values[8:] = reversed(values[8:])  # ffmpeg has the minimum first
    return MasteringDisplay(*values)


def read_light_level(raw: bytes) -> tuple[int, int] | None:
    """Side data CONTENT_LIGHT_LEVEL: (MaxCLL, MaxFALL) in cd/m². None when absent or both are 0."""
    if len(raw) < _LIGHT_LEVEL.size:
        return None
    max_cll, max_fall = _LIGHT_LEVEL.unpack_from(raw)
    return (max_cll, max_fall) if max_cll or max_fall else None


def hdr_kind(*, transfer: str, has_dolby_vision: bool, has_hdr10_plus: bool) -> HdrKind:
    if has_dolby_vision:
        return HdrKind.DOLBY_VISION
    if transfer == HLG:
        return HdrKind.HLG
    if transfer == PQ:
        return HdrKind.HDR10_PLUS if has_hdr10_plus else HdrKind.HDR10
    return HdrKind.SDR
