"""Whose token a server has: typed stays, the owner goes before a guest, and it goes nowhere new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from library.models import PlexServer
from library.plex.by_hand import TypedProblem, add_server
from library.plex.client import token_of
from library.plex.connections import choose_connection
from library.plex.sign_in import refresh_account, save_account, sign_out
from mediaflow.base.outbound import origin_of
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.accounts import ACCOUNT_TOKEN, Account
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.server import PlexStandIn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from library.models import PlexAccount
    from mediaflow.accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_plex_tv")]
TYPED = "typed-by-hand"


@pytest.fixture
def typed(plex: PlexStandIn) -> PlexServer:
    plex.world.tokens[TYPED] = True
    return add_server(url=plex.url, token=TYPED, is_on_this_machine=True)


@pytest.fixture
def impostor(plex: PlexStandIn) -> Iterator[PlexStandIn]:
    """Another machine that says it is the same server."""
    with PlexStandIn() as other:
        other.world.machine_id = plex.world.machine_id
        yield other


def look(plex: PlexStandIn, *, is_owned: bool, who: str = "ada") -> PlexAccount:
    """Sign in with an account and let plex.tv list its servers."""
    if who != "ada" and plex.tv.account_of(f"token-of-{who}") is None:
        plex.tv.accounts.append(Account(who, f"account-of-{who}", f"token-of-{who}"))
    plex.tv.is_owned = is_owned
    plex.tv.access_token = f"server-token-for-{who}"
    plex.world.tokens[plex.tv.access_token] = is_owned
    account = save_account(ACCOUNT_TOKEN if who == "ada" else f"token-of-{who}")
    refresh_account(account)
    return account


def refuse(server: PlexServer, plex: PlexStandIn, token: str) -> None:
    """The server says 401 to it."""
    del plex.world.tokens[token]
    assert not choose_connection(server)
    assert server.is_token_dead


# Which token stays


@pytest.mark.parametrize("is_owned", [True, False])
def test_a_typed_token_stays_whatever_account_sees_the_server(
    plex: PlexStandIn, typed: PlexServer, is_owned: bool
) -> None:
    look(plex, is_owned=is_owned)

    typed.refresh_from_db()
    assert token_of(typed) == TYPED
    assert (typed.account, typed.is_owned, typed.is_url_manual) == (None, True, True)


def test_a_typed_token_outlives_the_sign_out_of_an_account(
    plex: PlexStandIn, typed: PlexServer
) -> None:
    sign_out(look(plex, is_owned=True))

    typed.refresh_from_db()
    assert (token_of(typed), typed.is_token_dead) == (TYPED, False)


def test_a_typed_token_that_is_refused_gives_way_to_the_owners(
    plex: PlexStandIn, typed: PlexServer
) -> None:
    refuse(typed, plex, TYPED)
    assert "token that was typed" in typed.error and "settings" in typed.error
    look(plex, is_owned=False, who="bob")
    typed.refresh_from_db()
    assert token_of(typed) == TYPED

    account = look(plex, is_owned=True)

    typed.refresh_from_db()
    assert (token_of(typed), typed.account) == ("server-token-for-ada", account)
    assert choose_connection(typed)


def test_a_token_that_is_typed_later_takes_the_place_of_the_accounts(
    plex: PlexStandIn, as_admin: Client
) -> None:
    look(plex, is_owned=False, who="bob")
    server = PlexServer.objects.get()
    PlexServer.objects.update(is_on_this_machine=True)
    server.refresh_from_db()
    assert choose_connection(server)
    plex.world.tokens[TYPED] = True
    form = {"is_enabled": "on", "is_on_this_machine": "on", "sync_hours": "1", "token": TYPED}
    url = reverse("library:plex_server", args=[server.pk])
    assert as_admin.post(url, {**form, "address": ""}).status_code == 302

    look(plex, is_owned=False, who="bob")

    server.refresh_from_db()
    assert (token_of(server), server.account, server.is_owned) == (TYPED, None, True)
    assert "token given by hand" in as_admin.get(reverse("library:plex")).text


def test_a_guest_does_not_take_over_from_the_owner_not_even_once_signed_out(
    plex: PlexStandIn,
) -> None:
    owner = look(plex, is_owned=True)
    look(plex, is_owned=False, who="bob")
    server = PlexServer.objects.get()
    assert (server.account, token_of(server)) == (owner, "server-token-for-ada")

    sign_out(owner)
    look(plex, is_owned=False, who="bob")

    server.refresh_from_db()
    assert (server.account, server.token_encrypted, server.is_owned) == (owner, "", True)


def test_the_owner_takes_over_from_a_guest_and_a_guest_not_from_another(plex: PlexStandIn) -> None:
    first = look(plex, is_owned=False, who="bob")
    look(plex, is_owned=False, who="eve")
    server = PlexServer.objects.get()
    assert server.account == first

    owner = look(plex, is_owned=True)

    server.refresh_from_db()
    assert (server.account, server.is_owned) == (owner, True)
    assert token_of(server) == "server-token-for-ada"


# Where a token goes


def got_a_token(stand_in: PlexStandIn) -> bool:
    return any("x-plex-token" in map(str.lower, seen.headers) for seen in stand_in.requests)


def settings_form(server: PlexServer, **values: str) -> dict[str, str]:
    return {
        "is_enabled": "on", "is_on_this_machine": "on", "sync_hours": "1", "address": "",
        "token": "", **values,
    }  # fmt: skip


def test_the_stored_token_is_not_sent_to_a_new_address(
    plex: PlexStandIn, typed: PlexServer, impostor: PlexStandIn, as_admin: Client
) -> None:
    url = reverse("library:plex_server", args=[typed.pk])
    answer = as_admin.post(url, settings_form(typed, address=impostor.url))

    assert answer.status_code == 422
    (words,) = answer.context["form"].errors["token"]
    assert words == (
        "The address is a new one: type the token as well, for the stored one is not sent there."
    )
    assert not got_a_token(impostor)
    typed.refresh_from_db()
    assert typed.url == plex.url
    assert "a new address needs the token typed again" in as_admin.get(url).text.lower()


def test_adding_a_known_server_at_a_new_address_needs_its_token_too(
    plex: PlexStandIn, impostor: PlexStandIn
) -> None:
    look(plex, is_owned=True)
    with pytest.raises(TypedProblem, match="new one") as caught:
        add_server(url=impostor.url, token="", is_on_this_machine=True)
    assert caught.value.field == "token"
    assert not got_a_token(impostor)

    known = add_server(url=plex.url, token="", is_on_this_machine=True)
    assert (known.url, known.is_url_manual) == (plex.url, True)
    assert token_of(known) == "server-token-for-ada"


def test_another_path_of_the_same_place_needs_no_token(
    plex: PlexStandIn, typed: PlexServer, as_admin: Client
) -> None:
    url = reverse("library:plex_server", args=[typed.pk])
    plex.fail("/base", status=404)
    answer = as_admin.post(url, settings_form(typed, address=f"{plex.url}/base"))
    assert "address" in answer.context["form"].errors
    assert "token" not in answer.context["form"].errors


def test_an_accounts_token_never_follows_an_address_that_came_with_another(
    plex: PlexStandIn, impostor: PlexStandIn
) -> None:
    """Type an address of one's own with a token of one's own, refuse that later, and wait."""
    impostor.world.tokens["mine"] = True
    server = add_server(url=impostor.url, token="mine", is_on_this_machine=True)
    refuse(server, impostor, "mine")
    impostor.requests.clear()
    look(plex, is_owned=True)

    server.refresh_from_db()
    assert (server.url, server.is_url_manual) == ("", False)
    assert choose_connection(server)
    assert server.url == plex.url
    assert not got_a_token(impostor)


def test_a_token_without_an_address_goes_where_plex_says_not_where_others_typed(
    plex: PlexStandIn, impostor: PlexStandIn, as_admin: Client
) -> None:
    look(plex, is_owned=True)
    server = PlexServer.objects.get()
    impostor.world.tokens["mine"] = True
    add_server(url=impostor.url, token="mine", is_on_this_machine=True)
    impostor.requests.clear()
    plex.world.tokens[TYPED] = True
    url = reverse("library:plex_server", args=[server.pk])

    assert as_admin.post(url, settings_form(server, token=TYPED)).status_code == 302

    server.refresh_from_db()
    assert (server.url, server.is_url_manual, token_of(server)) == (plex.url, False, TYPED)
    assert impostor.requests == []


def test_an_address_that_is_taken_out_is_not_used_any_more(
    plex: PlexStandIn, typed: PlexServer, as_admin: Client
) -> None:
    url = reverse("library:plex_server", args=[typed.pk])
    assert as_admin.post(url, settings_form(typed)).status_code == 302

    typed.refresh_from_db()
    assert (typed.url, typed.is_url_manual, token_of(typed)) == ("", False, TYPED)
    assert not choose_connection(typed)
    assert "No address" in typed.error


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("http://nas:32400", "http://NAS:32400/plex", True),
        ("https://nas", "https://nas:443", True),
        ("http://nas", "http://nas:80/", True),
        ("http://nas", "https://nas", False),
        ("http://nas", "http://nas:8080", False),
        ("http://nas", "http://nas.example.org", False),
        ("http://[fd00::1]:32400", "http://[fd00::2]:32400", False),
    ],
)
def test_scheme_host_and_port_say_where_something_is_sent(
    one: str, other: str, is_same: bool
) -> None:
    assert (origin_of(one) == origin_of(other)) is is_same


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_only_an_admin_may_type_addresses(
    plex: PlexStandIn, typed: PlexServer, impostor: PlexStandIn, role: str,
    client_for: Callable[[User], Client], request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    client = client_for(request.getfixturevalue(role))
    form: dict[str, Any] = settings_form(typed, address=impostor.url, url=impostor.url, token="t")
    for url in (
        reverse("library:plex_server", args=[typed.pk]),
        reverse("library:plex_server_add"),
        f"/admin/library/plexserver/{typed.pk}/change/",
    ):
        assert client.post(url, form).status_code in (302, 403), url
        assert client.get(url).status_code in (302, 403), url
    typed.refresh_from_db()
    assert (typed.url, impostor.requests) == (plex.url, [])
