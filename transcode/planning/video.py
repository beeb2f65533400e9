"""The film's picture: copy or encode, size, fields, rotation. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from library.media_info import TimingKind, VideoStream, resolution_class
from transcode.encoders import ENCODERS, EncodeRequest, VideoEncoder, video_options
from transcode.outcomes import JobSkipped
from transcode.planning.colour import HD_LINES, ColourPlan, plan_colour, with_explicit_hd_colour
from transcode.planning.model import Action, ExpectedColor, PlannedStream, StreamKind, VideoPlan

if TYPE_CHECKING:
    from transcode.planning.draft import Draft
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
# These mark each picture as interlaced or not, so that progressive ones are left alone.
_CODECS_WITH_FIELD_FLAGS = frozenset({"h264", "mpeg2video", "vc1", "mpeg4"})
_DEFAULT_RATE = Fraction(25)
_FOUR_TWO_ZERO = ("420", "nv12", "nv21", "p010", "p016", "gray")


@dataclass(frozen=True, slots=True)
class Shape:
    """The picture after rotation, cropping, padding and scaling; SAR is width to height."""

    width: int
    height: int
    sar: Fraction
    filters: tuple[str, ...]
    notes: tuple[str, ...] = ()


def plan_video(draft: Draft, video: VideoStream) -> VideoPlan:
    """Add the film's stream to the draft. Raises JobSkipped where something would be lost."""
    rule = draft.spec.video
    if rule.encoder == "copy":
        return _copied(draft, video)
    return _encoded(draft, video, rule, ENCODERS[rule.encoder])


def _copied(draft: Draft, video: VideoStream) -> VideoPlan:
    _refuse_lossy_copy(draft, video)
    _keep(draft, video, Action.COPY, video.codec, "", _copy_options(draft, video))
    return VideoPlan(
        encoder="copy",
        codec=video.codec,
        crf=None,
        bit_rate_kbps=None,
        target_vmaf=None,
        speed="",
        pix_fmt=video.pix_fmt,
        width=video.width,
        height=video.height,
        filters=(),
        color=_colour_of(video),
        source_frames=draft.index.frames,
        expected_frames=draft.index.frames,
        frame_tolerance=0,
        frame_rate=video.frame_rate,
    )


def _refuse_lossy_copy(draft: Draft, video: VideoStream) -> None:
    container = draft.container
    if not container.takes(StreamKind.VIDEO, video.codec):
        raise JobSkipped(
            "container_cannot_hold",
            f"{container.why_not(StreamKind.VIDEO, video.codec)}; choose a preset that encodes.",
        )
    if video.rotation_deg and not container.keeps_rotation:
        raise JobSkipped(
            "rotation_would_be_lost",
            f"It is stored turned by {video.rotation_deg}° and {container.title} would lose that"
            " when the video is copied; choose MP4 or a preset that encodes.",
        )
    if draft.index.hidden_packets:
        raise JobSkipped(
            "edit_list_would_be_lost",
            f"An edit list hides {draft.index.hidden_packets} pictures that a copy would show;"
            " choose a preset that encodes.",
        )


def _copy_options(draft: Draft, video: VideoStream) -> list[str]:
    container = draft.container
    options = ["-c:v:0", "copy"]
    if container.name == "mp4" and video.codec == "hevc":
        options += ["-tag:v:0", "hvc1"]
    if container.name == "mp4" and video.dolby_vision_profile:
        options += ["-strict:v:0", "unofficial"]  # writes the Dolby Vision configuration box
    if draft.info.container == "avi":
        draft.input_options += ["-fflags", "+genpts"]
        if video.codec == "mpeg4":
            # Two pictures in one packet are AVI's trick for B-frames; other containers need one.
            options += ["-bsf:v:0", "mpeg4_unpack_bframes"]
    return options


def _encoded(draft: Draft, video: VideoStream, rule: VideoRule, encoder: VideoEncoder) -> VideoPlan:
    container = draft.container
    if not container.takes(StreamKind.VIDEO, encoder.codec):
        raise JobSkipped(
            "container_cannot_hold", f"{container.why_not(StreamKind.VIDEO, encoder.codec)}."
        )
    fields, keeps_fields = _field_filters(draft, video, rule, encoder)
    shape = _shape(video, rule)
    colour = _colour(draft, video, rule, encoder, shape, keeps_fields=keeps_fields)
    filters = (*fields, *shape.filters, *colour.filters)
    draft.losses += [*colour.losses, *_chroma_losses(video), *_caption_losses(video, encoder)]
    draft.notes += [*shape.notes, *colour.notes]
    if video.timing == TimingKind.VARIABLE:
        draft.notes.append("The frame rate varies; every picture keeps its own time.")
    rate = _rate(video)
    depth = colour.color.bit_depth
    request = EncodeRequest(rule, depth, rate, colour.hdr, container.name, keeps_fields)
    options = [*video_options(encoder, request)]
    if filters:
        options += ["-filter:v:0", ",".join(filters)]
    # Every picture keeps its own time: nothing is duplicated or dropped to make the rate even.
    options += ["-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", "demux"]
    _keep(draft, video, Action.ENCODE, encoder.codec, encoder.ffmpeg_name, options)
    return VideoPlan(
        encoder=encoder.ffmpeg_name,
        codec=encoder.codec,
        crf=rule.crf,
        bit_rate_kbps=rule.bit_rate_kbps,
        target_vmaf=rule.target_vmaf,
        speed=encoder.speeds[rule.speed],
        pix_fmt=encoder.pix_fmts[depth],
        width=shape.width,
        height=shape.height,
        filters=filters,
        color=colour.color,
        source_frames=draft.index.frames,
        expected_frames=draft.index.frames,
        frame_tolerance=0,
        frame_rate=video.frame_rate,
    )


