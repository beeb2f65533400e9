"""Signing in and out, limits, where one goes afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from mediaflow.accounts import limits
from mediaflow.base.models import AuditEvent

if TYPE_CHECKING:
    from django.test import Client

    from mediaflow.accounts.models import User

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def sign_in(client: Client, name: str, password: str, **extra: str) -> int:
    values = {"username": name, "password": password}
    return client.post("/login/", values, **extra).status_code  # type: ignore[arg-type]


def test_right_password_signs_in_and_is_recorded(client: Client, admin_user: User) -> None:
    response = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert response.headers["Location"] == "/"
    assert AuditEvent.objects.get().action == limits.SUCCEEDED
    assert client.get("/").status_code == 200


def test_wrong_password_answers_422_with_a_sentence(client: Client, admin_user: User) -> None:
    response = client.post("/login/", {"username": "ada", "password": "wrong"})
    assert response.status_code == 422
    assert "do not belong together" in response.text


def test_unknown_name_gets_the_same_answer_as_a_wrong_password(
    client: Client, admin_user: User
) -> None:
    known = client.post("/login/", {"username": "ada", "password": "wrong"}).text
    unknown = client.post("/login/", {"username": "zoe", "password": "wrong"}).text
    message = "do not belong together"
    assert message in known
    assert message in unknown


def test_switched_off_account_cannot_sign_in(
    client: Client, admin_user: User, viewer: User
) -> None:
    viewer.is_active = False
    viewer.save()
    assert sign_in(client, "vera", PASSWORD) == 422


def test_after_five_failures_even_the_right_password_waits(
    client: Client, admin_user: User
) -> None:
    for _ in range(limits.FAILURES_PER_ACCOUNT):
        sign_in(client, "ada", "wrong")
    response = client.post("/login/", {"username": "ada", "password": PASSWORD})
    assert response.status_code == 422
    assert "Try again in 5 minutes" in response.text


def test_spelling_a_name_in_capitals_is_the_same_account_for_the_limit(
    client: Client, admin_user: User
) -> None:
    for name in ("ada", "ADA", "Ada", "aDa", "adA"):
        sign_in(client, name, "wrong")
    assert sign_in(client, "ada", PASSWORD) == 422


def test_limit_ends_when_the_window_has_passed(client: Client, admin_user: User) -> None:
    for _ in range(limits.FAILURES_PER_ACCOUNT):
        sign_in(client, "ada", "wrong")
    before = timezone.now() - timedelta(seconds=limits.WINDOW_S + 1)
    AuditEvent.objects.filter(action=limits.FAILED).update(at=before)
    assert sign_in(client, "ada", PASSWORD) == 302


def test_refused_attempts_neither_prolong_the_wait_nor_fill_the_log(
    client: Client, admin_user: User
) -> None:
    for _ in range(limits.FAILURES_PER_ACCOUNT + 10):
        sign_in(client, "ada", "wrong")
    actions = list(AuditEvent.objects.values_list("action", flat=True))
    assert actions.count(limits.FAILED) == limits.FAILURES_PER_ACCOUNT
    assert actions.count(limits.BLOCKED) == 1


def test_one_address_trying_many_names_is_stopped(client: Client, admin_user: User) -> None:
    for number in range(limits.FAILURES_PER_ADDRESS):
        sign_in(client, f"guess{number}", "wrong", REMOTE_ADDR="203.0.113.9")
    assert sign_in(client, "ada", PASSWORD, REMOTE_ADDR="203.0.113.9") == 422
    assert sign_in(client, "ada", PASSWORD, REMOTE_ADDR="203.0.113.10") == 302


def test_an_invented_forwarded_address_does_not_escape_the_limit(
    client: Client, admin_user: User
) -> None:
    for number in range(limits.FAILURES_PER_ADDRESS):
        sign_in(client, f"guess{number}", "wrong", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert sign_in(client, "ada", PASSWORD, HTTP_X_FORWARDED_FOR="192.0.2.1") == 422


def test_no_password_reaches_the_audit_log(client: Client, admin_user: User) -> None:
    sign_in(client, "ada", "my-secret-typo")
    for event in AuditEvent.objects.all():
        assert "my-secret-typo" not in f"{event.subject}{event.detail}{event.actor_name}"


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/library/?q=up", "/library/?q=up"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_login_leads_only_to_addresses_of_this_site(
    client: Client, admin_user: User, wanted: str, goes_to: str
) -> None:
    values = {"username": "ada", "password": PASSWORD, "next": wanted}
    assert client.post("/login/", values).headers["Location"] == goes_to


def test_signing_out_needs_a_post_and_ends_the_session(as_viewer: Client, admin_user: User) -> None:
    assert as_viewer.get("/logout/").status_code == 405
    assert as_viewer.post("/logout/").status_code == 302
    assert as_viewer.get("/").status_code == 302


def test_a_polled_fragment_after_logout_redirects_the_whole_page(
    client: Client, admin_user: User
) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/queue/?state=running"}
    response = client.get("/operations/1/", headers=headers)
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == "/login/?next=%2Fqueue%2F%3Fstate%3Drunning"


def test_a_page_after_logout_redirects_to_the_login(client: Client, admin_user: User) -> None:
    assert client.get("/settings/").headers["Location"] == "/login/?next=/settings/"


def test_the_admins_own_login_form_is_not_served(client: Client, admin_user: User) -> None:
    response = client.get("/admin/login/?next=/admin/")
    assert response.headers["Location"].startswith("/login/")


def test_theme_is_kept_and_a_wrong_one_refused(as_viewer: Client, viewer: User) -> None:
    assert as_viewer.post("/account/theme/", {"theme": "dark", "next": "/"}).status_code == 302
    viewer.refresh_from_db()
    assert viewer.theme == "dark"
    assert as_viewer.post("/account/theme/", {"theme": "pink"}).status_code == 422


def test_changing_the_password_needs_the_old_one_and_keeps_this_session(
    as_viewer: Client, viewer: User
) -> None:
    fresh = "a quite different phrase"
    values = {"current": "wrong", "password": fresh, "repeated": fresh}
    response = as_viewer.post("/account/", values)
    assert response.status_code == 422
    assert "not your current password" in response.text
    assert as_viewer.post("/account/", {**values, "current": PASSWORD}).status_code == 302
    viewer.refresh_from_db()
    assert viewer.check_password(fresh)
    assert as_viewer.get("/account/").status_code == 200


def test_weak_or_differing_passwords_are_refused_with_the_field_named(as_viewer: Client) -> None:
    short = as_viewer.post(
        "/account/", {"current": PASSWORD, "password": "short", "repeated": "short"}
    )
    assert "too short" in short.text
    differing = as_viewer.post(
        "/account/", {"current": PASSWORD, "password": "long enough one", "repeated": "another one"}
    )
    assert "The two passwords differ" in differing.text
