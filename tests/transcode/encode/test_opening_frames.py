"""Which first packets become pictures, and when pictures must be counted instead of packets."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import av

from transcode.planning import packet_index
from transcode.planning.opening_frames import MAX_PACKETS, WANTED_FRAMES, OpeningFrames

if TYPE_CHECKING:
    import pytest
    from av.packet import Packet
    from av.video.stream import VideoStream


@dataclass
class FakeDecoder:
    """Gives one picture for every `packets_per_frame` packets."""

    packets_per_frame: int = 1
    seen: int = 0

    def decode(self, packet: Any) -> list[Any]:
        if packet is None:
            return []
        self.seen += 1
        if (self.seen - 1) % self.packets_per_frame:
            return []
        return [SimpleNamespace(pts=packet.pts)]


def opening(decoder: Any, format_name: str = "mpegts") -> OpeningFrames:
    stream = cast("VideoStream", SimpleNamespace(codec_context=decoder))
    return OpeningFrames(stream, format_name)


def packet(pts: int | None, *, is_key: bool = False) -> Packet[Any]:
    return cast("Packet[Any]", SimpleNamespace(pts=pts, is_keyframe=is_key))


def feed(frames: OpeningFrames, count: int, *, first_key: int = 0) -> None:
    for number in range(count):
        if frames.feed(packet(number * 20, is_key=number == first_key)):
            return


def test_two_packets_per_picture_are_fields() -> None:
    frames = opening(FakeDecoder(packets_per_frame=2))
    feed(frames, 200)
    assert frames.is_done
    assert frames.has_field_packets


def test_one_packet_per_picture_are_no_fields() -> None:
    frames = opening(FakeDecoder())
    feed(frames, 200)
    assert frames.is_done
    assert not frames.has_field_packets


def test_packets_before_the_first_picture_are_not_taken_for_fields() -> None:
    decoder = FakeDecoder()
    frames = opening(decoder)
    decoder.decode = lambda p: (  # type: ignore[method-assign, assignment]
        [] if p is None or p.pts < 20 * 40 else [SimpleNamespace(pts=p.pts)]
    )
    feed(frames, 200, first_key=40)
    assert frames.first_frame == 20 * 40
    assert not frames.has_field_packets


def test_an_ordinary_file_is_not_decoded_at_all() -> None:
    decoder = FakeDecoder()
    frames = opening(decoder, "matroska,webm")
    feed(frames, 200)
    assert frames.is_done
    assert (decoder.seen, frames.first_frame) == (0, None)


def test_a_file_that_starts_without_a_keyframe_is_looked_at() -> None:
    decoder = FakeDecoder()
    frames = opening(decoder, "matroska,webm")
    feed(frames, 200, first_key=5)
    assert len(frames.frame_pts) >= WANTED_FRAMES


def test_a_film_of_nothing_but_damage_is_given_up_after_a_while() -> None:
    def refuse(_packet: object) -> list[Any]:
        raise av.error.InvalidDataError(1, "damaged")

    frames = opening(SimpleNamespace(decode=refuse))
    feed(frames, MAX_PACKETS + 10)
    assert frames.is_done
    assert frames.frame_pts == []


def test_packets_without_a_time_say_nothing() -> None:
    frames = opening(FakeDecoder())
    assert not frames.feed(packet(None))
    frames.finish()
    frames.finish()
    assert frames.first_frame is None


def test_a_film_of_fields_is_read_a_second_time_by_decoding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    calls: list[bool] = []
    sentinel = packet_index.PacketIndex(
        None, array("q"), array("q"), Fraction(1), {}, is_truncated=False, problems=()
    )

    def read_once(*_args: object, decodes_all: bool) -> packet_index.PacketIndex | None:
        calls.append(decodes_all)
        return sentinel if decodes_all else None

    monkeypatch.setattr(packet_index, "_read_once", read_once)
    film = tmp_path / "film.ts"
    film.write_bytes(b"abc")
    index = packet_index.read_packet_index(bytes(film), with_sha256=True)
    assert calls == [False, True]
    assert len(index.sha256) == 64
