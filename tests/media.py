"""Clips for tests, made on the spot by the bundled ffmpeg and copied from a cache of this run.

`make_clip("h264_mkv", path)` for the kinds of `library.demo.clips.RECIPES` and those of `BROKEN`.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import pytest

from library.demo.clips import RECIPES as RECIPES
from library.demo.clips import ClipSize, make_sample

if TYPE_CHECKING:
    from collections.abc import Callable

# Names of fault 49 and its neighbours, as bytes below one folder. Each is one file name.
HOSTILE_NAMES: tuple[bytes, ...] = (
    b"-i",
    b"-rf film.mkv",
    b"line\nbreak.mkv",
    b'quote\'s "double" `tick`.mkv',
    b"$(touch canary).mkv",
    b"; touch canary;.mkv",
    b"100%d.mkv",
    b"http:x.mkv",
    b"concat:a|b.mkv",
    b"\xff\xfe not utf-8.mkv",
    "é nfc.mkv".encode(),
    "é nfd.mkv".encode(),
    "映画.mkv".encode(),
    b" leading and trailing .mkv",
    b"back\\slash.mkv",
    b"tab\there.mkv",
    b"[brackets] {x} *?.mkv",
)


@cache
def ffmpeg_path() -> str:
    """The ffmpeg that tests make clips with: the bundled one."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


CLIPS_VARIABLE = "TEST_CLIPS_FOLDER"  # set by conftest.py: all workers of a run share their clips


@cache
def _cache_folder() -> Path:
    if shared := os.environ.get(CLIPS_VARIABLE):
        return Path(shared)
    folder = Path(tempfile.mkdtemp(prefix="mediaflow-clips-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make_clip(
    kind: str,
    path: Path | str | bytes,
    seconds: float = 1,
    *,
    width: int = 320,
    height: int = 180,
    rate: str = "25",
    crf: int = 23,
) -> Path:
    """Put a clip at `path` (its folder is made) and return it. Raises KeyError for a wrong kind."""
    target = Path(os.fsdecode(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    size = ClipSize(seconds=seconds, width=width, height=height, rate=rate, crf=crf)
    if kind in BROKEN:
        BROKEN[kind](target, size)
    else:
        shutil.copyfile(_cached(kind, size), target)
    return target


@cache
def _cached(kind: str, size: ClipSize) -> Path:
    rate = size.rate.replace("/", "_")
    name = f"{kind}-{size.seconds:g}s-{size.width}x{size.height}-{rate}-{size.crf}"
    clip = _cache_folder() / f"{name}{RECIPES[kind][0]}"
    with clip.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one makes it, the others wait
        if not clip.exists():
            unfinished = clip.with_name(f"unfinished-{clip.name}")
            make_sample(kind, unfinished, ffmpeg=ffmpeg_path(), size=size)
            unfinished.rename(clip)
    return clip


def write_something(path: Path) -> None:
    """For worker processes, which have no Django: something that writes."""
    path.write_text("text")


def suffix_of(kind: str) -> str:
    """The usual extension of a kind of clip."""
    return RECIPES[kind][0] if kind in RECIPES else ".mkv"


def _truncated(target: Path, size: ClipSize) -> None:
    """The header promises the whole film, the file ends at 60 %."""
    raw = _cached("h264_mkv", size).read_bytes()
    target.write_bytes(raw[: len(raw) * 6 // 10])


def _corrupt_middle(target: Path, size: ClipSize) -> None:
    """4000 bytes in the middle are flipped."""
    raw = bytearray(_cached("h264_mkv", size).read_bytes())
    start = len(raw) // 2
    stop = min(start + 4000, len(raw) * 3 // 4)
    raw[start:stop] = bytes(byte ^ 0xFF for byte in raw[start:stop])
    target.write_bytes(bytes(raw))


def _sparse(target: Path, size: ClipSize) -> None:
    """As a torrent client pre-allocates: real bytes at the start, a hole up to the full size."""
    target.write_bytes(_cached("h264_mkv", size).read_bytes())
    os.truncate(target, target.stat().st_size + (8 << 20))


def _zero_length(target: Path, size: ClipSize) -> None:
    target.write_bytes(b"")


def _broken(target: Path, size: ClipSize) -> None:
    target.write_bytes(bytes(range(256)) * 64)


def _magicyuv(target: Path, size: ClipSize) -> None:
    """A decoder with a known hole (CVE-2026-8461), inside a harmless container."""
    source = ["-f", "lavfi", "-i", f"testsrc2=size=64x64:duration={size.seconds}"]
    _ffmpeg(*source, "-c:v", "magicyuv", "-f", "matroska", f"file:{target.absolute()}")


def _hls_as_mkv(target: Path, size: ClipSize) -> None:
    target.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    )


def _ffconcat_as_mkv(target: Path, size: ClipSize) -> None:
    target.write_text("ffconcat version 1.0\nfile /etc/hostname\n")


def _huge_dimensions(target: Path, size: ClipSize) -> None:
    """An AVI of JPEG pictures that claim 65500 × 65500 pixels each (6 GB when decoded)."""
    source = ["-f", "lavfi", "-i", f"testsrc2=size=64x64:duration={size.seconds}"]
    _ffmpeg(*source, "-c:v", "mjpeg", "-f", "avi", f"file:{target.absolute()}")
    raw = bytearray(target.read_bytes())
    at = raw.index(b"strf") + 8
    raw[at + 4 : at + 12] = struct.pack("<ii", 65500, 65500)
    small, huge = struct.pack(">HH", 64, 64), struct.pack(">HH", 65500, 65500)
    head = b"\xff\xc0\x00\x11\x08"  # start of frame, then height and width
    target.write_bytes(bytes(raw).replace(head + small, head + huge))


def _endless(target: Path, size: ClipSize) -> None:
    """A Matroska header that claims a duration of 10^15 ms."""
    raw = bytearray(_cached("h264_mkv", size).read_bytes())
    at = raw.index(b"\x44\x89\x88") + 3
    raw[at : at + 8] = struct.pack(">d", 1e15)
    target.write_bytes(bytes(raw))


def _ffmpeg(*args: str) -> None:
    argv = [ffmpeg_path(), "-nostdin", "-hide_banner", "-v", "error", "-y", *args]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


BROKEN: dict[str, Callable[[Path, ClipSize], None]] = {
    "truncated": _truncated,
    "corrupt_middle": _corrupt_middle,
    "sparse": _sparse,
    "zero_length": _zero_length,
    "broken": _broken,
    "magicyuv": _magicyuv,
    "hls_as_mkv": _hls_as_mkv,
    "ffconcat_as_mkv": _ffconcat_as_mkv,
    "huge_dimensions": _huge_dimensions,
    "endless": _endless,
}


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of films as people have them: two films, one episode, one broken file."""
    root = tmp_path / "films"
    make_clip("h264_mkv", root / "Blade Rider (1982)" / "Blade Rider (1982).mkv")
    make_clip("two_audio", root / "Amélie (2001)" / "Amélie.2001.1080p.BluRay.mkv")
    make_clip("h264_mp4", root / "The Office" / "Season 01" / "The.Office.S01E02.Diversity.mp4")
    make_clip("broken", root / "Broken (1999)" / "Broken (1999).mkv")
    return root
