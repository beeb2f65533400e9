"""The first run: a one-time link, no default password, one admin however many try."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client

from mediaflow.accounts import services
from mediaflow.accounts.models import Role, User
from mediaflow.base.models import Setting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Instance

PASSWORD = "a long enough phrase"
FORM = {"username": "mara", "password": PASSWORD, "repeated": PASSWORD}


@pytest.mark.django_db
def test_without_an_admin_every_page_leads_to_the_set_up(client: Client) -> None:
    assert client.get("/", follow=True).redirect_chain[-1][0] == "/setup/"


@pytest.mark.django_db
def test_set_up_without_the_link_only_says_where_it_is(client: Client) -> None:
    response = client.post("/setup/", FORM)
    assert response.status_code == 403
    assert "one-time link" in response.text
    assert not User.objects.exists()


@pytest.mark.django_db
def test_a_wrong_link_makes_nobody(client: Client) -> None:
    services.make_setup_token()
    assert client.post("/setup/guessed-token/", FORM).status_code == 403
    assert not User.objects.exists()


@pytest.mark.django_db
def test_the_link_makes_the_first_admin_and_signs_them_in(client: Client) -> None:
    token = services.make_setup_token()
    assert client.get(f"/setup/{token}/").status_code == 200
    response = client.post(f"/setup/{token}/", FORM)
    assert response.headers["Location"] == "/"
    user = User.objects.get()
    assert (user.role, user.is_staff, user.is_superuser) == (Role.ADMIN, True, True)
    assert client.get("/settings/").status_code == 200


@pytest.mark.django_db
def test_the_link_works_once(client: Client) -> None:
    token = services.make_setup_token()
    client.post(f"/setup/{token}/", FORM)
    other = Client().post(f"/setup/{token}/", {**FORM, "username": "eve"})
    assert other.headers["Location"] == "/login/"
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_newer_link_replaces_the_older_and_only_a_digest_is_stored(client: Client) -> None:
    old = services.make_setup_token()
    new = services.make_setup_token()
    assert client.get(f"/setup/{old}/").status_code == 403
    assert client.get(f"/setup/{new}/").status_code == 200
    assert new not in str(Setting.objects.get(key=services.SETUP_KEY).value)


@pytest.mark.django_db
def test_a_weak_first_password_is_refused_and_the_link_stays_valid(client: Client) -> None:
    token = services.make_setup_token()
    weak = {"username": "mara", "password": "password12", "repeated": "password12"}
    assert client.post(f"/setup/{token}/", weak).status_code == 422
    assert client.get(f"/setup/{token}/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_moment_make_one_admin(tmp_path: Path) -> None:
    token = services.make_setup_token()
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def race(name: str) -> None:
        barrier.wait()
        try:
            services.create_first_admin(
                token=token, username=name, password=PASSWORD, address="127.0.0.1"
            )
            outcomes.append("made")
        except services.AccountProblem:
            outcomes.append("refused")
        finally:
            connections.close_all()

    if connection.vendor == "sqlite":
        # In memory two threads would share one connection: one after the other.
        barrier = threading.Barrier(1)
        race("one")
        race("two")
    else:
        threads = [threading.Thread(target=race, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["made", "refused"]
    assert User.objects.count() == 1


def test_two_processes_with_the_same_link_make_one_admin(instance: Instance) -> None:
    token = instance.run(
        "shell", "-v0", "-c",
        "from mediaflow.accounts.services import make_setup_token as m; print(m())",
    ).stdout.strip()  # fmt: skip
    code = (
        "from mediaflow.accounts.services import *\n"
        "try:\n"
        f"    create_first_admin(token={token!r}, username='NAME',"
        f" password='{PASSWORD}', address='')\n"
        "    print('made')\n"
        "except AccountProblem:\n"
        "    print('refused')\n"
    )
    started = [
        instance.start_warm("shell", "-v0", "-c", code.replace("NAME", name))
        for name in ("one", "two")
    ]
    said = sorted(process.result(timeout_s=240).stdout.strip() for process in started)
    assert said == ["made", "refused"]


@pytest.mark.django_db
def test_createsuperuser_makes_an_admin() -> None:
    call_command("createsuperuser", "--noinput", "--username", "root", verbosity=0)
    user = User.objects.get()
    assert user.is_admin
    assert user.is_superuser


@pytest.mark.django_db
def test_a_viewer_is_neither_staff_nor_superuser(viewer: User, operator: User) -> None:
    assert not viewer.is_staff
    assert not operator.is_superuser
    assert operator.is_operator
    assert not viewer.is_operator
