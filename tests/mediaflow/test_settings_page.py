"""The settings page: one form over the typed definitions; backups beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.settings_store import DEFINITIONS, get_setting, get_settings
from mediaflow.configuration.forms import SettingsForm
from mediaflow.recovery import backup

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

pytestmark = pytest.mark.django_db


def filled(**changes: str) -> dict[str, str]:
    """What a browser sends when nothing but `changes` was touched."""
    form = SettingsForm()
    values = {}
    for definition in form.shown:
        initial = form[definition.key].value()
        if initial is not None and initial is not False:
            values[definition.key] = str(initial)
    return {**values, **changes}


def test_every_shown_setting_has_a_field_with_its_label(as_admin: Client) -> None:
    page = as_admin.get("/settings/").text
    for definition in DEFINITIONS.values():
        assert (f'name="{definition.key}"' in page) is definition.is_shown


def test_saving_without_a_change_changes_nothing(as_admin: Client) -> None:
    before = get_settings()
    assert as_admin.post("/settings/", filled()).status_code == 302
    assert get_settings() == before
    assert not AuditEvent.objects.filter(action="settings.change").exists()


def test_a_change_is_stored_and_audited(as_admin: Client) -> None:
    as_admin.post("/settings/", filled(trash_retention_days="30"))
    assert get_setting("trash_retention_days") == 30
    event = AuditEvent.objects.get(action="settings.change")
    assert (event.actor_name, event.subject, event.detail) == (
        "ada", "trash_retention_days", "14 → 30",
    )  # fmt: skip


def test_sizes_are_given_in_gigabytes(as_admin: Client) -> None:
    as_admin.post("/settings/", filled(reserve_bytes="2.5"))
    assert get_setting("reserve_bytes") == int(2.5 * 1024**3)
    assert 'value="2.5"' in as_admin.get("/settings/").text


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("trash_retention_days", "-1", "Give a whole number from 0 to 3,650 days."),
        ("trash_retention_days", "soon", "Give a whole number from 0 to 3,650 days."),
        ("trash_retention_days", "", "Give a whole number from 0 to 3,650 days."),
        ("jobs_parallel", "65", "Give a whole number from 1 to 64, or leave it empty."),
        ("reserve_bytes", "-5", "Give a size from 0 to 1,073,741,824 GB, such as 2.5."),
        ("reserve_bytes", "9999999999", "Give a size from 0 to 1,073,741,824 GB, such as 2.5."),
        ("reserve_bytes", "1.2345", "Give a size from 0 to 1,073,741,824 GB, such as 2.5."),
        ("trash_cap_policy", "x", "Choose one of: Pause the queue, Purge the oldest originals."),
        ("insights_min_saving_pct", "96", "Give a whole number from 0 to 95 %."),
        ("insights_min_saving_pct", "few", "Give a whole number from 0 to 95 %."),
        (
            "insights_audio_languages",
            "English",
            "Give codes of three letters with commas between, such as eng,deu.",
        ),
    ],
)
def test_one_sentence_says_what_is_allowed(
    as_admin: Client, field: str, value: str, text: str
) -> None:
    page = as_admin.post("/settings/", filled(**{field: value})).text
    error = page.partition(f'id="id_{field}_error"')[2].partition("</span></span>")[0]
    assert error.endswith(f"<span>{text}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trash_retention_days", "-1"),
        ("trash_retention_days", "99999999999999999999999"),
        ("trash_retention_days", "soon"),
        ("trash_retention_days", ""),
        ("trash_cap_policy", "everything"),
        ("reserve_bytes", "1e400"),
        ("reserve_bytes", "-5"),
        ("reserve_bytes", "9999999999"),
        ("jobs_parallel", "0"),
    ],
)
def test_a_wrong_value_is_an_error_of_its_field_and_nothing_is_stored(
    as_admin: Client, field: str, value: str
) -> None:
    before = get_settings()
    response = as_admin.post("/settings/", filled(**{field: value}))
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.text
    assert get_settings() == before


def test_a_setting_that_is_not_on_the_page_cannot_be_posted(as_admin: Client) -> None:
    as_admin.post("/settings/", filled(queue_paused="on"))
    assert get_setting("queue_paused") is False


def test_the_page_names_no_secret(as_admin: Client, settings: object) -> None:
    from django.conf import settings as project

    assert project.SECRET_KEY not in as_admin.get("/settings/").text


def test_the_button_starts_one_backup_at_a_time(as_admin: Client) -> None:
    first = as_admin.post("/settings/backups/").headers["Location"]
    assert as_admin.post("/settings/backups/").headers["Location"] == first
    assert Operation.objects.get().kind == backup.BACKUP_OPERATION
    assert as_admin.get(first).status_code == 200


def test_only_backups_can_be_downloaded(
    as_admin: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "backup_folder", lambda: tmp_path)
    (tmp_path / "mediaflow-20260101T000000Z.tar.gz").write_bytes(b"archive")
    (tmp_path / "other.txt").write_bytes(b"secret")
    response = as_admin.get("/settings/backups/mediaflow-20260101T000000Z.tar.gz")
    assert b"".join(response.streaming_content) == b"archive"  # type: ignore[attr-defined]
    assert as_admin.get("/settings/backups/other.txt").status_code == 404
    assert as_admin.get("/settings/backups/..%2F..%2Fetc%2Fpasswd").status_code == 404
    assert "mediaflow-20260101T000000Z" in as_admin.get("/settings/").text


def test_only_the_newest_backups_of_the_button_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "backup_folder", lambda: tmp_path)
    for number in range(backup.KEPT_BY_PAGE + 3):
        (tmp_path / f"mediaflow-{number}.tar.gz").write_bytes(b"x")
    backup.forget_old_backups()
    assert len(backup.list_backups()) == backup.KEPT_BY_PAGE
