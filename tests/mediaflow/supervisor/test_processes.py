"""The supervisor: restarts with back-off, stops everything, leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mediaflow.supervisor.processes import (
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    STABLE_AFTER_S,
    Program,
    Supervisor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[3]


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_waits_double_up_to_a_limit_and_start_over_after_a_stable_run() -> None:
    program = Program("x", [])
    waits = []
    now = 0.0
    for _ in range(9):
        program.started_at = now
        program.schedule(now)
        waits.append(program.start_at - now)
    assert waits[:3] == [BACKOFF_FIRST_S, 2 * BACKOFF_FIRST_S, 4 * BACKOFF_FIRST_S]
    assert max(waits) == BACKOFF_MAX_S
    program.started_at = now
    program.schedule(now + STABLE_AFTER_S)
    assert program.start_at - now - STABLE_AFTER_S == BACKOFF_FIRST_S


def start_supervisor(tmp_path: Path, body: str) -> subprocess.Popen[str]:
    """A supervisor in its own process; each start of its program leaves a file with its pid."""
    child = tmp_path / "child.py"
    child.write_text(
        "import os, pathlib, sys, time\n"
        f"pathlib.Path({str(tmp_path)!r}, f'started-{{os.getpid()}}').touch()\n" + body
    )
    code = f"""
        from mediaflow.supervisor.processes import Program, Supervisor
        import mediaflow.supervisor.processes as p, sys
        p.BACKOFF_FIRST_S = 0.05
        p.STOP_GRACE_S = 0.5
        Supervisor([Program("child", [sys.executable, {str(child)!r}], wait_s=0.05)]).run()
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def started(tmp_path: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in tmp_path.glob("started-*")]


def test_a_crashed_program_is_started_again(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path, "time.sleep(60)\n")
    try:
        wait_for(lambda: len(started(tmp_path)) == 1)
        os.kill(started(tmp_path)[0], signal.SIGKILL)
        wait_for(lambda: len(started(tmp_path)) == 2)
    finally:
        supervisor.terminate()
        supervisor.communicate(timeout=120)
    assert supervisor.returncode == 0
    assert not any(is_alive(pid) for pid in started(tmp_path))


def test_a_program_that_ignores_the_request_and_its_children_are_killed(tmp_path: Path) -> None:
    body = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen(["sleep", "60"], preexec_fn=lambda: signal.signal(15, signal.SIG_IGN))
pathlib.Path(sys.argv[0]).with_name(f"started-{grandchild.pid}").touch()
time.sleep(60)
"""
    supervisor = start_supervisor(tmp_path, body)
    try:
        wait_for(lambda: len(started(tmp_path)) == 2)
    finally:
        supervisor.terminate()
        supervisor.communicate(timeout=120)
    wait_for(lambda: not any(is_alive(pid) for pid in started(tmp_path)))


def test_killing_the_supervisor_ends_its_programs(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path, "time.sleep(60)\n")
    wait_for(lambda: len(started(tmp_path)) == 1)
    supervisor.kill()
    supervisor.communicate(timeout=120)
    wait_for(lambda: not is_alive(started(tmp_path)[0]))


def test_a_child_whose_parent_is_gone_does_not_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mediaflow.supervisor.child", "1", "touch", str(tmp_path / "ran")],
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 1
    assert not (tmp_path / "ran").exists()


def test_stop_is_what_the_signals_call() -> None:
    supervisor = Supervisor([])
    supervisor.stop(signal.SIGTERM, None)
    supervisor.run()
    assert supervisor.should_stop
