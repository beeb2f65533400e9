"""The check of all encoders as an operation: some time after start, and when somebody asks."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Final

from django.urls import reverse

from mediaflow.base.operations import OperationProblem, start_operation
from mediaflow.base.periodic import PeriodicTask
from transcode.encoders import ENCODERS
from transcode.encoders.availability import check_encoders, has_ffmpeg, is_check_due
from transcode.encoding.ffmpeg import FfmpegMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import AbstractBaseUser

    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)
KIND: Final = "encoder_check"
# The first scan and the queue come first after a start; who needs hardware earlier checks itself.
QUIET_START_S: Final = 45.0


def start_encoder_check(actor: AbstractBaseUser | None = None) -> Operation:
    """Queue the check; the one already waiting or running when there is one."""
    return start_operation(
        kind=KIND, title="Check of the encoders", lock_key=KIND, unit="encoders", actor=actor
    )


def run_encoder_check(context: OperationContext) -> None:
    """The operation's handler."""

    def report(done: int, total: int, title: str) -> None:
        context.checkpoint()
        context.report(done, total, title)

    try:
        rows = check_encoders(on_progress=report)
    except FfmpegMissing as problem:
        raise OperationProblem(str(problem)) from problem
    context.report(len(ENCODERS), len(ENCODERS))
    context.set_result({"url": reverse("servers:encoder_list"), "url_text": "Encoders"})
    log.info("%d of %d test encodes worked", sum(row.is_working for row in rows), len(rows))


class StartCheck:
    """Periodic, in the consumer: once after each start (drivers change), and for a new ffmpeg."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._loaded_at = monotonic()
        self._is_done = False

    def __call__(self) -> None:
        if self._monotonic() - self._loaded_at < QUIET_START_S or not has_ffmpeg():
            return
        if not self._is_done or is_check_due():
            start_encoder_check()
            self._is_done = True


@cache
def _start_check() -> StartCheck:
    """The one of this process, made when the consumer first asks."""
    return StartCheck()


def periodic_tasks() -> list[PeriodicTask]:
    return [PeriodicTask("encoder_check", 30, _start_check())]
