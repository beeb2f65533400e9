"""The command lines of a chunk and of the join, as options; the guard and the paths come later.

Pure. The recipe and its traps: reference/media.md, "Cutting and joining".
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING

from transcode.chunks.filters import with_range
from transcode.planning.model import StreamKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.planning.model import Plan, PlannedChunk, PlannedStream
    from transcode.planning.packet_index import PacketIndex

# How many keyframes before the chunk decoding begins: what is sought lands one too late in some
# transport streams, and an open GOP needs the one before. More when a try shows other pictures.
LEADS = (2, 10)
FROM_THE_START = 0
# What ffmpeg says of each picture on its way into the encoder. The filters that are let through
# change no time, so these are the times that left the decoder.
PTS_FORMAT = "{pts} {tb}"
_MILLISECOND = Fraction(1, 1000)
_MICROSECOND = Fraction(1, 1_000_000)
# Containers whose packets lie on a grid of milliseconds whatever the encoder's clock.
_MILLISECOND_CONTAINERS = frozenset({"mkv", "webm"})
# Of these ffmpeg counts the time from the first track that it reads, of others from the first that
# there is (the demuxers' flag AVFMT_TS_DISCONT).
_COUNTED_FROM_READ_TRACKS = frozenset({"mpegts", "mpeg", "ogg"})
# Options of v:0 that say something about the track rather than about its pictures.
_TRACK_OPTIONS = frozenset({"-tag:v:0", "-strict:v:0"})


def seek_options(
    index: PacketIndex, chunk: PlannedChunk, start_s: float, lead: int
) -> tuple[str, ...]:
    """`-ss` before the input: `lead` keyframes before the chunk; none: from the film's start."""
    before = index.video_keys[: bisect_left(index.video_keys, chunk.start_pts)]
    if lead == FROM_THE_START or len(before) < lead:
        return ("-copyts",)
    at_s = float(before[-lead] * index.time_base) - start_s
    # Measured from the container's start, whatever its timestamps count from.
    return ("-copyts", "-ss", f"{at_s:.6f}") if at_s > 0 else ("-copyts",)


def planned_film(plan: Plan) -> PlannedStream:
    """The film's own picture stream."""
    return next(s for s in plan.kept if s.kind == StreamKind.VIDEO)


def chunk_options(
    plan: Plan, chunk: PlannedChunk, pts_name: str, video_options: Sequence[str]
) -> tuple[str, ...]:
    """Between the input and the chunk's file. `video_options`: the plan's, with its threads."""
    options = list(video_options)
    if "-filter:v:0" in options:
        place = options.index("-filter:v:0") + 1
        options[place] = with_range(options[place], chunk.start_pts, chunk.end_pts)
    else:
        options += ["-filter:v:0", with_range("", chunk.start_pts, chunk.end_pts)]
    return (
        *("-map", f"0:{planned_film(plan).source_index}"),
        *("-map_metadata", "-1", "-map_chapters", "-1"),
        *options,
        *("-stats_enc_pre:v:0", pts_name, "-stats_enc_pre_fmt:v:0", PTS_FORMAT),
        # What the muxer may write: MP4's Dolby Vision box must be in the chunks to be in the film.
        *_muxer_strictness(plan),
        *("-f", muxer_of(plan)),
    )


def _muxer_strictness(plan: Plan) -> tuple[str, ...]:
    options = plan.output_options
    if "-strict" not in options:
        return ()
    place = options.index("-strict")
    return options[place : place + 2]


def muxer_of(plan: Plan) -> str:
    """A chunk lies in the container of the output: what that carries survives the join."""
    return plan.output_options[plan.output_options.index("-f") + 1]


def concat_list(plan: Plan, chunks: Sequence[PlannedChunk], time_base: Fraction) -> list[Fraction]:
    """Seconds from each chunk's first picture to the next one's, so that rounding never adds up.

    On the grid on which the chunk's own times lie: Matroska's milliseconds, else microseconds.
    """
    grid = _MILLISECOND if plan.container in _MILLISECOND_CONTAINERS else _MICROSECOND
    bounds = [chunks[0].start_pts, *(chunk.end_pts for chunk in chunks)]
    ticks = [_nearest(bound * time_base / grid) for bound in bounds]
    return [(after - before) * grid for before, after in pairwise(ticks)]


def _nearest(value: Fraction) -> int:
    """As ffmpeg rounds: halves away from zero (Python's `round` takes the even one)."""
    half = Fraction(1, 2)
    return floor(value + half) if value >= 0 else -floor(half - value)


def concat_text(names: Sequence[str], durations: Sequence[Fraction]) -> str:
    """The list that ffmpeg's concat demuxer reads; the names are our own and need no quoting."""
    lines = ["ffconcat version 1.0"]
    for name, duration in zip(names, durations, strict=True):
        lines += [f"file {name}", f"duration {float(duration):.6f}"]
    return "\n".join(lines) + "\n"


def late_start_s(plan: Plan, index: PacketIndex, start_s: float) -> float:
    """How long after the container's start the first picture is shown."""
    return float(plan.chunks[0].start_pts * index.time_base) - start_s


def first_tracks_read(plan: Plan, index: PacketIndex, format_name: str) -> tuple[str, ...]:
    """A second output of the join, to nowhere, so that the film's clock begins where it begins.

    The picture is not read from the film there: what remained would move forward against it, by
    0.39 s in a transport stream whose sound begins so much later (measured). Tracks without a
    packet are left alone: they cannot even be copied.
    """
    if _COUNTED_FROM_READ_TRACKS.isdisjoint(format_name.split(",")):
        return ()
    starts = {n: s.start_s for n, s in index.spans.items() if s.start_s is not None}
    kept = {stream.source_index for stream in plan.kept}
    first_s = min((starts[n] for n in kept if n in starts), default=0.0)
    earlier = [
        n
        for n, start_s in sorted(starts.items())
        if n not in kept and start_s < first_s and index.spans[n].kind in ("audio", "subtitle")
    ]
    maps = [("-map", f"0:{n}") for n in (planned_film(plan).source_index, *earlier)]
    return (
        *(part for pair in maps for part in pair),
        *("-c", "copy", "-frames:v", "1", "-frames:a", "1", "-frames:s", "1", "-f", "null", "-"),
    )


def join_options(plan: Plan) -> tuple[str, ...]:
    """The plan's output options with the picture taken from input 1 as it is.

    Input 0 is the film, as in the plan: all other tracks, tags and chapters come from there.
    """
    planned = planned_film(plan)
    kept: list[str] = []
    options = iter(plan.output_options)
    for name in options:
        # A value may look like anything: titles come from the film.
        if name == "-map" or (name.startswith("-") and name.endswith(":v:0")):
            value = next(options)
            if name == "-map" and value == f"0:{planned.source_index}":
                kept += ["-map", "1:v:0"]
            elif name == "-map" or name in _TRACK_OPTIONS:
                kept += [name, value]
        else:
            kept.append(name)
    # Before the muxer, which stands last.
    return (*kept[:-2], "-c:v:0", "copy", *kept[-2:])
