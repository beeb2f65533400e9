"""`mediaflow optimize` of a clip of 60 s against bare ffmpeg with the same command."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import imageio_ffmpeg

from benchmarks.instance import BenchInstance, bench_instance
from benchmarks.result import Row
from library.demo.clips import ClipSize, make_sample

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 3
CLIP = ClipSize(seconds=60, width=1280, height=720, crf=14)
LIMITS = {"without VMAF": 1.15, "with VMAF": 1.30}
_PRESETS = """
from transcode.models import Preset
for slug, is_checked in (("bench-without", False), ("bench-with", True)):
    spec = dict(Preset.objects.get(slug="balanced").spec)
    Preset.objects.create(slug=slug, name=slug, spec={**spec, "is_vmaf_checked": is_checked})
"""


def run() -> list[Row]:
    rows = []
    for name, limit in LIMITS.items():
        with bench_instance() as instance:
            instance.run("shell", "--no-imports", "-c", _PRESETS)
            ratios, note = _ratios(instance, f"bench-{name.split()[0]}")
        best = min(ratios)
        rows.append(
            Row(
                f"optimize / bare ffmpeg, {name}",
                best,
                f"at most {limit:g}",
                "×",
                best <= limit,
                note,
            )
        )
    return rows


def _ratios(instance: BenchInstance, preset: str) -> tuple[list[float], str]:
    """Each round runs both, one after the other, so that a busy machine slows both."""
    ratios, note = [], ""
    for number in range(ROUNDS):
        film = instance.films / f"Film {number}.mkv"
        make_sample("h264_mkv", film, ffmpeg=imageio_ffmpeg.get_ffmpeg_exe(), size=CLIP)
        copy = instance.folder / "copy.mkv"
        copy.write_bytes(film.read_bytes())
        time.sleep(3)  # older than the shortest settle time: waiting for a writer is not our work
        begun = time.monotonic()
        report = instance.run("optimize", str(film), "--preset", preset, "--json")
        whole = time.monotonic() - begun
        job = json.loads(report)["jobs"][0]
        assert job["state"] == "completed", job["reason"]
        bare = _bare(instance, job["id"], film, copy)
        ratios.append(whole / bare)
        note = f"last: {whole:.1f} s against {bare:.1f} s; best of {ROUNDS}"
    return ratios, note


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
