"""Asks a disk or a name server that may never answer: a dead network mount blocks its caller."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


# The question about something that did not answer in time, until it does.
_hanging: dict[object, threading.Thread] = {}


def answer_within(seconds: float, question: Callable[[], T], *, about: object = None) -> T:
    """What `question` returns or raises (OSError). Raises TimeoutError, an OSError, when it hangs.

    The thread that hangs is left behind; it ends when the mount answers or the process ends. While
    one about the same thing hangs no other is asked: who asks every minute leaves one behind.
    """
    if about is not None and about in _hanging and _hanging[about].is_alive():
        raise _timed_out(seconds)
    answers: list[T] = []
    errors: list[OSError] = []

    def ask() -> None:
        try:
            answers.append(question())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=ask, name="patience", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        if about is not None:
            _hanging[about] = thread
        raise _timed_out(seconds)
    return answers[0]


def _timed_out(seconds: float) -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, f"does not answer within {seconds:.0f} s")
