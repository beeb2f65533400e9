"""The N-th call on the user's tree fails, for every N until a run makes no failing call."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.scenarios import OTHER, SAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.harness import FaultInstance

pytestmark = [pytest.mark.ffmpeg, pytest.mark.thorough]
BESIDE = {**SAME, "mode": "beside"}
WAYS: dict[str, tuple[dict[str, Any], dict[str, bool]]] = {
    "same name": (SAME, {}),
    "new name": (OTHER, {}),
    "beside": (BESIDE, {}),
    "undo": (SAME, {"is_undo": True}),
    "undo of a new name": (OTHER, {"is_undo": True}),
}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("way", WAYS)
def test_fault_09_10_11_16_17_any_call_may_fail_once_and_nothing_is_lost(
    new_instance: Callable[[], FaultInstance], way: str, code: int
) -> None:
    make, values = WAYS[way]
    found = new_instance().act(("fail_every_call", {"make": make, "code": code, **values})).answer
    assert found["problems"] == []
    assert found["calls"] > 15


@pytest.mark.parametrize("way", ["same name", "new name", "undo"])
def test_a_call_may_fail_after_its_effect_and_nothing_is_lost(
    new_instance: Callable[[], FaultInstance], way: str
) -> None:
    make, values = WAYS[way]
    request = {"make": make, "code": errno.EIO, "is_after": True, **values}
    found = new_instance().act(("fail_every_call", request)).answer
    assert found["problems"] == []
    assert found["calls"] > 15


@pytest.mark.parametrize("way", ["same name", "new name", "undo"])
def test_fault_12_13_the_disk_may_go_at_any_call_and_come_back_later(
    new_instance: Callable[[], FaultInstance], way: str
) -> None:
    make, values = WAYS[way]
    request = {"make": make, "code": errno.EIO, "is_lasting": True, **values}
    found = new_instance().act(("fail_every_call", request)).answer
    assert found["problems"] == []
    assert found["calls"] > 15
