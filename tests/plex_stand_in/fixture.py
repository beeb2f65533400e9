"""`from tests.plex_stand_in.fixture import plex as plex`, and a test has one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plex_stand_in.server import PlexStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def plex() -> Iterator[PlexStandIn]:
    """A stand-in without sections; ended with the test."""
    with PlexStandIn() as stand_in:
        yield stand_in
