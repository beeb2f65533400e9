"""The two films of a comparison, as the graph of one window wants them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.verify.vmaf_graph import FilmSide

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from transcode.planning.model import Plan
    from transcode.planning.packet_index import PacketIndex
    from transcode.verify.vmaf import WindowScore

_WITH_INDEX = frozenset({"mkv", "webm", "mp4", "mov", "avi"})


@dataclass(frozen=True, slots=True)
class Compared:
    """What was scored: both films, picture by picture where the windows lie."""

    source: FilmSide
    output: FilmSide
    windows: tuple[WindowScore, ...]
    is_hdr: bool


def source_side(
    path: bytes, stream: int, info: MediaInfo, index: PacketIndex, plan: Plan
) -> FilmSide:
    """The source as the encoder got it: by the plan's filters, so scaled and tone-mapped alike."""
    assert plan.video is not None
    return FilmSide(
        path=path,
        stream=stream,
        pts=index.video_pts,
        keys=index.video_keys,
        time_base=index.time_base,
        start_s=info.start_s or 0.0,
        input_options=plan.input_options,
        filters=plan.video.filters,
        frames_per_source_frame=max(
            1, round(plan.video.expected_frames / max(1, len(index.video_pts)))
        ),
        # A changed rate has frames of its own moments: only counting finds the pair.
        has_exact_pts=index.has_exact_pts and plan.video.frame_tolerance == 0,
        has_exact_seek=info.container in _WITH_INDEX,
    )


def output_side(path: bytes, stream: int, info: MediaInfo, index: PacketIndex) -> FilmSide:
    return FilmSide(
        path=path,
        stream=stream,
        pts=index.video_pts,
        keys=index.video_keys,
        time_base=index.time_base,
        start_s=info.start_s or 0.0,
        # Frames are compared as they are stored; turning is the player's work.
        input_options=("-noautorotate",),
        has_exact_pts=index.has_exact_pts,
    )
