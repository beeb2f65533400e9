"""Where a film is cut for encoding, or why it is not. Pure: from packets and a plan to ranges.

Cut at keyframes by presented time: what comes in an open GOP before its keyframe belongs to the
chunk before, which is decoded that far. Everything that could make a picture appear twice, never
or otherwise than in one run makes the film run whole, and says so.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from transcode.chunks.filters import neighbour_problem
from transcode.planning.hdr10_plus import is_handed_over
from transcode.planning.model import PlannedChunk

if TYPE_CHECKING:
    from array import array

    from library.media_info import MediaInfo
    from transcode.planning.model import Plan, VideoPlan
    from transcode.planning.packet_index import PacketIndex

CHUNK_SECONDS = 60
# Streams without a container: they carry no times that one could seek to.
_RAW_FORMATS = frozenset({"h264", "hevc", "m4v", "mpegvideo", "vc1", "obu", "av1"})
# A gap that no film has between two pictures: the clock was set anew there.
_JUMP_S = 30.0
_LAST_SHARE = 0.5  # of a chunk: a shorter rest is added to the one before
# From so much of a chunk on a film is cut in halves. Less than one, so that a minute of film counts
# as one whatever its rate and its container's clock round it to.
_HALVES_FROM = 0.75


@dataclass(frozen=True, slots=True)
class Cut:
    """The chunks in the film's order, or none and the reason in a sentence."""

    chunks: tuple[PlannedChunk, ...]
    whole_reason: str = ""


def cut(
    index: PacketIndex,
    info: MediaInfo,
    plan: Plan,
    *,
    chunk_seconds: float = CHUNK_SECONDS,
    is_allowed: bool = True,
) -> Cut:
    """Cut the film. `is_allowed` False: the preset says that it runs whole."""
    reason = "" if is_allowed else "The preset says that films are encoded whole."
    reason = reason or _plan_problem(plan) or _film_problem(index, info)
    if reason:
        return Cut((), reason)
    chunks = _chunks(index, chunk_seconds)
    if len(chunks) < 2:
        return Cut((), _too_few(index, chunk_seconds))
    return Cut(chunks)


def with_chunks(
    plan: Plan,
    index: PacketIndex,
    info: MediaInfo,
    *,
    chunk_seconds: float = CHUNK_SECONDS,
    is_allowed: bool = True,
) -> Plan:
    """The plan with its chunks, or with the reason why there are none."""
    found = cut(index, info, plan, chunk_seconds=chunk_seconds, is_allowed=is_allowed)
    return replace(plan, chunks=found.chunks, whole_reason=found.whole_reason)


def _plan_problem(plan: Plan) -> str:
    """Why this way of encoding cannot be done in parts; "" when it can."""
    video = plan.video
    if video is None or video.encoder == "copy":
        return "The picture is copied as it is, so there is nothing to encode in chunks."
    options = dict(zip(plan.video_options[::2], plan.video_options[1::2], strict=True))
    if video.two_pass:
        return "It is encoded in two passes, which look at the whole film."
    if is_handed_over(plan.video_options):
        return "Its HDR10+ metadata is handed to the encoder for the whole film."
    if video.bit_rate_kbps is not None:
        return "It is encoded to a bit rate, which is shared out over the whole film."
    if video.color.is_interlaced:
        return "It stays interlaced; fields are encoded in one run."
    if _changes_rate(video, options):
        return "Its frame rate is made constant, which has to see the whole film."
    needy = neighbour_problem(options.get("-filter:v:0", ""))
    if needy:
        return f"The filter {needy} looks at neighbouring pictures, so the film runs whole."
    return ""


def _changes_rate(video: VideoPlan, options: dict[str, str]) -> bool:
    if video.frame_tolerance or video.expected_frames != video.source_frames:
        return True
    return options.get("-fps_mode:v:0") != "passthrough" or "-r:v:0" in options


def _film_problem(index: PacketIndex, info: MediaInfo) -> str:
    """Why this film cannot be cut safely; "" when it can."""
    if _RAW_FORMATS & set(info.format_name.split(",")):
        return "It is a raw stream without times that one could seek to."
    if index.hidden_packets:
        return (
            f"An edit list hides {index.hidden_packets} of its pictures; such films are not cut"
            " safely."
        )
    if index.is_truncated:
        return "It breaks off, so its times cannot be relied on."
    if info.start_s is None:
        return "It does not say when it starts."
    return _clock_problem(index.video_pts, _JUMP_S / float(index.time_base))


def _clock_problem(pts: array[int], jump_ticks: float) -> str:
    for before, after in pairwise(pts):
        if before == after:
            return "Two of its pictures carry the same time, so chunks could not be told apart."
        if after - before > jump_ticks:
            return "Its clock jumps; such films are not cut safely."
    return ""


def _chunks(index: PacketIndex, chunk_seconds: float) -> tuple[PlannedChunk, ...]:
    pts = index.video_pts
    if len(pts) < 2:
        return ()
    end = _end(pts)
    length = chunk_seconds / float(index.time_base)
    if _HALVES_FROM * length <= end - pts[0] < 2 * length:
        length = (end - pts[0]) / 2  # two halves side by side: faster than one after the other
    starts = [pts[0]]
    for key in index.video_keys:
        if key - starts[-1] >= length and _is_shown(pts, key):
            starts.append(key)
    if len(starts) > 1 and end - starts[-1] < _LAST_SHARE * length:
        starts.pop()
    bounds = [*starts, end]
    places = [bisect_left(pts, bound) for bound in bounds]
    return tuple(
        PlannedChunk(bounds[n], bounds[n + 1], places[n + 1] - places[n])
        for n in range(len(starts))
    )


def _end(pts: array[int]) -> int:
    """The last picture is shown as long as the one before."""
    return pts[-1] + (pts[-1] - pts[-2]) if len(pts) > 1 else pts[-1]


def _is_shown(pts: array[int], key: int) -> bool:
    place = bisect_left(pts, key)
    return place < len(pts) and pts[place] == key


def _too_few(index: PacketIndex, chunk_seconds: float) -> str:
    pts = index.video_pts
    span_s = float((_end(pts) - pts[0]) * index.time_base)
    if span_s < _HALVES_FROM * chunk_seconds:
        return f"It is shorter than {_HALVES_FROM * chunk_seconds:g} s."
    return "It has too few keyframes to be cut at."


def pictures_of(index: PacketIndex, chunk: PlannedChunk) -> array[int]:
    """The presented times of the chunk, in ticks: what must leave the decoder, no more, no less."""
    first = bisect_left(index.video_pts, chunk.start_pts)
    return index.video_pts[first : bisect_left(index.video_pts, chunk.end_pts)]
