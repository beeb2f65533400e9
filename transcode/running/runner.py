"""Runs one attempt of one job: the phases in their order, and every way they may end."""

from __future__ import annotations

import logging
import os
import time
import traceback
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from library.scanning.marker import marker_matches
from mediaflow.base.db_retry import DATABASE_ERRORS, is_database_away, retry_on_busy
from mediaflow.base.settings_store import get_setting
from transcode.models import (
    Job,
    JobAttempt,
    JobPhase,
    JobStatus,
    OutputMode,
    Replacement,
)
from transcode.outcomes import (
    JobCancelled,
    JobFailed,
    JobHandedBack,
    JobHeld,
    JobOutcome,
    JobSkipped,
    JobWaits,
    LeaseLost,
    internal_error,
)
from transcode.prediction.records import record_outcome, record_plan
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.queue import job_queue
from transcode.queue.disk_space import reserve_space
from transcode.queue.slots import refuse_switched_off
from transcode.replacing.announce import refuse_while_in_use, waited_for_use
from transcode.replacing.snapshot import SourceSnapshot, take_source_snapshot
from transcode.running.context import RunContext
from transcode.running.held_slot import held_slot
from transcode.running.work_folders import (
    keep_chunks_only,
    leaves_chunks,
    make_work_folder,
    remove_work_folder,
)
from transcode.states import OPEN_JOURNAL, TERMINAL
from transcode.verify.results import SOURCE_CHANGED as VERIFY_SOURCE_CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from library.models import Library
    from transcode.models import ProofRecord
    from transcode.planning.model import Plan
    from transcode.running.attempt_log import AttemptLog
    from transcode.running.control import RunControl
    from transcode.running.phases import Prepared
    from transcode.verify.results import Proof

log = logging.getLogger(__name__)
MOUNT_WAIT_S: Final = 60.0
FROZEN_WAIT_S: Final = 300.0
_SOURCE_CHANGED: Final = frozenset({"source_changed", VERIFY_SOURCE_CHANGED})


