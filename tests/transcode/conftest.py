"""A library for tests of the queue: rows alone, or with a film on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transcode.makers import make_library

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import Library


@pytest.fixture
def library(db: None) -> Library:
    return make_library()


@pytest.fixture
def library_on_disk(db: None, tmp_path: Path) -> Library:
    """It has one film, "a.mkv", which is no real one."""
    root = tmp_path / "films"
    root.mkdir()
    (root / "a.mkv").write_bytes(b"x" * 1000)
    return make_library(root=bytes(root))
