"""A process that has Django loaded and no database open; it forks a child for each run of a test.

Starting Python and Django anew would cost a second per kill. Talks JSON lines with its parent
(tests/faults/harness.py). A child does what it is asked in order, and dies where it is told to.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

EXIT_OK = 0


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    from tests.faults.actions import warm_up

    # Loaded, encoded and walked through once, before any fork: filling caches is most of the time.
    with tempfile.TemporaryDirectory() as folder:
        _use_data_dir(Path(folder))
        shutil.copyfile(template(), Path(folder) / "mediaflow.sqlite3")
        warm_up(Path(folder))
        connection.close()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps(run_in_child(request)) + "\n")
        sys.stdout.flush()


def template() -> Path:
    """The migrated database that was given by the environment."""
    return Path(os.environ["MEDIAFLOW_DATA_DIR"]) / "mediaflow.sqlite3"


def _use_data_dir(data_dir: Path) -> None:
    from django.conf import settings
    from django.db import connection

    settings.DATA_DIR = data_dir
    settings.WORK_DIR = data_dir / "work"
    connection.settings_dict["NAME"] = str(data_dir / "mediaflow.sqlite3")


def run_in_child(request: dict[str, Any]) -> dict[str, Any]:
    """Fork, wait, report: how the child ended and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            answer = _act(request)
            os.write(writer, json.dumps(answer).encode())
            code = EXIT_OK
        except BaseException as error:  # noqa: BLE001  # the edge of the process: told the parent
            import traceback

            text = "".join(traceback.format_exception(error))[-6000:]
            os.write(writer, json.dumps({"error": text}).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    _pid, status = os.waitpid(child, 0)
    signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"signal": signal_number, "said": json.loads(said) if said else None}


def _act(request: dict[str, Any]) -> Any:
    from django.db import connection

    from mediaflow.base import failpoints
    from tests.faults.actions import ACTIONS

    data_dir = Path(request["data_dir"])
    _use_data_dir(data_dir)
    reached: list[str] = []
    kill_at = request.get("kill_at", "")
    for action, values in request["prepare"]:
        ACTIONS[action](data_dir, **values)
    failpoints.watch(failpoints.killer(kill_at) if kill_at else reached.append)
    answer: Any = None
    for action, values in request["actions"]:
        answer = ACTIONS[action](data_dir, **values)
    connection.close()
    return {"answer": answer, "reached": reached}


if __name__ == "__main__":
    main()
