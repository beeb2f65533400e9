"""The child process: it cannot outlive us, block, or be more than we can stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.conftest import PROJECT_ROOT
from tests.transcode.encode import stub_ffmpeg as stub
from transcode.encoding import child_shim, process
from transcode.encoding.process import run_ffmpeg

if TYPE_CHECKING:
    from transcode.encoding.progress import FfmpegProgress


class Stop(Exception):
    pass


def is_running(pid: int) -> bool:
    """A zombie counts as gone: it holds nothing but its entry."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until_gone(pid: int, seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def wait_for_state(pid: int, letter: str, seconds: float = 60) -> None:
    """Until the kernel says T (stopped) or S (asleep, as a waiting program is)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        if status.rpartition(")")[2].split()[0] == letter:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} is not in state {letter}")


class StopAtProgress:
    """Raises from the checkpoint after the first progress; remembers its frame number."""

    def __init__(self) -> None:
        self.frame: int | None = None

    def see(self, progress: FfmpegProgress) -> None:
        self.frame = progress.frame

    def checkpoint(self) -> None:
        if self.frame is not None:
            raise Stop


def test_a_failing_program_gives_its_exit_code_and_its_last_words() -> None:
    result = run_ffmpeg(stub.argv(stub.FAILS))
    assert (result.return_code, result.saw_end, result.is_ok) == (3, False, False)
    assert result.stderr_lines == ("[error] something broke",)


def test_a_program_that_is_not_there_is_a_result_with_its_name() -> None:
    result = run_ffmpeg(["/nowhere/ffmpeg"])
    assert result.return_code == child_shim.EXIT_NOT_FOUND
    assert "/nowhere/ffmpeg" in result.stderr_lines[0]


def test_exit_code_zero_without_the_end_of_progress_is_not_ok() -> None:
    result = run_ffmpeg(stub.argv(stub.WORKS_WITHOUT_END))
    assert (result.return_code, result.is_ok) == (0, False)


def test_what_the_checkpoint_raises_ends_the_program_and_is_raised_again() -> None:
    stopper = StopAtProgress()
    with pytest.raises(Stop):
        run_ffmpeg(
            stub.argv(stub.SAYS_ITS_PID), on_progress=stopper.see, checkpoint=stopper.checkpoint
        )
    assert stopper.frame is not None
    assert not is_running(stopper.frame)


def test_a_program_that_ignores_term_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "TERMINATE_GRACE_S", 0.3)
    stopper = StopAtProgress()
    with pytest.raises(Stop):
        run_ffmpeg(
            stub.argv(stub.IGNORES_TERM), on_progress=stopper.see, checkpoint=stopper.checkpoint
        )


def test_children_of_the_program_end_with_it() -> None:
    stopper = StopAtProgress()
    with pytest.raises(Stop):
        run_ffmpeg(
            stub.argv(stub.HAS_A_CHILD), on_progress=stopper.see, checkpoint=stopper.checkpoint
        )
    assert stopper.frame is not None
    assert wait_until_gone(stopper.frame)


def test_a_flood_on_standard_error_neither_blocks_nor_fills_the_memory() -> None:
    seen: list[str] = []
    result = run_ffmpeg(stub.argv(stub.FLOODS), log=seen.append)
    assert result.is_ok
    assert len(result.stderr_lines) == process.STDERR_HEAD_LINES + process.STDERR_TAIL_LINES
    assert result.stderr_lines[0].startswith("line 0 ")
    assert result.stderr_lines[-1].startswith("line 59999 ")
    assert result.omitted_lines == 60000 - len(result.stderr_lines)
    assert len(seen) < 60000


def test_a_line_without_end_is_cut() -> None:
    result = run_ffmpeg(stub.argv(stub.ENDLESS_LINE))
    assert [len(line) for line in result.stderr_lines] == [process.STDERR_LINE_CHARS]


def test_carriage_returns_end_lines_too() -> None:
    assert run_ffmpeg(stub.argv(stub.CARRIAGE_RETURNS)).stderr_lines == ("one", "two", "three")


def test_a_program_that_stands_still_is_ended_and_says_so() -> None:
    result = run_ffmpeg(stub.argv(stub.HANGS), stall_timeout_s=0.5)
    assert result.is_stalled
    assert result.return_code == -signal.SIGTERM


def test_it_runs_at_low_priority() -> None:
    result = run_ffmpeg(stub.argv(stub.SAYS_ITS_NICENESS))
    assert result.last_progress is not None
    assert result.last_progress.frame == min(19, os.nice(0) + process.ChildLimits().nice_step)


def test_a_program_begun_while_all_stand_still_stands_still_at_once() -> None:
    """A pause that falls between two ffmpegs."""
    thaw = threading.Timer(0.3, process.thaw_children)
    process.freeze_children()
    began = time.monotonic()
    thaw.start()
    try:
        result = run_ffmpeg(stub.argv("print('progress=end')"))
    finally:
        thaw.join()
        process.thaw_children()
    assert result.is_ok
    assert time.monotonic() - began >= 0.3


def test_a_program_whose_disk_traffic_cannot_be_read_is_still_given_up(tmp_path: Path) -> None:
    """Systems without /proc."""

    class Still:
        moves = 7

    gone = 2**22 + 1  # above the highest process id
    watch = process._StallWatch(gone, timeout_s=0.0)
    reader = cast("process._OutputReader", Still())
    assert [watch.is_stalled(reader) for _ in range(2)] == [False, True]


def test_it_stands_still_while_frozen_and_goes_on_afterwards() -> None:
    seen: list[int] = []

    def freeze_and_thaw() -> None:
        if not seen:
            return
        process.freeze_children()
        wait_for_state(seen[0], "T")
        process.thaw_children()
        wait_for_state(seen[0], "S")
        raise Stop

    try:
        with pytest.raises(Stop):
            run_ffmpeg(
                stub.argv(stub.SAYS_ITS_PID),
                on_progress=lambda progress: seen.append(progress.frame or 0),
                checkpoint=freeze_and_thaw,
            )
    finally:
        process.thaw_children()
    assert not is_running(seen[0])


def test_standing_still_when_told_to_is_no_stall() -> None:
    frozen_since: list[float] = []

    def freeze_for_a_while() -> None:
        if not frozen_since:
            process.freeze_children()
            frozen_since.append(time.monotonic())
        elif time.monotonic() - frozen_since[0] > 1.5:
            raise Stop

    try:
        with pytest.raises(Stop):
            run_ffmpeg(stub.argv(stub.HANGS), checkpoint=freeze_for_a_while, stall_timeout_s=0.5)
    finally:
        process.thaw_children()


def test_long_pauses_are_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkpoint returns when a pause is over; the film may have been read from memory."""
    paused_s, now = [0.0], time.monotonic

    def come_back_after_hours() -> None:
        paused_s.append(paused_s[-1] + 36_000)
        if len(paused_s) > 4:
            raise Stop

    monkeypatch.setattr(time, "monotonic", lambda: now() + paused_s[-1])
    with pytest.raises(Stop):
        run_ffmpeg(stub.argv(stub.HANGS), checkpoint=come_back_after_hours, stall_timeout_s=600)


