"""Rules on pages: form and its problems, roles, the list, the log, what a rule would do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from library.models import Library, SavedFilter
from mediaflow.base.models import Operation
from tests.dead_disk import LONGEST_S, dead_disk
from tests.library.file_rows import make_library
from tests.transcode.rules.makers import make_rule, verdicts
from tests.transcode.web import rows
from transcode.models import Job, Rule, RuleDecision
from transcode.rules.engine import run_rule
from transcode.rules.services import copy_rule

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

    from mediaflow.accounts.models import User

HTMX = {"HX-Request": "true"}


def url(name: str, *args: object) -> str:
    return reverse(f"transcode:{name}", args=args)


def posted(**changes: Any) -> dict[str, Any]:
    """The form as a browser posts it; None leaves a field out."""
    values = {
        "name": "Old codecs",
        "kind": "filter",
        "query": "codec=h264",
        "folder": "",
        "library": "",
        "delay_min": "0",
        "takes_old_films": "on",
        "preset": "balanced",
        "output_mode": "",
        "priority": "0",
        "max_files_per_day": "20",
        "max_per_week": "500GB",
        "hours": "22:00-06:00, sat 00:00-24:00",
        "is_enabled": "on",
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


def test_an_admin_makes_a_rule(as_admin: Client, admin_user: User) -> None:
    response = as_admin.post(url("rule_new"), posted())
    rule = Rule.objects.get()
    assert response.headers["Location"] == url("rule_detail", rule.pk)
    assert (rule.query, rule.preset.slug, rule.output_mode, rule.created_by) == (
        "codec=h264", "balanced", "replace", admin_user,
    )  # fmt: skip
    assert (rule.max_files_per_day, rule.max_bytes_per_week) == (20, 500 * rows.GB)
    assert (rule.hours, rule.only_added_after) == ("22:00-06:00; sat 00:00-24:00", None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 81}, "name"),
        ({"name": "TAKEN"}, "name"),
        ({"kind": "magic"}, "kind"),
        ({"query": "codec=magic"}, "query"),
        ({"query": "nothing=1"}, "query"),
        ({"query": "size_min=-5"}, "query"),
        ({"query": "q=" + "x" * 300}, "query"),
        ({"query": "x" * 2001}, "query"),
        ({"query": "tag=gone"}, "query"),
        ({"saved": "999"}, "saved"),
        ({"preset": "magic"}, "preset"),
        ({"output_mode": "folder"}, "output_mode"),
        ({"priority": "99"}, "priority"),
        ({"max_files_per_day": "0"}, "max_files_per_day"),
        ({"max_files_per_day": "-3"}, "max_files_per_day"),
        ({"max_files_per_day": "9" * 30}, "max_files_per_day"),
        ({"max_files_per_day": "1.5"}, "max_files_per_day"),
        ({"max_per_week": "-1GB"}, "max_per_week"),
        ({"max_per_week": "0"}, "max_per_week"),
        ({"max_per_week": "9999999999999TB"}, "max_per_week"),
        ({"max_per_week": "much"}, "max_per_week"),
        ({"hours": "at night"}, "hours"),
        ({"hours": "25:00-26:00"}, "hours"),
        ({"delay_min": "-1"}, "delay_min"),
        ({"delay_min": "99999999"}, "delay_min"),
        ({"kind": "folder", "library": ""}, "library"),
        ({"kind": "folder", "library": "77"}, "library"),
    ],
)
def test_a_problem_stands_at_its_field_and_nothing_is_saved(
    as_admin: Client, changes: dict[str, Any], field: str
) -> None:
    make_rule("Taken")
    response = as_admin.post(url("rule_new"), posted(**changes))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert f"id_{field}_error" in response.content.decode() or field == "saved"
    assert Rule.objects.count() == 1


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Library]:
    made = {}
    for name in ("films", "shows"):
        (tmp_path / name / "In").mkdir(parents=True)
        made[name] = make_library(name, root=str(tmp_path / name))
    (tmp_path / "outside").mkdir()
    (tmp_path / "films" / "link").symlink_to(tmp_path / "outside")
    return made


def test_an_admin_makes_a_watch_folder(as_admin: Client, folders: dict[str, Library]) -> None:
    values = posted(kind="folder", library=folders["films"].pk, folder="In/", delay_min="5")
    as_admin.post(url("rule_new"), values | {"query": "never=read"})
    rule = Rule.objects.get()
    assert (bytes(rule.folder_raw), rule.folder, rule.library_id) == (
        b"In", "In", folders["films"].pk,
    )  # fmt: skip
    assert (rule.delay_s, rule.query) == (300, "")


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("../outside", "is in no library; add its folder under Libraries first."),
        ("link", "is in no library"),
        ("/etc", "is in no library"),
        ("../shows/In", "lies in the library shows; choose that one."),
        ("Nowhere", "There is no folder"),
        ("In\0", "Type this anew: it holds a character that cannot be stored."),
    ],
)
def test_a_folder_outside_its_library_is_refused_with_what_to_do(
    as_admin: Client, folders: dict[str, Library], folder: str, words: str
) -> None:
    values = posted(kind="folder", library=folders["films"].pk, folder=folder)
    response = as_admin.post(url("rule_new"), values)
    assert response.status_code == 422
    assert words in str(response.context["form"].errors["folder"])
    assert not Rule.objects.exists()


def test_a_folder_on_a_disk_that_does_not_answer_is_refused_in_time(
    as_admin: Client, folders: dict[str, Library], tmp_path: Path
) -> None:
    values = posted(kind="folder", library=folders["films"].pk, folder="In")
    begun = time.monotonic()
    with dead_disk(bytes(tmp_path / "films")):
        response = as_admin.post(url("rule_new"), values)
    assert time.monotonic() - begun < LONGEST_S
    assert response.status_code == 422
    words = f"{tmp_path}/films/In does not answer; see to its disk, then try again."
    assert words in str(response.context["form"].errors["folder"])
    assert not Rule.objects.exists()


def test_a_saved_filter_is_taken_over_as_text(as_admin: Client, admin_user: User) -> None:
    saved = SavedFilter.objects.create(owner=admin_user, name="HD", query="resolution=1080p")
    as_admin.post(url("rule_new"), posted(saved=saved.pk, query=""))
    saved.delete()
    assert Rule.objects.get().query == "resolution=1080p"


def test_a_filter_of_somebody_else_is_not_offered(as_admin: Client, operator: User) -> None:
    saved = SavedFilter.objects.create(owner=operator, name="Mine", query="codec=av1")
    assert as_admin.post(url("rule_new"), posted(saved=saved.pk)).status_code == 422


def test_editing_keeps_what_was_not_touched(as_admin: Client) -> None:
    rule = make_rule(
        query="codec=h264", max_bytes_per_week=1_234_567, only_added_after=timezone.now()
    )
    form = as_admin.get(url("rule_edit", rule.pk)).context["form"]
    values = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in values.items() if value not in (None, False)}
    as_admin.post(url("rule_edit", rule.pk), values)
    before = {f.attname: getattr(rule, f.attname) for f in Rule._meta.concrete_fields}
    rule.refresh_from_db()
    after = {f.attname: getattr(rule, f.attname) for f in Rule._meta.concrete_fields}
    assert {k for k in before if before[k] != after[k]} == {"changed_at"}


def test_words_of_a_filter_come_while_it_is_typed(as_admin: Client) -> None:
    rows.make_file(video_codec="h264")
    answer = as_admin.get(url("rule_words"), {"query": "codec=h264"}, headers=HTMX).content.decode()
    assert "Matches 1 film now." in answer.replace("\xa0", " ")
    answer = as_admin.get(url("rule_words"), {"query": "codec=x"}, headers=HTMX).content.decode()
    assert "is not known here" in answer


def test_an_operator_runs_and_switches_rules_and_does_not_change_them(as_operator: Client) -> None:
    rows.make_file("Up")
    rule = make_rule()
    assert (
        "1 film is queued."
        in as_operator.post(url("rule_run", rule.pk), follow=True).content.decode()
    )
    assert Job.objects.get().rule == rule
    as_operator.post(url("rule_enable", rule.pk), {"is_enabled": "0"})
    rule.refresh_from_db()
    assert not rule.is_enabled
    for name in ("rule_edit", "rule_delete_ask", "rule_new"):
        args = () if name == "rule_new" else (rule.pk,)
        assert as_operator.get(url(name, *args)).status_code == 403
    for name in ("rule_copy", "rule_delete"):
        assert as_operator.post(url(name, rule.pk)).status_code == 403


def test_a_viewer_sees_rules_and_runs_none(as_viewer: Client) -> None:
    rule = make_rule()
    for name in ("rule_detail", "rule_dry_run"):
        content = as_viewer.get(url(name, rule.pk)).content.decode()
        assert "Run now" not in content
    assert as_viewer.post(url("rule_run", rule.pk)).status_code == 403
    assert as_viewer.post(url("rule_enable", rule.pk)).status_code == 403


def test_the_list_shows_state_use_and_what_is_wrong(as_operator: Client) -> None:
    rule = make_rule("At night", max_files_per_day=2, max_bytes_per_week=rows.GB)
    rows.make_file(size_bytes=100)
    run_rule(rule, timezone.now())
    make_rule("Broken", error="Its filter cannot be used any more.")
    make_rule("Off", is_enabled=False)
    content = as_operator.get(url("rule_list")).content.decode().replace("\xa0", " ")
    for words in ("of 2", "of 1.0 GB", "Cannot run", "Its filter cannot be used any more.", "Off"):
        assert words in content


def test_the_empty_list_says_what_to_do_next(as_admin: Client) -> None:
    assert "Make the first rule" in as_admin.get(url("rule_list")).content.decode()


def test_the_log_is_filtered_by_verdict_and_film_and_paged(
    as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcode.pages.rule_rows.LOG_ROWS", 2)
    for n in range(3):
        rows.make_file(f"Heavy {n}")
    rows.make_file("Gone", availability="missing")
    rule = make_rule()
    run_rule(rule, timezone.now())
    first = as_operator.get(url("rule_detail", rule.pk))
    assert len(first.context["page"].rows) == 2
    older = as_operator.get(url("rule_detail", rule.pk) + "?" + first.context["older"])
    assert len(older.context["page"].rows) == 2
    assert older.context["page"].before is None
    gone = as_operator.get(url("rule_detail", rule.pk), {"verdict": "missing"}, headers=HTMX)
    assert [row.name.title for row in gone.context["page"].rows] == ["Gone"]
    found = as_operator.get(url("rule_detail", rule.pk), {"text": "heavy 1"})
    assert [row.name.title for row in found.context["page"].rows] == ["Heavy 1"]
    none = as_operator.get(url("rule_detail", rule.pk), {"verdict": "magic", "before": "x"})
    assert "Nothing on record passes this." in none.content.decode()


def test_what_a_rule_would_do_is_shown_and_not_done(as_operator: Client) -> None:
    rows.make_file("Up")
    rows.make_file("Gone", availability="missing")
    rule = make_rule(is_enabled=False)
    content = as_operator.get(url("rule_dry_run", rule.pk)).content.decode()
    for words in ("Up", "Gone", "It is missing; scan its folder again.", "To be queued"):
        assert words in content
    assert (Job.objects.count(), RuleDecision.objects.count()) == (0, 0)


def test_a_copy_is_off_and_a_deleted_rule_leaves_its_jobs(
    as_admin: Client, admin_user: User
) -> None:
    rows.make_file("Up")
    rule = make_rule()
    run_rule(rule, timezone.now())
    as_admin.post(url("rule_copy", rule.pk))
    copy = Rule.objects.get(name="Old codecs copy")
    assert (copy.is_enabled, verdicts(copy)) == (False, {})
    assert copy_rule(rule, actor=admin_user).name == "Old codecs copy 2"
    as_admin.post(url("rule_delete", rule.pk))
    job = Job.objects.get()
    assert (job.rule, job.origin) == (None, "rule: Old codecs")


def test_a_preset_that_a_rule_needs_is_not_deleted(as_admin: Client) -> None:
    preset = rows.make_preset()
    make_rule(preset=preset)
    answer = as_admin.post(url("preset_delete", preset.slug), follow=True).content.decode()
    assert "it is what “Old codecs” queue with; give them another preset first." in answer


def test_a_large_run_is_an_operation(as_operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcode.rules.schedule.DIRECT_FILES", -1)
    rule = make_rule()
    response = as_operator.post(url("rule_run", rule.pk))
    operation = Operation.objects.get(kind="rule_run")
    assert response.headers["Location"] == reverse("operation", args=[operation.pk])
    assert operation.lock_key == f"rule:{rule.pk}"
