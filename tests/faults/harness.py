"""Runs actions in children that can be killed, and says what must hold afterwards."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.conftest import PROJECT_ROOT, instance_environment

if TYPE_CHECKING:
    from pathlib import Path

Action = "tuple[str, dict[str, Any]]"


@dataclass
class Ended:
    """How one child ended."""

    was_killed: bool
    answer: Any = None
    reached: list[str] = field(default_factory=list)


class Zygote:
    """See tests/faults/zygote.py. One per test module; `close` ends it."""

    def __init__(self, template: Path) -> None:
        self._template = template
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            env=instance_environment(template),
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=120)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def instance(self, folder: Path) -> FaultInstance:
        folder.mkdir(parents=True)
        shutil.copyfile(self._template / "mediaflow.sqlite3", folder / "mediaflow.sqlite3")
        return FaultInstance(self, folder)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the zygote has died"
        answer: dict[str, Any] = json.loads(line)
        return answer


def _named(actions: tuple[Any, ...]) -> list[Any]:
    return [(action, {}) if isinstance(action, str) else action for action in actions]


@dataclass
class FaultInstance:
    """One MediaFlow with one film in a folder of its own."""

    zygote: Zygote
    folder: Path

    def act(self, *actions: Any, kill_at: str = "", prepare: tuple[Any, ...] = ()) -> Ended:
        """Do the actions in one process, which dies at `kill_at`; `prepare` comes before that.

        An error in there fails the test.
        """
        answer = self.zygote.ask(
            {
                "data_dir": str(self.folder),
                "prepare": _named(prepare),
                "actions": _named(actions),
                "kill_at": kill_at,
            }
        )
        said = answer["said"] or {}
        assert "error" not in said, said["error"]
        assert answer["signal"] in {0, signal.SIGKILL}, f"died of signal {answer['signal']}"
        return Ended(bool(answer["signal"]), said.get("answer"), said.get("reached", []))

    def check(self, *before: Any) -> dict[str, Any]:
        """What `actions.check` says after `before`; asserts that I1 to I5 hold."""
        found: dict[str, Any] = self.act(*before, "check").answer
        assert found["broken"] == [], found
        assert found["done_swaps"] <= 1
        return found
