"""The film's picture: copy or encode, size, fields, rotation. Pure."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from library.media_info import HdrKind, TimingKind, VideoStream
from transcode.encoders import ENCODERS, EncodeRequest, VideoEncoder, video_options
from transcode.outcomes import JobSkipped
from transcode.planning.colour import (
    HD_LINES,
    ColourPlan,
    is_rgb,
    plan_colour,
    with_explicit_hd_colour,
)
from transcode.planning.constant_rate import FRAME_TOLERANCE, ConstantRate, constant_rate
from transcode.planning.dynamic_hdr import HDR_NAMES
from transcode.planning.model import Action, ExpectedColor, PlannedStream, StreamKind, VideoPlan
from transcode.planning.shape import Shape, shape_of

if TYPE_CHECKING:
    from transcode.planning.borders import CropBox
    from transcode.planning.draft import Draft
    from transcode.presets.spec import VideoRule

# These mark each picture as interlaced or not, so that progressive ones are left alone.
_CODECS_WITH_FIELD_FLAGS = frozenset({"h264", "mpeg2video", "vc1", "mpeg4"})
_DEFAULT_RATE = Fraction(25)
CLOSED_CAPTIONS = "closed captions"  # as a listed loss
_WITHOUT_CAPTIONS = ("sidedata=mode=delete:type=A53_CC",)
# Writes the Dolby Vision configuration box. For the muxer, so without a stream (measured).
DOLBY_VISION_IN_MP4 = ["-strict", "unofficial"]
_FOUR_TWO_ZERO = ("420", "nv12", "nv21", "p010", "p016", "gray")
_WITH_ALPHA = ("yuva", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16")


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
        color=ExpectedColor.as_it_is(video),
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
        options += DOLBY_VISION_IN_MP4
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
    steady = _steady_rate(draft, video, rule)
    shape = shape_of(video, rule, _crop(draft, video, rule))
    colour = _colour(draft, video, rule, encoder, shape, keeps_fields=keeps_fields)
    timing = (*_WITHOUT_CAPTIONS, steady.filter) if steady else ()
    filters = (*fields, *timing, *shape.filters, *colour.filters)
    draft.losses += [*colour.losses, *_chroma_losses(video)]
    draft.losses += _caption_losses(video, encoder, is_retimed=steady is not None)
    draft.notes += [*shape.notes, *colour.notes]
    _carry_dolby_vision(draft, colour)
    rate = steady.rate if steady else _rate(video)
    depth = colour.color.bit_depth
    request = EncodeRequest(rule, depth, rate, colour.hdr, container.name, keeps_fields)
    options = [*video_options(encoder, request)]
    # Only the encoder's side is brought to a device: the ladder compares on the processor.
    chain = (*filters, *encoder.upload_filters.get(depth, ()))
    if chain:
        options += ["-filter:v:0", ",".join(chain)]
    # Every picture keeps its own time: nothing is duplicated or dropped behind the filters.
    clock = "filter" if steady else "demux"
    options += ["-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", clock]
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
        expected_frames=steady.expected_frames if steady else draft.index.frames,
        frame_tolerance=FRAME_TOLERANCE if steady else 0,
        frame_rate=str(rate) if steady else video.frame_rate,
        two_pass=rule.two_pass and rule.bit_rate_kbps is not None,
    )


def _steady_rate(draft: Draft, video: VideoStream, rule: VideoRule) -> ConstantRate | None:
    """None: the pictures keep their own times."""
    if video.timing != TimingKind.VARIABLE:
        return None
    if rule.frame_rate != "constant":
        draft.notes.append("The frame rate varies; every picture keeps its own time.")
        return None
    steady = constant_rate(draft.index, _rate(video), draft.duration_s)
    draft.notes.append(
        f"The frame rate varies; it is made constant at {float(steady.rate):.3f} pictures a second:"
        f" {draft.index.frames} pictures become {steady.expected_frames}."
    )
    return steady


def _crop(draft: Draft, video: VideoStream, rule: VideoRule) -> CropBox | None:
    if not rule.crop_borders:
        return None
    if video.hdr in (HdrKind.DOLBY_VISION, HdrKind.HDR10_PLUS) and rule.hdr == "keep":
        draft.notes.append(f"Black bars stay: {HDR_NAMES[video.hdr]} describes them as well.")
        return None
    draft.notes.append(draft.borders.note)
    return draft.borders.box


def _carry_dolby_vision(draft: Draft, colour: ColourPlan) -> None:
    if colour.hdr.dolby_vision_cap_kbps and draft.container.name == "mp4":
        draft.options += DOLBY_VISION_IN_MP4


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
    is_reshaped = bool(shape.filters) or shape.is_turned or video.is_interlaced
    plan = plan_colour(video, rule, encoder, shape=expected, is_reshaped=is_reshaped)
    was_hd = min(video.width, video.height) >= HD_LINES
    if was_hd and min(shape.width, shape.height) < HD_LINES:
        return with_explicit_hd_colour(plan)
    return plan


def _rate(video: VideoStream) -> Fraction:
    try:
        rate = Fraction(video.frame_rate)
    except (ValueError, ZeroDivisionError):
        return _DEFAULT_RATE
    return rate if 0 < rate <= 1000 else _DEFAULT_RATE


def _chroma_losses(video: VideoStream) -> list[str]:
    name = video.pix_fmt
    losses = ["transparency"] if any(part in name for part in _WITH_ALPHA) else []
    # What becomes of RGB is said by the plan of its colours.
    if is_rgb(name) or any(part in name for part in _FOUR_TWO_ZERO):
        return losses
    for digits in ("444", "422", "440", "411", "410"):
        if digits in name:
            return [*losses, f"4:{digits[1]}:{digits[2]} chroma becomes 4:2:0"]
    return losses


def _caption_losses(video: VideoStream, encoder: VideoEncoder, *, is_retimed: bool) -> list[str]:
    """A few bytes of text lie beside each picture: repeated or dropped, they make no sense."""
    is_kept = encoder.carries_captions and not is_retimed
    return [CLOSED_CAPTIONS] if video.has_closed_captions and not is_kept else []