class Runner:
    """One attempt. `run` does not raise: whatever happens becomes one status change.

    Where the database stays away longer than `retry_on_busy` waits, it becomes none.
    """

    def __init__(self, job_id: int, token: str, control: RunControl, attempt_log: AttemptLog):
        self._job_id = job_id
        self._token = token
        self._control = control
        self._log = attempt_log
        self._phase_seconds: dict[str, float] = {}

    def run(self) -> None:
        try:
            self._run()
        except DATABASE_ERRORS as error:
            if not is_database_away(error):
                raise
            # The job stays as it is, its heartbeat stands still, and the reaper takes it over.
            log.warning("job %s: the database is away, so its end is not recorded", self._job_id)
            self._log(f"the database is away ({error}); the job starts again when it is back")

    def _run(self) -> None:
        job = retry_on_busy(
            lambda: Job.objects.select_related("file__library").get(pk=self._job_id)
        )
        try:
            self._run_phases(job)
        except JobOutcome as outcome:
            self._log(f"{type(outcome).__name__} {outcome.reason_code}: {outcome.reason}")
            if outcome.reason_code in _SOURCE_CHANGED:
                self._drop_work(job)
            self._settle(outcome)
        except Exception as error:  # the edge of the process: logged and recorded
            log.exception("job %s failed", self._job_id)
            self._log(traceback.format_exc())
            self._settle(_unforeseen(error))
        retry_on_busy(self._save_attempt)
        retry_on_busy(lambda: record_outcome(job.pk))
        self._tidy(job)

    def _run_phases(self, job: Job) -> None:
        journal = Replacement.objects.filter(job=job, state__in=OPEN_JOURNAL).first()
        if journal is not None and self._recover(job, journal):
            return
        self._control.follow_pause()
        self._control.checkpoint()
        if waited_for_use(job.pk):  # before anything is read or verified once more
            refuse_while_in_use(job.file_id)
        retry_on_busy(refuse_switched_off)
        context = self._context(job)
        with self._phase(JobPhase.PLAN):
            prepared = self._prepare(job, context)
        with held_slot(context, "encode") as slot:
            self._control.write(server_name=slot.server_name)
            output = self._encode(context, prepared)
            with self._phase(JobPhase.VERIFY):
                proof = self._verify(job, context, prepared, output)
        with self._phase(JobPhase.REPLACE):
            self._publish(job, context, prepared, output, proof)

    def _recover(self, job: Job, journal: Replacement) -> bool:
        """Bring an open journal to its end. True when the job is over with that."""
        from transcode.replacing.recovery import recover_job

        self._log(f"an earlier attempt left its journal in state {journal.state}")
        context = self._journal_context(job, journal)
        with self._phase(JobPhase.REPLACE):
            result = recover_job(context, journal)
        self._log(f"recovery: {result}")
        if result == "finished":
            return True
        if get_setting("queue_paused"):
            raise JobHandedBack("queue_paused", "The queue is paused.")
        return False

    def _journal_context(self, job: Job, journal: Replacement) -> RunContext:
        """For recovery: all from the journal, also when the film or its library is off the list.

        No check of the library here: recovery looks at the disk itself, also where it is frozen.
        """
        return RunContext(
            job_id=job.pk,
            job_uuid=job.uuid,
            token=self._token,
            preset_slug=job.preset_slug,
            spec=PresetSpec(),
            source=bytes(journal.original_raw),
            library_root=bytes(journal.root_raw),
            work_dir=make_work_folder(job.uuid),
            snapshot=SourceSnapshot.from_json(journal.source_snapshot),
            checkpoint=self._control.checkpoint,
            is_stopping=self._control.is_stopping,
            report=self._control.report,
            held_slots=self._control.held_slots,
            log=self._log,
        )

    def _context(self, job: Job) -> RunContext:
        file = job.file
        if file is None:
            raise JobSkipped("file_gone", "The film is no longer in any library.")
        library = file.library
        source = os.path.join(bytes(library.root_raw), bytes(file.path_raw))  # noqa: PTH118  # bytes
        _check_library(library)
        snapshot = _snapshot(source)
        self._control.write(source_snapshot=snapshot.to_json(), source_bytes=snapshot.size_bytes)
        try:
            spec = PresetSpec.from_json(job.preset_spec)
        except PresetProblem as problem:
            raise JobFailed("preset_invalid", f"The preset cannot be used: {problem}") from None
        return RunContext(
            job_id=job.pk,
            job_uuid=job.uuid,
            token=self._token,
            preset_slug=job.preset_slug,
            spec=spec,
            source=source,
            library_root=bytes(library.root_raw),
            work_dir=make_work_folder(job.uuid),
            snapshot=snapshot,
            checkpoint=self._control.checkpoint,
            is_stopping=self._control.is_stopping,
            report=self._control.report,
            held_slots=self._control.held_slots,
            log=self._log,
        )

    def _prepare(self, job: Job, context: RunContext) -> Prepared:
        from transcode.running.phases import display_command, prepare

        prepared = prepare(context)
        plan, estimate = prepared.plan, prepared.estimate
        command = display_command(plan, context.source, f"output{plan.extension}")
        self._log(f"$ {command}")
        self._control.write(
            source_snapshot=context.snapshot.to_json(),
            plan=plan.to_json(),
            plan_hash=plan.digest(),
            ffmpeg_version=plan.ffmpeg_version[:60],
            command=command,
            encoder=plan.video.encoder if plan.video else "",
            crf=plan.video.crf if plan.video else None,
            frames=plan.video.expected_frames if plan.video else None,
            whole_reason=plan.whole_reason[:200],
            chunks_total=len(plan.chunks),
            predicted_bytes=estimate.bytes,
            predicted_bytes_low=estimate.low,
            predicted_bytes_high=estimate.high,
            prediction_basis=estimate.basis,
            target_vmaf=plan.video.target_vmaf if plan.video else None,
            target_metric=_target_metric(context, plan),
            predicted_vmaf=estimate.vmaf,
            predicted_seconds=estimate.seconds,
        )
        retry_on_busy(lambda: record_plan(job.pk, plan, prepared.info, context.spec, estimate))
        retry_on_busy(
            lambda: reserve_space(
                job.pk,
                self._token,
                upper_bytes=estimate.high,
                work_dir=context.work_dir,
                target_dir=_target_folder(job, context),
            )
        )
        return prepared

    def _encode(self, context: RunContext, prepared: Prepared) -> Path:
        from transcode.running.phases import assemble, encode

        with self._phase(JobPhase.ENCODE):
            encoded = encode(context, prepared)
        with self._phase(JobPhase.ASSEMBLE):
            return assemble(context, prepared, encoded)

    def _verify(
        self, job: Job, context: RunContext, prepared: Prepared, output: Path
    ) -> ProofRecord:
        from transcode.replacing.stage import refuse_deleted
        from transcode.running.phases import read_encode_result
        from transcode.verify import run_ladder, save_proof

        encode_result = read_encode_result(context, prepared.plan)
        proof = run_ladder(context, prepared, output, encode_result)
        record = retry_on_busy(lambda: save_proof(context.job_id, prepared.plan, proof))
        self._control.write(
            output_bytes=proof.output_bytes,
            vmaf_mean=proof.vmaf_mean,
            vmaf_p5=proof.vmaf_p5,
            vmaf_method=proof.vmaf_method[:120],
            frames=proof.frames,
            **self._kept_pictures(job, proof),
        )
        if proof.failed_code == VERIFY_SOURCE_CHANGED and job.file is not None:
            refuse_deleted(context, job.file.library, output)
        if proof.failure is not None:
            raise proof.failure
        return record

    def _kept_pictures(self, job: Job, proof: Proof) -> dict[str, object]:
        """For the page that shows before and after; nothing where nothing was compared."""
        from transcode.quality.pictures import keep_pictures, vmaf_curve

        if proof.compared is None:
            return {}
        pictures = keep_pictures(
            job.uuid, proof.compared, checkpoint=self._control.checkpoint, log=self._log
        )
        return {"sample_frames": pictures, "vmaf_curve": vmaf_curve(proof.compared)}

    def _publish(
        self,
        job: Job,
        context: RunContext,
        prepared: Prepared,
        output: Path,
        proof: ProofRecord,
    ) -> None:
        from transcode.replacing.swap import publish_beside, replace_original

        self._control.checkpoint()
        if job.output_mode == OutputMode.REPLACE:
            refuse_while_in_use(job.file_id)
            replace_original(context, prepared.plan, output, proof)
        else:
            folder = _target_folder(job, context)
            publish_beside(context, prepared.plan, output, proof, folder=folder)

    @contextmanager
    def _phase(self, phase: JobPhase) -> Iterator[None]:
        retry_on_busy(lambda: self._control.enter(phase))
        self._log(f"— {phase.label} —")
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = self._phase_seconds.get(phase.value, 0.0) + time.monotonic() - started
            self._phase_seconds[phase.value] = round(seconds, 3)

    def _settle(self, outcome: JobOutcome) -> None:
        """Turn how it ended into one status change, while the job is still ours."""
        if isinstance(outcome, LeaseLost):
            return
        if not retry_on_busy(lambda: settle_outcome(self._job_id, self._token, outcome)):
            self._log("the job is no longer ours; nothing was written")

    def _drop_work(self, job: Job) -> None:
        """What was made of a film that is no more is of no use, while the job is still ours."""
        with suppress(LeaseLost):
            retry_on_busy(self._control.write)
            remove_work_folder(job.uuid)

    def _save_attempt(self) -> None:
        rows = JobAttempt.objects.filter(lease_token=self._token)
        rows.update(phase_seconds=self._phase_seconds)

    def _tidy(self, job: Job) -> None:
        """Remove the work folder of a job that is over; keep it for a resume otherwise."""
        columns = ("status", "reason_code", "kept_output_raw")
        status, reason_code, kept = Job.objects.values_list(*columns).get(pk=job.pk)
        self._log(f"status: {status}")
        if status not in TERMINAL or kept is not None:
            return
        if leaves_chunks(status, reason_code) and keep_chunks_only(job.uuid):
            self._log("its finished chunks are kept for the next job of this film")
            return
        remove_work_folder(job.uuid)


