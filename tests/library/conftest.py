"""A library for tests that need rows alone; nothing of it is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.library.file_rows import make_library

if TYPE_CHECKING:
    from library.models import Library


@pytest.fixture
def library(db: None) -> Library:
    return make_library()
