"""What the rooms register at start is loaded only where it is called."""

from __future__ import annotations

import os
import subprocess
import sys

from django.utils.module_loading import import_string

from mediaflow.base import hooks
from mediaflow.base.env import PROJECT_ROOT
from mediaflow.base.lazy import LoadedOnCall, registered_paths

_START = """
import sys
import django
django.setup()
print(*sorted({"huey", "redis", "requests", "av", "guessit", "plexapi"} & set(sys.modules)))
"""


def test_every_registered_path_leads_to_a_function_of_its_room() -> None:
    assert len(registered_paths()) > 30
    for path in registered_paths():
        assert callable(import_string(path)), path


def test_the_same_path_registered_twice_is_called_once() -> None:
    path = "library.plex.collections.after_library_change"
    before = hooks.hooked("library_changed")
    hooks.register_hook("library_changed", LoadedOnCall(path))
    assert hooks.hooked("library_changed") == before


def test_a_command_starts_without_what_only_some_of_them_need() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _START],
        cwd=PROJECT_ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "mediaflow.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.split() == []
