from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.harness import FaultInstance, Zygote
from tests.transcode.replace.conftest import make_world, probe_in_this_process

__all__ = ["make_world", "probe_in_this_process"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def zygote(migrated_data_dir: Path) -> Iterator[Zygote]:
    found = Zygote(migrated_data_dir)
    yield found
    found.close()


@pytest.fixture
def new_instance(zygote: Zygote, tmp_path: Path) -> Iterator[Callable[[], FaultInstance]]:
    """Each call: a fresh database and folder, in memory where that is to be had.

    A killed process leaves what it has written, synced or not, so the disk adds nothing here; power
    cuts are tried in test_power_loss.py.
    """
    made: list[FaultInstance] = []
    memory = Path("/dev/shm")  # a name is made below it
    is_usable = memory.is_dir() and os.access(memory, os.W_OK)
    base = Path(tempfile.mkdtemp(dir=memory)) if is_usable else tmp_path

    def make() -> FaultInstance:
        made.append(zygote.instance(base / f"instance{len(made)}"))
        return made[-1]

    yield make
    if base != tmp_path:
        shutil.rmtree(base)
