"""What fits into which container: one table that decides and explains. Pure, no Django."""

from __future__ import annotations

from dataclasses import dataclass, replace

from library.media_info import Disposition
from transcode.planning.model import StreamKind

# Text subtitles; all others are pictures.
TEXT_SUBTITLES = frozenset(
    {"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "ttml", "stl", "eia_608"}
)
STYLED_SUBTITLES = frozenset({"ass", "ssa"})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PCM = frozenset(
    f"pcm_{name}"
    for name in ("s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "u8", "f32le", "f64le")
)
LOSSLESS_AUDIO = frozenset(
    {"flac", "alac", "truehd", "mlp", "wavpack", "tta", "ape", "wmalossless"}
)


@dataclass(frozen=True, slots=True)
class Container:
    """One output container. Empty `video` means: every codec that films come in."""

    name: str
    extension: str
    muxer: str
    title: str  # for people
    video: frozenset[str]
    audio: frozenset[str]
    subtitles: frozenset[str]
    text_subtitle_codec: str  # what other text subtitles are converted to
    text_subtitle_encoder: str
    cover_codecs: frozenset[str]
    has_attachments: bool
    keeps_rotation: bool  # the display matrix survives a copy
    lossless_audio_codec: str  # what lossless tracks it cannot hold are converted to, "" none
    lossy_audio_codec: str
    # MP4 has no default mark but enabled tracks: one of each kind is always enabled.
    has_default_of_each_kind: bool = False
    keeps_edit_lists: bool = False
    flags: frozenset[str] = frozenset()  # dispositions that it stores

    def takes(self, kind: StreamKind, codec: str) -> bool:
        """Of film, sound, subtitles or cover art."""
        codecs = {
            StreamKind.VIDEO: self.video,
            StreamKind.AUDIO: self.audio,
            StreamKind.SUBTITLE: self.subtitles,
            StreamKind.COVER: self.cover_codecs,
        }[kind]
        return codec in codecs

    def why_not(self, kind: StreamKind, codec: str) -> str:
        """The sentence for a stream that does not fit."""
        words = {
            StreamKind.ATTACHMENT: "attachments",
            StreamKind.DATA: f"data streams ({codec})",
            StreamKind.COVER: f"cover art as {codec}",
            StreamKind.SUBTITLE: f"{codec} subtitles",
            StreamKind.AUDIO: f"{codec} audio",
            StreamKind.VIDEO: f"{codec} video",
        }
        return f"{self.title} cannot hold {words[kind]}"

    def stored(self, flags: Disposition) -> Disposition:
        """The marks that a reader of the output will find (measured, ffmpeg 9)."""
        kept = {n: getattr(flags, n) and n in self.flags for n in Disposition.__slots__}
        return replace(Disposition(), **kept)


_ALL_FLAGS = frozenset(Disposition.__slots__)
_MKV_VIDEO = _words(
    "h264 hevc av1 vp8 vp9 mpeg1video mpeg2video mpeg4 vc1 wmv1 wmv2 wmv3 theora prores ffv1"
    " msmpeg4v1 msmpeg4v2 msmpeg4v3 h263 mjpeg dvvideo vvc"
)
_MKV_AUDIO = (
    _words(
        "aac mp1 mp2 mp3 ac3 eac3 dts truehd mlp flac alac opus vorbis wavpack tta wmav1 wmav2"
        " wmapro"
    )
    | _PCM
)

CONTAINERS: dict[str, Container] = {
    c.name: c
    for c in (
        Container(
            name="mkv",
            extension=".mkv",
            muxer="matroska",
            title="Matroska",
            video=_MKV_VIDEO,
            audio=_MKV_AUDIO,
            subtitles=_words(
                "subrip ass ssa webvtt hdmv_pgs_subtitle dvd_subtitle dvb_subtitle"
                " hdmv_text_subtitle"
            ),
            text_subtitle_codec="subrip",
            text_subtitle_encoder="srt",
            cover_codecs=frozenset({"mjpeg", "png", "gif", "bmp", "webp"}),
            has_attachments=True,
            keeps_rotation=False,
            lossless_audio_codec="flac",
            lossy_audio_codec="aac",
            flags=_ALL_FLAGS,
        ),
        Container(
            name="mp4",
            extension=".mp4",
            muxer="mp4",
            title="MP4",
            video=_words("h264 hevc av1 vp9 mpeg4 mpeg2video mpeg1video vvc"),
            # Not MP2: it reads back as MP3 (measured).
            audio=_words("aac mp3 ac3 eac3 alac flac opus dts"),
            subtitles=frozenset({"mov_text"}),
            text_subtitle_codec="mov_text",
            text_subtitle_encoder="mov_text",
            cover_codecs=frozenset({"mjpeg", "png", "bmp"}),
            has_attachments=False,
            keeps_rotation=True,
            lossless_audio_codec="flac",
            lossy_audio_codec="aac",
            has_default_of_each_kind=True,
            keeps_edit_lists=True,
            flags=_ALL_FLAGS - {"is_original"},
        ),
        Container(
            name="webm",
            extension=".webm",
            muxer="webm",
            title="WebM",
            video=frozenset({"av1", "vp8", "vp9"}),
            audio=frozenset({"opus", "vorbis"}),
            subtitles=frozenset({"webvtt"}),
            text_subtitle_codec="webvtt",
            text_subtitle_encoder="webvtt",
            cover_codecs=frozenset(),
            has_attachments=False,
            keeps_rotation=False,
            lossless_audio_codec="opus",
            lossy_audio_codec="opus",
            flags=frozenset({"is_default", "is_forced"}),
        ),
    )
}
# "keep": containers that are written as they are; films in all others become Matroska.
_KEPT = {"mkv": "mkv", "mp4": "mp4", "mov": "mp4", "m4v": "mp4", "webm": "webm"}


def output_container(wanted: str, source: str) -> Container:
    """The container of the output; `wanted` as presets say it."""
    return CONTAINERS[_KEPT.get(source, "mkv") if wanted == "keep" else wanted]


def is_text_subtitle(codec: str) -> bool:
    return codec in TEXT_SUBTITLES
