"""A full disk says nothing of the film: the ladder waits, and the finished output stays."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from transcode.outcomes import JobWaits
from transcode.verify.ladder import Rung, climb
from transcode.verify.quality_rung import QUALITY

if TYPE_CHECKING:
    from transcode.verify.evidence import Evidence


@dataclass
class Quiet:
    """What a rung needs of the evidence to be climbed."""

    climbing: int | None = None

    @property
    def run(self) -> Quiet:
        return self

    def note(self, *_said: object) -> None: ...

    def log(self, _line: str) -> None: ...


def climb_into(error: Exception) -> Any:
    def check(_evidence: Evidence) -> Any:
        raise error

    return climb(Rung(QUALITY, check, "compares the picture"), cast("Evidence", Quiet()))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_makes_the_ladder_wait(number: int) -> None:
    with pytest.raises(JobWaits) as caught:
        climb_into(OSError(number, "No space left on device"))
    assert caught.value.reason_code == "disk_full"


def test_what_cannot_be_read_is_a_failed_check() -> None:
    assert climb_into(OSError(errno.EIO, "Input/output error")).is_failed