def settle_outcome(job_id: int, token: str, outcome: JobOutcome) -> bool:
    """Write the end of an attempt as its outcome says. False: the lease is gone."""
    code, reason = outcome.reason_code, outcome.reason
    write: Callable[..., bool]
    match outcome:
        case JobHeld():
            write = job_queue.hold_running
        case JobWaits():
            write = partial(job_queue.wait_for_disk, delay_s=outcome.delay_s)
        case JobHandedBack():
            write = job_queue.hand_back
        case JobFailed() if outcome.is_retryable:
            write = job_queue.retry_later
        case _:
            write = partial(job_queue.finish_job, status=_end_status(outcome))
    return write(job_id, token=token, reason_code=code, reason=reason)


def _unforeseen(error: Exception) -> JobOutcome:
    """A database that is away for a moment costs no try; everything else is a bug of ours."""
    from transcode.replacing.swap import BUSY_WAIT_S

    if is_database_away(error):
        reason = f"The database could not be reached: {error}. The job starts again by itself."
        return JobWaits("database_busy", reason, delay_s=BUSY_WAIT_S)
    return internal_error(error)


def _end_status(outcome: JobOutcome) -> JobStatus:
    match outcome:
        case JobSkipped():
            return JobStatus.SKIPPED
        case JobCancelled():
            return JobStatus.CANCELLED
        case _:
            return JobStatus.FAILED