def _keep(
    draft: Draft, video: VideoStream, action: Action, codec: str, encoder: str, options: list[str]
) -> None:
    verb = "Copied as it is" if action == Action.COPY else f"Encoded by {encoder}"
    draft.keep(
        PlannedStream(
            kind=StreamKind.VIDEO,
            source_index=video.index,
            action=action,
            output_index=draft.next_output_index,
            source_codec=video.codec,
            output_codec=codec,
            encoder=encoder,
            reason=f"{verb}.",
            language=video.language,
            title=video.title,
            disposition=draft.container.stored(video.disposition),
        ),
        *options,
    )


def _field_filters(
    draft: Draft, video: VideoStream, rule: VideoRule, encoder: VideoEncoder
) -> tuple[tuple[str, ...], bool]:
    """Filters against interlacing, and whether the fields are encoded as fields."""
    if not video.is_interlaced:
        return (), False
    if rule.deinterlace:
        which = "interlaced" if video.codec in _CODECS_WITH_FIELD_FLAGS else "all"
        draft.notes.append("It is interlaced; bwdif makes whole pictures, as many as before.")
        return (f"bwdif=mode=send_frame:parity=auto:deint={which}",), False
    if not encoder.encodes_fields:
        raise JobSkipped(
            "interlaced",
            f"It is interlaced, which {encoder.family} does not encode; let the preset"
            " deinterlace it.",
        )
    return (), True


def _colour(
    draft: Draft,
    video: VideoStream,
    rule: VideoRule,
    encoder: VideoEncoder,
    shape: Shape,
    *,
    keeps_fields: bool,
) -> ColourPlan:
    expected = ExpectedColor(
        bit_depth=0,
        rotation_deg=0,  # ffmpeg turns the pictures and takes the mark away
        sample_aspect_ratio=f"{shape.sar.numerator}:{shape.sar.denominator}",
        is_interlaced=keeps_fields,
    )
    plan = plan_colour(video, rule, encoder, shape=expected)
    was_hd = min(video.width, video.height) >= HD_LINES
    if was_hd and min(shape.width, shape.height) < HD_LINES:
        return with_explicit_hd_colour(plan)
    return plan


def _shape(video: VideoStream, rule: VideoRule) -> Shape:
    width, height, sar = video.width, video.height, aspect_ratio(video.sample_aspect_ratio)
    notes: list[str] = []
    if video.rotation_deg % 180 == 90:
        width, height, sar = height, width, 1 / sar
    if video.rotation_deg:
        notes.append(f"The picture is turned by {video.rotation_deg}°, as its mark says.")
    scaled = _fit(width, height, sar, rule.max_resolution)
    if scaled is not None:
        notes.append(f"Scaled from {width}×{height} to {scaled[0]}×{scaled[1]}.")
        filters = (
            f"scale={scaled[0]}:{scaled[1]}:flags=lanczos",
            f"setsar={sar.numerator}/{sar.denominator}",
        )
        return Shape(*scaled, sar, filters, tuple(notes))
    even = (width + width % 2, height + height % 2)
    if even == (width, height):
        return Shape(width, height, sar, (), tuple(notes))
    # 4:2:0 needs even sizes: the last line or column is repeated, nothing is cut off.
    notes.append(f"Padded from {width}×{height} to {even[0]}×{even[1]}: 4:2:0 needs even sizes.")
    borders = f"fillborders=right={width % 2}:bottom={height % 2}:mode=smear"
    return Shape(*even, sar, (f"pad={even[0]}:{even[1]}:0:0", borders), tuple(notes))


def _fit(width: int, height: int, sar: Fraction, cap: int) -> tuple[int, int] | None:
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


def _rate(video: VideoStream) -> Fraction:
    try:
        rate = Fraction(video.frame_rate)
    except (ValueError, ZeroDivisionError):
        return _DEFAULT_RATE
    return rate if 0 < rate <= 1000 else _DEFAULT_RATE


def _chroma_losses(video: VideoStream) -> list[str]:
    name = video.pix_fmt
    if name.startswith("yuva"):
        return ["transparency", *_chroma_losses(replace(video, pix_fmt=name.replace("a", "", 1)))]
    if not name or name.startswith("gbr") or any(part in name for part in _FOUR_TWO_ZERO):
        return []
    for digits in ("444", "422", "440", "411", "410"):
        if digits in name:
            return [f"4:{digits[1]}:{digits[2]} chroma becomes 4:2:0"]
    return []


def _caption_losses(video: VideoStream, encoder: VideoEncoder) -> list[str]:
    if video.has_closed_captions and not encoder.carries_captions:
        return ["closed captions"]
    return []


def _colour_of(video: VideoStream) -> ExpectedColor:
    """A copy says of itself what the source says."""
    return ExpectedColor(
        bit_depth=video.bit_depth,
        color_range=video.color_range,
        color_primaries=video.color_primaries,
        color_transfer=video.color_transfer,
        color_space=video.color_space,
        hdr=video.hdr.value,
        mastering_display=video.mastering_display,
        max_cll_nits=video.max_cll_nits,
        max_fall_nits=video.max_fall_nits,
        dolby_vision_profile=video.dolby_vision_profile,
        rotation_deg=video.rotation_deg,
        sample_aspect_ratio=video.sample_aspect_ratio,
        is_interlaced=video.is_interlaced,
    )
