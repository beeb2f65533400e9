"""Settings are typed, bounded and audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mediaflow.base.models import AuditEvent, Setting
from mediaflow.base.settings_store import (
    DEFINITIONS,
    SettingProblem,
    get_setting,
    get_settings,
    parse_setting,
    set_setting,
)

if TYPE_CHECKING:
    from mediaflow.accounts.models import User


@pytest.mark.django_db
@pytest.mark.parametrize("key", sorted(DEFINITIONS))
def test_every_setting_has_a_default_that_it_would_take_itself(key: str) -> None:
    assert get_setting(key) == DEFINITIONS[key].default
    assert parse_setting(key, DEFINITIONS[key].default) == DEFINITIONS[key].default
    assert DEFINITIONS[key].label
    assert DEFINITIONS[key].help


@pytest.mark.django_db
def test_a_value_is_stored_and_audited(admin_user: User) -> None:
    set_setting("trash_retention_days", "30", admin_user)
    set_setting("trash_retention_days", 30, admin_user)
    assert get_setting("trash_retention_days") == 30
    event = AuditEvent.objects.get(action="settings.change")
    assert (event.actor, event.subject, event.detail) == (
        admin_user,
        "trash_retention_days",
        "14 → 30",
    )


@pytest.mark.django_db
def test_a_value_can_be_put_back_to_nothing() -> None:
    set_setting("jobs_parallel", 4, None)
    set_setting("jobs_parallel", "", None)
    assert get_setting("jobs_parallel") is None


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("queue_paused", "on", True),
        ("queue_paused", False, False),
        ("jobs_parallel", "", None),
        ("jobs_parallel", " 4 ", 4),
        ("reserve_bytes", 0, 0),
        ("trash_cap_policy", "oldest_first", "oldest_first"),
        ("queue_paused_reason", "full", "full"),
    ],
)
def test_what_forms_send_becomes_a_typed_value(key: str, value: object, expected: Any) -> None:
    assert parse_setting(key, value) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs_parallel", 0),
        ("jobs_parallel", 65),
        ("jobs_parallel", "-1"),
        ("jobs_parallel", "9" * 5000),
        ("jobs_parallel", "4.5"),
        ("jobs_parallel", "٤"),
        ("jobs_parallel", True),
        ("jobs_parallel", 4.0),
        ("trash_retention_days", None),
        ("trash_cap_policy", "never"),
        ("queue_paused", "perhaps"),
        ("queue_paused_reason", "x" * 301),
        ("queue_paused_reason", 5),
        ("queue_hours", "25:00-26:00"),
        ("queue_hours", "at night"),
        ("no_such_setting", 1),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_setting(
    key: str, value: object
) -> None:
    with pytest.raises(SettingProblem) as caught:
        parse_setting(key, value)
    assert caught.value.field == key
    assert caught.value.text.endswith(".")


@pytest.mark.django_db
def test_a_stored_value_that_is_no_longer_allowed_counts_as_the_default() -> None:
    Setting.objects.create(key="jobs_parallel", value="many")
    assert get_settings("jobs_parallel", "queue_paused") == {
        "jobs_parallel": None,
        "queue_paused": False,
    }


@pytest.mark.django_db
def test_an_unknown_key_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        get_setting("no_such_setting")
    assert set(get_settings()) == set(DEFINITIONS)
