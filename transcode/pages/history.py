"""What was done: filters, totals, pages by keyset, CSV. Everything ordered by when it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import Avg, Count, F, Q, Sum
from django.urls import reverse
from django.utils import timezone

from library.folding import search_text
from mediaflow.base.ids import read_id
from transcode.models import IN_TRASH, Job, JobStatus, TrashEntry, TrashState
from transcode.pages.causes import cause_choices, cause_filter, cause_of
from transcode.pages.job_words import (
    film_name,
    predicted_saving,
    saved_bytes,
    state_kind,
    state_word,
)
from transcode.pages.live import live_parts
from transcode.pages.queue_page import JOB_FIELDS
from transcode.states import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from transcode.pages.causes import Cause
    from transcode.pages.job_words import FilmName

PAGE_ROWS: Final = 50
CHOICES_S: Final = 10.0  # how long the filters offered may lag behind
STATE_LABELS: Final = {
    JobStatus.COMPLETED: "Done",
    JobStatus.SKIPPED: "Skipped",
    JobStatus.FAILED: "Failed",
    JobStatus.CANCELLED: "Cancelled",
}
PERIODS: Final = (
    ("", "Any time"),
    ("1", "Today"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("365", "A year"),
)
UNDONE: Final = (("", "Undone or not"), ("no", "Not undone"), ("yes", "Undone"))
_FILE_FIELDS: Final = ("id", "title", "year", "show_title", "season", "episode")
_ROW_FIELDS: Final = (
    *JOB_FIELDS,
    "seconds",
    "encoder",
    "crf",
    "library_name",
    "rule",
    *(f"file__{name}" for name in _FILE_FIELDS),
)
CSV_COLUMNS: Final = (
    *("id", "file", "library", "preset", "state", "reason_code", "reason", "queued", "ended"),
    *("seconds", "source_bytes", "output_bytes", "saved_bytes", "predicted_bytes"),
    *("predicted_low", "predicted_high", "basis", "encoder", "crf", "vmaf_mean", "vmaf_p5"),
    *("undone", "origin", "rule", "recommendation", "by"),
)


def _read_choices() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Presets and libraries of all jobs, also of those that are gone. Reads every job's row."""
    jobs = Job.objects.order_by()
    presets = dict(jobs.values_list("preset_slug", "preset_name").distinct()[:200])
    libraries = set(jobs.values_list("library_name", flat=True).distinct()[:200])
    by_name = sorted(((slug, name or slug) for slug, name in presets.items()), key=lambda p: p[1])
    return by_name, [(name, name) for name in sorted(libraries) if name]


