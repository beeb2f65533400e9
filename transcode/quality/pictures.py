"""Pictures of a finished film beside those of its source, where it lost most, least and usually.

JPEGs in `<data>/frames/<job uuid>/`, made from what the ladder scored; and the scores over time.
They are for people only: a film is not worse for pictures that could not be made.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from transcode.encoding.ffmpeg import ffmpeg_argv
from transcode.encoding.process import run_ffmpeg
from transcode.models import Job
from transcode.planning.colour import TONE_MAP_FILTERS
from transcode.verify.vmaf_graph import FAR, NEAR, Excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from transcode.verify.film_sides import Compared
    from transcode.verify.vmaf import WindowScore

MAX_CURVE_POINTS = 600
MAX_WIDTH = 1280
MAX_PICTURE_BYTES = 700_000
_SIDES = ("before", "after")


@dataclass(frozen=True, slots=True)
class ScoredFrame:
    """A picture of the output by its number, and what VMAF says of it."""

    frame: int
    vmaf: float


@dataclass(frozen=True, slots=True)
class SamplePair:
    """File names in the job's folder; `frame` is the picture's number in the film."""

    kind: str  # worst, median, best
    frame: int
    vmaf: float
    before: str
    after: str


def frames_folder(job_uuid: UUID) -> Path:
    return Path(settings.DATA_DIR) / "frames" / str(job_uuid)


def scored_frames(windows: Iterable[WindowScore]) -> list[ScoredFrame]:
    """The very first picture of a film has no motion score and is not among them."""
    found = []
    for window in windows:
        first = window.window.first + window.window.count - len(window.frames)
        found += [ScoredFrame(first + n, vmaf) for n, vmaf in enumerate(window.frames)]
    return found


def choose_frames(frames: list[ScoredFrame]) -> dict[str, ScoredFrame]:
    """The worst, the one in the middle and the best; fewer where they are the same picture."""
    ordered = sorted(frames, key=lambda scored: scored.vmaf)
    if not ordered:
        return {}
    chosen = {"worst": ordered[0], "median": ordered[len(ordered) // 2], "best": ordered[-1]}
    seen: set[int] = set()
    different = {}
    for kind, scored in chosen.items():
        if scored.frame not in seen:
            different[kind] = scored
            seen.add(scored.frame)
    return different


def vmaf_curve(compared: Compared) -> list[list[float]]:
    """Seconds of the film and VMAF; long ones are thinned by taking means."""
    side = compared.output
    frames = [s for s in scored_frames(compared.windows) if s.frame < len(side.pts)]
    group = -(-len(frames) // MAX_CURVE_POINTS) or 1
    curve = []
    for first in range(0, len(frames), group):
        part = frames[first : first + group]
        ticks = side.pts[part[0].frame] - side.pts[0]
        mean = sum(scored.vmaf for scored in part) / len(part)
        curve.append([round(float(ticks * side.time_base), 3), round(mean, 2)])
    return curve


def keep_pictures(
    job_uuid: UUID,
    compared: Compared,
    *,
    checkpoint: Callable[[], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> list[dict[str, object]]:
    """Make the pairs and return what `Job.sample_frames` holds. Raises what `checkpoint` raises;
    a picture that cannot be made is left out and logged."""
    folder = frames_folder(job_uuid)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        if log is not None:
            log(f"no pictures are kept: {error.strerror}")
        return []
    pairs = []
    for kind, scored in choose_frames(scored_frames(compared.windows)).items():
        names = [f"{kind}-{side}.jpg" for side in _SIDES]
        if _take(compared, scored.frame, folder, names, checkpoint):
            pairs.append(asdict(SamplePair(kind, scored.frame, round(scored.vmaf, 2), *names)))
        elif log is not None:
            log(f"the {kind} picture (number {scored.frame}) could not be taken")
    return pairs


def _take(
    compared: Compared,
    frame: int,
    folder: Path,
    names: list[str],
    checkpoint: Callable[[], None] | None,
) -> bool:
    for earlier in _tries(compared):
        argv = picture_argv(compared, frame, names, earlier)
        result = run_ffmpeg(argv, cwd=folder, checkpoint=checkpoint)
        sizes = [_size(folder / name) for name in names]
        if result.is_ok and all(0 < size <= MAX_PICTURE_BYTES for size in sizes):
            return True
    for name in names:
        (folder / name).unlink(missing_ok=True)
    return False


def _tries(compared: Compared) -> tuple[int | None, ...]:
    sides = (compared.source, compared.output)
    if not all(side.has_exact_pts for side in sides):
        return (None,)
    return (NEAR, FAR) if all(side.has_exact_seek for side in sides) else (FAR, None)


def picture_argv(
    compared: Compared, frame: int, names: list[str], keys_earlier: int | None
) -> list[str]:
    """One ffmpeg makes both: the same picture by number, looked at through the same filters."""
    excerpts = [
        Excerpt(side, frame, 1, keys_earlier) for side in (compared.source, compared.output)
    ]
    look = (
        *(TONE_MAP_FILTERS if compared.is_hdr else ()),
        f"scale='min({MAX_WIDTH},iw)':-2:flags=bicubic:out_range=pc,format=yuvj420p",
    )
    chains = [
        f"[{n}:{excerpt.side.stream}]{','.join((excerpt.cut(), *look))}[v{n}]"
        for n, excerpt in enumerate(excerpts)
    ]
    outputs = [
        part
        for n, name in enumerate(names)
        for part in ("-map", f"[v{n}]", "-frames:v", "1", "-q:v", "3", "-f", "image2",
                     "-update", "1", name)
    ]  # fmt: skip
    return [
        *ffmpeg_argv(loglevel="level+error"),
        "-y",
        *(part for excerpt in excerpts for part in excerpt.input()),
        *("-filter_complex", ";".join(chains)),
        *outputs,
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def sweep_pictures() -> int:
    """Remove the pictures of jobs that are no more. Returns how many folders."""
    root = Path(settings.DATA_DIR) / "frames"
    try:
        names = sorted(os.listdir(root))[:10_000]  # noqa: PTH208  # names, no paths
    except OSError:
        return 0
    folders = {uuid: root / name for name in names if (uuid := _uuid(name)) is not None}
    known = set(Job.objects.filter(uuid__in=folders).values_list("uuid", flat=True))
    gone = [path for uuid, path in folders.items() if uuid not in known]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return len(gone)


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