def test_it_keeps_to_its_limits() -> None:
    program = (
        "import os, resource\n"
        "limit = resource.getrlimit(resource.RLIMIT_DATA)[0] // 1024 // 1024\n"
        "print(f'frame={limit * 100 + len(os.sched_getaffinity(0))}'); print('progress=end')"
    )
    limits = process.ChildLimits(nice_step=0, disk_priority="idle", cores=1, memory_mib=700)
    process.set_child_limits(limits)
    try:
        result = run_ffmpeg(stub.argv(program))
    finally:
        process.set_child_limits(process.ChildLimits())
    assert result.last_progress is not None
    assert result.last_progress.frame == 700 * 100 + 1


def test_it_gets_no_secrets_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_SECRET_KEY", "x" * 40)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    names = run_ffmpeg(stub.argv(stub.SAYS_ITS_ENVIRONMENT)).stderr_lines[0].split()
    assert "PATH" in names
    assert "SVT_LOG" in names
    assert not [name for name in names if "SECRET" in name]


PARENT = """
import sys
sys.path.insert(0, {root!r})
from tests.transcode.encode import stub_ffmpeg
from transcode.encoding import process
{before}
process.run_ffmpeg(
    stub_ffmpeg.argv(stub_ffmpeg.SAYS_ITS_PID),
    on_progress=lambda p: print(p.frame, flush=True),
)
"""
WATCHING_SHIM = "import sys; process.sys.platform = 'other'"


@pytest.mark.parametrize("before", ["", WATCHING_SHIM], ids=["parent death signal", "pipe"])
def test_it_ends_when_its_parent_is_killed(before: str) -> None:
    script = PARENT.format(root=str(PROJECT_ROOT), before=before)
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(pid)


def test_a_slow_reader_of_the_log_loses_lines_but_not_the_program() -> None:
    result = run_ffmpeg(stub.argv(stub.FLOODS), log=lambda _line: time.sleep(0.001))
    assert result.is_ok
