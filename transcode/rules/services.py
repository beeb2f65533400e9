"""What people do with rules: make, change, copy, switch on and off, run, delete. All audited.

A mistake is one RuleInputProblem that names its field.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from library.folding import display_path
from library.listing.filters import FilterProblem, parse_query
from library.models import LibraryKind
from library.places import find_place, is_folder, real_path
from mediaflow.base.audit import record_audit
from mediaflow.base.hours import HoursProblem, parse_hours, split_hours
from transcode.models import OutputMode, Rule, RuleKind
from transcode.queue.order import PRIORITY_LIMIT
from transcode.rules.engine import run_rule
from transcode.rules.schedule import is_large, start_run

if TYPE_CHECKING:
    from library.models import Library
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from transcode.models import Preset, RuleRun

MAX_NAME: Final = 80
MAX_FILES: Final = 1_000_000
MAX_BYTES: Final = 10**18
MAX_DELAY_S: Final = 30 * 86_400


class RuleInputProblem(Exception):
    """What was given cannot be used: which field, and one sentence that says what would do."""

    def __init__(self, field_name: str, text: str) -> None:
        super().__init__(f"{field_name}: {text}")
        self.field_name = field_name
        self.text = text


@dataclass(frozen=True, slots=True)
class RuleValues:
    """All that a person decides of a rule. `output_mode` "": as the preset says."""

    name: str
    preset: Preset
    kind: str = RuleKind.FILTER
    query: str = ""
    library: Library | None = None
    folder: bytes = b""  # below the library, or the whole path
    delay_s: int = 0
    output_mode: str = ""
    priority: int = 0
    hours: str = ""
    max_files_per_day: int | None = None
    max_bytes_per_week: int | None = None
    takes_old_films: bool = True
    is_enabled: bool = True


def save_rule(values: RuleValues, *, rule: Rule | None = None, actor: User | None) -> Rule:
    """Make one, or change the one given. Raises RuleInputProblem; then nothing is changed."""
    row = Rule() if rule is None else Rule.objects.get(pk=rule.pk)
    _check(values)
    row.name = _checked_name(values.name, row.pk)
    row.kind, row.preset = values.kind, values.preset
    is_folder = values.kind == RuleKind.FOLDER
    row.query = "" if is_folder else _checked_query(values.query)
    row.library = values.library if is_folder else None
    row.folder_raw = _checked_folder(values.library, values.folder) if is_folder else b""
    row.folder = display_path(bytes(row.folder_raw))
    row.delay_s = values.delay_s
    row.output_mode = values.output_mode or str(
        values.preset.spec.get("output", OutputMode.REPLACE)
    )
    row.priority, row.hours = values.priority, _checked_hours(values.hours)
    row.max_files_per_day = values.max_files_per_day
    row.max_bytes_per_week = values.max_bytes_per_week
    row.is_enabled = values.is_enabled
    if values.takes_old_films:
        row.only_added_after = None
    elif row.only_added_after is None:
        row.only_added_after = timezone.now()
    row.created_by_id = row.created_by_id if row.pk else (actor.pk if actor else None)
    # What was wrong is looked at anew, and the next check need not wait for its time.
    row.changed_at, row.error, row.ran_at = timezone.now(), "", None
    return _save(row, "rule.edit" if row.pk else "rule.create", actor)


def _save(row: Rule, action: str, actor: User | None) -> Rule:
    try:
        with transaction.atomic():
            row.save()
            record_audit(action, actor=actor, subject=row.name, detail=describe(row))
    except IntegrityError:
        raise RuleInputProblem(
            "name", f"There is a rule “{row.name}” already; choose another name."
        ) from None
    return row


def describe(rule: Rule) -> str:
    """For the audit log: what it takes, with what."""
    taken = f"folder {rule.folder or '(all)'}" if rule.kind == RuleKind.FOLDER else rule.query
    return f"{taken or 'everything'} with {rule.preset.slug}"


def _check(values: RuleValues) -> None:
    _check_range("max_files_per_day", values.max_files_per_day, 1, MAX_FILES, "films")
    if values.max_bytes_per_week is not None and not 1 <= values.max_bytes_per_week <= MAX_BYTES:
        text = "Give a size such as 500GB, or leave it empty for no limit."
        raise RuleInputProblem("max_bytes_per_week", text)
    _check_range("delay", values.delay_s, 0, MAX_DELAY_S, "seconds")
    _check_range("priority", values.priority, -PRIORITY_LIMIT, PRIORITY_LIMIT, "")
    if values.output_mode not in ("", OutputMode.REPLACE, OutputMode.BESIDE):
        raise RuleInputProblem("output_mode", "Choose whether to replace or to write beside.")


def _check_range(name: str, value: int | None, low: int, high: int, unit: str) -> None:
    if value is not None and not low <= value <= high:
        text = f"Give a number from {low:,} to {high:,} {unit}".rstrip() + "."
        raise RuleInputProblem(name, text)


def _checked_name(name: str, own_id: int | None) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise RuleInputProblem("name", "Give the rule a name.")
    if not clean.isprintable():
        raise RuleInputProblem("name", "Use printable characters for the name.")
    if len(clean) > MAX_NAME:
        raise RuleInputProblem("name", f"Use at most {MAX_NAME} characters.")
    if Rule.objects.filter(name__iexact=clean).exclude(pk=own_id or 0).exists():
        raise RuleInputProblem("name", f"There is a rule “{clean}” already; choose another name.")
    return clean


def _checked_query(query: str) -> str:
    try:
        parse_query(query)
    except FilterProblem as problem:
        raise RuleInputProblem("query", f"{problem.field}: {problem.text}") from None
    return query.strip().lstrip("?")


def _checked_hours(hours: str) -> str:
    try:
        windows = split_hours(hours)
        parse_hours(windows)
    except HoursProblem as problem:
        raise RuleInputProblem("hours", str(problem)) from None
    text = "; ".join(windows)
    if len(text) > 400:
        raise RuleInputProblem("hours", "These are too many windows; give fewer.")
    return text


def _checked_folder(library: Library | None, folder: bytes) -> bytes:
    """Relative to the library, links resolved. It must be there now."""
    if library is None or library.kind != LibraryKind.FOLDER:
        raise RuleInputProblem("library", "Choose the library that the folder lies in.")
    if b"\0" in folder or len(folder) > 4000:
        raise RuleInputProblem("folder", "Give the path of a folder, such as Incoming.")
    path = os.path.join(bytes(library.root_raw), folder.strip())  # noqa: PTH118  # bytes
    try:
        path = real_path(path)
        place, is_there = find_place(path), is_folder(path)
    except TimeoutError:
        text = f"{display_path(path)} does not answer; see to its disk, then try again."
        raise RuleInputProblem("folder", text) from None
    shown = display_path(path)
    if place is None:
        text = f"{shown} is in no library; add its folder under Libraries first."
        raise RuleInputProblem("folder", text)
    if place.library.pk != library.pk:
        text = f"{shown} lies in the library {place.library.name}; choose that one."
        raise RuleInputProblem("folder", text)
    if not is_there:
        raise RuleInputProblem("folder", f"There is no folder {shown}; make it first.")
    if len(place.relative) > 4096:
        raise RuleInputProblem("folder", "The path is too long; choose a folder further up.")
    return place.relative


def copy_rule(rule: Rule, *, actor: User | None) -> Rule:
    """Switched off, so that two do not queue the same at once."""
    copy = Rule.objects.get(pk=rule.pk)
    copy.pk, copy.is_enabled, copy.ran_at, copy.error = None, False, None, ""
    copy.name, copy.created_by_id = _free_copy_name(rule.name), actor.pk if actor else None
    copy.created_at = copy.changed_at = timezone.now()
    if copy.only_added_after is not None:
        copy.only_added_after = copy.created_at
    copy._state.adding = True
    return _save(copy, "rule.create", actor)


def _free_copy_name(name: str) -> str:
    base = name[: MAX_NAME - 12]
    taken = set(Rule.objects.filter(name__startswith=base).values_list("name", flat=True))
    names = [f"{base} copy", *(f"{base} copy {n}" for n in range(2, len(taken) + 3))]
    return next(candidate for candidate in names if candidate not in taken)


def set_rule_enabled(rule: Rule, is_enabled: bool, *, actor: User | None) -> None:
    """What it has queued stays queued."""
    Rule.objects.filter(pk=rule.pk).update(is_enabled=is_enabled, ran_at=None, error="")
    record_audit("rule.enable" if is_enabled else "rule.disable", actor=actor, subject=rule.name)


def delete_rule(rule: Rule, *, actor: User | None) -> None:
    """Its jobs stay, and keep its name as their origin; its log goes."""
    with transaction.atomic():
        record_audit("rule.delete", actor=actor, subject=rule.name, detail=describe(rule))
        rule.delete()


def run_now(rule: Rule, *, actor: User | None) -> RuleRun | Operation:
    """Run it once, outside its hours too: at once, or as an operation in a large library."""
    record_audit("rule.run", actor=actor, subject=rule.name)
    if is_large(rule):
        return start_run(rule, actor=actor)
    return run_rule(rule, timezone.now(), is_asked=True)
