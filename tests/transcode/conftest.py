"""For tests of the queue: a library as rows alone or with a film on disk, and a claimed job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.makers import claim, make_file, make_job, make_library

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import Library
    from transcode.models import Job


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


@pytest.fixture
def running(library_on_disk: Library, settings: Any, tmp_path: Path) -> tuple[Job, str]:
    """A claimed job of a film that is on disk, and its token."""
    settings.WORK_DIR = tmp_path / "work"
    job = make_job(make_file(library_on_disk))
    return job, claim(job).token