class HistoryForm(forms.Form):
    """The filters of the page; what is not understood is a form error and filters nothing."""

    text = forms.CharField(
        required=False,
        max_length=200,
        label="Search",
        widget=forms.TextInput({"placeholder": "Film or path"}),
    )
    state = forms.ChoiceField(required=False, label="State")
    preset = forms.ChoiceField(required=False, label="Preset")
    library = forms.ChoiceField(required=False, label="Library")
    period = forms.ChoiceField(required=False, label="Period", choices=PERIODS)
    since = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput({"type": "date"}))
    undone = forms.ChoiceField(required=False, label="Undone", choices=UNDONE)
    cause = forms.ChoiceField(required=False, label="Cause")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        presets, libraries = live_parts.figure("history choices", _read_choices, keep_s=CHOICES_S)
        causes = live_parts.figure("history causes", cause_choices, keep_s=CHOICES_S)
        self._choose("state", "Any state", [(s.value, w) for s, w in STATE_LABELS.items()])
        self._choose("preset", "Any preset", presets)
        self._choose("library", "Any library", libraries)
        self._choose("cause", "Any cause", causes)

    def _choose(self, name: str, empty: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", empty), *choices]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One job that is over, ready to print."""

    id: int
    url: str
    name: FilmName
    sub: str
    kind: str
    word: str
    reason: str
    preset: str
    ended_at: datetime | None
    seconds: float | None
    source_bytes: int
    output_bytes: int | None
    saved: int | None
    predicted: int | None
    predicted_low: int | None
    predicted_high: int | None
    basis: str
    vmaf: float | None
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class HistoryTotals:
    """Of everything that the filters let through. Undone jobs save nothing."""

    count: int
    done: int
    before_bytes: int
    after_bytes: int
    will_be_freed_bytes: int
    freed_bytes: int
    vmaf: float | None

    @property
    def saved_bytes(self) -> int:
        return self.before_bytes - self.after_bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    rows: tuple[HistoryRow, ...]
    next_cursor: str
    is_first: bool


def jobs_matching(form: HistoryForm) -> QuerySet[Job]:
    """Jobs that are over and pass the filters, unordered."""
    jobs = Job.objects.filter(status__in=TERMINAL, finished_at__isnull=False)
    if not form.is_valid():
        return jobs
    wanted = form.cleaned_data
    if wanted["state"]:
        jobs = jobs.filter(status=wanted["state"])
    if wanted["preset"]:
        jobs = jobs.filter(preset_slug=wanted["preset"])
    if wanted["library"]:
        jobs = jobs.filter(library_name=wanted["library"])
    if wanted["cause"]:
        jobs = jobs.filter(cause_filter(wanted["cause"]))
    if wanted["undone"]:
        jobs = jobs.filter(undone_at__isnull=wanted["undone"] == "no")
    if text := wanted["text"].strip():
        jobs = jobs.filter(_text_filter(text))
    return jobs.filter(**_time_bounds(wanted))


def _text_filter(text: str) -> Q:
    """Every word somewhere in the path, or in the film's folded name."""
    words = text.split()[:10]
    by_path, by_name = Q(), Q()
    for word in words:
        by_path &= Q(file_path__icontains=word)
        by_name &= Q(file__search_text__contains=search_text(word))
    has_no_letters = any(not search_text(word) for word in words)
    return by_path if has_no_letters else by_path | by_name


def _time_bounds(wanted: dict[str, Any]) -> dict[str, datetime]:
    bounds: dict[str, datetime] = {}
    if wanted["period"]:
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        bounds["finished_at__gte"] = today - timedelta(days=int(wanted["period"]) - 1)
    zone = timezone.get_current_timezone()
    if wanted["since"]:
        bounds["finished_at__gte"] = datetime.combine(wanted["since"], time.min, zone)
    if wanted["until"]:
        bounds["finished_at__lt"] = datetime.combine(wanted["until"], time.min, zone) + timedelta(1)
    return bounds


def read_totals(jobs: QuerySet[Job]) -> HistoryTotals:
    """Two statements. "Freed" only what has left the trash; "will be freed" what lies in it."""
    done = Q(status=JobStatus.COMPLETED, undone_at=None)
    sums = jobs.aggregate(
        count=Count("pk"),
        done=Count("pk", filter=done),
        before=Sum("source_bytes", filter=done & Q(output_bytes__isnull=False)),
        after=Sum("output_bytes", filter=done),
        vmaf=Avg("vmaf_mean", filter=done),
    )
    trash = TrashEntry.objects.filter(replacement__job__in=jobs.values("pk")).aggregate(
        kept=Sum("size_bytes", filter=Q(state__in=IN_TRASH)),
        purged=Sum("size_bytes", filter=Q(state=TrashState.PURGED)),
    )
    return HistoryTotals(
        count=sums["count"],
        done=sums["done"],
        before_bytes=sums["before"] or 0,
        after_bytes=sums["after"] or 0,
        will_be_freed_bytes=trash["kept"] or 0,
        freed_bytes=trash["purged"] or 0,
        vmaf=sums["vmaf"],
    )


def read_page(jobs: QuerySet[Job], cursor: str = "", *, rows: int = PAGE_ROWS) -> HistoryPage:
    """Newest first. `cursor` is what the page before named; anything else is the first page."""
    ordered = jobs.select_related("file").only(*_ROW_FIELDS).order_by("-finished_at", "-id")
    place = _read_cursor(cursor)
    if place is not None:
        ended_at, job_id = place
        ordered = ordered.filter(
            Q(finished_at__lt=ended_at) | Q(finished_at=ended_at, pk__lt=job_id),
            finished_at__lte=ended_at,
        )
    found = list(ordered[: rows + 1])
    last = found[rows - 1] if len(found) > rows else None
    following = (
        f"{last.pk}.{last.finished_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}"
        if last and last.finished_at
        else ""
    )
    return HistoryPage(tuple(_row(job) for job in found[:rows]), following, place is None)


def _read_cursor(text: str) -> tuple[datetime, int] | None:
    id_text, _, moment = text.partition(".")
    pk = read_id(id_text)
    if pk is None:
        return None
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), pk
    except ValueError:
        return None


def _row(job: Job) -> HistoryRow:
    saving = predicted_saving(job)
    return HistoryRow(
        id=job.pk,
        url=reverse("transcode:job_detail", args=[job.pk]),
        name=film_name(job.file, job.file_path),
        sub=job.library_name,
        kind=state_kind(job),
        word=state_word(job),
        reason=job.reason if job.status != JobStatus.COMPLETED else "",
        preset=job.preset_name or job.preset_slug,
        ended_at=job.finished_at,
        seconds=job.seconds,
        source_bytes=job.source_bytes,
        output_bytes=job.output_bytes,
        saved=saved_bytes(job) if state_kind(job) == "ok" else None,
        predicted=saving[0] if saving else None,
        predicted_low=saving[1] if saving else None,
        predicted_high=saving[2] if saving else None,
        basis=job.prediction_basis,
        vmaf=job.vmaf_mean,
        cause=cause_of(job),
    )


def csv_rows(jobs: QuerySet[Job]) -> Iterator[list[str]]:
    """Heading and rows for a CSV writer, read in portions."""
    yield list(CSV_COLUMNS)
    rows = jobs.order_by("-finished_at", "-id").values_list(
        *("pk", "file_path", "library_name", "preset_slug", "status", "reason_code", "reason"),
        *("created_at", "finished_at", "seconds", "source_bytes", "output_bytes"),
        F("source_bytes") - F("output_bytes"),
        *("predicted_bytes", "predicted_bytes_low", "predicted_bytes_high", "prediction_basis"),
        *("encoder", "crf", "vmaf_mean", "vmaf_p5", "undone_at", "origin"),
        *("rule__name", "recommendation__kind", "requested_by__username"),
    )
    for row in rows.iterator(chunk_size=1000):
        yield [_cell(value) for value in row]


def _cell(value: object) -> str:
    """Spreadsheets take a text that begins with = + - @ for a formula: it gets a quote."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    text = str(value)
    is_formula = isinstance(value, str) and text[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return f"'{text}" if is_formula else text
