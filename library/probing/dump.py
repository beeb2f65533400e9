"""What only ffmpeg's own description of a file tells (`av_dump_format`, the text of `ffmpeg -i`).

PyAV has no access to the Dolby Vision configuration record, to the display matrix before decoding
and to the names of codecs that it cannot decode; the description has all of them.
Lines of tags cannot pass for stream lines: they are indented further.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import av
import av.logging

if TYPE_CHECKING:
    from av.container import InputContainer

_STREAM = re.compile(r"^  Stream #0:(\d+)[^:]*: (?:Video|Audio|Subtitle|Data|Attachment): (.*)$")
_CODEC = re.compile(r"^(\w+)(?:.*?\((\w{4}) / 0x)?")
_SIDE_DATA = re.compile(
    r"^      (DOVI configuration record|[Dd]isplay [Mm]atrix|displaymatrix): (.*)$"
)
_CHROMA = re.compile(r"[(,] ?(left|center|topleft|top|bottomleft|bottom)[,)]")
_DOVI = re.compile(r"profile: (\d+).*compatibility id: (\d+)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")


@dataclass(slots=True)
class DumpedStream:
    codec: str = ""
    tag: str = ""  # fourcc of the container, such as mebx
    chroma_location: str = ""
    rotation_deg: int = 0  # clockwise, to show upright
    dolby_vision_profile: str = ""  # "8.1", "5"; "" without a configuration record


@dataclass(slots=True)
class Dump:
    streams: dict[int, DumpedStream] = field(default_factory=dict)
    programs: int = 0


def read_dump(film: InputContainer) -> Dump:
    """Ask ffmpeg for its description. Not for several threads at once: the log level is global."""
    av.logging.set_level(av.logging.INFO)
    try:
        text: str = film.dumps_format()  # type: ignore[attr-defined]  # missing in PyAV's stubs
    finally:
        av.logging.set_level(None)
    return parse_dump(text)


def parse_dump(text: str) -> Dump:
    dump = Dump()
    current: DumpedStream | None = None
    for line in text.splitlines():
        if stream := _STREAM.match(line):
            current = dump.streams.setdefault(int(stream[1]), DumpedStream())
            _read_stream_line(current, stream[2])
        elif current is not None and (side := _SIDE_DATA.match(line)):
            _read_side_data(current, side[2])
        elif line.startswith("  Program "):
            dump.programs += 1
    return dump


def _read_stream_line(stream: DumpedStream, text: str) -> None:
    if codec := _CODEC.match(text):
        stream.codec, stream.tag = codec[1], codec[2] or ""
    if chroma := _CHROMA.search(text):
        stream.chroma_location = chroma[1]


def _read_side_data(stream: DumpedStream, text: str) -> None:
    if record := _DOVI.search(text):
        compatibility = f".{record[2]}" if record[2] != "0" else ""
        stream.dolby_vision_profile = record[1] + compatibility
    elif rotation := _ROTATION.search(text):
        stream.rotation_deg = round(-float(rotation[1])) % 360
