"""Rules for tests: of a filter or a folder, with a preset of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from library.models import MediaFile
from tests.transcode.makers import make_preset
from transcode.models import Job, Preset, Rule, RuleDecision

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def make_rule(name: str = "Old codecs", **values: Any) -> Rule:
    preset = values.pop("preset", None) or Preset.objects.filter(slug="small").first()
    return Rule.objects.create(name=name, preset=preset or make_preset(), **values)


def queued_at(rule: Rule, at: datetime, *, size: int = 1_000) -> Job:
    """A job that the rule queued then, of a film that is gone."""
    return Job.objects.create(
        file=None,
        file_path="/films/gone.mkv",
        preset_slug="small",
        preset_spec={},
        status="cancelled",
        rule=rule,
        source_bytes=size,
        created_at=at,
    )


def verdicts(rule: Rule) -> dict[str, str]:
    """The latest decision of each film, by path."""
    rows = RuleDecision.objects.filter(rule=rule, is_latest=True)
    return dict(rows.values_list("file__path", "verdict"))


def later(minutes: int = 1) -> datetime:
    return NOON + timedelta(minutes=minutes)


def set_added(days: dict[str, int]) -> None:
    """So many days ago each film was first seen."""
    for path, count in days.items():
        MediaFile.objects.filter(path=path).update(added_at=NOON - timedelta(days=count))
