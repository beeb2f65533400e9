"""Which jobs a page may show, and reading what a form posts. Everybody signed in sees every job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.http import Http404

from mediaflow.base.ids import read_id
from transcode.models import Job

if TYPE_CHECKING:
    from django.http import QueryDict

MOST_IDS: Final = 10_000


class FormProblem(Exception):
    """What was posted cannot be used; the text says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def get_job(job_id: int) -> Job:
    """The job with its film, preset and person. Raises Http404."""
    jobs = Job.objects.select_related("file", "file__library", "preset", "requested_by")
    job = jobs.filter(pk=job_id).first() if job_id < 2**63 else None
    if job is None:
        raise Http404("There is no such job.")
    return job


def read_job_id(text: str) -> int:
    """A job's number as a form posts it. Raises FormProblem."""
    found = read_id(text)
    if found is None:
        raise FormProblem("That is no job; look at the queue again.")
    return found


def read_optional_job_id(text: str) -> int | None:
    return read_job_id(text) if text else None


def read_job_ids(data: QueryDict) -> list[int]:
    """The ticked jobs. Raises FormProblem."""
    texts = data.getlist("ids")
    if len(texts) > MOST_IDS:
        raise FormProblem(f"Select at most {MOST_IDS:,} jobs by hand, or all that wait.")
    return list(dict.fromkeys(read_job_id(text) for text in texts))


def read_priority(text: str) -> int:
    """Raises FormProblem for anything but a small whole number."""
    body = text.strip().removeprefix("-")
    if not (body.isascii() and body.isdigit() and len(body) <= 4):
        raise FormProblem("The priority must be a whole number.")
    return int(text)
