"""Looks for black bars in a film: bright pictures from its whole length, by ffmpeg's cropdetect.

Long films are looked at in keyframes spread over them (one short ffmpeg each, so that hours of film
cost seconds), short ones whole. What the pictures mean is decided in `borders.py`.
"""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mediaflow.base.input_guard import guarded_input
from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.process import run_ffmpeg
from transcode.planning.borders import Borders, SeenPicture, judge_borders

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.media_info import MediaInfo, VideoStream
    from transcode.planning.packet_index import PacketIndex

MIN_POINTS = 48
POINT_EVERY_S = 45.0  # so that a scene of a minute in another shape is not missed
WHOLE_BELOW_S = 60.0
WHOLE_PICTURES = 60  # of a short film, about
# Black is below 24 of 255: 16 is video black, and noise lies a little above.
_DETECT = "cropdetect=limit=24/255:round=2:skip=0:reset=1"
_LOG_NAME = "borders.txt"
_KEYS = re.compile(r"lavfi\.cropdetect\.(x1|x2|y1|y2)=(-?\d+)")
# Just past the keyframe, as ffmpeg seeks a little before the wanted moment.
_PAST_KEY_S = 0.15


def find_borders(
    source: bytes,
    info: MediaInfo,
    index: PacketIndex,
    *,
    work_dir: Path,
    checkpoint: Callable[[], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Borders:
    """Look at the film. A picture that cannot be decoded is not looked at; never fails for one.

    Raises what `checkpoint` raises, and FfmpegMissing.
    """
    video = info.main_video
    if video is None or not video.width or not video.height:
        return Borders(None, "There is no picture whose bars could be looked for.")
    seen: list[SeenPicture] = []
    looks = _looks(video, info, index)
    for number, (options, filters) in enumerate(looks):
        if on_share is not None:
            on_share(number / len(looks))
        seen += _look(source, video, options, filters, work_dir, checkpoint)
    width, height = video.width, video.height
    if video.rotation_deg % 180 == 90:
        width, height = height, width
    step = 4 if video.is_interlaced else 2
    return judge_borders([p for p in seen if _is_picture(p)], width, height, line_step=step)


def _looks(
    video: VideoStream, info: MediaInfo, index: PacketIndex
) -> list[tuple[list[str], list[str]]]:
    """Input options and filters of each ffmpeg run."""
    span = index.video_span
    length_s = (span.end_s or 0.0) - (span.start_s or 0.0) if span else 0.0
    points = max(MIN_POINTS, math.ceil(length_s / POINT_EVERY_S))
    if length_s < WHOLE_BELOW_S or len(index.video_keys) < points:
        every = max(1, index.frames // WHOLE_PICTURES)
        # A long film without an index of keyframes is decoded by its keyframes alone.
        skip = ["-skip_frame", "nokey"] if length_s >= WHOLE_BELOW_S else []
        return [(skip, [] if skip else [f"select='not(mod(n,{every}))'"])]
    keys, start_s = index.video_keys, info.start_s or 0.0
    chosen = [keys[(2 * n + 1) * len(keys) // (2 * points)] for n in range(points)]
    moments = [max(0.0, float(k * index.time_base) - start_s + _PAST_KEY_S) for k in chosen]
    return [(["-noaccurate_seek", "-ss", f"{m:.3f}"], []) for m in moments]


def _look(
    source: bytes,
    video: VideoStream,
    options: list[str],
    filters: list[str],
    work_dir: Path,
    checkpoint: Callable[[], None] | None,
) -> list[SeenPicture]:
    chain = [*filters, _DETECT, f"metadata=mode=print:file={_LOG_NAME}"]
    argv = [*ffmpeg_argv(loglevel="level+error"), *guarded_input(source, options=options)]
    argv += ["-map", f"0:{video.index}", "-vf", ",".join(chain), "-fps_mode", "passthrough"]
    if "-ss" in options:
        argv += ["-frames:v", "1"]
    with tempfile.TemporaryDirectory(prefix="borders-", dir=work_dir) as folder:
        run_ffmpeg([*argv, "-f", "null", "-"], cwd=Path(folder), checkpoint=checkpoint)
        return read_pictures(Path(folder) / _LOG_NAME)


def read_pictures(path: Path) -> list[SeenPicture]:
    """What `metadata=print` wrote; nothing where nothing was decoded."""
    try:
        text = path.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return []
    pictures = []
    for block in text.split("frame:")[1:]:
        edge = {name: int(value) for name, value in _KEYS.findall(block)}
        if len(edge) == 4:
            pictures.append(SeenPicture(edge["x1"], edge["x2"], edge["y1"], edge["y2"]))
    return pictures


def _is_picture(seen: SeenPicture) -> bool:
    """A black picture has its edges the wrong way round."""
    return seen.right > seen.left and seen.bottom > seen.top
