"""What a preset does, in plain sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule

ENCODER_NAMES: Final = {"x264": "H.264", "x265": "HEVC", "svtav1": "AV1"}
CONTAINER_NAMES: Final = {"mkv": "Matroska", "mp4": "MP4", "webm": "WebM"}
AUDIO_NAMES: Final = {
    "aac": "AAC",
    "opus": "Opus",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "flac": "FLAC",
}


def preset_words(spec: PresetSpec) -> list[tuple[str, str]]:
    """(what, sentence) in the order of the form."""
    return [
        ("Video", video_words(spec.video)),
        ("Audio", audio_words(spec.audio)),
        ("Subtitles", subtitle_words(spec.subtitles)),
        ("Size", size_words(spec)),
        ("Quality", quality_words(spec)),
        ("Result", output_words(spec)),
    ]


def badges_of(spec: PresetSpec) -> list[str]:
    """Codec, resolution and container as badges."""
    video = spec.video
    codec = ENCODER_NAMES.get(video.encoder, "")
    cap = {2160: "4K"}.get(video.max_resolution, f"{video.max_resolution}p")
    container = "" if spec.container == "keep" else spec.container.upper()
    return [text for text in (cap if video.max_resolution else "", codec, container) if text]


def video_words(video: VideoRule) -> str:
    if video.encoder == "copy":
        return "Copied, bit for bit."
    parts = [f"{ENCODER_NAMES[video.encoder]} ({video.encoder})"]
    if video.crf is not None:
        parts.append(f"CRF {video.crf:g}")
    if video.bit_rate_kbps is not None:
        parts.append(f"{video.bit_rate_kbps:,} kb/s")
    if video.target_vmaf is not None:
        parts.append(f"as small as VMAF {video.target_vmaf:g} allows")
    parts.append(f"speed {video.speed}")
    if video.max_resolution:
        parts.append(f"at most {video.max_resolution}p")
    if video.bit_depth:
        parts.append(f"{video.bit_depth}-bit")
    if video.profile or video.level:
        parts.append(f"profile {video.profile or 'any'} level {video.level or 'any'}")
    parts.append("HDR is tone mapped to SDR" if video.hdr == "tone_map" else "HDR is kept")
    if video.deinterlace:
        parts.append("interlaced films are deinterlaced")
    if video.tune_grain:
        parts.append("tuned for grain")
    return ", ".join(parts) + "."


def audio_words(audio: AudioRule) -> str:
    which = f"The first track of {_languages(audio.languages)}" if audio.first_track_only else ""
    which = which or f"Tracks of {_languages(audio.languages)}"
    if audio.codec == "copy":
        text = f"{which}, copied"
    else:
        kept = ", ".join(AUDIO_NAMES.get(c, c.upper()) for c in audio.copy_codecs)
        rate = f"{audio.bit_rate_kbps_per_channel} kb/s per channel"
        text = f"{which}, to {AUDIO_NAMES[audio.codec]} at {rate}"
        text += f"; {kept} tracks are copied" if kept else ""
        text += "; lossless tracks are copied" if audio.keep_lossless else ""
    if audio.max_channels:
        text += f"; at most {audio.max_channels} channels"
    if not audio.keep_commentary:
        text += "; without commentary"
    return f"{text}."


def subtitle_words(subtitles: SubtitleRule) -> str:
    if subtitles.mode == "drop":
        return "Left out" + (", but forced ones are kept." if subtitles.keep_forced else ".")
    verb = "converted where the container needs it" if subtitles.mode == "convert" else "kept"
    text = f"Subtitles in {_languages(subtitles.languages)} are {verb}"
    if subtitles.languages and subtitles.keep_forced:
        text += "; forced ones in any language"
    return f"{text}."


def size_words(spec: PresetSpec) -> str:
    if spec.min_saving_pct < 0:
        return f"The result may be up to {-spec.min_saving_pct} % larger than the original."
    if not spec.min_saving_pct:
        return "The result is taken unless it is larger."
    return f"The original stays unless the result is at least {spec.min_saving_pct} % smaller."


def quality_words(spec: PresetSpec) -> str:
    if spec.video.encoder == "copy":
        return "The picture is the same, bit for bit."
    if not spec.is_vmaf_checked:
        return "VMAF is not checked."
    return (
        f"Refused below a mean VMAF of {spec.min_vmaf_mean:g},"
        f" or {spec.min_vmaf_p5:g} in the lowest 5 %."
    )


def output_words(spec: PresetSpec) -> str:
    container = CONTAINER_NAMES.get(spec.container, "the source's container")
    kept = [
        name
        for name, is_kept in (
            ("chapters", spec.keep_chapters),
            ("attachments", spec.keep_attachments),
        )
        if is_kept
    ]
    what = f"{container}, with {' and '.join(kept)}" if kept else f"{container}"
    where = (
        "replaces the original, which goes to the trash"
        if spec.output == "replace"
        else "is written beside the original"
    )
    return f"{what[:1].upper()}{what[1:]}; it {where}."


def _languages(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) if codes else "every language"
