"""What a preset does, in plain sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transcode.encoders import ENCODERS
from transcode.encoders.hardware import CODEC_TITLES, NOT_TRIED
from transcode.pages.quality_words import score_text

if TYPE_CHECKING:
    from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule

CONTAINER_NAMES: Final = {"mkv": "Matroska", "mp4": "MP4", "webm": "WebM"}
AUDIO_NAMES: Final = {
    "aac": "AAC",
    "opus": "Opus",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "flac": "FLAC",
}
SUBTITLE_NAMES: Final = {
    "srt": "SubRip",
    "ass": "ASS",
    "mov_text": "MP4 text",
    "webvtt": "WebVTT",
}
HDR_WORDS: Final = {
    "keep": "HDR is kept",
    "hdr10": "HDR is kept; Dolby Vision and HDR10+ may be reduced to HDR10",
    "tone_map": "HDR is tone mapped to SDR",
}
HARDWARE_WORDS: Final = {
    "allow": "a hardware encoder may take its place where it reaches the target",
    "prefer": "a hardware encoder takes its place wherever one works",
}
END_WORDS: Final = {
    "finish": "a film that runs then is finished",
    "pause": "a film that runs then is paused",
    "hand_back": "a film that runs then is stopped and keeps its chunks",
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
        ("When", hours_words(spec)),
    ]


def badges_of(spec: PresetSpec) -> list[str]:
    """Codec, resolution and container as badges."""
    video = spec.video
    encoder = ENCODERS.get(video.encoder)
    codec = CODEC_TITLES[encoder.codec] if encoder else ""
    cap = {2160: "4K"}.get(video.max_resolution, f"{video.max_resolution}p")
    container = "" if spec.container == "keep" else spec.container.upper()
    return [text for text in (cap if video.max_resolution else "", codec, container) if text]


def video_words(video: VideoRule) -> str:
    if video.encoder == "copy":
        return "Copied, bit for bit."
    parts = [_encoder_words(video.encoder), _quality_way(video), f"speed {video.speed}"]
    if video.max_resolution:
        parts.append(f"at most {video.max_resolution}p")
    if video.bit_depth:
        parts.append(f"{video.bit_depth}-bit")
    if video.profile or video.level:
        parts.append(f"profile {video.profile or 'any'} level {video.level or 'any'}")
    if video.extra_options:
        parts.append(f"with {video.extra_options}")
    parts.append(HDR_WORDS[video.hdr])
    parts += [
        words
        for is_said, words in (
            (video.deinterlace, "interlaced films are deinterlaced"),
            (video.frame_rate == "constant", "uneven frame rates are made even"),
            (video.crop_borders, "black bars that never change are cropped"),
            (video.tune_grain, "tuned for grain"),
            (video.chunking == "never", "in one piece, never in chunks"),
        )
        if is_said
    ]
    text = ", ".join(parts) + "."
    return f"{text} {_hardware_words(video)}" if video.hardware != "never" else text


def _encoder_words(family: str) -> str:
    encoder = ENCODERS[family]
    if encoder.is_hardware:
        return f"{encoder.title} ({NOT_TRIED})"
    return f"{CODEC_TITLES[encoder.codec]} ({family})"


def _hardware_words(video: VideoRule) -> str:
    words = HARDWARE_WORDS[video.hardware]
    return f"{words[:1].upper()}{words[1:]} ({NOT_TRIED})."


def _quality_way(video: VideoRule) -> str:
    if video.target_vmaf is not None:
        target = score_text(video.target_vmaf, video.target_metric)
        return f"as small as {target} allows (the CRF is searched for on samples of each film)"
    if video.bit_rate_kbps is not None:
        passes = " in two passes" if video.two_pass else ""
        return f"{video.bit_rate_kbps:,} kb/s{passes}"
    return f"CRF {video.crf:g}"


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
    text += _titles_words(audio.drop_titles)
    if audio.add_stereo:
        text += "; a stereo track is added where there is none"
    if audio.sort_by_language:
        text += "; in this order of languages"
    if audio.default_language:
        text += f"; {audio.default_language} plays by default"
    return f"{text}."


def _titles_words(titles: tuple[str, ...]) -> str:
    return (
        f"; without tracks titled {' or '.join(f'“{title}”' for title in titles)}" if titles else ""
    )


def subtitle_words(subtitles: SubtitleRule) -> str:
    if subtitles.mode == "drop":
        return "Left out" + (", but forced ones are kept." if subtitles.keep_forced else ".")
    text = f"Subtitles in {_languages(subtitles.languages)} are {_subtitle_verb(subtitles)}"
    if subtitles.languages and subtitles.keep_forced:
        text += "; forced ones in any language"
    if subtitles.image_subtitles == "drop":
        text += "; picture subtitles (PGS, VobSub) are left out"
    text += _titles_words(subtitles.drop_titles)
    if subtitles.default_language:
        text += f"; {subtitles.default_language} shows by default"
    return f"{text}."


def _subtitle_verb(subtitles: SubtitleRule) -> str:
    if subtitles.mode != "convert":
        return "kept"
    if subtitles.convert_to:
        return f"converted to {SUBTITLE_NAMES[subtitles.convert_to]}"
    return "converted where the container needs it"


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
    text = f"{what[:1].upper()}{what[1:]}; it {where}."
    return (
        f"{text} Films that Chromecast plays already are skipped."
        if spec.skip_if_chromecast_ready
        else text
    )


def hours_words(spec: PresetSpec) -> str:
    if not spec.hours:
        return "At any time that the queue may run."
    return f"Only {', '.join(spec.hours)}; {END_WORDS[spec.at_hours_end]}."


def _languages(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) if codes else "every language"
