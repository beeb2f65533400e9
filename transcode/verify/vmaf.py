"""VMAF over sampled windows, aligned by frame index. Also proves that the alignment is right.

Windows are frame numbers. Each side turns them into its own timestamps, which come from its
packets; never into "seconds from the start": on the same pair that gave .954 instead of .993 SSIM.
Where timestamps cannot be trusted, both sides are decoded from the first frame and counted.
"""

from __future__ import annotations

import errno
import json
import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from transcode.encoding.problems import says_disk_full
from transcode.encoding.process import run_ffmpeg
from transcode.verify.vmaf_graph import (
    FAR,
    LEAD_IN,
    NEAR,
    Comparison,
    FilmSide,
    Geometry,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WINDOW_S = 2.0
MIN_WINDOW_FRAMES = 24
MAX_WINDOW_FRAMES = 72
# Shorter than this many windows' worth of frames, the film is scored as a whole.
WHOLE_BELOW_WINDOWS = 3
LONG_FILM_FRAMES = 15_000  # about ten minutes: four windows, five from an hour on
VERY_LONG_FILM_FRAMES = 86_000
# A shift is believed when it fits better on nearly all frames. Measured on pans, grain and fades at
# CRF 20 and 40: films in step at most 63 % of frames and a mean gain of .0002, films one frame off
# 97 to 100 % and .008 to .6.
SHIFT_MAJORITY = 0.9
SHIFT_MIN_GAIN = 0.001
TIE = 1e-5


class VmafFailed(Exception):
    """No score could be taken. The text says why."""


@dataclass(frozen=True, slots=True)
class WindowScore:
    window: Window
    frames: tuple[float, ...]  # VMAF of each, without the lead-in
    ssim: float  # at the planned alignment
    ssim_before: float | None  # the reference one frame earlier; None: too few frames
    ssim_after: float | None
    is_aligned: bool


@dataclass(frozen=True, slots=True)
class VmafScore:
    """Mean and 5th percentile over the frames of all windows, 0 to 100."""

    mean: float
    p5: float
    method: str  # a short sentence for people
    windows: tuple[WindowScore, ...]

    @property
    def is_aligned(self) -> bool:
        return all(window.is_aligned for window in self.windows)


def choose_windows(
    frames: int, frame_rate: float, cost: Callable[[int], int] = lambda _frame: 0
) -> tuple[Window, ...]:
    """3 to 5 windows of about two seconds, spread evenly; a short clip is one window.

    Each lies where decoding up to it costs least (`cost` of its lead-in frame), within the middle
    half of its share of the film.
    """
    if frames <= 0:
        return ()
    length = round(WINDOW_S * frame_rate) if frame_rate > 0 else MAX_WINDOW_FRAMES
    length = max(MIN_WINDOW_FRAMES, min(MAX_WINDOW_FRAMES, length))
    if frames <= WHOLE_BELOW_WINDOWS * length:
        return (Window(0, frames),)
    number = 3 + (frames >= LONG_FILM_FRAMES) + (frames >= VERY_LONG_FILM_FRAMES)
    step = frames / number
    windows = []
    for n in range(number):
        center = int(step * n + (step - length) / 2)
        reach = max(0, int(step / 4 - length / 2))
        near = range(center - reach, center + reach + 1)
        ranks = {f: (cost(max(0, f - LEAD_IN)), abs(f - center)) for f in near}
        windows.append(Window(min(near, key=ranks.__getitem__), length))
    return tuple(windows)


def measure_vmaf(
    reference: FilmSide,
    distorted: FilmSide,
    geometry: Geometry,
    windows: Sequence[Window],
    *,
    work_dir: Path,
    threads: int,
    checkpoint: Callable[[], None] | None = None,
    on_window: Callable[[int], None] | None = None,
    weights: Sequence[float] = (),
) -> VmafScore:
    """Score each window. Raises VmafFailed when no frames can be compared.

    `weights`: the share of the film that each window stands for; () counts all frames alike.

    A window that comes out short, or out of step, is read again from earlier keyframes and at last
    by counting from the first frame: seeking is an optimisation, never an argument.
    """
    scores = []
    for number, window in enumerate(windows):
        if on_window is not None:
            on_window(number)
        scores.append(
            _score_patiently(reference, distorted, geometry, window, work_dir, threads, checkpoint)
        )
    if not scores:
        raise VmafFailed("There are no frames to compare.")
    shares = weights or [len(score.frames) for score in scores]
    frames = [
        (value, share / len(score.frames))
        for score, share in zip(scores, shares, strict=True)
        for value in score.frames
    ]
    method = f"{geometry.model}, {len(scores)} × {windows[0].count} frames by frame index"
    if len(scores) == 1 and windows[0].count == len(distorted.pts):
        method = f"{geometry.model}, all {windows[0].count} frames"
    return VmafScore(weighted_mean(frames), weighted_percentile(frames, 5), method, tuple(scores))


def weighted_mean(scored: Sequence[tuple[float, float]]) -> float:
    """Of scores and their weights."""
    return sum(score * weight for score, weight in scored) / sum(
        weight for _score, weight in scored
    )


def weighted_percentile(scored: Sequence[tuple[float, float]], share_pct: float) -> float:
    """The lowest score that, with all below it, makes up that share of the weights."""
    ordered = sorted(scored)
    wanted = sum(weight for _score, weight in ordered) * share_pct / 100
    for score, weight in ordered:
        wanted -= weight
        if wanted <= 1e-9:
            return score
    return ordered[-1][0]


def percentile(values: Sequence[float], share_pct: float) -> float:
    """Nearest rank; of a single value that value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share_pct / 100) - 1)]


def _score_patiently(
    reference: FilmSide,
    distorted: FilmSide,
    geometry: Geometry,
    window: Window,
    work_dir: Path,
    threads: int,
    checkpoint: Callable[[], None] | None,
) -> WindowScore:
    problem = VmafFailed("no attempt")
    for earlier in _tries(reference, distorted):
        pair = Comparison(reference, distorted, geometry, window, earlier, threads)
        try:
            score = _score_once(pair, work_dir, checkpoint)
        except VmafFailed as failed:
            problem = failed
            continue
        if score.is_aligned or earlier is None:
            return score
    raise problem


def _tries(*sides: FilmSide) -> tuple[int | None, ...]:
    if not all(side.has_exact_pts for side in sides):
        return (None,)
    return (NEAR, FAR, None) if all(side.has_exact_seek for side in sides) else (FAR, None)


def _score_once(
    pair: Comparison, work_dir: Path, checkpoint: Callable[[], None] | None
) -> WindowScore:
    with tempfile.TemporaryDirectory(prefix="vmaf-", dir=work_dir) as folder:
        result = run_ffmpeg(pair.argv(), cwd=Path(folder), checkpoint=checkpoint)
        if says_disk_full(result):
            raise OSError(errno.ENOSPC, "The work folder's disk is full")
        if not result.is_ok:
            said = result.stderr_lines[-1] if result.stderr_lines else "nothing"
            raise VmafFailed(f"ffmpeg ended with {result.return_code}: {said[:300]}")
        frames = _read_vmaf(Path(folder) / "vmaf.json")
        ssims = [_read_ssim(Path(folder) / f"ssim{number}.log") for number in range(3)]
    if len(frames) != pair.count:
        raise VmafFailed(f"{len(frames)} frames were compared where {pair.count} lie there.")
    here, later, earlier = ssims
    is_aligned = not (
        pair.has_neighbours and (is_shifted(here, later) or is_shifted(here[1:], earlier))
    )
    scored = frames[pair.lead_in :]
    if pair.lead_in == 0 and len(frames) > 2:
        scored = frames[1:]  # the film's own first frame has no motion score either
    return WindowScore(
        window=pair.window,
        frames=tuple(scored),
        ssim=fmean(here) if here else 1.0,
        ssim_before=fmean(earlier) if earlier else None,
        ssim_after=fmean(later) if later else None,
        is_aligned=is_aligned,
    )


def is_shifted(here: Sequence[float], shifted: Sequence[float]) -> bool:
    """Whether the film fits clearly better one frame off. Still scenes tie, and ties pass."""
    pairs = list(zip(here, shifted, strict=False))
    if not pairs:
        return False
    better = sum(1 for now, then in pairs if then > now + TIE)
    gain = fmean(then - now for now, then in pairs)
    return better >= SHIFT_MAJORITY * len(pairs) and gain > SHIFT_MIN_GAIN


def _read_vmaf(path: Path) -> list[float]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return [float(frame["metrics"]["vmaf"]) for frame in raw["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VmafFailed(f"The log of libvmaf cannot be read: {error}") from error


def _read_ssim(path: Path) -> list[float]:
    """`All:` of each line; nothing when the window is too short for neighbours."""
    if not path.exists():
        return []
    return [float(value) for value in re.findall(r"All:([0-9.]+)", path.read_text("ascii"))]
