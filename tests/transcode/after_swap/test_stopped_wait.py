"""MediaFlow is stopped while both names of a film exist: the runner leaves, the next goes on."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.transcode.after_swap.test_plex import EDITED, LABELS, NEW_NAME
from tests.transcode.replace.world import tree
from transcode.models import Job, JobStatus, JournalState
from transcode.outcomes import JobHandedBack
from transcode.running.control import RunControl
from transcode.running.process import _hand_back_on_signals
from transcode.running.runner import settle_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def names_in(cinema: Cinema) -> set[bytes]:
    return {name.rpartition(b"/")[2] for name in tree(cinema.world.root)}


def test_a_stop_ends_the_wait_for_plex_and_the_next_start_finishes_the_swap(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    folders = dict(cinema.section.folders)
    cinema.section.folders.clear()  # Plex does not find the file
    control = RunControl(cinema.world.job.pk, "")
    _hand_back_on_signals(control)
    assert not control.is_stopping()
    cinema.plex.before("/refresh", lambda: os.kill(os.getpid(), signal.SIGTERM))
    context = cinema.world.context("")
    context.is_stopping = control.is_stopping

    begun = time.monotonic()
    with pytest.raises(JobHandedBack) as stop:
        cinema.world.swap(context=context)
    assert time.monotonic() - begun < 5
    assert cinema.world.journal().state == JournalState.PUBLISHED
    assert {b"film.avi", b"film.mkv"} <= names_in(cinema)
    assert settle_outcome(cinema.world.job.pk, context.token, stop.value)
    job = Job.objects.get()
    assert (job.status, job.reason_code, job.attempt) == (JobStatus.QUEUED, "handed_back", 0)

    cinema.section.folders.update(folders)
    assert cinema.world.run() == JobStatus.COMPLETED
    assert b"film.avi" not in names_in(cinema)
    cinema.tell()
    assert cinema.item().rating_key == cinema.film.rating_key
    assert set(cinema.item().tags("Label")) == set(LABELS)


def test_a_stop_after_plex_has_the_file_lets_the_swap_end(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(**NEW_NAME)
    context = cinema.world.context("")
    context.is_stopping = lambda: cinema.swap().step == "seen"
    assert cinema.world.swap(context=context).state == JournalState.DONE


def test_a_stop_does_not_put_off_a_swap_whose_wait_is_over(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.replacing.swap.PUBLISHED_WAIT_S", 0.0)
    cinema = make_cinema(**NEW_NAME)
    context = cinema.world.context("")
    context.is_stopping = lambda: True
    assert cinema.world.swap(context=context).state == JournalState.DONE