def _check_library(library: Library) -> None:
    if not library.is_enabled:
        raise JobHeld("library_disabled", f"The library {library.name} is switched off.")
    if library.is_frozen:
        reason = f"The library {library.name} is frozen: {library.frozen_reason}"
        raise JobWaits("library_frozen", reason, delay_s=FROZEN_WAIT_S)
    try:
        is_there = marker_matches(bytes(library.root_raw), library.marker_id)
    except OSError as error:
        raise JobWaits(
            "mount_missing",
            f"The folder {library.root} cannot be reached ({error.strerror}); is it mounted?",
            delay_s=MOUNT_WAIT_S,
        ) from error
    if not is_there:
        raise JobWaits(
            "mount_missing",
            f"The folder {library.root} does not hold this library's id file; is it mounted?",
            delay_s=MOUNT_WAIT_S,
        )


def _snapshot(source: bytes) -> SourceSnapshot:
    try:
        return take_source_snapshot(source)
    except FileNotFoundError:
        raise JobFailed(
            "source_missing", "The film is no longer where the library knows it; scan again."
        ) from None
    except PermissionError as error:
        raise JobFailed(
            "source_unreadable", f"The film cannot be read: {error.strerror}."
        ) from error
    except OSError as error:
        reason = f"The film cannot be reached ({error.strerror}); is its disk mounted?"
        raise JobWaits("source_unreachable", reason, delay_s=MOUNT_WAIT_S) from error


def _target_metric(context: RunContext, plan: Plan) -> str:
    has_target = plan.video is not None and plan.video.target_vmaf is not None
    return context.spec.video.target_metric if has_target else ""


def _target_folder(job: Job, context: RunContext) -> bytes:
    if job.output_mode == OutputMode.FOLDER and job.output_dir_raw:
        return bytes(job.output_dir_raw)
    return os.path.dirname(context.source)  # noqa: PTH120  # bytes
