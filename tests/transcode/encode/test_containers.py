"""The container table against ffmpeg: what it says fits is muxed and reads back as the same."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import av
import pytest

from library.demo.parts import srt_text
from tests.media import ffmpeg_path
from transcode.planning.containers import CONTAINERS, Container

if TYPE_CHECKING:
    from pathlib import Path

# Codecs that this ffmpeg can make, with its encoders.
VIDEO = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "mpeg1video": "mpeg1video",
    "mpeg2video": "mpeg2video",
    "mpeg4": "mpeg4",
    "wmv2": "wmv2",
    "theora": "libtheora",
    "prores": "prores_ks",
    "ffv1": "ffv1",
    "msmpeg4v3": "msmpeg4",
    "mjpeg": "mjpeg",
}
AUDIO = {
    "aac": "aac",
    "mp2": "mp2",
    "mp3": "libmp3lame",
    "ac3": "ac3",
    "eac3": "eac3",
    "dts": "dca",
    "truehd": "truehd",
    "mlp": "mlp",
    "flac": "flac",
    "alac": "alac",
    "opus": "libopus",
    "vorbis": "libvorbis",
    "wavpack": "wavpack",
    "tta": "tta",
    "wmav2": "wmav2",
    "pcm_s16le": "pcm_s16le",
    "pcm_s24be": "pcm_s24be",
    "pcm_u8": "pcm_u8",
    "pcm_f64le": "pcm_f64le",
}
SUBTITLES = {"subrip": "srt", "ass": "ass", "webvtt": "webvtt", "mov_text": "mov_text"}


def mux_all(container: Container, folder: Path) -> tuple[Path, list[str]]:
    """One file with one stream of each codec that the table gives this container."""
    (folder / "one.srt").write_text(srt_text(0.2, "Hello"))
    out = folder / f"all{container.extension}"
    argv = [ffmpeg_path(), "-nostdin", "-v", "error", "-y"]
    argv += ["-f", "lavfi", "-i", "testsrc2=size=176x144:rate=25,trim=end_frame=3,format=yuv420p"]
    argv += ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=0.1,aformat=channel_layouts=5.1"]
    argv += ["-i", str(folder / "one.srt")]
    codecs: list[str] = []
    for source, table, taken in (
        ("0:v", VIDEO, container.video),
        ("1:a", AUDIO, container.audio),
        ("2:s", SUBTITLES, container.subtitles),
    ):
        for codec, encoder in table.items():
            if codec not in taken:
                continue
            argv += ["-map", source, f"-c:{len(codecs)}", encoder]
            if encoder in ("mp2", "libmp3lame", "wmav2"):
                argv += [f"-ac:{len(codecs)}", "2"]
            codecs.append(codec)
    # Some of ffmpeg's own encoders (DTS, TrueHD) count as experimental.
    argv += ["-strict", "-2", "-f", container.muxer, f"file:{out}"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    return out, codecs


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_codec_of_the_table_is_muxed_and_reads_back(name: str, tmp_path: Path) -> None:
    path, codecs = mux_all(CONTAINERS[name], tmp_path)
    assert len(codecs) >= 5
    with av.open(str(path)) as film:
        found = [stream.codec_context.codec.canonical_name for stream in film.streams]
    assert found == codecs
