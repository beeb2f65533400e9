"""Asks a disk or a name server that may never answer: a dead network mount blocks its caller."""

from __future__ import annotations

import errno
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def answer_within(seconds: float, question: Callable[[], T]) -> T:
    """What `question` returns or raises (OSError). Raises TimeoutError, an OSError, when it hangs.

    The thread that hangs is left behind; it ends when the mount answers or the process ends.
    """
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
        raise TimeoutError(errno.ETIMEDOUT, f"does not answer within {seconds:.0f} s")
    return answers[0]
