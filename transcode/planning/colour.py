"""Colour and HDR: what is kept, what is converted on demand, what is refused. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from library.media_info import HdrKind
from transcode.encoders import HdrMetadata
from transcode.outcomes import JobSkipped
from transcode.planning.dynamic_hdr import (
    HDR_NAMES,
    WITHOUT_DYNAMIC_DATA,
    DynamicHdr,
    base_layer,
    plan_dynamic_hdr,
)

if TYPE_CHECKING:
    from library.media_info import VideoStream
    from transcode.encoders import VideoEncoder
    from transcode.planning.model import ExpectedColor
    from transcode.presets.spec import VideoRule

# What `setparams` knows; other names (such as "reserved") are not written.
_PRIMARIES = frozenset(
    {"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte428"}
    | {"smpte431", "smpte432", "ebu3213"}
)
_TRANSFERS = frozenset(
    {"bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "linear", "log100", "log316"}
    | {"iec61966-2-4", "bt1361e", "iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084"}
    | {"smpte428", "arib-std-b67"}
)
_SPACES = frozenset(
    {"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "ycgco", "bt2020nc", "bt2020c"}
    | {"smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp"}
)
HD_LINES = 720
# Hable's curve over linear light at 100 cd/m², then the static HDR data is taken off the frames.
TONE_MAP_FILTERS = (
    "zscale=t=linear:npl=100",
    "format=gbrpf32le",
    "zscale=p=bt709",
    "tonemap=tonemap=hable:desat=0",
    "zscale=t=bt709:m=bt709:r=tv",
)
_WITHOUT_HDR_DATA = (
    "sidedata=mode=delete:type=MASTERING_DISPLAY_METADATA",
    "sidedata=mode=delete:type=CONTENT_LIGHT_LEVEL",
    *WITHOUT_DYNAMIC_DATA,
)


@dataclass(frozen=True, slots=True)
class ColourPlan:
    filters: tuple[str, ...]  # before the encoder, after scaling
    color: ExpectedColor
    hdr: HdrMetadata
    losses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_colour(
    video: VideoStream,
    rule: VideoRule,
    encoder: VideoEncoder,
    *,
    shape: ExpectedColor,
    is_reshaped: bool = False,
) -> ColourPlan:
    """`shape` carries rotation, SAR and fields. Raises JobSkipped rather than losing HDR."""
    wanted = rule.bit_depth or video.bit_depth
    depth = encoder.depth_for(wanted)
    if video.hdr != HdrKind.SDR and rule.hdr == "tone_map":
        return _tone_mapped(video, depth, encoder, shape)
    dynamic = DynamicHdr(video.hdr)
    if video.hdr in (HdrKind.DOLBY_VISION, HdrKind.HDR10_PLUS):
        dynamic = plan_dynamic_hdr(video, rule.hdr, encoder, depth=depth, is_reshaped=is_reshaped)
    if video.hdr != HdrKind.SDR:
        _refuse_lost_hdr(dynamic.hdr, rule, encoder, depth)
    losses = (*dynamic.losses, *_depth_losses(video, depth))
    color = replace(
        shape,
        bit_depth=depth,
        color_range=_range(video),
        color_primaries=video.color_primaries if video.color_primaries in _PRIMARIES else "",
        color_transfer=video.color_transfer if video.color_transfer in _TRANSFERS else "",
        color_space=video.color_space if video.color_space in _SPACES else "",
        hdr=dynamic.hdr.value,
        mastering_display=video.mastering_display,
        max_cll_nits=video.max_cll_nits,
        max_fall_nits=video.max_fall_nits,
        dolby_vision_profile=dynamic.dolby_vision_profile,
    )
    filters = dynamic.filters
    if video.color_space == "gbr" or is_rgb(video.pix_fmt):
        # RGB has no matrix; 4:2:0 needs one, and players assume BT.709 for HD.
        filters += ("scale=out_color_matrix=bt709:out_range=tv",)
        color = replace(color, color_space="bt709", color_range="tv")
        losses += ("RGB becomes Y′CbCr 4:2:0",)
    hdr = HdrMetadata(
        video.mastering_display,
        video.max_cll_nits,
        video.max_fall_nits,
        is_pq=video.color_transfer == "smpte2084",
        dolby_vision_cap_kbps=dynamic.dolby_vision_cap_kbps,
        hdr10_plus_file=dynamic.hdr10_plus_file,
    )
    return ColourPlan((*filters, *_setparams(color)), color, hdr, losses, dynamic.notes)


def is_rgb(pix_fmt: str) -> bool:
    return pix_fmt == "pal8" or any(part in pix_fmt for part in ("rgb", "bgr", "gbr"))


def with_explicit_hd_colour(plan: ColourPlan) -> ColourPlan:
    """An untagged HD film that becomes SD: players would guess BT.601 by the new height."""
    color = plan.color
    if color.color_primaries or color.color_transfer or color.color_space or color.hdr != "sdr":
        return plan
    tagged = replace(color, color_primaries="bt709", color_transfer="bt709", color_space="bt709")
    kept = tuple(f for f in plan.filters if not f.startswith("setparams="))
    return replace(plan, filters=(*kept, *_setparams(tagged)), color=tagged)


def _tone_mapped(
    video: VideoStream, depth: int, encoder: VideoEncoder, shape: ExpectedColor
) -> ColourPlan:
    if base_layer(video) is None:
        raise JobSkipped(
            "hdr_would_be_lost",
            f"Its Dolby Vision{f' profile {p}' if (p := video.dolby_vision_profile) else ''} has no"
            " picture below it that could be tone mapped.",
        )
    color = replace(
        shape,
        bit_depth=depth,
        color_range="tv",
        color_primaries="bt709",
        color_transfer="bt709",
        color_space="bt709",
        hdr=HdrKind.SDR.value,
    )
    name = HDR_NAMES[video.hdr]
    return ColourPlan(
        (
            *TONE_MAP_FILTERS,
            f"format={encoder.pix_fmts[depth]}",
            *_WITHOUT_HDR_DATA,
            *_setparams(color),
        ),
        color,
        HdrMetadata(None, None, None, is_pq=False),
        losses=(f"{name} becomes SDR, as the preset says", *_depth_losses(video, depth)),
        notes=(f"{name} is tone mapped to SDR (BT.709).",),
    )


def _refuse_lost_hdr(kind: HdrKind, rule: VideoRule, encoder: VideoEncoder, depth: int) -> None:
    name = HDR_NAMES[kind]
    if not encoder.carries_hdr:
        why = f"{encoder.family} cannot carry its {name}"
    elif depth < 10:
        why = f"its {name} needs 10 bits and the preset says {rule.bit_depth or depth}"
    else:
        return
    hint = "Choose a preset that copies the video or tone maps it."
    raise JobSkipped("hdr_would_be_lost", f"{why[0].upper()}{why[1:]}. {hint}")


def _range(video: VideoStream) -> str:
    """ "tv" is what every player takes for granted; alone it is not even written into H.264."""
    has_colour = video.color_primaries or video.color_transfer or video.color_space
    is_written = video.color_range == "pc" or (video.color_range == "tv" and has_colour)
    return video.color_range if is_written else ""


def _depth_losses(video: VideoStream, depth: int) -> tuple[str, ...]:
    if depth >= video.bit_depth:
        return ()
    return (f"{video.bit_depth}-bit colour becomes {depth}-bit",)


def _setparams(color: ExpectedColor) -> tuple[str, ...]:
    """Options on the output no longer tag x265's output (measured); this filter does."""
    named = {
        "range": color.color_range,
        "color_primaries": color.color_primaries,
        "color_trc": color.color_transfer,
        "colorspace": color.color_space,
    }
    given = ":".join(f"{name}={value}" for name, value in named.items() if value)
    return (f"setparams={given}",) if given else ()
