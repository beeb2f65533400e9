"""Rules as pages show them: state in words, use of their limits, their log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Q, Sum
from django.urls import reverse

from library.folding import search_text
from library.pages.filter_pills import describe_query
from transcode.models import Job, Rule, RuleDecision, RuleKind
from transcode.pages.job_words import film_name
from transcode.queue.opening import opens_at
from transcode.rules.limits import DAYS_A_WEEK, Use, day_start, room_left
from transcode.rules.plan import QUEUED, VERDICT_WORDS, VERDICTS
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from library.pages.filter_pills import Pill
    from transcode.pages.job_words import FilmName

LOG_ROWS: Final = 50
_FILE_FIELDS: Final = ("id", "path", "title", "year", "show_title", "season", "episode")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, ready to print."""

    rule: Rule
    url: str
    kind: str  # of components/_state.html
    word: str
    why: str
    pills: tuple[Pill, ...]
    folder: str
    use: Use
    waiting: int
    files_pct: int | None
    bytes_pct: int | None

    @property
    def is_folder(self) -> bool:
        return self.rule.kind == RuleKind.FOLDER


def read_rows(rules: Iterable[Rule], now: datetime) -> list[RuleRow]:
    """Two statements for all of them."""
    uses, waiting = _read_uses(now), _read_waiting()
    return [
        _row(rule, uses.get(rule.pk, Use(0, 0)), waiting.get(rule.pk, 0), now) for rule in rules
    ]


def _read_uses(now: datetime) -> dict[int, Use]:
    week = Job.objects.filter(
        rule__isnull=False, created_at__gte=day_start(now, DAYS_A_WEEK - 1)
    ).order_by()
    rows = week.values("rule").annotate(
        today=Count("pk", filter=Q(created_at__gte=day_start(now))), size=Sum("source_bytes")
    )
    return {row["rule"]: Use(row["today"], row["size"] or 0) for row in rows}


def _read_waiting() -> dict[int, int]:
    active = Job.objects.filter(rule__isnull=False, status__in=list(ACTIVE)).order_by()
    return dict(active.values_list("rule").annotate(Count("pk")))


def _row(rule: Rule, use: Use, waiting: int, now: datetime) -> RuleRow:
    kind, word, why = _state(rule, use, now)
    is_folder = rule.kind == RuleKind.FOLDER
    return RuleRow(
        rule=rule,
        url=reverse("transcode:rule_detail", args=[rule.pk]),
        kind=kind,
        word=word,
        why=why,
        pills=() if is_folder else tuple(describe_query(rule.query)),
        folder=_folder_words(rule) if is_folder else "",
        use=use,
        waiting=waiting,
        files_pct=_share(use.files_today, rule.max_files_per_day),
        bytes_pct=_share(use.bytes_week, rule.max_bytes_per_week),
    )


def _folder_words(rule: Rule) -> str:
    name = rule.library.name if rule.library else ""
    return f"{name} / {rule.folder}" if rule.folder else name


def _share(used: int, limit: int | None) -> int | None:
    return None if limit is None else min(100, round(100 * used / max(1, limit)))


def _state(rule: Rule, use: Use, now: datetime) -> tuple[str, str, str]:
    """Icon, word and reason: what a person wants to know first."""
    if rule.error:
        return "bad", "Cannot run", rule.error
    if not rule.is_enabled:
        return "idle", "Off", "It queues nothing by itself."
    if again := opens_at(rule.hours, now):
        return "wait", "Waits for its hours", f"Goes on {again:%a %H:%M}."
    room = room_left(rule, use)
    tomorrow = day_start(now + timedelta(hours=2), -1)
    if room.files == 0:
        return "wait", "Day's limit reached", f"Goes on {tomorrow:%a} at midnight."
    if room.bytes == 0:
        return "wait", "Week's limit reached", "Goes on when a day leaves the week."
    return "ok", "Watching", "Looks every minute, and after each scan."


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One line of the log."""

    url: str
    name: FilmName
    word: str
    reason: str
    kind: str
    at: datetime
    is_latest: bool


@dataclass(frozen=True, slots=True)
class DecisionPage:
    rows: tuple[DecisionRow, ...]
    before: int | None  # where the next page begins
    is_first: bool


def verdict_counts(rule: Rule) -> dict[str, int]:
    """The latest decisions by verdict, the most frequent first."""
    rows = RuleDecision.objects.filter(rule=rule, is_latest=True).order_by()
    counts = dict(rows.values_list("verdict").annotate(Count("pk")))
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def read_log(rule: Rule, *, verdict: str = "", text: str = "", before: int = 0) -> DecisionPage:
    """Newest first, by keyset."""
    rows = RuleDecision.objects.filter(rule=rule).select_related("file")
    rows = rows.only("verdict", "at", "is_latest", *(f"file__{name}" for name in _FILE_FIELDS))
    if verdict:
        rows = rows.filter(verdict=verdict)
    for word in search_text(text).split()[:8]:
        rows = rows.filter(file__search_text__contains=word)
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: LOG_ROWS + 1])
    last = found[LOG_ROWS - 1].pk if len(found) > LOG_ROWS else None
    return DecisionPage(tuple(_decision(row) for row in found[:LOG_ROWS]), last, not before)


def _decision(row: RuleDecision) -> DecisionRow:
    return DecisionRow(
        url=reverse("library:file_detail", args=[row.file.pk]),
        name=film_name(row.file, row.file.path),
        word=VERDICT_WORDS.get(row.verdict, row.verdict),
        reason=VERDICTS.get(row.verdict, ""),
        kind=verdict_kind(row.verdict),
        at=row.at,
        is_latest=row.is_latest,
    )


def verdict_kind(code: str) -> str:
    """Icon of components/_state.html."""
    if code in {QUEUED, "would_queue"}:
        return "wait"
    if code in {"rule_done", "already_done"}:
        return "ok"
    if code in {"rule_failed", "unreadable", "unreachable", "missing"}:
        return "bad"
    return "wait" if code.startswith("limit_") or code in {"growing", "rule_settling"} else "skip"


def run_words(by_verdict: dict[str, Any]) -> str:
    """ "12 day's limit, 3 missing", the most frequent first."""
    parts = sorted(by_verdict.items(), key=lambda pair: -int(pair[1]))
    return ", ".join(
        f"{int(count):,} {VERDICT_WORDS.get(code, code).lower()}" for code, count in parts[:6]
    )
