"""Worlds with one film, and a probe that runs in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from library.probing.probe import probe_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transcode.replace.world import World


@pytest.fixture(autouse=True)
def probe_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process per look at a file would be most of the time of these tests."""
    monkeypatch.setattr("transcode.verify.swapped.probe_in_worker", probe_file)
    monkeypatch.setattr("library.probing.pool.probe_in_worker", probe_file)


@pytest.fixture
def make_world(db: None, tmp_path: Path) -> Callable[..., World]:
    """`make_world(name=…, extension=…)`; each in a folder of its own."""
    from tests.transcode.replace import world

    made: list[World] = []

    def make(**values: object) -> World:
        folder = tmp_path / f"world{len(made)}"
        made.append(world.make_world(folder, **values))  # type: ignore[arg-type]  # passed on
        return made[-1]

    return make
