"""HDR10+ as x265 takes it: read from a film's HEVC packets, written as the JSON it asks for.

No decoder is needed: the data lie as messages (SEI, ITU-T T.35) before each picture. The fields are
those of SMPTE ST 2094-40. What x265's reader does not know is refused, never simplified.
No Django here: worker processes import this module.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av.error

from library.probing.probe import ProbeProblem
from mediaflow.base.input_guard import open_guarded
from transcode.planning.packet_index import read_packet_index

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE_NAME = "hdr10plus.json"  # in the folder in which the encoder runs
# Country, provider, its code, application: ST 2094-40.
_MARK = b"\xb5\x00\x3c\x00\x01\x04"
_PREFIX_SEI, _USER_DATA = 39, 4
_START = re.compile(rb"\x00\x00\x01")
_START_CODES = (b"\x00\x00\x01", b"\x00\x00\x00\x01")
_EMULATION = re.compile(rb"\x00\x00\x03")


_OPTION = "dhdr10-info="  # of x265


def is_handed_over(video_options: Sequence[str]) -> bool:
    """Whether these options make x265 read the file."""
    return any(_OPTION in part for part in video_options)


def without_hdr10_plus(x265_params: str) -> str:
    """For encodes of a few pictures, which the file does not fit."""
    return ":".join(p for p in x265_params.split(":") if not p.startswith(_OPTION))


class Hdr10PlusProblem(Exception):
    """Why a film's HDR10+ cannot be handed to x265. The text is a sentence."""


@dataclass(frozen=True, slots=True)
class Hdr10Plus:
    """Of one picture."""

    target_nits: int
    max_scl: tuple[int, int, int]
    average_rgb: int
    percentages: tuple[int, ...]
    percentiles: tuple[int, ...]
    knee: tuple[int, int] | None  # with it `anchors`: the curve
    anchors: tuple[int, ...]


class _Bits:
    def __init__(self, raw: bytes) -> None:
        self._value = int.from_bytes(raw, "big")
        self._left = 8 * len(raw)

    def u(self, width: int) -> int:
        if width > self._left:
            raise Hdr10PlusProblem("Its HDR10+ metadata ends too early.")
        self._left -= width
        return self._value >> self._left & ((1 << width) - 1)


def parse_hdr10_plus(payload: bytes) -> Hdr10Plus:
    """`payload` behind the mark. Raises Hdr10PlusProblem."""
    bits = _Bits(payload)
    bits.u(8)  # version
    if bits.u(2) != 1:
        raise Hdr10PlusProblem("Its HDR10+ metadata has several windows.")
    target = bits.u(27)
    if bits.u(1):
        raise Hdr10PlusProblem("Its HDR10+ metadata describes a display's peaks.")
    max_scl = (bits.u(17), bits.u(17), bits.u(17))
    average = bits.u(17)
    pairs = [(bits.u(7), bits.u(17)) for _ in range(bits.u(4))]
    if bits.u(10):
        raise Hdr10PlusProblem("Its HDR10+ metadata counts bright pixels.")
    if bits.u(1):
        raise Hdr10PlusProblem("Its HDR10+ metadata describes a display's peaks.")
    knee: tuple[int, int] | None = None
    anchors: tuple[int, ...] = ()
    if bits.u(1):
        knee = (bits.u(12), bits.u(12))
        anchors = tuple(bits.u(10) for _ in range(bits.u(4)))
    if bits.u(1):
        raise Hdr10PlusProblem("Its HDR10+ metadata changes colours.")
    return Hdr10Plus(
        target,
        max_scl,
        average,
        tuple(p for p, _ in pairs),
        tuple(v for _, v in pairs),
        knee,
        anchors,
    )


def x265_json(pictures: list[Hdr10Plus]) -> str:
    """One entry for each picture, in the order in which they are shown."""
    scenes = []
    for number, picture in enumerate(pictures):
        scene: dict[str, Any] = {
            "LuminanceParameters": {
                "AverageRGB": picture.average_rgb,
                "LuminanceDistributions": {
                    "DistributionIndex": list(picture.percentages),
                    "DistributionValues": list(picture.percentiles),
                },
                "MaxScl": list(picture.max_scl),
            },
            "NumberOfWindows": 1,
            "TargetedSystemDisplayMaximumLuminance": picture.target_nits,
            "SceneFrameIndex": number,
            "SceneId": 0,
            "SequenceFrameIndex": number,
        }
        if picture.knee is not None:
            scene["BezierCurveData"] = {
                "Anchors": list(picture.anchors),
                "KneePointX": picture.knee[0],
                "KneePointY": picture.knee[1],
            }
        scenes.append(scene)
    profile = "B" if any(p.knee is not None for p in pictures) else "A"
    info = {"HDR10plusProfile": profile, "Version": "1.0"}
    return json.dumps({"JSONInfo": info, "SceneInfo": scenes})


def read_hdr10_plus(path: bytes) -> str:
    """The JSON for all shown pictures of a film. Reads it twice. Raises ProbeProblem."""
    found: dict[int, Hdr10Plus] = {}
    try:
        index = read_packet_index(path)
        if index.video_index is None:
            raise Hdr10PlusProblem("There is no picture in it.")
        with open_guarded(path) as film:
            for packet in film.demux(film.streams[index.video_index]):
                if packet.pts is None:
                    continue
                payload = next(_payloads(bytes(packet)), None)
                if payload is not None:
                    found[packet.pts] = parse_hdr10_plus(payload)
    except Hdr10PlusProblem as problem:
        raise ProbeProblem("hdr10_plus", str(problem)) from problem
    except av.error.FFmpegError as error:
        text = f"Its packets cannot be read: {error.strerror or type(error).__name__}."
        raise ProbeProblem("unreadable", text) from error
    missing = sum(time not in found for time in index.video_pts)
    if missing:
        raise ProbeProblem("hdr10_plus", f"{missing} of its pictures carry no HDR10+ metadata.")
    return x265_json([found[time] for time in index.video_pts])


def _payloads(packet: bytes) -> Iterator[bytes]:
    """Behind the mark, of each HDR10+ message in a packet of either form."""
    for unit in _units(packet):
        if len(unit) > 4 and unit[0] >> 1 & 0x3F == _PREFIX_SEI and _MARK[:4] in unit:
            yield from _messages(_EMULATION.sub(b"\x00\x00", unit[2:]))


def _units(packet: bytes) -> list[bytes]:
    """NAL units behind start codes, or behind lengths of four bytes.

    A length of 256 to 511 looks like a start code: what leads exactly to the end are lengths.
    """
    units, at = [], 0
    while at + 4 <= len(packet):
        end = at + 4 + int.from_bytes(packet[at : at + 4], "big")
        units.append(packet[at + 4 : end])
        at = end
    if at == len(packet) or not packet.startswith(_START_CODES):
        return units
    return [unit.rstrip(b"\x00") for unit in _START.split(packet)[1:]]


def _messages(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at + 2 < len(raw):
        kind, at = _coded(raw, at)
        size, at = _coded(raw, at)
        body = raw[at : at + size]
        if kind == _USER_DATA and body.startswith(_MARK):
            yield body[len(_MARK) :]
        at += size


def _coded(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(raw) and raw[at] == 0xFF:
        value, at = value + 255, at + 1
    return (value + raw[at], at + 1) if at < len(raw) else (value, at)
