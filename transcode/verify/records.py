"""Writes a proof down, passed or not. The token is the caller's to check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaflow.base.failpoints import declare, reach

if TYPE_CHECKING:
    from transcode.models import ProofRecord
    from transcode.planning.model import Plan
    from transcode.verify.results import Proof

_SAVED = declare("verify.proof_saved", "the proof is in the database")


def save_proof(job_id: int, plan: Plan, proof: Proof) -> ProofRecord:
    """One row per attempt that reached the ladder."""
    # Here, so that the ladder itself runs where there is no database.
    from transcode.models import Job, ProofRecord

    record = ProofRecord.objects.create(
        job_id=job_id,
        is_passed=proof.is_passed,
        rungs=[rung.to_json() for rung in proof.rungs],
        streams_before=proof.info_before.to_json(),
        streams_after=proof.info_after.to_json() if proof.info_after else {},
        source_sha256=proof.source_sha256,
        output_sha256=proof.output_sha256,
        output_bytes=proof.output_bytes,
        plan_hash=plan.digest(),
        ffmpeg_version=plan.ffmpeg_version[:60],
        command=Job.objects.values_list("command", flat=True).get(pk=job_id),
    )
    reach(_SAVED)
    return record
