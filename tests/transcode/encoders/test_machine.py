"""How many encodes at once: recorded answers of nvidia-smi, cores and memory of any size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mediaflow.base.settings_store import set_setting
from transcode.encoders import ENCODERS
from transcode.encoders.gpu import GpuGuard, GpuState, gpu_states, parse_gpu_states, why_not_now
from transcode.encoders.machine import free_memory_bytes, usable_cores
from transcode.encoders.parallel_here import parallelism_here
from transcode.encoders.threads import GIB, Parallelism, how_many_at_once, memory_needed_bytes

RECORDED = Path(__file__).with_name("recorded") / "nvidia_smi.txt"
X265, SVT = ENCODERS["x265"], ENCODERS["svtav1"]


def test_the_answer_of_nvidia_smi_is_read() -> None:
    l4, gtx, a16 = parse_gpu_states(RECORDED.read_text(encoding="utf-8"))
    assert (l4.index, l4.name, l4.temperature_c, l4.sessions) == ("0", "NVIDIA L4", 45, 1)
    assert l4.memory_bytes == 23034 * 1024**2
    assert (gtx.sessions, gtx.encoder_pct) == (None, None)
    assert (l4.default_sessions, a16.default_sessions) == (4, 2)


@pytest.mark.parametrize("text", ["", "No devices were found\n", "a, b\n", ", , , , , , , \n"])
def test_another_answer_is_no_gpu(text: str) -> None:
    assert parse_gpu_states(text) == ()


def test_a_gpu_that_is_full_hot_or_busy_takes_no_further_encode() -> None:
    l4, gtx, a16 = parse_gpu_states(RECORDED.read_text(encoding="utf-8"))
    assert why_not_now(l4) == ""
    assert why_not_now(l4, max_sessions=1) == "NVIDIA L4 runs 1 encodes; 1 at once are wanted."
    assert "88 °C" in why_not_now(gtx)
    assert "runs 2 encodes" in why_not_now(a16)
    full = parse_gpu_states("0, T4, 570.1, 50, 15360, 15000, 0, 0")[0]
    assert why_not_now(full) == "T4 has only 360 MiB of memory free."


def stub(folder: Path, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_nvidia_smi_is_asked_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    stub(tmp_path, f'[ "$2" = "--format=csv,noheader,nounits" ] && cat "{RECORDED}"')
    assert [state.index for state in gpu_states()] == ["0", "1", "2"]
    stub(tmp_path, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert gpu_states() == ()
    os.unlink(tmp_path / "nvidia-smi")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_states() == ()


def test_a_container_has_its_own_cores_and_memory(tmp_path: Path) -> None:
    assert 1 <= usable_cores(tmp_path) == len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == usable_cores(tmp_path / "none")
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n")
    assert free_memory_bytes(tmp_path, meminfo) == 8000000 * 1024
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("1000000000\n")
    assert free_memory_bytes(tmp_path, meminfo) == 3_000_000_000
    assert free_memory_bytes(tmp_path / "none", tmp_path / "none") == 4 * GIB


@pytest.mark.parametrize(
    ("size", "cores", "memory_gib", "expected"),
    [
        ((1920, 1080), 1, 4, (1, 1)),
        ((1920, 1080), 2, 16, (2, 1)),  # two with one thread beat one with two (measured)
        ((1920, 1080), 8, 32, (4, 2)),
        ((1920, 1080), 64, 256, (16, 4)),
        ((3840, 2160), 8, 8, (1, 8)),  # one fits: it gets all cores
        ((3840, 2160), 8, 16, (3, 2)),
        ((3840, 2160), 2, 1, (1, 2)),  # never none
    ],
)
def test_cores_and_memory_decide_how_many_run(
    size: tuple[int, int], cores: int, memory_gib: int, expected: tuple[int, int]
) -> None:
    found = how_many_at_once(X265, *size, cores, memory_gib * GIB)
    assert found == Parallelism(*expected)
    assert found.processes * found.threads_each <= max(cores, 1)


def test_what_a_person_wants_is_taken() -> None:
    assert how_many_at_once(X265, 1920, 1080, 8, 32 * GIB, wanted_processes=2).processes == 2
    both = how_many_at_once(SVT, 640, 360, 2, GIB, wanted_processes=3, wanted_threads=5)
    assert both == Parallelism(3, 5)
    assert how_many_at_once(X265, 1280, 720, 8, 32 * GIB, wanted_threads=4).processes == 2


def test_hardware_runs_as_many_as_keep_it_busy() -> None:
    assert how_many_at_once(ENCODERS["hevc_nvenc"], 1920, 1080, 32, GIB).processes == 2


def test_slow_4k_is_known_to_need_gigabytes() -> None:
    """Measured: 2.61 GB x265, 2.74 GB x264, 1.86 and 2.92 GB SVT-AV1 with one and two threads."""
    measured = {("x265", 1): 2.61, ("x264", 1): 2.74, ("svtav1", 1): 1.86, ("svtav1", 2): 2.92}
    for (family, threads), gigabytes in measured.items():
        needed = memory_needed_bytes(ENCODERS[family], 3840, 2160, threads)
        assert gigabytes * 1e9 <= needed <= gigabytes * 1.4e9


@pytest.mark.django_db
def test_the_settings_say_how_many_run_here() -> None:
    set_setting("chunks_parallel", 3, None)
    set_setting("threads_per_chunk", 2, None)
    assert parallelism_here(X265, 1920, 1080) == Parallelism(3, 2)
    set_setting("chunks_parallel", "", None)
    set_setting("ffmpeg_cores", 1, None)
    assert parallelism_here(X265, 320, 240, jobs_at_once=2) == Parallelism(1, 2)


def test_an_encode_waits_until_one_gpu_has_room() -> None:
    states = parse_gpu_states(RECORDED.read_text(encoding="utf-8"))
    now, seen = [0.0], [states[1:]]
    guard = GpuGuard(ENCODERS["hevc_nvenc"], look=lambda: seen[0], monotonic=lambda: now[0])
    assert "88 °C" in guard.why_wait()
    seen[0] = states
    assert guard.why_wait()  # not asked again at once
    now[0] = 5.0
    assert guard.why_wait() == ""


def test_only_encodes_on_nvidia_ask_and_a_gpu_that_says_nothing_holds_nothing_up() -> None:
    def never() -> tuple[GpuState, ...]:
        raise AssertionError

    assert GpuGuard(ENCODERS["hevc_vaapi"], look=never).why_wait() == ""
    assert GpuGuard(None, look=never).why_wait() == ""
    assert GpuGuard(ENCODERS["hevc_nvenc"], look=lambda: ()).why_wait() == ""
