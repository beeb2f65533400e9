"""How a phase of a job may end other than well. The runner turns each into one status change.

Every one carries a `reason_code` (stable, for filters and tests) and a `reason`: one sentence for
people that says what happened and, where there is something to do, what to do.
"""

from __future__ import annotations


class JobOutcome(Exception):
    """Base: never raised itself."""

    def __init__(self, reason_code: str, reason: str) -> None:
        super().__init__(f"{reason_code}: {reason}")
        self.reason_code = reason_code
        self.reason = reason


class JobSkipped(JobOutcome):
    """Nothing to do or not worth it: status `skipped`, no retry, the original is untouched."""


class JobFailed(JobOutcome):
    """Status `failed`, or `retry_wait` when it may go better next time and attempts are left."""

    def __init__(self, reason_code: str, reason: str, *, is_retryable: bool = False) -> None:
        super().__init__(reason_code, reason)
        self.is_retryable = is_retryable


class JobHeld(JobOutcome):
    """Needs a person: status `held`."""


class JobWaits(JobOutcome):
    """A mount or a disk is not there (or full): back to `retry_wait`, counts no attempt."""

    def __init__(self, reason_code: str, reason: str, *, delay_s: float = 60) -> None:
        super().__init__(reason_code, reason)
        self.delay_s = delay_s


class JobCancelled(JobOutcome):
    """A person asked for it: status `cancelled`."""


class JobHandedBack(JobOutcome):
    """Shutdown, pause or lost consumer: back to `queued`, counts no attempt."""


class LeaseLost(JobOutcome):
    """Somebody else holds the job now: stop everything, write nothing."""


def internal_error(error: Exception) -> JobFailed:
    """What nobody foresaw: tried again, and counted, so that it ends some day."""
    reason = f"Internal error ({type(error).__name__}: {error}); see the log."
    return JobFailed("internal_error", reason, is_retryable=True)
