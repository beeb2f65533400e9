"""What the rooms register at start is loaded only where it is called."""

from __future__ import annotations

import os
import subprocess
import sys

import library.apps
import transcode.apps
from library.analysis import figures
from library.analysis.services import ANALYZE
from library.listing import bulk, exact_count
from library.scanning.rechecks import RECHECK_KIND
from library.services import SCAN
from mediaflow.base import hooks, operations
from mediaflow.base.env import PROJECT_ROOT
from mediaflow.base.lazy import LoadedOnCall, registered_paths
from mediaflow.insights.bulk import DECIDE_KIND
from mediaflow.recovery.backup import BACKUP_OPERATION
from servers import encoder_check
from transcode.prediction import estimate_operation
from transcode.queue import bulk_work

_START = """
import sys
import django
django.setup()
print(*sorted({"huey", "redis", "requests", "av", "guessit", "plexapi"} & set(sys.modules)))
"""
_RING = """
import sys
import django
django.setup()
from mediaflow.base import heartbeat
from mediaflow.base.wake import ring
heartbeat.has_live_process = lambda kind: sys.argv[1] == "listened"
ring()
print("transcode.tasks" in sys.modules)
"""


def test_every_registered_path_leads_to_a_function() -> None:
    assert len(registered_paths()) > 30
    for path in registered_paths():
        assert callable(LoadedOnCall(path).load()), path


def test_a_room_registers_only_what_is_its_own() -> None:
    """The test of arrows reads imports; these are strings."""
    for room, apps in (("library", library.apps), ("transcode", transcode.apps)):
        paths = [*apps.OPERATIONS.values(), *(path for _hook, path in apps.HOOKS)]
        assert {path.partition(".")[0] for path in paths} == {room}


def test_operations_are_registered_under_the_kinds_that_their_modules_start() -> None:
    kinds = {SCAN, RECHECK_KIND, ANALYZE, DECIDE_KIND, BACKUP_OPERATION, bulk.OPERATION_KIND}
    kinds |= {exact_count.COUNT_KIND, figures.COUNT_KIND, bulk_work.COUNT_KIND}
    kinds |= {estimate_operation.KIND, encoder_check.KIND}
    assert kinds <= set(operations._handlers)


def test_the_same_path_registered_twice_is_called_once() -> None:
    path = "library.plex.collections.after_library_change"
    before = hooks.hooked("library_changed")
    hooks.register_hook("library_changed", LoadedOnCall(path))
    assert hooks.hooked("library_changed") == before


def test_a_command_starts_without_what_only_some_of_them_need() -> None:
    assert _printed(_START) == ""


def test_the_bell_is_loaded_only_where_a_consumer_listens() -> None:
    assert _printed(_RING, "alone") == "False"
    assert _printed(_RING, "listened") == "True"


def _printed(code: str, *args: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code, *args],
        cwd=PROJECT_ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mediaflow.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout.strip()
