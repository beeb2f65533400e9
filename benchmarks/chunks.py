"""A film in chunks against the same film in one ffmpeg, and what a `kill -9` of everything costs.

The chunks are half as long as usual, so that a film of four minutes has eight of them: what
chunks cost is less in real films. As a chunk's keyframes lie elsewhere, VMAF moves by a few
hundredths up or down; so sizes are also compared at equal VMAF, between the film encoded whole as
it is and whole a little finer. A chunk that was encoded but not yet proven when everything was
killed counts as done: it is proven, not encoded again.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import imageio_ffmpeg

from benchmarks.instance import MARK, BenchInstance, bench_instance
from benchmarks.result import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 3  # at most
AGREEMENT = 0.03
CHUNK_S = 30
SCENE_S = 30
RATE = 25
SIZE = "640x360"
WHOLE, CHUNKS, FINER = "whole", "chunks", "finer"
FINER_BY_CRF = 2
WALL_LIMIT = 0.97
# What one encoder differs by when its keyframes move (measured: -0.02 to +0.04).
NOISE_VMAF = 0.05
KILL_SHARE = 0.9
SLOTS = 2
# Rather different scenes, so that a cut in the wrong place would show: what moves, grain, what
# stands still, darkness.
SCENES = (
    f"testsrc2=size={SIZE}:rate={RATE},noise=alls=12:allf=t",
    f"mandelbrot=size={SIZE}:rate={RATE}:end_scale=0.02",
    f"smptehdbars=size={SIZE}:rate={RATE},noise=alls=6:allf=t",
    f"gradients=size={SIZE}:rate={RATE}:speed=0.02,noise=alls=9:allf=t",
    f"life=size=160x90:rate={RATE}:ratio=0.1:death_color=#203040:life_color=#ffe0a0,scale={SIZE}",
    f"mandelbrot=size={SIZE}:rate={RATE}:start_scale=0.5:end_scale=0.001,eq=brightness=-0.3",
    f"testsrc=size={SIZE}:rate={RATE},rotate=t/9,noise=alls=15:allf=t",
    f"gradients=size={SIZE}:rate={RATE}:speed=0.2:nb_colors=6",
)


@dataclass(frozen=True, slots=True)
class Encoder:
    family: str
    speed: str
    crf: int
    most_pct: float  # that the chunks may be larger


ENCODERS = (Encoder("x265", "fast", 26, 1.0), Encoder("svtav1", "medium", 38, 3.0))
_SETUP = f"""
from mediaflow.base.settings_store import set_setting
from transcode.models import Preset
set_setting("chunk_seconds", {CHUNK_S}, None)
set_setting("chunks_parallel", {SLOTS}, None)
spec = dict(Preset.objects.get(slug="balanced").spec)
for family, speed, crf in {[(e.family, e.speed, e.crf) for e in ENCODERS]!r}:
    ways = ("never", "{WHOLE}", 0), ("auto", "{CHUNKS}", 0), ("never", "{FINER}", {FINER_BY_CRF})
    for chunking, way, less in ways:
        video = {{**spec["video"], "encoder": family, "speed": speed, "crf": crf - less,
                 "target_vmaf": None, "bit_depth": 10, "hardware": "never", "chunking": chunking}}
        changed = {{**spec, "video": video, "is_vmaf_checked": False, "min_saving_pct": -200}}
        Preset.objects.create(slug=f"{{family}}-{{way}}", name=f"{{family}} {{way}}", spec=changed)
