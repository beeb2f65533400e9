"""One rich pair that passes every rung, made once; the mutation fixtures break one thing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from library.demo.parts import font_file, srt_text
from tests.media import make_clip
from tests.transcode.verify.pairs import X265, Pair, encode_pair, ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

BT709 = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
SECONDS = 3
CHAPTERS = """;FFMETADATA1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1500
title=Opening
[CHAPTER]
TIMEBASE=1/1000
START=1500
END=3000
title=Ending
"""


def make_rich_source(folder: Path) -> Path:
    """Tagged colours, two sounds, two subtitles (one forced), two chapters, a font."""
    (folder / "eng.srt").write_text(srt_text(SECONDS, "Hello"))
    (folder / "chapters.txt").write_text(CHAPTERS)
    (folder / "Sample Sans.ttf").write_bytes(font_file())
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={SECONDS}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"),
        *("-f", "lavfi", "-i", f"sine=frequency=880:sample_rate=48000:duration={SECONDS}"),
        *("-i", "eng.srt", "-i", "chapters.txt", "-map_chapters", "4"),
        *("-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "3:s"),
        *("-vf", BT709, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "25"),
        *("-pix_fmt", "yuv420p", "-c:a", "ac3", "-b:a", "96k", "-c:s", "srt"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=Stereo"),
        *("-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Regie"),
        *("-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fra"),
        *("-disposition:a:0", "default", "-disposition:a:1", "comment"),
        *("-disposition:s:0", "default", "-disposition:s:1", "forced"),
        *("-attach", "Sample Sans.ttf", "-metadata:s:t:0", "mimetype=font/ttf", "rich.mkv"),
        folder=folder,
    )
    return folder / "rich.mkv"


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The good pair. Never change its files: copy them."""
    folder = tmp_path_factory.mktemp("rich")
    return encode_pair(make_rich_source(folder), folder)


@pytest.fixture(scope="session")
def hdr10(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """10-bit PQ with mastering display and light levels, kept as it is."""
    folder = tmp_path_factory.mktemp("hdr10")
    source = make_clip("hevc_hdr10", folder / "source.mkv", crf=8)
    params = "log-level=error:keyint=25:hdr10=1:repeat-headers=1"
    return encode_pair(source, folder, video=(*X265[:-1], params, "-crf", "20"))


@pytest.fixture(scope="session")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A phone film: stored lying, shown upright."""
    folder = tmp_path_factory.mktemp("rotated")
    source = make_clip("rotated", folder / "source.mp4", crf=8)
    return encode_pair(source, folder, extension=".mp4", input_options=("-noautorotate",))
