"""Puts films into the queue, set-based: 100,000 in one INSERT … SELECT; a reason for every skip."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction
from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    UUIDField,
    Value,
    When,
    Window,
)
from django.db.models.functions import Cast, Concat, Left, RowNumber
from django.utils import timezone

from library.models import Availability, FileKind, FileState, LibraryKind, MediaFile
from mediaflow.base.wake import ring
from transcode.models import Job, JobStatus, OutputMode
from transcode.queue.order import POSITION_GAP, first_free_position
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models.expressions import Combinable

    from transcode.models import Preset, Rule

ID_BATCH: Final = 5_000

# Why a film is not queued: code, and a sentence for people.
REASONS: Final[dict[str, str]] = {
    "not_listed": "It was removed from the list.",
    "disc": "Disc folders and images are listed, never encoded.",
    "sample": "It is a sample.",
    "library_disabled": "Its library is switched off.",
    "library_frozen": "Its library is frozen; see the folders page.",
    "already_queued": "It is already in the queue.",
    "missing": "It is missing; scan its folder again.",
    "only_in_plex": "Only Plex reaches it; map its folder, or add it as a library here.",
    "unreachable": "Its folder cannot be reached; is it mounted?",
    "unreadable": "It cannot be read; see the inaccessible files page.",
    "growing": "It is still growing; it can be queued when it has settled.",
    "ignored": "It is ignored (undone or set aside); queue it by itself if you want it.",
    "archived": "It is archived.",
    "replace_off": "Replacing is switched off for its library; write beside instead.",
    "already_done": "It was already optimised with this preset.",
    "not_worth_it": "This preset has been tried and did not make it small enough.",
    # Of rules (transcode/rules/plan.py) only.
    "rule_before": "It was there before the rule was made.",
    "rule_settling": "It has only just arrived; the rule waits a while.",
    "rule_undone": "What the rule made of it was undone; queue it by itself if you want it.",
    "rule_done": "The rule has been through with it.",
    "rule_wrote": "MediaFlow wrote it; no rule takes it up again.",
    "rule_failed": "It failed when the rule tried it; see its job.",
    "rule_skipped": "It was skipped when the rule tried it; see its job.",
    "rule_cancelled": "Its job was cancelled; queue it by itself if you want it.",
}


@dataclass(frozen=True, slots=True)
class SkippedFile:
    file_id: int
    path: str
    code: str

    @property
    def reason(self) -> str:
        return REASONS[self.code]


@dataclass(slots=True)
class EnqueueResult:
    """`jobs`: ids of the new jobs in queue order. `skipped`: every film that was not queued."""

    jobs: list[int] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EnqueueOrder:
    """With what, how and for whom films are queued."""

    preset: Preset
    output_mode: str = OutputMode.REPLACE
    output_dir: bytes | None = None
    actor: AbstractBaseUser | None = None
    origin: str = "by hand"
    priority: int = 0
    # A film that was undone is ignored by bulk orders; one that a person names is not.
    includes_ignored: bool = False
    # Who orders by itself: its row, its own reasons to leave films out (after all others, in
    # this order), and the films' order in the queue.
    rule: Rule | None = None
    more_reasons: tuple[tuple[Q, str], ...] = ()
    order_by: tuple[str, ...] = ("sort_key", "pk")


def insert_jobs(files: QuerySet[MediaFile] | Iterable[int], order: EnqueueOrder) -> EnqueueResult:
    """Queue films (a query, or ids). One transaction for each query or 5,000 ids."""
    result = EnqueueResult()
    for part in _parts(files):
        with transaction.atomic():
            result.skipped += find_skipped(part, order)
            result.jobs += _insert(part, order)
    transaction.on_commit(ring)
    return result


def find_skipped(files: QuerySet[MediaFile], order: EnqueueOrder) -> list[SkippedFile]:
    """The films of a query that would not be queued, and why."""
    rows = find_left_out(files, order).order_by("pk").values_list("pk", "path", "verdict")
    return [SkippedFile(*row) for row in rows.iterator(chunk_size=5000)]


def find_left_out(files: QuerySet[MediaFile], order: EnqueueOrder) -> QuerySet[Any]:
    """The films of a query that would not be queued, each with its `verdict`."""
    return files.annotate(verdict=verdict_of(order)).exclude(verdict="")


def find_eligible(files: QuerySet[MediaFile], order: EnqueueOrder) -> QuerySet[MediaFile]:
    """The films of a query that would be queued."""
    return files.annotate(verdict=verdict_of(order)).filter(verdict="")


def count_verdicts(files: QuerySet[MediaFile], order: EnqueueOrder) -> dict[str, tuple[int, int]]:
    """Films and bytes by reason; under "" those that would be queued. One statement."""
    judged = files.annotate(verdict=verdict_of(order)).order_by().values("verdict")
    rows = judged.annotate(films=Count("pk"), size=Sum("size_bytes"))
    return {row["verdict"]: (row["films"], row["size"] or 0) for row in rows}


def _parts(files: QuerySet[MediaFile] | Iterable[int]) -> Iterator[QuerySet[MediaFile]]:
    if isinstance(files, QuerySet):
        yield files
        return
    ids = list(files)
    for start in range(0, len(ids), ID_BATCH):
        yield MediaFile.objects.filter(pk__in=ids[start : start + ID_BATCH])


def verdict_of(order: EnqueueOrder) -> Case:
    """The first reason that applies, as SQL; "" when the film can be queued."""
    is_replace = order.output_mode == OutputMode.REPLACE
    jobs = Job.objects.filter(file=OuterRef("pk"), preset_slug=order.preset.slug)
    done = jobs.filter(status=JobStatus.COMPLETED, undone_at=None, output_mode=order.output_mode)
    if not is_replace:
        done = done.filter(output_dir_raw=order.output_dir, source_bytes=OuterRef("size_bytes"))
    refused = jobs.filter(
        status=JobStatus.SKIPPED,
        reason_code="not_worth_it",
        source_bytes=OuterRef("size_bytes"),
        created_at__gte=order.preset.changed_at,
    )
    is_done = Q(mediaflow_tag__endswith=f";{order.preset.slug}") | (
        Q(Exists(done), state=FileState.COMPLETED) if is_replace else Q(Exists(done))
    )
    cases: list[tuple[Q, str]] = [
        (Q(removed_from_list_at__isnull=False), "not_listed"),
        (Q(library__kind=LibraryKind.PLEX), "only_in_plex"),
        (Q(kind=FileKind.DISC), "disc"),
        (Q(kind=FileKind.SAMPLE), "sample"),
        (Q(library__is_enabled=False), "library_disabled"),
        (~Q(library__frozen_reason=""), "library_frozen"),
        (Q(Exists(Job.objects.filter(file=OuterRef("pk"), status__in=ACTIVE))), "already_queued"),
        *[(Q(availability=a), a.value) for a in Availability if a != Availability.PRESENT],
        *([] if order.includes_ignored else [(Q(state=FileState.IGNORED), "ignored")]),
        (Q(state=FileState.ARCHIVED), "archived"),
        *([(Q(library__is_replace_allowed=False), "replace_off")] if is_replace else []),
        (is_done, "already_done"),
        (Q(Exists(refused)), "not_worth_it"),
        *order.more_reasons,
    ]
    whens = [When(condition, then=Value(code)) for condition, code in cases]
    return Case(*whens, default=Value(""), output_field=CharField())


class _RandomUuid(Func):
    """A version 4 UUID for each row, as the database stores it."""

    output_field = UUIDField()

    def as_sqlite(self, *_args: Any, **_kwargs: Any) -> tuple[str, tuple[str | int, ...]]:
        return (
            "lower(hex(randomblob(6)) || '4' || substr(hex(randomblob(2)), 2)"
            " || '8' || substr(hex(randomblob(2)), 2) || hex(randomblob(6)))",
            (),
        )

    def as_postgresql(self, *_args: Any, **_kwargs: Any) -> tuple[str, tuple[str | int, ...]]:
        return "gen_random_uuid()", ()


def _insert(files: QuerySet[MediaFile], order: EnqueueOrder) -> list[int]:
    """INSERT … SELECT of what can be queued; a film queued by others meanwhile is left."""
    now = timezone.now()
    newest = Job.objects.aggregate(newest=Max("id"))["newest"] or 0
    columns = _columns(order, now)
    fields = [f for f in Job._meta.concrete_fields if not f.primary_key]
    aliases = {f"job_{f.attname}": columns.get(f.attname) or _default(f) for f in fields}
    chosen = find_eligible(files, order).order_by(*order.order_by)
    sql, params = chosen.annotate(**aliases).values_list(*aliases).query.sql_with_params()
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(f.column)) for f in fields)
    table = quote(Job._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) {sql} ON CONFLICT DO NOTHING", params)
    made = Job.objects.filter(pk__gt=newest, created_at=now, preset=order.preset)
    MediaFile.objects.filter(pk__in=made.values("file_id")).update(
        state=FileState.QUEUED, state_reason=""
    )
    return list(made.order_by("position", "pk").values_list("pk", flat=True))


def _columns(order: EnqueueOrder, now: Any) -> dict[str, Combinable]:
    """What differs from the columns' defaults."""
    by_attname = {f.attname: f for f in Job._meta.concrete_fields}

    def constant(name: str, value: Any) -> Value:
        return Value(value, output_field=by_attname[name])

    row_number = Window(RowNumber(), order_by=[F(name).asc() for name in order.order_by])
    return {
        "uuid": _RandomUuid(),
        "file_id": F("pk"),
        "file_path": Left(Concat(F("library__root"), Value("/"), F("path")), 4096),
        "library_name": F("library__name"),
        "source_bytes": F("size_bytes"),
        "position": Value(first_free_position()) + row_number * Value(POSITION_GAP),
        "preset_id": constant("preset_id", order.preset.pk),
        "preset_slug": constant("preset_slug", order.preset.slug),
        "preset_name": constant("preset_name", order.preset.name),
        "preset_spec": constant("preset_spec", order.preset.spec),
        "hours": constant("hours", "; ".join(order.preset.spec.get("hours", ()))),
        "output_mode": constant("output_mode", order.output_mode),
        "output_dir_raw": constant("output_dir_raw", order.output_dir),
        "priority": constant("priority", order.priority),
        "requested_by_id": constant("requested_by_id", order.actor.pk if order.actor else None),
        "origin": constant("origin", order.origin[:120]),
        **({"rule_id": constant("rule_id", order.rule.pk)} if order.rule else {}),
        "created_at": constant("created_at", now),
    }


def _default(job_field: Any) -> Combinable:
    """The column's default as a constant; typed, for PostgreSQL guesses nothing in a SELECT."""
    value = Value(job_field.get_default(), output_field=job_field)
    target = job_field.target_field if job_field.is_relation else job_field
    return Cast(value, target) if connection.vendor == "postgresql" else value
