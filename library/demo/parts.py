"""Parts that ffmpeg cannot make from nothing: text and bitmap subtitles, a font, captions. Pure."""

from __future__ import annotations

import struct

_PTS_HZ = 90_000


def srt_text(seconds: float, text: str) -> str:
    """One line per second."""
    lines = []
    for number in range(max(1, int(seconds))):
        start, end = _clock(number + 0.1), _clock(min(number + 0.9, seconds))
        lines.append(f"{number + 1}\n{start} --> {end}\n{text} {number + 1}\n")
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    total_ms = round(seconds * 1000)
    minutes, ms = divmod(total_ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{ms // 1000:02d},{ms % 1000:03d}"


def font_file() -> bytes:
    """The header of a TrueType font with no tables: enough for an attachment, for no renderer."""
    return struct.pack(">IHHHH", 0x00010000, 0, 0, 0, 0) + b"MediaFlow sample font" * 40


def pgs_subtitles(seconds: float, *, width: int, height: int) -> bytes:
    """A Blu-ray PGS track (`.sup`): a white bar shown for 0.8 s in each second."""
    parts = []
    for number in range(max(1, int(seconds))):
        parts.append(_pgs_show(number * 2, number + 0.1, width, height))
        parts.append(_pgs_clear(number * 2 + 1, number + 0.9, width, height))
    return b"".join(parts)


def _segment(at_s: float, kind: int, body: bytes) -> bytes:
    pts = round(at_s * _PTS_HZ)
    return b"PG" + struct.pack(">IIBH", pts, 0, kind, len(body)) + body


def _pgs_show(number: int, at_s: float, width: int, height: int) -> bytes:
    bar_w, bar_h = width // 2, 12
    x, y = width // 4, height - 24
    composition = struct.pack(">HHBHBBBB", width, height, 0x10, number, 0x80, 0, 0, 1)
    placed = struct.pack(">HBBHH", 0, 0, 0, x, y)
    window = struct.pack(">BBHHHH", 1, 0, x, y, bar_w, bar_h)
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    row = bytes([0, 0xC0 | (bar_w >> 8), bar_w & 0xFF, 1, 0, 0])  # a run of colour 1, end of line
    picture = struct.pack(">HH", bar_w, bar_h) + row * bar_h
    object_head = struct.pack(">HBB", 0, 0, 0xC0) + len(picture).to_bytes(3, "big")
    bodies = [
        (0x16, composition + placed),
        (0x17, window),
        (0x14, palette),
        (0x15, object_head + picture),
        (0x80, b""),
    ]
    return b"".join(_segment(at_s, kind, body) for kind, body in bodies)


def _pgs_clear(number: int, at_s: float, width: int, height: int) -> bytes:
    composition = struct.pack(">HHBHBBBB", width, height, 0x10, number, 0, 0, 0, 0)
    window = struct.pack(">BBHHHH", 1, 0, width // 4, height - 24, width // 2, 12)
    bodies = [(0x16, composition), (0x17, window), (0x80, b"")]
    return b"".join(_segment(at_s, kind, body) for kind, body in bodies)


def caption_mpeg2(stream: bytes) -> bytes:
    """An MPEG-2 elementary stream with ATSC A/53 caption user data put before each first slice."""
    captions = bytes([0xFC, 0x94, 0x20]) + bytes([0xFD, 0x80, 0x80])
    user_data = b"\x00\x00\x01\xb2GA94\x03" + bytes([0xC0 | 2, 0xFF]) + captions + b"\xff"
    parts = stream.split(b"\x00\x00\x01\x01")  # first slice of each picture
    return (user_data + b"\x00\x00\x01\x01").join(parts)
