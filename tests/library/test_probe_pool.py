"""Worker processes: a file that crashes, hangs or eats memory costs only itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from library.media_info import MediaInfo
from library.probing import pool as probe_pool
from library.probing.pool import ProbePool, Request, probe_in_worker, run_guarded_worker
from library.probing.probe import ProbeProblem
from tests.library.scanning import wait_for
from tests.media import make_clip, write_something

pytestmark = pytest.mark.usefixtures("cold_workers")
PROJECT = Path(__file__).resolve().parents[2]


def worker_script(tmp_path: Path, body: str) -> None:
    """Put a `library.probing.worker` in the way that answers as `body` says for each line."""
    code = f"""
        import json, os, sys, time, signal
        for line in sys.stdin.buffer:
            path = os.fsencode(json.loads(line)["path"])
            {body}
            sys.stdout.write(json.dumps({{"kind": "not_media", "text": "fine"}}) + "\\n")
            sys.stdout.flush()
    """
    (tmp_path / "worker.py").write_text(textwrap.dedent(code))


@pytest.fixture
def stub_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Workers that run `tmp_path/worker.py` instead of the real one."""

    def start(*_args: object, **_kwargs: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    monkeypatch.setattr(probe_pool, "_start_worker", start)
    return tmp_path


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.ffmpeg
def test_every_file_gets_its_answer(tmp_path: Path) -> None:
    good = [bytes(make_clip("h264_mkv", tmp_path / f"{n}.mkv")) for n in range(6)]
    bad = [bytes(make_clip("broken", tmp_path / "broken.mkv")), bytes(tmp_path / "gone.mkv")]
    with ProbePool(2) as pool:
        found = dict(pool.map([*good, *bad]))
    assert set(found) == {*good, *bad}
    assert all(isinstance(found[path], MediaInfo) for path in good)
    kinds = [getattr(found[path], "kind", "") for path in bad]
    assert kinds == ["not_media", "vanished"]


@pytest.mark.ffmpeg
def test_an_inspection_has_fingerprint_and_name(tmp_path: Path) -> None:
    clip = bytes(make_clip("h264_mkv", tmp_path / "Film (2001).mkv"))
    with ProbePool(1) as pool:
        (found,) = pool.inspect([Request(clip, wants_fingerprint=True, name="Film (2001).mkv")])
        (cheap,) = pool.inspect([Request(clip, wants_probe=False, wants_fingerprint=True)])
    assert found.info is not None
    assert found.name is not None
    assert (found.name.title, found.name.year) == ("Film", 2001)
    assert (cheap.info, cheap.problem) == (None, None)
    assert cheap.fingerprint == found.fingerprint != ""


def test_a_crash_costs_one_file(stub_worker: Path) -> None:
    worker_script(stub_worker, "b'bad' in path and os.kill(os.getpid(), signal.SIGSEGV)")
    with ProbePool(2) as pool:
        found = dict(pool.map([b"/a", b"/bad", b"/b", b"/c"]))
    kinds = {path: problem.kind for path, problem in found.items() if hasattr(problem, "kind")}
    assert kinds == {b"/a": "not_media", b"/bad": "crashed", b"/b": "not_media", b"/c": "not_media"}


def test_a_hang_costs_one_file_and_its_process_is_gone(
    stub_worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(probe_pool, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pid_file = stub_worker / "pid"
    worker_script(
        stub_worker,
        f"b'bad' in path and (open({str(pid_file)!r}, 'w').write(str(os.getpid())),"
        " time.sleep(99))",
    )
    with ProbePool(2, timeout_s=60) as pool:
        found = {}
        for path, answer in pool.map([b"/a", b"/bad", b"/b"]):
            found[path] = answer
            if len(found) == 2:  # only the file that hangs is left
                assert wait_for(lambda: pid_file.exists() and pid_file.read_text())
                now[0] += 61
        bad = found[b"/bad"]
        assert isinstance(bad, ProbeProblem)
        assert bad.kind == "timeout"
        assert getattr(found[b"/b"], "kind", "") == "not_media"
        assert not is_alive(int(pid_file.read_text()))


def test_a_worker_that_never_starts_costs_its_files_not_the_scan(stub_worker: Path) -> None:
    (stub_worker / "worker.py").write_text("raise SystemExit(3)")
    with ProbePool(2) as pool:
        found = list(pool.map([b"/a", b"/b", b"/c"]))
    assert [getattr(problem, "kind", "") for _path, problem in found] == ["crashed"] * 3


def test_what_the_checkpoint_raises_ends_the_workers(stub_worker: Path) -> None:
    worker_script(stub_worker, "time.sleep(30)")

    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with ProbePool(2) as pool:
        with pytest.raises(Cancelled):
            list(pool.inspect([Request(b"/a"), Request(b"/b")], checkpoint=cancel))
        pids = [worker.process.pid for worker in pool._workers]
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.ffmpeg
def test_one_film_in_a_worker(tmp_path: Path) -> None:
    clip = bytes(make_clip("h264_mkv", tmp_path / "film.mkv"))
    assert probe_in_worker(clip).container == "mkv"
    with pytest.raises(ProbeProblem) as caught:
        probe_in_worker(bytes(make_clip("broken", tmp_path / "broken.mkv")))
    assert caught.value.kind == "not_media"


def test_the_value_of_a_guarded_call_comes_back() -> None:
    assert run_guarded_worker(os.path.basename, "/a/b") == "b"


def test_the_exception_of_a_guarded_call_comes_back() -> None:
    with pytest.raises(FileNotFoundError):
        run_guarded_worker(os.listdir, "/no such folder")


def test_a_guarded_call_that_crashes_is_a_problem() -> None:
    with pytest.raises(ProbeProblem) as caught:
        run_guarded_worker(os.abort)
    assert caught.value.kind == "crashed"


def test_a_guarded_call_that_hangs_is_ended() -> None:
    with pytest.raises(ProbeProblem) as caught:
        run_guarded_worker(time.sleep, 60, timeout_s=0.4)
    assert caught.value.kind == "timeout"


def test_a_guarded_call_has_bounded_memory() -> None:
    with pytest.raises(MemoryError):
        run_guarded_worker(bytearray, 2 << 30, memory_bytes=1 << 30)


def test_a_guarded_call_writes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises((ProbeProblem, OSError)):
        run_guarded_worker(write_something, target)
    assert not target.exists() or target.read_bytes() == b""


def test_a_guarded_call_sees_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_SECRET_KEY", "x" * 40)
    assert run_guarded_worker(os.getenv, "MEDIAFLOW_SECRET_KEY") is None


def test_the_checkpoint_ends_a_guarded_call() -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_guarded_worker(time.sleep, 200, timeout_s=200, checkpoint=cancel)


def test_the_hours_of_a_pause_are_not_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    paused_s, now = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + paused_s[-1])

    def come_back_after_hours() -> None:
        paused_s.append(paused_s[-1] + 36_000)

    found = run_guarded_worker(time.sleep, 0.5, timeout_s=100, checkpoint=come_back_after_hours)
    assert found is None
    assert len(paused_s) > 1


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import time, sys; sys.path.insert(0, sys.argv[1])\n"
        "from library.probing.pool import ProbePool, Request\n"
        "pool = ProbePool(2)\n"
        "list(pool.inspect([Request(b'/gone1'), Request(b'/gone2')]))\n"
        "print(*[w.process.pid for w in pool._workers], flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(PROJECT)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert pids
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not any(is_alive(pid) for pid in pids))
