"""`mediaflow optimize` of a clip of 60 s against bare ffmpeg with the same command: the whole clip
in one ffmpeg, where MediaFlow encodes its two halves side by side, and proves and swaps the result.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING

import imageio_ffmpeg

from benchmarks.instance import BenchInstance, bench_instance
from benchmarks.result import Row
from library.demo.clips import ClipSize, make_sample

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 3  # at most
AGREEMENT = 0.03  # between two rounds, of the ratio
BARE = "bare"
CLIP = ClipSize(seconds=60, width=1280, height=720, crf=14)
LIMITS = {"without VMAF": 1.15, "with VMAF": 1.30}
_PRESETS = """
from transcode.models import Preset
for slug, is_checked in (("bench-without", False), ("bench-with", True)):
    spec = dict(Preset.objects.get(slug="balanced").spec)
    Preset.objects.create(slug=slug, name=slug, spec={**spec, "is_vmaf_checked": is_checked})
"""


def run() -> list[Row]:
    """Rounds of one bare encode between both ways of `optimize`; a third when two do not agree."""
    seconds: list[dict[str, float]] = []
    with bench_instance() as instance:
        instance.run("shell", "--no-imports", "-c", _PRESETS)
        sample = instance.folder / "sample.mkv"
        make_sample("h264_mkv", sample, ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(), size=CLIP)
        while len(seconds) < ROUNDS and not (len(seconds) >= 2 and _do_agree(seconds)):
            seconds.append(_round(instance, sample, len(seconds)))
    return [_row(name, limit, seconds) for name, limit in LIMITS.items()]


def _row(name: str, limit: float, rounds: list[dict[str, float]]) -> Row:
    ratios = _ratios(name, rounds)
    middle = median(ratios)
    note = (
        f"median of {len(ratios)}, best {min(ratios):.2f};"
        f" last: {rounds[-1][name]:.1f} s against {rounds[-1][BARE]:.1f} s"
    )
    wanted = f"at most {limit:g}"
    return Row(f"optimize / bare ffmpeg, {name}", middle, wanted, "×", middle <= limit, note)


def _ratios(name: str, rounds: list[dict[str, float]]) -> list[float]:
    return [seconds[name] / seconds[BARE] for seconds in rounds]


def _do_agree(rounds: list[dict[str, float]]) -> bool:
    """Two rounds that say the same; on a busy machine they do not."""
    spreads = [_ratios(name, rounds) for name in LIMITS]
    return all(max(ratios) - min(ratios) <= AGREEMENT for ratios in spreads)


def _round(instance: BenchInstance, sample: Path, number: int) -> dict[str, float]:
    """All three, one after the other, so that a busy machine slows each."""
    without, with_vmaf = LIMITS
    seconds, job_id, film = {}, 0, sample
    for name in (without, BARE, with_vmaf):
        if name == BARE:
            seconds[name] = _bare(instance, job_id, film, sample)
            continue
        film = instance.films / f"{name} {number}.mkv"
        shutil.copyfile(sample, film)
        time.sleep(3)  # older than the shortest settle time: waiting for a writer is not our work
        preset = f"bench-{name.split()[0]}"
        begun = time.monotonic()
        report = instance.run("optimize", str(film), "--preset", preset, "--json")
        seconds[name] = time.monotonic() - begun
        job = json.loads(report)["jobs"][0]
        assert job["state"] == "completed", job["reason"]
        job_id = job["id"]
    return seconds


def _bare(instance: BenchInstance, job_id: int, film: Path, copy: Path) -> float:
    """The job's own command on a copy of the film, at the same priority."""
    code = f"from transcode.models import Job; print(Job.objects.get(pk={job_id}).command)"
    argv = shlex.split(instance.run("shell", "--no-imports", "-c", code).strip().splitlines()[-1])
    argv = [part.replace(str(film), str(copy)) for part in argv]
    argv[-1] = str(instance.folder / "bare.mkv")
    begun = time.monotonic()
    subprocess.run(
        ["nice", "-n", "10", argv[0], "-y", *argv[1:]],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "SVT_LOG": "1"},
    )
    return time.monotonic() - begun
