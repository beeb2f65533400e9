"""Whether Chromecast generations 2 and 3 play a film as it is, and what must change if not. Pure.

After Google's list (https://developers.google.com/cast/docs/media): both generations at once, so
the limits are those of generation 2. Decisions where the list leaves room:
- AC-3, E-AC-3 and AAC with more than two channels reach the television only where it takes them
  (Chromium asks the HDMI sink): they count as not playing.
- In MP4 the list names AAC and MP3 beside H.264, in WebM Vorbis and Opus beside VP8: nothing else
  counts as playing there, FLAC and Opus in MP4 neither.
- Matroska, QuickTime and transport streams are not on it as files: their tracks are copied to MP4.
- Interlaced H.264 is not mentioned and counts as not playing.
- A player takes one sound track, the default one; subtitles inside the file are not shown at all
  and decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from library.listing.labels import audio_codec_label, container_label, video_codec_label
from library.media_info import HdrKind
from transcode.outcomes import JobSkipped
from transcode.planning.audio_choice import main_track
from transcode.planning.containers import output_container
from transcode.planning.model import StreamKind
from transcode.presets.rules import VideoRule

if TYPE_CHECKING:
    from library.media_info import AudioStream, MediaInfo, VideoStream
    from transcode.planning.packet_index import PacketIndex
    from transcode.presets.spec import PresetSpec

_PROFILES = frozenset({"Baseline", "Constrained Baseline", "Main", "High", "Constrained High"})
_MAX_LEVEL = 41
_FULL_HD, _HD = (1920, 1080), (1280, 720)
_FULL_HD_RATE, _HD_RATE = Fraction(30), Fraction(60)
# Container to what plays in it: video codec, sound codecs.
_PLAYS = {
    "mp4": ("h264", frozenset({"aac", "mp3"})),
    "webm": ("vp8", frozenset({"vorbis", "opus"})),
}
_AAC_PROFILES = frozenset({"", "LC", "HE-AAC", "HE-AACv2"})
_MAX_SAMPLE_RATE_HZ = 96_000
_STEREO = 2
_TITLES = {"mkv": "Matroska", "mov": "QuickTime", "ts": "transport stream", "webm": "WebM"}


class Verdict(StrEnum):
    PLAYS = "plays"
    REMUX = "remux"  # only another container is needed
    CONVERT = "convert"


@dataclass(frozen=True, slots=True)
class ChromecastVerdict:
    """Each reason is a sentence; () means: that part plays."""

    verdict: Verdict
    container: tuple[str, ...] = ()
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One or two sentences for the dry run, the film page and the job."""
        if self.verdict == Verdict.PLAYS:
            return "Chromecast generations 2 and 3 play it as it is."
        if self.verdict == Verdict.REMUX:
            why = " ".join(self.container)
            return f"Chromecast plays its picture and sound; only the container changes. {why}"
        parts = [name for name, why in (("picture", self.video), ("sound", self.audio)) if why]
        reasons = " ".join((*self.video, *self.audio, *self.container))
        return f"For Chromecast its {' and '.join(parts)} must be converted. {reasons}"


def judge_for_chromecast(info: MediaInfo, target: str = "mp4") -> ChromecastVerdict:
    """`target` is the container that it would get: what cannot be copied there is converted."""
    film = info.main_video
    if film is None:
        return ChromecastVerdict(Verdict.CONVERT, video=("It has no picture.",))
    home = info.container if info.container in _PLAYS else target
    codec, sounds = _PLAYS.get(home, _PLAYS["mp4"])
    video = tuple(_video_problems(film, codec))
    audio = tuple(_audio_problems(main_track(info.audio), sounds)) if info.audio else ()
    container: tuple[str, ...] = ()
    if info.container not in _PLAYS:
        title = _TITLES.get(info.container) or container_label(info.container)
        container = (f"{title} files do not play.",)
    if video or audio:
        return ChromecastVerdict(Verdict.CONVERT, container, video, audio)
    return ChromecastVerdict(Verdict.REMUX if container else Verdict.PLAYS, container)


