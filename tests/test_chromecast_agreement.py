"""The columns that an analyser reads, and the planner that reads the whole probe, judge alike."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from library.analysis.analysers.chromecast import what_it_needs
from library.file_records import apply_probe
from library.media_info import AudioStream, HdrKind, MediaInfo, VideoStream
from library.models import MediaFile
from tests.library.file_rows import make_file, make_library
from transcode.planning.chromecast import judge_for_chromecast

if TYPE_CHECKING:
    from collections.abc import Callable

FILMS = 600
# What no column tells: where only this is wrong, the column says less than the planner.
UNSEEN = ("H.264 level", "chroma", "AAC profile", "Hz sound")


def random_info(rng: random.Random) -> MediaInfo:
    """Mostly nearly ready: else nothing but the codec would ever decide."""
    pick = rng.choice
    width, height = pick(((1920, 1080), (1920, 800), (1280, 720), (1080, 1920), (3840, 2160)))
    video = VideoStream(
        index=0, codec=pick(("h264", "h264", "h264", "h264", "hevc", "vp8", "vp9")),
        profile=pick(("High", "High", "Main", "High 10", "")), level=pick((40, 41, 41, 51, None)),
        width=width, height=height, pix_fmt=pick(("yuv420p",) * 5 + ("yuv422p",)),
        bit_depth=pick((8, 8, 8, 8, 10)), hdr=pick((HdrKind.SDR,) * 5 + (HdrKind.HDR10,)),
        is_interlaced=rng.random() < 0.1,
        frame_rate=pick(("24000/1001", "25", "30", "30000/1001", "50", "60", "120", "")),
    )  # fmt: skip
    audio = AudioStream(
        index=1, codec=pick(("aac", "aac", "aac", "mp3", "ac3", "opus", "vorbis")),
        profile=pick(("LC", "LC", "LC", "Main")), channels=pick((1, 2, 2, 6)),
        sample_rate_hz=pick((48_000, 48_000, 192_000)),
    )  # fmt: skip
    return MediaInfo(
        container=pick(("mkv", "mkv", "mp4", "webm", "ts")), format_name="", size_bytes=1,
        duration_s=60.0, start_s=0.0, bit_rate_kbps=1000, video=(video,),
        audio=(audio,) if rng.random() < 0.9 else (),
    )  # fmt: skip


def needs_by_probe(info: MediaInfo, is_seen: Callable[[str], bool]) -> str:
    """In the analyser's words, of the reasons that columns can tell, or of all."""
    found = judge_for_chromecast(info)
    if any(is_seen(why) for why in found.video):
        return "picture"
    if any(is_seen(why) for why in found.audio):
        return "sound"
    return "container" if found.container else ""


@pytest.mark.django_db
def test_columns_and_probe_agree_on_what_chromecast_needs() -> None:
    rng, library = random.Random(20), make_library()
    infos = {}
    for number in range(FILMS):
        info = random_info(rng)
        file = make_file(library, f"Film {number}")
        apply_probe(file, info)
        infos[file.pk] = (file, info)
    MediaFile.objects.bulk_update(
        [file for file, _info in infos.values()],
        ["container", "video_codec", "video_profile", "width", "height", "resolution",
         "frame_rate_milli", "is_interlaced", "bit_depth", "hdr", "audio_codec", "audio_channels"],
        batch_size=200,
    )  # fmt: skip
    said = dict(MediaFile.objects.annotate(needs=what_it_needs()).values_list("pk", "needs"))
    seen = {
        pk: needs_by_probe(info, lambda why: not any(word in why for word in UNSEEN))
        for pk, (_file, info) in infos.items()
    }
    assert said == seen
    assert set(said.values()) == {"picture", "sound", "container", ""}
    # Where the two differ at all, the planner asks for more, never for less.
    order = ("", "container", "sound", "picture")
    whole = {pk: needs_by_probe(info, lambda _why: True) for pk, (_file, info) in infos.items()}
    assert all(order.index(whole[pk]) >= order.index(said[pk]) for pk in said)
    assert sum(whole[pk] == said[pk] for pk in said) / FILMS > 0.1
