"""The pipe to a child: what is written to one that has ended, and one that could not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from mediaflow.base import children
from mediaflow.base.children import Child, start_command

if TYPE_CHECKING:
    from pathlib import Path


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def ended() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait(timeout=120)
    return process


def test_a_line_for_a_child_that_has_ended_is_not_sent(ended: subprocess.Popen[bytes]) -> None:
    reading, writing = os.pipe()
    child = Child(ended, writing)
    assert child.send("go on")
    assert os.read(reading, 64) == b"go on\n"
    os.close(reading)
    assert not child.send("go on")
    child.say_goodbye()
    child.say_goodbye()
    assert not child.send("go on")


@pytest.mark.parametrize("has_log", [True, False])
def test_a_child_that_cannot_be_started_leaves_nothing_open(
    has_log: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    before = open_descriptors()
    with pytest.raises(FileNotFoundError):
        start_command(["check"], log_file=tmp_path / "log" if has_log else None)
    assert open_descriptors() == before


def test_a_log_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    before = open_descriptors()
    with pytest.raises(IsADirectoryError):
        start_command(["check"], log_file=tmp_path)
    assert open_descriptors() == before


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_child_that_could_not_be_started_leaves_no_pipe_open(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", Mock(side_effect=error))
    before = open_descriptors()
    with pytest.raises(error):
        start_command(["check"], log_file=tmp_path / "log")
    assert open_descriptors() == before


def test_a_child_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that has ended is asked nothing more."""
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(1, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", deaf], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"1\n"
    wait = children._wait
    monkeypatch.setattr(children, "_wait", lambda them, s: wait(them, s if s > 1 else 0.1))
    children.force_end([Child(process, None)])
    assert process.returncode == -signal.SIGKILL
    children.force_end([Child(process, None)])