def _video_problems(film: VideoStream, wanted: str) -> list[str]:
    if film.codec != wanted:
        return [f"{video_codec_label(film.codec)} video does not play{_where(film.codec)}."]
    problems = []
    if film.codec == "h264":
        problems += _h264_problems(film)
    if film.bit_depth != 8:
        problems.append(f"{film.bit_depth}-bit colour does not play.")
    if "420" not in film.pix_fmt:
        problems.append(f"{film.pix_fmt or 'Unknown'} chroma does not play; 4:2:0 does.")
    if film.hdr != HdrKind.SDR:
        problems.append("HDR does not play.")
    if film.is_interlaced:
        problems.append("It is interlaced.")
    return [*problems, *_size_problems(film)]


def _where(codec: str) -> str:
    return " in MP4" if codec == "vp8" else ""


def _h264_problems(film: VideoStream) -> list[str]:
    problems = []
    if film.profile not in _PROFILES:
        problems.append(f"The H.264 profile {film.profile or 'is unknown and'} does not play.")
    if film.level is None or film.level > _MAX_LEVEL:
        level = "unknown" if film.level is None else f"{film.level / 10:.1f}"
        problems.append(f"Its H.264 level is {level}; generation 2 plays up to 4.1.")
    return problems


def _size_problems(film: VideoStream) -> list[str]:
    rate = _rate(film)
    if rate is None:
        return ["Its frame rate is unknown."]
    long, short = max(film.width, film.height), min(film.width, film.height)
    shown = f"{film.width}×{film.height} at {float(rate):.3g} pictures a second"
    if long > _FULL_HD[0] or short > _FULL_HD[1]:
        return [f"{film.width}×{film.height} does not play; 1920×1080 does."]
    if rate > _HD_RATE:
        return [f"{shown} does not play; 60 a second do at 720p."]
    if rate > _FULL_HD_RATE and (long > _HD[0] or short > _HD[1]):
        return [f"{shown} does not play on generation 2: at most 30 at 1080p, 60 at 720p."]
    return []


def _rate(film: VideoStream) -> Fraction | None:
    try:
        rate = Fraction(film.frame_rate)
    except (ValueError, ZeroDivisionError):
        return None
    return rate if rate > 0 else None


def _audio_problems(track: AudioStream, wanted: frozenset[str]) -> list[str]:
    codec = track.codec
    if codec in ("ac3", "eac3"):
        return [f"{audio_codec_label(codec)} sound plays only where the television takes it."]
    if codec not in wanted:
        return [f"{audio_codec_label(codec) or 'Unknown'} sound does not play there."]
    if track.channels > _STEREO:
        name = audio_codec_label(codec)
        return [f"{name} with {track.channels} channels plays only on some televisions."]
    if codec == "aac" and track.profile not in _AAC_PROFILES:
        return [f"The AAC profile {track.profile} does not play."]
    if track.sample_rate_hz > _MAX_SAMPLE_RATE_HZ:
        return [f"{track.sample_rate_hz} Hz sound does not play."]
    return []


def spec_for_chromecast(
    info: MediaInfo, index: PacketIndex, spec: PresetSpec
) -> tuple[PresetSpec, tuple[str, ...]]:
    """The preset as it applies to this film, and what to say about it.

    What plays already is copied. Raises JobSkipped where nothing is to be done. Presets without
    `skip_if_chromecast_ready` come back as they are.
    """
    if not spec.skip_if_chromecast_ready:
        return spec, ()
    container = output_container(spec.container, info.container)
    found = judge_for_chromecast(info, container.name)
    if found.verdict == Verdict.PLAYS:
        raise JobSkipped("chromecast_ready", found.text)
    film = info.main_video
    video = spec.video
    can_copy = film is not None and container.takes(StreamKind.VIDEO, film.codec)
    # A copy would show what an edit list hides.
    if can_copy and not found.video and not index.hidden_packets:
        video = VideoRule(encoder="copy", crf=None)
    elif film is not None and video.max_resolution == 0:
        rate = _rate(film)
        is_fast = rate is None or rate > _FULL_HD_RATE
        video = replace(video, max_resolution=_HD[1] if is_fast else _FULL_HD[1])
    sounds = _PLAYS[container.name][1] if container.name in _PLAYS else frozenset[str]()
    audio = replace(spec.audio, max_channels=_STEREO, copy_codecs=tuple(sorted(sounds)))
    return replace(spec, video=video, audio=audio), (found.text,)
