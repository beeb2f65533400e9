"""What others are asked and told before a film is touched. They cost seconds, never a swap."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from mediaflow.base.hooks import hooked
from transcode.models import JobEvent, JobStatus
from transcode.outcomes import JobWaits

if TYPE_CHECKING:
    from transcode.models import Replacement

log = logging.getLogger(__name__)
IN_USE: Final = "in_use"
ASK_S: Final = 15.0  # for the question whether somebody watches
NOTE_S: Final = 45.0  # for writing down what others know of the film
IN_USE_WAIT_S: Final = 300.0


def refuse_while_in_use(file_id: int | None) -> None:
    """Raises JobWaits, which counts no attempt, while somebody watches the film.

    Nobody who can be asked, or an answer that does not come, means that it may go on.
    """
    until = time.monotonic() + ASK_S
    for function in hooked("film_in_use") if file_id is not None else ():
        try:
            reason = str(function(file_id, max(0.0, until - time.monotonic())) or "")
        except Exception:  # another room's code; a dead Plex never fails a job
            log.exception("film_in_use of file %s", file_id)
            continue
        if reason:
            raise JobWaits(IN_USE, reason, delay_s=IN_USE_WAIT_S)


def waited_for_use(job_id: int) -> bool:
    """Whether the last attempt ended because somebody watched the film: then ask first of all."""
    waits = JobEvent.objects.filter(subject_id=job_id, from_status=JobStatus.RUNNING)
    last = waits.order_by("-id").values_list("reason_code", flat=True).first()
    return last == IN_USE


def announce_swap(row: Replacement) -> None:
    """The film is as others know it, for the last time. Never raises, ends in time."""
    until = time.monotonic() + NOTE_S
    for function in hooked("before_swap"):
        left_s = until - time.monotonic()
        if left_s <= 0:
            return
        try:
            function(row.pk, left_s)
        except Exception:  # another room's code; a dead Plex never fails a job
            log.exception("before_swap of replacement %s", row.pk)
