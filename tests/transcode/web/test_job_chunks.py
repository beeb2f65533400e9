"""The map of a job's chunks on its page."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from tests.transcode.web.rows import make_job
from transcode.models import Chunk, ChunkAttempt, JobStatus
from transcode.pages.chunk_map import MOST_CELLS, read_chunk_map

if TYPE_CHECKING:
    from django.test import Client

    from transcode.models import Job

pytestmark = pytest.mark.django_db


def running_job(chunks: int, **values: Any) -> Job:
    return make_job(status=JobStatus.RUNNING, chunks_total=chunks, phase="encode", **values)


def add_chunks(job: Job, *states: str) -> None:
    """done, run, lost or wait, each of 100 pictures."""
    for index, state in enumerate(states):
        status = "done" if state == "done" else "pending"
        row = Chunk.objects.create(
            job=job,
            index=index,
            frames=100,
            status=status,
            seconds=12 if status == "done" else None,
        )
        attempt = {"done": "proven", "run": "leased", "lost": "lost"}.get(state)
        if attempt:
            ChunkAttempt.objects.create(
                chunk=row, slot="x", token=secrets.token_hex(8), status=attempt
            )


def test_each_chunk_has_its_cell() -> None:
    job = running_job(4, progress_pct=37.5)
    add_chunks(job, "done", "run", "lost", "wait")
    found = read_chunk_map(job)
    assert found is not None
    assert [cell["state"] for cell in found.cells] == ["done", "run", "retry", "wait"]
    assert found.cells[1]["progress"] == pytest.approx(0.5)
    assert found.cells[0]["title"] == "Chunk 1: done in 12 s"
    assert (found.done, found.total) == (1, 4)
    assert "1 of 4 chunks done, 1 being encoded" in found.label


def test_a_film_that_runs_whole_has_no_map() -> None:
    assert read_chunk_map(running_job(0)) is None
    assert read_chunk_map(running_job(3)) is None  # not planned yet


def test_many_chunks_share_cells_and_trouble_stays_visible() -> None:
    job = running_job(500)
    add_chunks(job, *["done"] * 499, "lost")
    found = read_chunk_map(job)
    assert found is not None
    assert len(found.cells) <= MOST_CELLS
    assert found.cells[-1]["state"] == "retry"
    assert sum(cell["weight"] for cell in found.cells) == 50_000


def test_the_page_and_its_live_part_show_the_map(as_operator: Client) -> None:
    job = running_job(2)
    add_chunks(job, "done", "run")
    for name in ("job_detail", "job_live"):
        answer = as_operator.get(reverse(f"transcode:{name}", args=[job.pk]) + "?status=running")
        text = answer.content.decode()
        assert "1 of 2 chunks done, 1 being encoded" in text
        assert "Chunk 2: being encoded" in text
