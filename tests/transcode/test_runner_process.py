"""The process of one attempt: taken over, told of its job, ended with its consumer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from django.db import OperationalError

from mediaflow.base.models import Setting
from tests.transcode.makers import claim, make_file, make_job, make_library
from transcode.encoding.process import ChildLimits
from transcode.models import Job, JournalState, ProofRecord, Replacement
from transcode.outcomes import JobHandedBack
from transcode.running import process
from transcode.running.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_connection() -> Iterator[None]:
    """The test's own transaction lives on."""
    with patch("transcode.running.process.connection.close"):
        yield


@pytest.fixture
def job() -> Job:
    return make_job(make_file(make_library()))


def test_a_job_that_was_given_to_another_process_is_not_run(job: Job) -> None:
    claim(job)
    with patch("transcode.running.process.Runner") as runner:
        assert not process.run_claimed_job(job.pk, "a token of before", None)
    runner.assert_not_called()


def test_what_ffmpeg_may_take_is_what_the_settings_say() -> None:
    assert process._chosen_limits() == ChildLimits()
    for key, value in (("ffmpeg_nice", 3), ("ffmpeg_cores", 2), ("ffmpeg_memory_mib", 4000)):
        Setting.objects.create(key=key, value=value)
    chosen = process._chosen_limits()
    assert (chosen.nice_step, chosen.cores, chosen.memory_mib) == (3, 2, 4000)


@pytest.mark.parametrize(
    ("parts", "told"),
    [((b"12 abc\n",), (12, "abc")), ((b"1", b"2 ab", b"c\n"), (12, "abc")), ((b"12 a",), None)],
    ids=["at once", "in pieces", "the consumer ended"],
)
def test_a_spare_process_waits_until_it_is_told_its_job(
    parts: tuple[bytes, ...], told: tuple[int, str] | None
) -> None:
    waits, tells = os.pipe()
    rest = list(parts)
    read = os.read

    def one_by_one(descriptor: int, size: int) -> bytes:
        if rest:
            os.write(tells, rest.pop(0))
            if not rest:
                os.close(tells)
        return read(descriptor, size)

    with patch("os.read", one_by_one):
        assert process.wait_as_spare(waits) == told
    os.close(waits)


class Ended(BaseException):
    pass


@pytest.mark.parametrize(
    ("state", "waited_s"),
    [
        ("no journal", [process.HAND_BACK_S]),
        (JournalState.STAGED, [process.HAND_BACK_S]),
        (JournalState.SWAPPING, [process.HAND_BACK_S, process.FINISH_SWAP_S]),
        ("database away", [process.HAND_BACK_S, process.FINISH_SWAP_S]),
    ],
)
def test_without_its_consumer_a_process_ends_but_gives_a_swap_its_time(
    job: Job, state: str, waited_s: list[float]
) -> None:
    if state in JournalState.values:
        proof = ProofRecord.objects.create(job=job, is_passed=True)
        Replacement.objects.create(job=job, state=state, proof=proof, is_proof_passed=True)
    away = OperationalError("away") if state == "database away" else Replacement.objects.filter
    control, slept = RunControl(job.pk, "token"), list[float]()
    with (
        patch.object(Replacement.objects, "filter", side_effect=away),
        patch("time.sleep", slept.append),
        patch("logging.shutdown"),
        patch("os._exit", side_effect=Ended) as exit_,
        pytest.raises(Ended),
    ):
        process._end_with_parent(control, job.pk)
    assert slept == waited_s
    exit_.assert_called_once_with(1)
    with pytest.raises(JobHandedBack, match="stopped"):
        control.checkpoint()


@pytest.mark.parametrize("is_ok", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_thread_that_is_stuck_does_not_keep_the_process(is_ok: bool, threads: int) -> None:
    with (
        patch("logging.shutdown"),
        patch("threading.active_count", return_value=threads),
        patch("os._exit", side_effect=Ended) as hard,
        pytest.raises((Ended, SystemExit)) as ended,
    ):
        process.end_process(is_ok)
    code = 0 if is_ok else 1
    if threads > 1:
        hard.assert_called_once_with(code)
    else:
        assert isinstance(ended.value, SystemExit)
        assert ended.value.code == code
