from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transcode.encode.films import film, plan_for
from transcode.presets.spec import PresetSpec

if TYPE_CHECKING:
    from transcode.planning.model import Plan


@pytest.fixture
def plan() -> Plan:
    """One second of 25 pictures, encoded to HEVC."""
    return plan_for(film(), PresetSpec())
