"""The list of people: adding, roles, switching off, one-time password links."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from mediaflow.accounts import services
from mediaflow.accounts.models import ResetLink, User
from mediaflow.base.models import AuditEvent

pytestmark = pytest.mark.django_db
PASSWORD = "another fine phrase"


def link_in(text: str) -> str:
    found = re.search(r"http://testserver(/password/[^<\"]+/)", text)
    assert found
    return found[1]


def test_an_added_person_chooses_a_password_by_the_link_that_is_shown_once(
    as_admin: Client,
) -> None:
    page = as_admin.post("/people/add/", {"username": "nina", "role": "operator"})
    link = link_in(page.text)
    assert "/password/" not in as_admin.get("/people/").text
    visitor = Client()
    assert visitor.post(link, {"password": PASSWORD, "repeated": PASSWORD}).status_code == 302
    assert visitor.get("/").status_code == 200
    user = User.objects.get(username="nina")
    assert (user.role, user.check_password(PASSWORD)) == ("operator", True)
    assert Client().get(link).status_code == 404


def test_a_name_that_is_taken_in_any_case_is_refused(as_admin: Client) -> None:
    response = as_admin.post("/people/add/", {"username": "ADA", "role": "viewer"})
    assert response.status_code == 422
    assert "has that name already" in response.text


def test_an_unknown_role_is_refused(as_admin: Client, viewer: User) -> None:
    as_admin.post(f"/people/{viewer.pk}/role/", {"role": "owner"})
    viewer.refresh_from_db()
    assert viewer.role == "viewer"


def test_the_last_admin_can_neither_be_demoted_nor_switched_off(
    as_admin: Client, admin_user: User, viewer: User
) -> None:
    demoted = as_admin.post(f"/people/{admin_user.pk}/role/", {"role": "viewer"}, follow=True)
    assert "last admin" in demoted.text
    as_admin.post(f"/people/{admin_user.pk}/active/", {"is_active": "0"})
    admin_user.refresh_from_db()
    assert admin_user.is_admin


def test_with_a_second_admin_the_first_may_go(
    as_admin: Client, admin_user: User, viewer: User
) -> None:
    as_admin.post(f"/people/{viewer.pk}/role/", {"role": "admin"})
    as_admin.post(f"/people/{admin_user.pk}/role/", {"role": "viewer"})
    admin_user.refresh_from_db()
    assert admin_user.role == "viewer"
    assert as_admin.get("/people/").status_code == 403


def test_switching_somebody_off_ends_their_session(
    as_viewer: Client, as_admin: Client, viewer: User
) -> None:
    as_admin.post(f"/people/{viewer.pk}/active/", {"is_active": "0"})
    assert as_viewer.get("/").status_code == 302


def test_a_new_link_makes_the_old_one_useless_and_old_links_expire(
    admin_user: User, viewer: User
) -> None:
    first = services.make_reset_token(user=viewer, actor=admin_user)
    second = services.make_reset_token(user=viewer, actor=admin_user)
    assert services.find_reset_user(first) is None
    assert services.find_reset_user(second) == viewer
    link = ResetLink.objects.get()
    link.created_at -= timedelta(hours=services.RESET_LINK_HOURS, minutes=1)
    link.save()
    assert services.find_reset_user(second) is None


def test_a_link_that_somebody_else_used_first_is_refused(admin_user: User, viewer: User) -> None:
    token = services.make_reset_token(user=viewer, actor=admin_user)
    services.set_password_by_link(token=token, password=PASSWORD, address="")
    with pytest.raises(services.AccountProblem):
        services.set_password_by_link(token=token, password=PASSWORD, address="")


def test_what_happens_to_accounts_is_in_the_audit_log_without_tokens(
    as_admin: Client, viewer: User
) -> None:
    link = link_in(as_admin.post(f"/people/{viewer.pk}/reset/").text)
    as_admin.post(f"/people/{viewer.pk}/role/", {"role": "operator"})
    events = list(AuditEvent.objects.values_list("action", "actor_name", "subject", "detail"))
    assert ("account.role", "ada", "vera", "viewer to operator") in events
    assert ("account.reset_link", "ada", "vera", "") in events
    token = link.split("/")[2]
    assert not any(token in " ".join(event) for event in events)
