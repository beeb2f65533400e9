"""HEVC clips with Dolby Vision (profile 8.1) or HDR10+ data, written here bit by bit.

ffmpeg encodes no such data from nothing, so it is put between the pictures of a plain HDR10 clip.
The fields: ETSI GS CCM 001 (Dolby Vision RPU) and SMPTE ST 2094-40 (HDR10+).
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import av

from tests.media import ffmpeg_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CRC_POLYNOMIAL = 0x04C11DB7
# Between start codes; a picture is one slice here.
_NAL = re.compile(rb"\x00\x00\x00?\x01")


class Bits:
    """Most significant bit first."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, width: int, *values: int) -> None:
        for value in values:
            self.text += format(value & ((1 << width) - 1), f"0{width}b")

    def ue(self, *values: int) -> None:
        """Exponential Golomb code."""
        for value in values:
            code = format(value + 1, "b")
            self.text += "0" * (len(code) - 1) + code

    def bytes(self) -> bytes:
        padded = self.text + "0" * (-len(self.text) % 8)
        return int(padded, 2).to_bytes(len(padded) // 8, "big")


def rpu() -> bytes:
    """One reference processing unit: profile 8, the picture passed through unchanged."""
    b = Bits()
    b.u(6, 2)  # type
    b.u(11, 18)  # format
    b.u(4, 1, 0)  # profile of the composer, level
    b.u(1, 1, 0)  # sequence information follows; no explicit chroma filter
    b.u(2, 0)  # coefficients as fixed point
    b.ue(23)
    b.u(2, 1)
    b.u(1, 0)  # limited range
    b.ue(2, 2, 4)  # depths of base, enhancement, output: 10, 10, 12
    b.u(1, 0)
    b.u(3, 0)
    b.u(1, 0, 1)  # no resampling; no residual
    b.u(1, 1, 0)  # display management follows; nothing from the previous unit
    b.ue(0, 0, 0)
    for _component in range(3):
        b.ue(0)
        b.u(10, 0, 1023)
    b.ue(0, 0)  # one partition
    for _component in range(3):
        b.ue(0, 0)  # a polynomial of order 1 …
        b.u(1, 0)
        b.u(1, 1)  # … 0 (as a signed Golomb code)
        b.u(23, 0)
        b.u(3, 0b010)  # … and 1
        b.u(23, 0)
    b.ue(0, 0, 1)
    b.u(16, 9574, 0, 13802, 9574, -1540, -5348, 9574, 17610, 0)
    b.u(32, 16777216, 134217728, 134217728)
    b.u(16, 7222, 8771, 390, 2654, 12430, 1300, 0, 422, 15962)
    b.u(16, 65535, 0, 0)
    b.u(32, 0)
    b.u(5, 12)
    b.u(2, 0, 0, 1)
    b.u(12, 62, 3079)
    b.u(10, 42)
    b.ue(1)  # one extension block: brightness of the scene
    while len(b.text) % 8:
        b.u(1, 0)
    b.ue(5)
    b.u(8, 1)
    b.u(12, 0, 2000, 800)
    b.u(4, 0)
    while len(b.text) % 8:
        b.u(1, 0)
    body = b.bytes()
    return b"\x19" + body + _crc32(body).to_bytes(4, "big") + b"\x80"


def hdr10_plus(picture: int) -> bytes:
    """One SEI message: user data registered by ITU-T T.35, one window, a little else each time."""
    b = Bits()
    b.u(8, 0xB5)
    b.u(16, 0x003C, 0x0001)
    b.u(8, 4, 1)
    b.u(2, 1)
    b.u(27, 400)
    b.u(1, 0)
    b.u(17, 10_000, 12_000, 9_000)
    b.u(17, 800)
    b.u(4, 9)
    for percentage, value in zip((1, 5, 10, 25, 50, 75, 90, 95, 99), range(9), strict=True):
        b.u(7, percentage)
        b.u(17, 100 * value + picture)
    b.u(10, 0)
    b.u(1, 0, 1)  # no display's peaks; a curve follows
    b.u(12, 100, 200)
    b.u(4, 9)
    b.u(10, *range(100, 1000, 100))
    b.u(1, 0)
    payload = b.bytes()
    return bytes([4, len(payload)]) + payload + b"\x80"


def make_dolby_vision(path: Path) -> Path:
    """One second, MKV, with the configuration record of profile 8.1."""
    bare = path.with_suffix(".bare.mkv")
    _interleave(bare, after=lambda _picture: b"\x7c\x01" + _protected(rpu()))
    # Written again by x265, which makes the record of what it finds.
    params = f"{_PARAMS}:bframes=2:keyint=10:min-keyint=10:scenecut=0"
    _ffmpeg(
        *("-i", f"file:{bare}", "-c:v", "libx265", "-preset", "ultrafast", "-dolbyvision", "1"),
        *("-maxrate", "20M", "-bufsize", "20M", "-x265-params", params, f"file:{path}"),
    )
    return path


def make_hdr10_plus(path: Path, *, gap_at: int | None = None) -> Path:
    """One second, MKV. The picture `gap_at` carries none."""

    def before(picture: int) -> bytes:
        return b"" if picture == gap_at else b"\x4e\x01" + _protected(hdr10_plus(picture))

    _interleave(path, before=before)
    return path


def side_data(path: Path) -> list[dict[str, bytes]]:
    """What lies beside each picture, in the order in which they are shown."""
    with av.open(str(path)) as film:
        frames: list[Any] = list(film.decode(video=0))
        return [{data.type.name: bytes(data) for data in f.side_data} for f in frames]


_PARAMS = (
    "log-level=none:hdr10=1:max-cll=1000,400:repeat-headers=1:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)
_TAGS = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"


def _nothing(_picture: int) -> bytes:
    return b""


def _interleave(
    path: Path,
    *,
    before: Callable[[int], bytes] = _nothing,
    after: Callable[[int], bytes] = _nothing,
) -> None:
    """A plain HDR10 clip with one NAL unit before or after each picture."""
    raw = path.with_suffix(".plain.hevc")
    _ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25,trim=duration=1", "-vf", _TAGS),
        *("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
        *("-x265-params", f"{_PARAMS}:bframes=0:slices=1", "-f", "hevc", f"file:{raw}"),
    )
    out, picture = b"", 0
    for unit in _NAL.split(raw.read_bytes())[1:]:
        is_picture = unit[0] >> 1 & 0x3F < 32
        units = [before(picture), unit, after(picture)] if is_picture else [unit]
        picture += is_picture
        out += b"".join(b"\x00\x00\x00\x01" + u for u in units if u)
    mixed = path.with_suffix(".mixed.hevc")
    mixed.write_bytes(out)
    _ffmpeg("-f", "hevc", "-framerate", "25", "-i", f"file:{mixed}", "-c", "copy", f"file:{path}")


def _protected(payload: bytes) -> bytes:
    """No start code may appear inside a NAL unit."""
    out = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _crc32(raw: bytes) -> int:
    """MPEG-2's: not reflected."""
    crc = 0xFFFFFFFF
    for byte in raw:
        crc ^= byte << 24
        for _bit in range(8):
            crc = (crc << 1 ^ (_CRC_POLYNOMIAL if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def _ffmpeg(*args: str) -> None:
    argv = [ffmpeg_path(), "-nostdin", "-hide_banner", "-v", "error", "-y", *args]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=120)