"""
_JOB = f"""
import json
from transcode.models import ChunkAttempt, Job
job = Job.objects.latest("pk")
phases = job.attempts.latest("pk").phase_seconds
print("{MARK}" + json.dumps({{
    "status": job.status, "reason": job.reason, "whole_reason": job.whole_reason,
    "seconds": phases.get("encode", 0) + phases.get("assemble", 0),
    "bytes": job.output_bytes, "frames": job.frames, "total": job.chunks_total,
    "resumed": job.resumed_chunks, "tries": ChunkAttempt.objects.filter(chunk__job=job).count(),
}}))
"""


def run() -> list[Row]:
    rows: list[Row] = []
    with bench_instance() as instance:
        instance.run("shell", "--no-imports", "-c", _SETUP)
        sample = _make_film(instance.folder / "sample.mkv")
        for encoder in ENCODERS:
            rows += _compare(instance, sample, encoder)
        rows += _kill(instance, sample, ENCODERS[0])
    return rows


def _ffmpeg(*args: str) -> str:
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-y", *args]
    env = {**os.environ, "SVT_LOG": "1"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stderr


def _make_film(path: Path) -> Path:
    inputs = [part for scene in SCENES for part in ("-f", "lavfi", "-t", str(SCENE_S), "-i", scene)]
    pads = "".join(f"[{n}:v]format=yuv420p,setsar=1[v{n}];" for n in range(len(SCENES)))
    joined = "".join(f"[v{n}]" for n in range(len(SCENES)))
    tone = f"sine=frequency=330:sample_rate=48000:duration={SCENE_S * len(SCENES)}"
    _ffmpeg(
        *inputs, "-f", "lavfi", "-i", tone,
        *("-filter_complex", f"{pads}{joined}concat=n={len(SCENES)}:v=1[v]"),
        *("-map", "[v]", "-map", f"{len(SCENES)}:a", "-c:v", "libx264", "-preset", "veryfast"),
        *("-crf", "14", "-g", "50", "-c:a", "aac", str(path)),
    )  # fmt: skip
    return path


def _compare(instance: BenchInstance, sample: Path, encoder: Encoder) -> list[Row]:
    """Rounds of both ways, one after the other; sizes and scores are those of the first."""
    seconds: list[dict[str, float]] = []
    first: dict[str, dict[str, Any]] = {}
    while len(seconds) < ROUNDS and not (len(seconds) >= 2 and _do_agree(seconds)):
        results = {}
        for way in (WHOLE, CHUNKS):
            results[way] = _optimize(instance, sample, encoder, way, len(seconds))
        seconds.append({way: result["seconds"] for way, result in results.items()})
        first = first or results
    first[FINER] = _optimize(instance, sample, encoder, FINER, 0)
    scores = {way: _vmaf(sample, Path(found["path"])) for way, found in first.items()}
    larger_pct = 100 * (first[CHUNKS]["bytes"] / first[WHOLE]["bytes"] - 1)
    ratios = _ratios(seconds)
    wall = median(ratios)
    equal_pct = 100 * (first[CHUNKS]["bytes"] / _whole_bytes_at(scores[CHUNKS], first, scores) - 1)
    frames = SCENE_S * len(SCENES) * RATE
    name = encoder.family
    better = scores[CHUNKS] - scores[WHOLE]
    counted = first[CHUNKS]["frames"]
    note = f"{first[CHUNKS]['total']} chunks of {CHUNK_S} s; {seconds[-1][WHOLE]:.1f} s whole"
    note += "; " + ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return [
        Row(
            f"size in chunks against whole, {name}", larger_pct,
            f"at most +{encoder.most_pct:g}", "%", larger_pct <= encoder.most_pct,
        ),
        Row(
            f"the same at equal VMAF, {name}", equal_pct,
            f"at most +{encoder.most_pct:g}", "%", equal_pct <= encoder.most_pct,
        ),
        Row(
            f"VMAF in chunks less VMAF whole, {name}", better, f"not below -{NOISE_VMAF}", "",
            better >= -NOISE_VMAF, f"{scores[CHUNKS]:.3f} against {scores[WHOLE]:.3f}",
        ),
        Row(f"time in chunks / whole, {name}", wall, f"at most {WALL_LIMIT}", "×",
            wall <= WALL_LIMIT, note),
        Row(f"frames in chunks, {name}", counted, f"{frames}", "", counted == frames),
    ]  # fmt: skip


def _whole_bytes_at(
    vmaf: float, results: dict[str, dict[str, Any]], scores: dict[str, float]
) -> float:
    """Bytes of the film encoded whole at that VMAF: between two of them, bytes by logarithm."""
    low, high = (math.log(results[way]["bytes"]) for way in (WHOLE, FINER))
    share = (vmaf - scores[WHOLE]) / (scores[FINER] - scores[WHOLE])
    return math.exp(low + share * (high - low))


def _ratios(rounds: Sequence[dict[str, float]]) -> list[float]:
    return [seconds[CHUNKS] / seconds[WHOLE] for seconds in rounds]


def _do_agree(rounds: Sequence[dict[str, float]]) -> bool:
    ratios = _ratios(rounds)
    return max(ratios) - min(ratios) <= AGREEMENT


def _film(instance: BenchInstance, sample: Path, name: str) -> Path:
    film = instance.films / f"{name}.mkv"
    shutil.copyfile(sample, film)
    time.sleep(3)  # older than the shortest settle time: waiting for a writer is not our work
    return film


def _optimize(
    instance: BenchInstance, sample: Path, encoder: Encoder, way: str, number: int
) -> dict[str, Any]:
    film = _film(instance, sample, f"{encoder.family} {way} {number}")
    instance.run("optimize", str(film), "--preset", f"{encoder.family}-{way}", "--json")
    result: dict[str, Any] = instance.measure(_JOB)
    assert result["status"] == "completed", result["reason"]
    assert (result["total"] > 1) == (way == CHUNKS), result["whole_reason"]
    return {**result, "path": str(film)}


def _vmaf(reference: Path, output: Path) -> float:
    """Mean over every frame of both, side by side by number."""
    chain = "[0:v]format=yuv420p,setpts=N[d];[1:v]format=yuv420p,setpts=N[r];"
    chain += "[d][r]libvmaf=n_threads=2"
    text = _ffmpeg("-i", str(output), "-i", str(reference), "-lavfi", chain, "-f", "null", "-")
    found = re.search(r"VMAF score: ([0-9.]+)", text)
    assert found is not None, text[-500:]
    return float(found[1])


def _kill(instance: BenchInstance, sample: Path, encoder: Encoder) -> list[Row]:
    """Everything dies when nine tenths of the chunks are done; then the queue goes on."""
    film = _film(instance, sample, "killed")
    preset = f"{encoder.family}-{CHUNKS}"
    process = subprocess.Popen(
        instance.command("optimize", str(film), "--preset", preset, "--json"),
        env=instance.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wanted = int(KILL_SHARE * SCENE_S * len(SCENES) / CHUNK_S)
    folders = instance.folder / "data" / "work" / "jobs"
    while process.poll() is None and len(list(folders.glob("*/chunks/*.json"))) < wanted:
        time.sleep(0.1)
    for pid in _family(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    done = len(list(folders.glob("*/chunks/*.json")))
    instance.run("work", "--drain")
    result = instance.measure(_JOB)
    again = result["tries"] - result["total"]
    is_whole = result["status"] == "completed" and result["frames"] == SCENE_S * len(SCENES) * RATE
    note = f"killed with {done} of {result['total']} done, {result['resumed']} used again"
    return [
        Row("chunks encoded again after kill -9 of everything", again, f"at most {SLOTS}", "",
            is_whole and again <= SLOTS, note),
    ]  # fmt: skip


def _family(pid: int) -> list[int]:
    """The process and all that it started, oldest first; stopped, so that none slips away."""
    found = [pid]
    for parent in found:
        os.kill(parent, signal.SIGSTOP)
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found
