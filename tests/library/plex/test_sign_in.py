"""Signing in to Plex: PINs, accounts, servers, dead tokens and mere faults of the network."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from library.models import PlexAccount, PlexPin, PlexServer
from library.plex import plex_tv, sign_in
from library.plex.client import PlexProblem
from library.plex.device import client_identifier
from library.plex.sign_in import SignInOver
from mediaflow.base.encryption import decrypt_secret
from mediaflow.base.models import AuditEvent
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.accounts import ACCOUNT_TOKEN, Account
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from mediaflow.accounts.models import User
    from tests.plex_stand_in import PlexStandIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_plex_tv")]


def poll(pin: PlexPin, user: User) -> PlexAccount | None:
    cache.clear()  # as if the next second had come
    return sign_in.poll_sign_in(pin, actor=user)


def test_a_person_agrees_at_plex_and_is_signed_in(plex: PlexStandIn, admin_user: User) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    assert poll(pin, admin_user) is None

    plex.tv.approve(pin.code)
    account = poll(pin, admin_user)

    assert account is not None
    assert (account.username, account.has_plex_pass, account.token_kind) == ("ada", True, "legacy")
    assert decrypt_secret(account.token_encrypted) == ACCOUNT_TOKEN
    assert ACCOUNT_TOKEN not in account.token_encrypted
    with pytest.raises(SignInOver, match="done"):
        sign_in.own_pin(admin_user, pin.nonce)


def test_the_address_at_plex_names_this_device_and_the_way_back(
    plex: PlexStandIn, admin_user: User
) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    url = plex_tv.sign_in_url(pin.code, f"https://films.example.org/back/{pin.nonce}/?a=b")

    asked = parse_qs(urlsplit(url).fragment.lstrip("?"))
    assert url.startswith(f"{plex.url}/auth#?")
    assert asked["clientID"] == [client_identifier()]
    assert asked["code"] == [pin.code]
    assert asked["forwardUrl"] == [f"https://films.example.org/back/{pin.nonce}/?a=b"]
    assert asked["context[device][product]"] == ["MediaFlow"]


def test_every_call_names_the_same_device(plex: PlexStandIn, admin_user: User) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    plex.tv.approve(pin.code)
    account = poll(pin, admin_user)
    assert account is not None
    sign_in.refresh_account(account)

    devices = {seen.headers.get("X-Plex-Client-Identifier") for seen in plex.requests}
    assert devices == {client_identifier()}


def test_a_pin_belongs_to_who_began_it(plex: PlexStandIn, admin_user: User, operator: User) -> None:
    pin = sign_in.begin_sign_in(admin_user)

    assert sign_in.own_pin(admin_user, pin.nonce) == pin
    with pytest.raises(SignInOver, match="somebody else"):
        sign_in.own_pin(operator, pin.nonce)


def test_a_pin_that_is_too_old_is_over(plex: PlexStandIn, admin_user: User) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    PlexPin.objects.filter(pk=pin.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(SignInOver, match="too long"):
        sign_in.own_pin(admin_user, pin.nonce)

    plex.tv.pins.clear()
    with pytest.raises(SignInOver, match="forgotten"):
        poll(pin, admin_user)


def test_plex_tv_is_asked_once_a_second_at_most(plex: PlexStandIn, admin_user: User) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    for _ in range(5):
        sign_in.poll_sign_in(pin, actor=admin_user)

    assert len(plex.calls(f"/api/v2/pins/{pin.pin_id}")) == 1


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 429}, {"hang_up": True}, {"garbage": True}]
)
def test_a_fault_while_polling_ends_nothing(
    plex: PlexStandIn, admin_user: User, fault: dict[str, Any]
) -> None:
    pin = sign_in.begin_sign_in(admin_user)
    plex.fail("/api/v2/pins", **fault)
    with pytest.raises(PlexProblem):
        poll(pin, admin_user)

    plex.faults.clear()
    plex.tv.approve(pin.code)
    assert poll(pin, admin_user) is not None


def test_several_accounts_each_have_their_servers(plex: PlexStandIn, admin_user: User) -> None:
    plex.tv.accounts.append(Account("bob", "stand-in-account-2", "token-of-bob", False))
    for account in plex.tv.accounts:
        sign_in.save_account(account.token, actor=admin_user)

    names = list(PlexAccount.objects.order_by("username").values_list("username", "has_plex_pass"))
    assert names == [("ada", True), ("bob", False)]


def test_signing_in_again_renews_the_same_account(plex: PlexStandIn, admin_user: User) -> None:
    account = sign_in.save_account(ACCOUNT_TOKEN)
    PlexAccount.objects.update(is_token_dead=True, error="dead", token_encrypted="")

    again = sign_in.save_account(ACCOUNT_TOKEN)

    assert again.pk == account.pk
    assert (again.is_token_dead, again.error) == (False, "")
    assert AuditEvent.objects.filter(action="plex.sign_in_again").exists()


def test_an_accounts_servers_become_rows_with_tokens_of_their_own(plex: PlexStandIn) -> None:
    plex.tv.more_connections += [("http://172.17.0.2:32400", "local"), ("https://r:443", "relay")]
    plex.tv.more_resources.append(
        {"name": "A player", "provides": "player", "clientIdentifier": "p"}
    )
    plex.tv.more_resources.append({"provides": "server"})  # without an identity
    (server,) = sign_in.refresh_account(sign_in.save_account(ACCOUNT_TOKEN))

    assert server.machine_id == plex.world.machine_id
    assert decrypt_secret(server.token_encrypted) == plex.token
    assert {row["kind"] for row in server.connections} == {"local", "relay"}
    assert server.is_owned and server.is_enabled


def test_a_server_of_somebody_else_is_off_until_it_is_switched_on(plex: PlexStandIn) -> None:
    plex.tv.is_owned = False
    (server,) = sign_in.refresh_account(sign_in.save_account(ACCOUNT_TOKEN))

    assert not server.is_owned
    assert not server.is_enabled


def test_a_server_stays_with_the_account_that_owns_it(plex: PlexStandIn) -> None:
    owner = sign_in.save_account(ACCOUNT_TOKEN)
    sign_in.refresh_account(owner)
    plex.tv.accounts.append(Account("bob", "stand-in-account-2", "token-of-bob"))
    plex.tv.is_owned, plex.tv.access_token = False, "guest-token"
    sign_in.refresh_account(sign_in.save_account("token-of-bob"))

    server = PlexServer.objects.get()
    assert server.account == owner
    assert decrypt_secret(server.token_encrypted) == plex.token


def test_a_dead_token_is_told_from_a_fault_of_the_network(plex: PlexStandIn) -> None:
    account = sign_in.save_account(ACCOUNT_TOKEN)
    for fault in ({"status": 500}, {"status": 403}, {"garbage": True}, {"hang_up": True}):
        plex.faults.clear()
        plex.fail("/api/v2/", **fault)
        with pytest.raises(PlexProblem):
            sign_in.refresh_account(account)
        account.refresh_from_db()
        assert not account.is_token_dead, fault
        assert account.error
        assert account.token_encrypted

    plex.faults.clear()
    plex.tv.accounts.clear()
    with pytest.raises(PlexProblem, match="Sign in to Plex again") as caught:
        sign_in.refresh_account(account)
    account.refresh_from_db()
    assert caught.value.kind == "auth"
    assert account.is_token_dead


def test_a_lost_key_means_sign_in_again(plex: PlexStandIn) -> None:
    account = sign_in.save_account(ACCOUNT_TOKEN)
    account.token_encrypted = "gAAAA-of-another-key"
    account.save()

    with pytest.raises(PlexProblem, match="Sign in to Plex again"):
        sign_in.refresh_account(account)
    account.refresh_from_db()
    assert account.is_token_dead


def test_signing_out_removes_the_tokens_here_and_at_plex(
    plex: PlexStandIn, admin_user: User
) -> None:
    account = sign_in.save_account(ACCOUNT_TOKEN)
    (server,) = sign_in.refresh_account(account)

    assert sign_in.sign_out(account, actor=admin_user)

    server.refresh_from_db()
    assert (account.token_encrypted, server.token_encrypted) == ("", "")
    assert plex.tv.accounts == []
    assert server.error == "ada is signed out."


def test_signing_out_works_when_plex_cannot_be_told(plex: PlexStandIn) -> None:
    account = sign_in.save_account(ACCOUNT_TOKEN)
    plex.fail("signout", hang_up=True)

    assert not sign_in.sign_out(account)
    assert account.token_encrypted == ""


def test_a_token_of_seven_days_is_known_by_its_beginning(plex: PlexStandIn) -> None:
    plex.tv.accounts[0].token = "eyJhbGciOiJFZERTQSJ9.e30.sig"

    assert sign_in.save_account("eyJhbGciOiJFZERTQSJ9.e30.sig").token_kind == "jwt"
    assert settings.ENVIRONMENT.plex_tv_url == plex.url
