"""Films that are hard to cut: very small, several keyframes, made once for all tests."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.media import ffmpeg_path

SECONDS = 3
_TONE = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={SECONDS}"]
_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "28", "-pix_fmt", "yuv420p", "-bf", "3"]
_GOP = ["-g", "15"]
_AAC = ["-c:a", "aac", "-b:a", "64k"]
_MP2 = ["-c:a", "mp2"]
_MPEG2 = ["-c:v", "mpeg2video", "-q:v", "6", "-bf", "2", "-g", "12"]
_XVID = ["-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "6", "-g", "15"]


def _x265(*params: str) -> list[str]:
    joined = ":".join(("log-level=none", "keyint=15", "min-keyint=15", *params))
    return ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", joined]


def _picture(rate: str = "25", seconds: float = SECONDS) -> list[str]:
    return ["-f", "lavfi", "-i", f"testsrc2=size=128x72:rate={rate}:duration={seconds}"]


# Name of the film to the options that make it; the last one is what it is called.
FILMS: dict[str, tuple[list[str], str]] = {
    "open GOP and a B-pyramid": (
        [*_picture(), *_TONE, *_X264, *_GOP, "-x264-params", "open-gop=1:b-pyramid=normal", *_AAC],
        "a.mkv",
    ),
    "closed GOP in MP4 at 23.976": (
        [*_picture("24000/1001"), *_TONE, *_X264, *_GOP, *_AAC],
        "b.mp4",
    ),
    "59.94 in MP4": ([*_picture("60000/1001", 2), *_X264, *_GOP], "c.mp4"),
    "H.264 in TS": ([*_picture(), *_TONE, *_X264, *_GOP, *_MP2, "-f", "mpegts"], "d.ts"),
    "TS with a large offset": (
        [*_picture(), *_TONE, *_X264, *_GOP, *_MP2, "-output_ts_offset", "95000", "-f", "mpegts"],
        "e.ts",
    ),
    "MKV that starts late": (
        [*_picture(), *_TONE, *_X264, *_GOP, *_AAC, "-output_ts_offset", "3.2"],
        "o.mkv",
    ),
    "open-GOP HEVC with a pyramid": (
        [*_picture(), *_TONE, *_x265("open-gop=1", "bframes=4", "b-pyramid=1"), *_AAC],
        "f.mkv",
    ),
    "HEVC in TS": (
        [*_picture(), *_TONE, *_x265("open-gop=0", "bframes=4"), *_MP2, "-f", "mpegts"],
        "g.ts",
    ),
    "MPEG-2 in TS": ([*_picture(), *_TONE, *_MPEG2, *_MP2, "-f", "mpegts"], "h.ts"),
    "MPEG-2 from a DVD": ([*_picture(), *_TONE, *_MPEG2, *_MP2, "-f", "vob"], "i.vob"),
    "AVI with B-frames": ([*_picture(), *_TONE, *_XVID, "-bf", "2", "-c:a", "libmp3lame"], "j.avi"),
    "AVI without B-frames": ([*_picture(), *_XVID, "-bf", "0"], "k.avi"),
    "variable rate": (
        [
            *_picture(),
            *_TONE,
            *("-vf", "select='not(eq(mod(n,5),3))'", "-fps_mode", "passthrough"),
            *_X264,
            *_GOP,
            *_AAC,
        ],
        "l.mkv",
    ),
    "late picture": (["-itsoffset", "0.7", *_picture(), *_TONE, *_X264, *_GOP, *_AAC], "m.mkv"),
    "late picture in MP4": (
        ["-itsoffset", "0.7", *_picture(), *_TONE, *_X264, *_GOP, *_AAC],
        "n.mp4",
    ),
}


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mediaflow-chunks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def film(name: str) -> Path:
    """The film; do not change it."""
    options, file_name = FILMS[name]
    return make(file_name, *options)


@cache
def long_film() -> Path:
    """120 s at 29.97, a keyframe each second: tiny, and long enough for rounding to add up."""
    rate = [
        "-f", "lavfi", "-i", "testsrc2=size=32x32:rate=30000/1001:duration=121",
    ]  # fmt: skip
    return make("long.mp4", *rate, *_X264, "-g", "30", "-keyint_min", "30", "-sc_threshold", "0")


@cache
def first_times_missing() -> Path:
    """A transport stream cut in the middle of a GOP, so that its first pictures are unusable."""
    whole = film("H.264 in TS").read_bytes()
    start = 188 * (len(whole) // 188 // 7)
    path = _folder() / "cut.ts"
    path.write_bytes(whole[start:])
    return path


@cache
def edit_list() -> Path:
    """Its edit list hides the pictures between a keyframe and the moment that was cut at."""
    source = film("closed GOP in MP4 at 23.976")
    return make("edit.mp4", "-ss", "0.9", "-i", str(source), "-c", "copy")


def make(name: str, *options: str) -> Path:
    path = _folder() / name
    argv = [ffmpeg_path(), "-nostdin", "-hide_banner", "-v", "error", "-y", *options, str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    return path


@cache
def frame_hashes(path: Path) -> tuple[str, ...]:
    """The hash of each shown picture, in order."""
    argv = [ffmpeg_path(), "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v:0"]
    argv += ["-fps_mode", "passthrough", "-f", "framemd5", "-"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300).stdout
    return tuple(
        line.rsplit(",", 1)[-1].strip() for line in said.splitlines() if not line.startswith("#")
    )
