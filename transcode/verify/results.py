"""What the ladder says: one result per rung, and the proof made of them. Pure values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from transcode.outcomes import JobFailed, JobHeld, JobOutcome, JobSkipped

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from transcode.verify.film_sides import Compared

PASSED = "passed"
FAILED = "failed"
RECORDED = "recorded"  # an error that a copied stream has in the source too
NOT_APPLICABLE = "not_applicable"
SAMPLED = "sampled"  # passed, but only parts of the film were looked at

NOT_WORTH_IT = "not_worth_it"
TINY = "tiny"
SOURCE_CHANGED = "verify_source_changed"


@dataclass(frozen=True, slots=True)
class RungResult:
    """One rung: what was measured, what was allowed, and a sentence for people."""

    number: int
    name: str
    outcome: str
    measured: str
    limit: str
    text: str
    code: str = ""  # stable reason code of a failure: "verify_frames", "not_worth_it", …

    @property
    def is_failed(self) -> bool:
        return self.outcome == FAILED

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Proof:
    """The whole ladder for one output. `is_passed` is True when every rung ran and none failed."""

    rungs: tuple[RungResult, ...]
    is_passed: bool
    source_sha256: str
    output_sha256: str
    output_bytes: int
    vmaf_mean: float | None
    vmaf_p5: float | None
    vmaf_method: str
    frames: int | None
    info_before: MediaInfo
    info_after: MediaInfo | None
    losses: tuple[str, ...]
    failed_code: str = ""
    failed_text: str = ""
    compared: Compared | None = None  # what VMAF looked at, for the pictures on the job's page

    @property
    def failure(self) -> JobOutcome | None:
        """How the job ends because of this proof; None when it passed.

        The size rung skips for good, an implausibly tiny output asks a person, a source that
        changed under us may be tried again; everything else is a failure.
        """
        if self.is_passed:
            return None
        if self.failed_code == NOT_WORTH_IT:
            return JobSkipped(self.failed_code, self.failed_text)
        if self.failed_code == TINY:
            return JobHeld(self.failed_code, self.failed_text)
        is_retryable = self.failed_code == SOURCE_CHANGED
        return JobFailed(self.failed_code, self.failed_text, is_retryable=is_retryable)
