"""Dolby Vision and HDR10+: kept, reduced to the picture below them, or a reason to refuse. Pure.

Both are data beside each picture that tell a display how to show it; below lies a picture that
other players show. What the encoders here carry (measured, ffmpeg 9): x265 and SVT-AV1 write Dolby
Vision again, picture by picture, where the picture below is valid HDR10 or HLG; none of them takes
HDR10+ from the decoder, but x265 takes it from a file (`hdr10_plus.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.media_info import HdrKind
from transcode.outcomes import JobSkipped
from transcode.planning.hdr10_plus import FILE_NAME

if TYPE_CHECKING:
    from library.media_info import VideoStream
    from transcode.encoders import VideoEncoder

HDR_NAMES = {
    HdrKind.HDR10: "HDR10",
    HdrKind.HDR10_PLUS: "HDR10+",
    HdrKind.HLG: "HLG",
    HdrKind.DOLBY_VISION: "Dolby Vision",
}
_PQ, _HLG = "smpte2084", "arib-std-b67"
# Profile and compatibility, as the configuration record has them, to the picture below. 7.6 is the
# disc's: its second layer is lost by decoding, its first one is HDR10. Profile 5 has none.
_BASE_LAYERS = {
    "7.6": HdrKind.HDR10,
    "8.1": HdrKind.HDR10,
    "8.6": HdrKind.HDR10,
    "10.1": HdrKind.HDR10,
    "8.4": HdrKind.HLG,
    "10.4": HdrKind.HLG,
}
_KEPT_PROFILES = frozenset({"8.1", "8.4", "10.1", "10.4"})
_TRANSFERS = {HdrKind.HDR10: _PQ, HdrKind.HLG: _HLG}
# x265 must be given a ceiling for Dolby Vision: HEVC's high tier at levels 4.1 and 5.1.
_HD_SAMPLES = 2_228_224
_CAP_KBPS, _CAP_UHD_KBPS = 50_000, 100_000
WITHOUT_DYNAMIC_DATA = (
    "sidedata=mode=delete:type=DOVI_RPU_BUFFER",
    "sidedata=mode=delete:type=DOVI_METADATA",
    "sidedata=mode=delete:type=DYNAMIC_HDR_PLUS",
)


@dataclass(frozen=True, slots=True)
class DynamicHdr:
    """What becomes of it: the kind of HDR that comes out, and what must be done for that."""

    hdr: HdrKind
    dolby_vision_profile: str = ""
    dolby_vision_cap_kbps: int = 0
    hdr10_plus_file: str = ""
    filters: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def base_layer(video: VideoStream) -> HdrKind | None:
    """What players without Dolby Vision or HDR10+ show; None where they show nonsense or nobody
    knows."""
    if video.hdr == HdrKind.HDR10_PLUS:
        return HdrKind.HDR10
    if video.hdr != HdrKind.DOLBY_VISION:
        return video.hdr
    base = _BASE_LAYERS.get(video.dolby_vision_profile)
    # A record that contradicts the picture's own tags is not believed.
    if base is None or video.color_transfer != _TRANSFERS[base]:
        return None
    return base


def plan_dynamic_hdr(
    video: VideoStream, wanted: str, encoder: VideoEncoder, *, depth: int, is_reshaped: bool
) -> DynamicHdr:
    """For films with dynamic data. `is_reshaped`: the picture's size or content changes.

    Raises JobSkipped where the rule keeps it and nobody can.
    """
    if wanted == "hdr10":
        return _reduced(video)
    reason = _why_not_kept(video, encoder, depth=depth, is_reshaped=is_reshaped)
    if reason:
        raise JobSkipped("hdr_would_be_lost", f"{reason} {_hint(video)}")
    plus = FILE_NAME if video.has_hdr10_plus or video.hdr == HdrKind.HDR10_PLUS else ""
    notes = ("HDR10+ is kept, picture by picture.",) if plus else ()
    if video.hdr == HdrKind.HDR10_PLUS:
        return DynamicHdr(HdrKind.HDR10_PLUS, hdr10_plus_file=plus, notes=notes)
    compatibility = video.dolby_vision_profile.partition(".")[2]
    is_hd = video.width * video.height <= _HD_SAMPLES
    kept = f"{encoder.dolby_vision_profile}.{compatibility}"
    return DynamicHdr(
        HdrKind.DOLBY_VISION,
        dolby_vision_profile=kept,
        dolby_vision_cap_kbps=_CAP_KBPS if is_hd else _CAP_UHD_KBPS,
        hdr10_plus_file=plus,
        notes=(f"Dolby Vision is kept, as profile {kept}.", *notes),
    )


def _why_not_kept(
    video: VideoStream, encoder: VideoEncoder, *, depth: int, is_reshaped: bool
) -> str:
    """ "" where it can be kept."""
    name = _name(video)
    is_plus = video.hdr == HdrKind.HDR10_PLUS
    can_plus = encoder.carries_hdr10_plus and video.codec == "hevc"
    if is_plus and not can_plus:
        return f"Its {name} metadata would be lost by encoding."
    if is_plus:
        return _why_not_described(name, depth=depth, is_reshaped=is_reshaped)
    if video.dolby_vision_profile not in _KEPT_PROFILES or base_layer(video) is None:
        return f"Its {name} metadata would be lost by encoding."
    if not encoder.dolby_vision_profile:
        return f"{encoder.family} cannot carry its {name}."
    if video.has_hdr10_plus and not can_plus:
        return "It carries HDR10+ beside Dolby Vision, and the HDR10+ would be lost by encoding."
    return _why_not_described(name, depth=depth, is_reshaped=is_reshaped)


def _why_not_described(name: str, *, depth: int, is_reshaped: bool) -> str:
    if depth < 10:
        return f"Its {name} needs 10 bits."
    if is_reshaped:
        return f"Its {name} metadata describes the picture as it is, and the preset changes that."
    return ""


def _name(video: VideoStream) -> str:
    profile = f" profile {video.dolby_vision_profile}" if video.dolby_vision_profile else ""
    return f"{HDR_NAMES[video.hdr]}{profile}"


def _hint(video: VideoStream) -> str:
    if base_layer(video) is None:
        return "Choose a preset that copies the video."
    return "Choose a preset that copies the video, reduces it to HDR10 or tone maps it."


def _reduced(video: VideoStream) -> DynamicHdr:
    base = base_layer(video)
    if base is None:
        raise JobSkipped(
            "hdr_would_be_lost",
            f"{_name(video)} has no picture below it that is known to be HDR10 or HLG, so it cannot"
            " be reduced to one. Choose a preset that copies the video.",
        )
    name = HDR_NAMES[base]
    losses = [f"{_name(video)} becomes {name}, as the preset says"]
    if video.hdr == HdrKind.DOLBY_VISION and video.has_hdr10_plus:
        losses.append(f"HDR10+ becomes {name}, as the preset says")
    return DynamicHdr(
        base,
        filters=WITHOUT_DYNAMIC_DATA,
        losses=tuple(losses),
        notes=(f"{_name(video)} is taken off; the {name} picture below it stays as it is.",),
    )
