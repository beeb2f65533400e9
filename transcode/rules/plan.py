"""What a rule looks at and with which verdicts: its filter or folder, its preset, its own reasons.

Loop protection is here. A rule leaves alone: what it has been through with, whatever became of it;
what a person undid or cancelled; whatever MediaFlow wrote, by any job with any preset: a film that
is encoded again and again gets worse each time, which only a person may ask for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, CharField, Exists, OuterRef, Q, Value, When

from library.listing.filters import FilterProblem, files_matching
from library.models import FileState, MediaFile
from library.places import is_below, is_folder
from transcode.models import Job, JobStatus, OutputMode, RuleKind
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.queue.enqueue import REASONS, EnqueueOrder, verdict_of
from transcode.rules.limits import LIMIT_DAY, LIMIT_SIZE, LIMIT_WEEK
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from transcode.models import Rule

QUEUED: Final = "queued"
VERDICTS: Final[dict[str, str]] = {
    QUEUED: "It is in the queue through this rule.",
    LIMIT_DAY: "It fits; the rule has queued as many films today as it may.",
    LIMIT_WEEK: "It fits; the rule has queued as much this week as it may.",
    LIMIT_SIZE: "It alone is larger than what the rule may queue in a week.",
    **REASONS,
}
# Short, for figures and filters.
VERDICT_WORDS: Final[dict[str, str]] = {
    QUEUED: "Queued",
    LIMIT_DAY: "Day's limit",
    LIMIT_WEEK: "Week's limit",
    LIMIT_SIZE: "Too large for the limit",
    "not_listed": "Off the list",
    "only_in_plex": "Only in Plex",
    "disc": "Disc",
    "sample": "Sample",
    "library_disabled": "Library off",
    "library_frozen": "Library frozen",
    "already_queued": "In the queue already",
    "missing": "Missing",
    "unreachable": "Unreachable",
    "unreadable": "Unreadable",
    "growing": "Still growing",
    "ignored": "Ignored",
    "archived": "Archived",
    "replace_off": "Replacing is off",
    "already_done": "Optimised already",
    "not_worth_it": "Not worth it",
    "rule_before": "There before the rule",
    "rule_settling": "Just arrived",
    "rule_undone": "Undone",
    "rule_done": "Done by this rule",
    "rule_wrote": "Written by MediaFlow",
    "rule_failed": "Failed",
    "rule_skipped": "Skipped",
    "rule_cancelled": "Cancelled",
}


class RuleProblem(Exception):
    """A rule cannot run; the text says why and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What one run works with."""

    files: QuerySet[MediaFile]
    order: EnqueueOrder

    def judged(self) -> QuerySet[Any]:
        """Each file with its `verdict`; "" when it can be queued."""
        mine = Job.objects.filter(
            file=OuterRef("pk"), rule=self.order.rule, status__in=list(ACTIVE)
        )
        verdict = Case(
            When(Exists(mine), then=Value(QUEUED)),
            default=verdict_of(self.order),
            output_field=CharField(),
        )
        return self.files.annotate(verdict=verdict)


def make_plan(rule: Rule, now: datetime) -> RulePlan:
    """Raises RuleProblem where filter, preset or folder no longer work."""
    try:
        PresetSpec.from_json(rule.preset.spec)
    except PresetProblem as problem:
        text = f"Its preset {rule.preset.name} cannot be used: {problem.field_name} {problem.text}"
        raise RuleProblem(text) from None
    files = _folder_files(rule) if rule.kind == RuleKind.FOLDER else _filter_files(rule)
    order = EnqueueOrder(
        preset=rule.preset,
        output_mode=rule.output_mode,
        origin=f"rule: {rule.name}",
        priority=rule.priority,
        rule=rule,
        more_reasons=tuple(_reasons(rule, now)),
        order_by=("added_at", "pk"),
    )
    return RulePlan(files, order)


def _filter_files(rule: Rule) -> QuerySet[MediaFile]:
    try:
        return files_matching(rule.query)
    except FilterProblem as problem:
        text = f"Its filter cannot be used any more: {problem}. Edit the rule."
        raise RuleProblem(text.replace("..", ".")) from None


def _folder_files(rule: Rule) -> QuerySet[MediaFile]:
    library = rule.library
    assert library is not None  # a constraint of the database
    if not library.is_enabled:
        raise RuleProblem(f"Its library {library.name} is switched off; enable it or the folder.")
    if library.is_frozen:
        raise RuleProblem(f"Its library {library.name} is frozen; see the libraries page.")
    path = os.path.join(bytes(library.root_raw), bytes(rule.folder_raw))  # noqa: PTH118  # bytes
    where = f"{library.root}/{rule.folder}".rstrip("/")
    try:
        is_there = is_folder(path)
    except TimeoutError:
        raise RuleProblem(f"Its folder {where} does not answer; see to its disk.") from None
    if not is_there:
        raise RuleProblem(f"Its folder {where} is not there; mount it, or choose another one.")
    below = is_below(bytes(rule.folder_raw))
    return MediaFile.objects.filter(below, library=library, removed_from_list_at=None)


def _reasons(rule: Rule, now: datetime) -> list[tuple[Q, str]]:
    """The rule's own reasons to leave a film out, the first that applies."""
    jobs = Job.objects.filter(file=OuterRef("pk"), rule=rule)
    same = jobs.filter(source_bytes=OuterRef("size_bytes"))
    tried = same.filter(preset_slug=rule.preset.slug, created_at__gte=rule.preset.changed_at)
    reasons: list[tuple[Q, str]] = []
    if rule.only_added_after is not None:
        reasons.append((Q(added_at__lte=rule.only_added_after), "rule_before"))
    if rule.delay_s:
        since = now - timedelta(seconds=rule.delay_s)
        reasons.append((Q(added_at__gt=since) | Q(availability_since__gt=since), "rule_settling"))
    wrote = (Q(mediaflow_tag__gt=""), "rule_wrote")
    if not Job.objects.filter(rule=rule).exists():  # its first run: nothing else to ask for
        return [*reasons, wrote]
    return [
        *reasons,
        (Q(Exists(same.filter(undone_at__isnull=False))), "rule_undone"),
        (_is_done_by(jobs, same), "rule_done"),
        wrote,
        (Q(Exists(same.filter(status=JobStatus.CANCELLED))), "rule_cancelled"),
        (Q(Exists(tried.filter(status=JobStatus.FAILED))), "rule_failed"),
        (Q(Exists(tried.filter(status=JobStatus.SKIPPED))), "rule_skipped"),
    ]


def _is_done_by(jobs: QuerySet[Job], same: QuerySet[Job]) -> Q:
    """The rule's own job is behind what lies there now, with whatever preset it had then."""
    done = {"status": JobStatus.COMPLETED, "undone_at": None}
    replaced = Exists(jobs.filter(**done, output_mode=OutputMode.REPLACE))
    beside = Exists(same.filter(**done).exclude(output_mode=OutputMode.REPLACE))
    return Q(replaced, state=FileState.COMPLETED) | Q(beside)
