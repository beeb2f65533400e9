"""What caused a job: a rule, a recommendation, or a person; in words, with where to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.urls import reverse

from library.analysis.kinds import KINDS
from transcode.models import Rule
from transcode.queue.recommended import ORIGIN_PREFIX

if TYPE_CHECKING:
    from transcode.models import Job

RULE_PREFIX: Final = "rule: "
BY_RULE, BY_RECOMMENDATION, BY_PERSON = "rule", "recommendation", "person"
MOST_RULES: Final = 60


@dataclass(frozen=True, slots=True)
class Cause:
    """`text` is what the job keeps of it; `url` "" where it is gone or was a person."""

    text: str
    url: str = ""


def cause_of(job: Job) -> Cause | None:
    """None where a person asked for the film itself. No statement."""
    if job.rule_id is not None:
        return Cause(job.origin, reverse("transcode:rule_detail", args=[job.rule_id]))
    if job.origin.startswith(ORIGIN_PREFIX):
        kind = next(
            (kind for kind in KINDS.values() if job.origin == ORIGIN_PREFIX + kind.title), None
        )
        query = f"?recommendation={kind.slug}" if kind else ""
        return Cause(job.origin, reverse("insight_list") + query)
    return Cause(job.origin) if job.origin.startswith(RULE_PREFIX) else None


def cause_choices() -> list[tuple[str, str]]:
    """For a filter: every rule and kind of recommendation that there is. One statement."""
    rules = Rule.objects.order_by("name").values_list("pk", "name")[:MOST_RULES]
    return [
        (BY_PERSON, "A person"),
        (BY_RULE, "Any rule"),
        *((f"{BY_RULE}:{pk}", f"Rule: {name}") for pk, name in rules),
        (BY_RECOMMENDATION, "Any recommendation"),
        *((f"{BY_RECOMMENDATION}:{kind.slug}", kind.title) for kind in KINDS.values()),
    ]


def cause_filter(wanted: str) -> Q:
    """The jobs of one of the choices."""
    by_rule = Q(rule__isnull=False) | Q(origin__startswith=RULE_PREFIX)
    by_recommendation = Q(origin__startswith=ORIGIN_PREFIX)
    what, _, which = wanted.partition(":")
    if what == BY_RULE:
        return Q(rule=int(which)) if which else by_rule
    if what == BY_RECOMMENDATION:
        return Q(origin=ORIGIN_PREFIX + KINDS[which].title) if which else by_recommendation
    return ~by_rule & ~by_recommendation
