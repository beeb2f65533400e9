"""A film that is being watched is not swapped; nobody waits for ever."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, patch

import pytest

from mediaflow.base import hooks
from tests.transcode.makers import claim, make_file, make_job, make_library
from transcode.models import Job, JobAttempt, JobStatus
from transcode.outcomes import JobWaits
from transcode.queue import job_queue
from transcode.replacing.announce import announce_swap, refuse_while_in_use, waited_for_use
from transcode.running import runner
from transcode.running.attempt_log import AttemptLog
from transcode.running.control import RunControl
from transcode.running.runner import Runner, settle_outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.running.context import RunContext

pytestmark = pytest.mark.django_db
WATCHED = "It is being watched on TV (Home)."


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`listen(name, *functions)` instead of what is registered."""

    def replace(name: str, *functions: Callable[..., Any]) -> None:
        monkeypatch.setitem(hooks._registered, name, list(functions))

    return replace


def test_a_watched_film_waits_and_counts_no_attempt(listen: Callable[..., None]) -> None:
    listen("film_in_use", lambda _file, _deadline: WATCHED)
    job = make_job(make_file(make_library()))
    token = claim(job).token
    with pytest.raises(JobWaits) as waits:
        refuse_while_in_use(job.file_id)
    assert settle_outcome(job.pk, token, waits.value)
    job.refresh_from_db()
    assert (job.status, job.attempt, job.reason) == (JobStatus.RETRY_WAIT, 0, WATCHED)
    assert job.not_before is not None
    assert waited_for_use(job.pk)


def test_after_the_wait_it_is_asked_first_of_all(listen: Callable[..., None]) -> None:
    job = make_job(make_file(make_library()))
    assert not waited_for_use(job.pk)
    token = claim(job).token
    settle_outcome(job.pk, token, JobWaits("in_use", WATCHED))
    job_queue.release(job.pk)
    assert waited_for_use(job.pk)
    token = claim(job).token
    settle_outcome(job.pk, token, JobWaits("mount_missing", "Away."))
    assert not waited_for_use(job.pk)


def test_who_cannot_be_asked_keeps_nobody_waiting(listen: Callable[..., None]) -> None:
    def broken(_file: int, _deadline: float) -> str:
        raise RuntimeError("a bug")

    listen("film_in_use", broken, lambda _file, _deadline: "")
    refuse_while_in_use(make_file(make_library()).pk)
    refuse_while_in_use(None)


def test_one_who_watches_is_enough(listen: Callable[..., None]) -> None:
    listen("film_in_use", lambda _file, _deadline: "", lambda _file, _deadline: WATCHED)
    with pytest.raises(JobWaits, match="TV"):
        refuse_while_in_use(make_file(make_library()).pk)


def test_the_runner_asks_before_the_swap_and_first_of_all_the_next_time(
    listen: Callable[..., None], settings: Any, tmp_path: Path
) -> None:
    settings.WORK_DIR = tmp_path / "work"
    root = tmp_path / "films"
    root.mkdir()
    (root / "a.mkv").write_bytes(b"x" * 1000)
    job = make_job(make_file(make_library(root=bytes(root))))
    answers = [WATCHED, WATCHED, "", ""]
    listen("film_in_use", lambda _file, _deadline: answers.pop(0))
    done: list[str] = []

    def prepare(*_given: object) -> MagicMock:
        done.append("prepare")
        return MagicMock()

    def swap(context: RunContext, *_given: object) -> None:
        done.append("swap")
        job_queue.finish_job(job.pk, token=context.token, status=JobStatus.COMPLETED)

    def attempt() -> str:
        token = claim(job).token
        log = AttemptLog(JobAttempt.objects.get(lease_token=token).log_name)
        with (
            patch.object(runner, "marker_matches", return_value=True),
            patch.object(Runner, "_prepare", side_effect=prepare),
            patch.object(Runner, "_encode", return_value=Path("unused")),
            patch.object(Runner, "_verify"),
            patch("transcode.replacing.swap.replace_original", side_effect=swap),
        ):
            Runner(job.pk, token, RunControl(job.pk, token), log).run()
        log.close()
        job.refresh_from_db()
        if job.status == JobStatus.RETRY_WAIT:
            job_queue.release(job.pk)
        return str(job.status)

    assert attempt() == JobStatus.RETRY_WAIT
    assert done == ["prepare"]  # all was ready, the swap was not opened
    assert attempt() == JobStatus.RETRY_WAIT
    assert done == ["prepare"]  # asked before anything was read once more
    assert attempt() == JobStatus.COMPLETED
    assert done == ["prepare", "prepare", "swap"]
    assert job.attempt == 1


def test_a_listener_that_fails_before_a_swap_changes_nothing(listen: Callable[..., None]) -> None:
    told: list[int] = []

    def broken(_replacement: int, _deadline: float) -> None:
        raise RuntimeError("a bug")

    def late(replacement_id: int, deadline_s: float) -> None:
        assert 0 < deadline_s <= 45
        told.append(replacement_id)

    listen("before_swap", broken, late)

    class Row:
        pk = 7

    announce_swap(Row())  # type: ignore[arg-type]  # only its number is read
    assert told == [7]
    assert not Job.objects.exists()
