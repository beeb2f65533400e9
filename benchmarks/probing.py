"""Probing against one `ffprobe` process per file, warm cache, 200 real-shaped files.

Both sides run in turns, so that a busy machine slows both; the ratio of the medians counts.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.result import Row
from library.demo.clips import ClipSize, make_sample
from library.probing.pool import ProbePool, default_worker_count
from library.probing.probe import ProbeProblem

FILES: Final = 200
ROUNDS: Final = 5
PEER_FILES: Final = 40  # per round: one process per file is slow enough to measure on fewer
AT_LEAST: Final = 12.0
_KINDS: Final = ("two_audio", "subtitles", "bitmap_subs", "fonts")
_SIZE: Final = ClipSize(seconds=6, width=1280, height=720, crf=8)


def run() -> list[Row]:
    """Raises FileNotFoundError where there is no ffprobe to compare with."""
    ffprobe = shutil.which("ffprobe")
    if ffprobe is None:
        raise FileNotFoundError("ffprobe")
    with tempfile.TemporaryDirectory(prefix="mediaflow-bench-") as folder:
        paths = _make_files(Path(folder))
        for path in paths:
            path.read_bytes()  # warm
        ours, theirs = _measure(ffprobe, paths)
    ratio = statistics.median(ours) / statistics.median(theirs)
    size_mb = sum(_KIND_BYTES) / len(_KIND_BYTES) / 1e6
    note = (
        f"{statistics.median(ours):.0f} files/s with {default_worker_count()} workers, their start"
        f" included, against {statistics.median(theirs):.1f}; 3 to 4 streams, {size_mb:.0f} MB each"
    )
    limit = f"at least {AT_LEAST:g}"
    return [Row("probing / ffprobe per file", ratio, limit, "×", ratio >= AT_LEAST, note)]


_KIND_BYTES: list[int] = []


def _make_files(folder: Path) -> list[Path]:
    import imageio_ffmpeg

    _KIND_BYTES.clear()
    paths = []
    for kind in _KINDS:
        template = folder / f"{kind}.template"
        make_sample(kind, template, ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(), size=_SIZE)
        _KIND_BYTES.append(template.stat().st_size)
        for number in range(FILES // len(_KINDS)):
            path = folder / f"{kind} {number:03d} ({1950 + number}).mkv"
            shutil.copyfile(template, path)
            paths.append(path)
        template.unlink()
    return paths


def _measure(ffprobe: str, paths: list[Path]) -> tuple[list[float], list[float]]:
    ours, theirs = [], []
    for number in range(ROUNDS):
        start = number * PEER_FILES % len(paths)
        theirs.append(_peer_rate(ffprobe, paths[start : start + PEER_FILES]))
        ours.append(_our_rate(paths))
    return ours, theirs


def _peer_rate(ffprobe: str, paths: list[Path]) -> float:
    options = ["-v", "error", "-print_format", "json", "-show_format", "-show_streams"]
    started = time.perf_counter()
    for path in paths:
        subprocess.run([ffprobe, *options, f"file:{path}"], check=True, capture_output=True)
    return len(paths) / (time.perf_counter() - started)


def _our_rate(paths: list[Path]) -> float:
    started = time.perf_counter()
    with ProbePool() as pool:
        found = [result for _path, result in pool.map(bytes(path) for path in paths)]
    seconds = time.perf_counter() - started
    failed = [str(result) for result in found if isinstance(result, ProbeProblem)]
    if failed or len(found) != len(paths):
        raise RuntimeError(f"{len(failed)} of {len(paths)} files were not read: {failed[:1]}")
    return len(paths) / seconds
