"""The waiting list: its pages by keyset, and where a job stands in it.

With 100,000 jobs a page is read one status at a time: a merge of two short ordered reads, where one
read over both statuses would sort them all.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.urls import reverse

from transcode.models import Job, JobStatus
from transcode.pages.job_words import badge_texts, film_name, predicted_saving, state_word
from transcode.pages.queue_page import ROW_FIELDS, who_asked
from transcode.prediction.lessons import current_lessons
from transcode.prediction.savings_hook import estimate_file
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from transcode.pages.job_words import FilmName
    from transcode.prediction.lessons import Lessons

PAGE_ROWS: Final = 50
MOST_HELD: Final = 20


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """One waiting job, ready to print."""

    id: int
    place: int
    url: str
    actions_url: str
    name: FilmName
    badges: tuple[str, ...]
    preset: str
    who: str
    source_bytes: int
    saving: int | None
    saving_low: int | None
    saving_high: int | None
    basis: str
    state: str
    word: str
    reason: str
    not_before: datetime | None
    tries: str
    priority: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class WaitingCursor:
    """Where a page of the waiting list begins: after this job. `place` is its number."""

    priority: int
    position: int
    job_id: int
    place: int

    def __str__(self) -> str:
        return f"{self.priority}.{self.position}.{self.job_id}.{self.place}"


@dataclass(frozen=True, slots=True)
class WaitingPage:
    rows: tuple[WaitingRow, ...]
    next_cursor: str
    is_first: bool


def read_cursor(text: str) -> WaitingCursor | None:
    """From an address; None for anything that `WaitingCursor` did not write."""
    parts = text.split(".")
    if len(parts) != 4 or len(text) > 80:
        return None
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        return None
    if any(abs(number) >= 2**62 for number in numbers) or numbers[3] < 0:
        return None
    return WaitingCursor(*numbers)


def read_waiting(cursor: WaitingCursor | None = None, *, rows: int = PAGE_ROWS) -> WaitingPage:
    """A page of what waits for its turn (queued, or waiting to retry), in the queue's order."""
    parts = [
        _in_order(Job.objects.filter(status=status), cursor, rows + 1)
        for status in (JobStatus.QUEUED, JobStatus.RETRY_WAIT)
    ]
    merged = heapq.merge(*parts, key=lambda job: (-job.priority, job.position, job.pk))
    jobs = list(islice(merged, rows + 1))
    start = cursor.place if cursor else 0
    specs = SpecReader()
    shown = [_row(job, start + n, specs) for n, job in enumerate(jobs[:rows], start=1)]
    last = jobs[rows - 1] if len(jobs) > rows else None
    following = (
        str(WaitingCursor(last.priority, last.position, last.pk, start + rows)) if last else ""
    )
    return WaitingPage(tuple(shown), following, cursor is None)


def read_held(limit: int = MOST_HELD) -> tuple[WaitingRow, ...]:
    """Jobs that need a person, first of the queue first."""
    jobs = _in_order(Job.objects.filter(status=JobStatus.HELD), None, limit)
    specs = SpecReader()
    return tuple(_row(job, number, specs) for number, job in enumerate(jobs, start=1))


def _in_order(jobs: QuerySet[Job], cursor: WaitingCursor | None, limit: int) -> list[Job]:
    """The first of one status after a place. Two reads that the index answers in order: the rest
    of the same priority, then lower ones (one read over both would scan what lies before)."""
    ordered = jobs.select_related("file", "requested_by").only(*ROW_FIELDS)
    ordered = ordered.order_by("-priority", "position", "id")
    if cursor is None:
        return list(ordered[:limit])
    behind = Q(position__gt=cursor.position) | Q(position=cursor.position, id__gt=cursor.job_id)
    same = ordered.filter(behind, priority=cursor.priority, position__gte=cursor.position)
    found = list(same[:limit])
    if len(found) < limit:
        found += ordered.filter(priority__lt=cursor.priority)[: limit - len(found)]
    return found


class SpecReader:
    """Reads the specs of a page's jobs: fifty jobs have one or two between them."""

    def __init__(self) -> None:
        self._known: dict[str, PresetSpec | None] = {}
        self._lessons: Lessons | None = None

    def saving(self, job: Job) -> tuple[int, int, int, str] | None:
        """(expected, low, high, basis): as predicted at the plan, else learned or by rule."""
        planned = predicted_saving(job)
        if planned is not None:
            return (*planned, job.prediction_basis)
        spec = self._spec(job)
        if not spec or not job.file:
            return None
        if self._lessons is None:
            self._lessons = current_lessons()
        found = estimate_file(job.file, spec, self._lessons)
        return (found.expected, found.low, found.high, found.basis) if found else None

    def _spec(self, job: Job) -> PresetSpec | None:
        key = repr(job.preset_spec)
        if key not in self._known:
            try:
                self._known[key] = PresetSpec.from_json(job.preset_spec)
            except PresetProblem:
                self._known[key] = None  # of an older version; the plan will say what is wrong
        return self._known[key]


def _row(job: Job, place: int, specs: SpecReader) -> WaitingRow:
    saving = specs.saving(job)
    return WaitingRow(
        id=job.pk,
        place=place,
        url=reverse("transcode:job_detail", args=[job.pk]),
        actions_url=reverse("transcode:job_actions", args=[job.pk]),
        name=film_name(job.file, job.file_path),
        badges=badge_texts(job.file)[:3],
        preset=job.preset_name or job.preset_slug,
        who=who_asked(job),
        source_bytes=job.source_bytes,
        saving=saving[0] if saving else None,
        saving_low=saving[1] if saving else None,
        saving_high=saving[2] if saving else None,
        basis=saving[3] if saving else "",
        state=job.status,
        word=state_word(job),
        reason=job.reason,
        not_before=job.not_before,
        tries=f"try {job.attempt + 1} of {job.max_attempts}" if job.attempt else "",
        priority=job.priority,
        is_paused=job.is_paused,
    )


def place_beside(job: Job, direction: str) -> tuple[int | None, int | None] | None:
    """(before, after) for `services.move_job` that moves a waiting job one place "up" or "down", or
    to the "top" or the "end". None: it is there already."""
    waiting = Job.objects.filter(status__in=[JobStatus.QUEUED, JobStatus.RETRY_WAIT])
    others = waiting.exclude(pk=job.pk)
    same = others.filter(priority=job.priority)
    behind = Q(position__gt=job.position) | Q(position=job.position, pk__gt=job.pk)
    if direction in {"up", "top"}:
        ahead = same.filter(~behind).order_by("-position", "-id").values_list("pk", flat=True)
        higher = others.filter(priority__gt=job.priority).order_by("priority", "-position", "-id")
        nearest = ahead.first() or higher.values_list("pk", flat=True).first()
        if nearest is None:
            return None
        return (nearest, None) if direction == "up" else (None, None)
    after = same.filter(behind).order_by("position", "id").values_list("pk", flat=True)
    lower = others.filter(priority__lt=job.priority)
    if direction == "down":
        lowest = lower.order_by("-priority", "position", "id").values_list("pk", flat=True)
        nearest = after.first() or lowest.first()
    else:
        last = others.filter(Q(priority__lt=job.priority) | (Q(priority=job.priority) & behind))
        nearest = last.order_by("priority", "-position", "-id").values_list("pk", flat=True).first()
    return None if nearest is None else (None, nearest)
