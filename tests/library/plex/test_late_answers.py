"""Answers of plex.tv and of servers that come after somebody changed something meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from library.models import PlexAccount, PlexSection, PlexServer
from library.plex import by_hand, connections, plex_tv
from library.plex.by_hand import TypedProblem, add_server
from library.plex.choices import save_server_settings
from library.plex.client import PlexProblem, client_for
from library.plex.connections import choose_connection
from library.plex.looking import look_at_account, refresh_server
from library.plex.removal import start_removal
from library.plex.sections import note_contact
from library.plex.sign_in import refresh_account, save_account, sign_out
from mediaflow.base.encryption import decrypt_secret, encrypt_secret
from mediaflow.base.models import OperationStatus
from mediaflow.base.operations import run_operation_here
from tests.library.plex.rows import make_server
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.accounts import ACCOUNT_TOKEN, Account
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plex_stand_in import PlexStandIn

    Arrange = Callable[[Any, str, Callable[[], object]], None]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_plex_tv")]


@pytest.fixture
def after_asking(monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """`after_asking(module, name, act)`: the first answer of a function comes after `act`."""

    def arrange(module: Any, name: str, act: Callable[[], object]) -> None:
        ask, pending = getattr(module, name), [act]

        def answer(*args: Any, **kwargs: Any) -> Any:
            found = ask(*args, **kwargs)
            if pending:
                pending.pop()()
            return found

        monkeypatch.setattr(module, name, answer)

    return arrange


@pytest.fixture
def account(plex: PlexStandIn) -> PlexAccount:
    return save_account(ACCOUNT_TOKEN)


@pytest.fixture
def server(plex: PlexStandIn) -> PlexServer:
    found = make_server(plex)
    found.connections = [{"uri": plex.url, "kind": "local"}]
    found.save()
    return found


def change(server: PlexServer, **values: Any) -> Callable[[], object]:
    return lambda: PlexServer.objects.filter(pk=server.pk).update(**values)


# Answers of plex.tv


def test_a_look_at_plex_tv_does_not_undo_a_sign_out(
    account: PlexAccount, after_asking: Arrange
) -> None:
    (server,) = refresh_account(account)
    after_asking(plex_tv, "servers_of", lambda: sign_out(PlexAccount.objects.get()))

    with pytest.raises(PlexProblem, match="signed out"):
        refresh_account(account)

    account.refresh_from_db()
    server.refresh_from_db()
    assert (account.token_encrypted, account.is_token_dead, account.error) == ("", True, "")
    assert (server.token_encrypted, server.error) == ("", "ada is signed out.")


def test_servers_told_before_a_sign_out_are_not_made(
    account: PlexAccount, after_asking: Arrange
) -> None:
    after_asking(plex_tv, "servers_of", lambda: sign_out(PlexAccount.objects.get()))

    with pytest.raises(PlexProblem, match="signed out"):
        refresh_account(account)
    assert not PlexServer.objects.exists()


def test_a_refusal_of_the_old_token_does_not_end_the_new_one(
    plex: PlexStandIn, account: PlexAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    plex.tv.accounts.append(Account(token="token-of-today"))
    ask = plex_tv.account_of

    def answer(token: str) -> plex_tv.AccountFacts:
        if token == ACCOUNT_TOKEN:
            save_account("token-of-today")
            raise PlexProblem("auth", "plex.tv does not accept the token.")
        return ask(token)

    monkeypatch.setattr(plex_tv, "account_of", answer)
    with pytest.raises(PlexProblem):
        refresh_account(account)

    account.refresh_from_db()
    assert (account.is_token_dead, account.error) == (False, "")
    assert decrypt_secret(account.token_encrypted) == "token-of-today"


def test_a_sign_in_during_a_look_is_looked_at(
    plex: PlexStandIn, account: PlexAccount, after_asking: Arrange
) -> None:
    plex.tv.accounts.append(Account(token="token-of-today"))
    after_asking(plex_tv, "servers_of", lambda: save_account("token-of-today"))

    (server,) = refresh_account(account)

    account.refresh_from_db()
    assert decrypt_secret(account.token_encrypted) == "token-of-today"
    assert server.account == account


def test_a_server_that_is_removed_during_a_look_stays_removed(
    account: PlexAccount, after_asking: Arrange
) -> None:
    (server,) = refresh_account(account)
    after_asking(plex_tv, "servers_of", lambda: run_operation_here(start_removal(server)))

    assert refresh_account(account) == []
    assert not PlexServer.objects.exists()


def test_a_look_writes_only_what_plex_tv_told(account: PlexAccount) -> None:
    refresh_account(account)
    with CaptureQueriesContext(connection) as seen:
        refresh_account(account)

    updates = [query["sql"] for query in seen if query["sql"].startswith("UPDATE")]
    written = " ".join(sql.partition(" SET ")[2].partition(" WHERE ")[0] for sql in updates)
    assert "username" in written and "connections" in written
    for column in ("token_encrypted", "token_kind", "is_enabled", "sync_interval_s", "url"):
        assert f'"{column}"' not in written, column


# Answers of servers


@pytest.mark.parametrize("is_refused", [False, True])
def test_an_answer_to_the_old_token_leaves_a_new_one_alone(
    plex: PlexStandIn, server: PlexServer, after_asking: Arrange, is_refused: bool
) -> None:
    plex.world.tokens["another"] = True
    if is_refused:
        change(server, token_encrypted=encrypt_secret("wrong"))()
        server.refresh_from_db()
    after_asking(connections, "try_all", change(server, token_encrypted=encrypt_secret("another")))

    assert choose_connection(server)

    server.refresh_from_db()
    assert decrypt_secret(server.token_encrypted) == "another"
    assert (server.is_token_dead, server.error) == (False, "")


def test_trying_addresses_does_not_undo_a_sign_out(
    server: PlexServer, after_asking: Arrange
) -> None:
    after_asking(connections, "try_all", change(server, token_encrypted="", is_token_dead=True))

    assert not choose_connection(server)
    server.refresh_from_db()
    assert (server.token_encrypted, server.is_token_dead) == ("", True)


def test_an_address_that_is_typed_while_others_are_tried_is_kept(
    plex: PlexStandIn, server: PlexServer, after_asking: Arrange
) -> None:
    typed = f"{plex.url}/plex"
    after_asking(connections, "try_all", change(server, url=typed, is_url_manual=True))

    choose_connection(server)

    server.refresh_from_db()
    assert (server.url, server.is_url_manual) == (typed, True)


def test_a_server_that_is_removed_while_it_is_asked_is_no_crash(
    account: PlexAccount, server: PlexServer, after_asking: Arrange
) -> None:
    after_asking(
        connections, "try_all", lambda: run_operation_here(start_removal(PlexServer.objects.get()))
    )
    done = run_operation_here(look_at_account(account))

    assert (done.status, done.message) == (
        OperationStatus.FAILED, f"{server.name} was removed meanwhile.",
    )  # fmt: skip
    assert not PlexServer.objects.exists()


def test_libraries_of_a_server_that_is_removed_are_not_made(
    plex: PlexStandIn, server: PlexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_for(server) as client:
        listed = client.sections()
    plex.world.add_section("Movies")

    def answer(_client: Any) -> Any:
        PlexServer.objects.all().delete()
        return listed

    monkeypatch.setattr("library.plex.client.PlexClient.sections", answer)
    assert not refresh_server(server)
    assert "was removed" in server.error
    assert not PlexSection.objects.exists()


def test_how_a_call_went_says_nothing_of_a_token_that_came_meanwhile(server: PlexServer) -> None:
    for problem in (None, PlexProblem("auth", "refused"), PlexProblem("network", "away")):
        change(server, token_encrypted="", is_token_dead=True, error="Signed out.")()
        note_contact(server, problem)
        server_now = PlexServer.objects.get()
        assert (server_now.is_token_dead, server_now.error) == (True, "Signed out."), problem


# What people type


def settings_of(server: PlexServer, *changed: str, **values: Any) -> dict[str, Any]:
    return {"address": "", "token": "", "sync_hours": 1.0, "changed": changed, **values}


def test_settings_write_only_what_was_changed(server: PlexServer) -> None:
    stale = PlexServer.objects.get()
    account = PlexAccount.objects.create(plex_uuid="u", username="ada")
    change(server, account=account, name="Attic", is_enabled=False, token_encrypted="new")()

    stale.analyses_after_sync = False
    save_server_settings(stale, **settings_of(stale, "analyses_after_sync"))

    server.refresh_from_db()
    assert not server.analyses_after_sync
    assert (server.account, server.name, server.is_enabled) == (account, "Attic", False)
    assert server.token_encrypted == "new"


def test_an_address_tried_with_a_token_that_a_sign_out_ended_is_not_stored(
    plex: PlexStandIn, server: PlexServer, after_asking: Arrange
) -> None:
    after_asking(by_hand, "try_all", change(server, token_encrypted="", is_token_dead=True))
    typed = settings_of(server, "address", address=plex.url)

    with pytest.raises(TypedProblem, match="changed or removed meanwhile"):
        save_server_settings(server, **typed)

    server.refresh_from_db()
    assert (server.token_encrypted, server.is_token_dead, server.is_url_manual) == ("", True, False)


def test_settings_of_a_server_that_is_removed_meanwhile_bring_it_not_back(
    plex: PlexStandIn, server: PlexServer, after_asking: Arrange
) -> None:
    after_asking(by_hand, "try_all", lambda: PlexServer.objects.all().delete())
    with pytest.raises(TypedProblem, match="changed or removed meanwhile"):
        save_server_settings(
            server, **settings_of(server, "token", "address", token=plex.token, address=plex.url)
        )
    assert not PlexServer.objects.exists()


def test_adding_a_known_server_keeps_its_settings(
    plex: PlexStandIn, server: PlexServer, after_asking: Arrange
) -> None:
    after_asking(by_hand, "try_all", change(server, is_enabled=False, sync_interval_s=0))
    found = add_server(url=plex.url, token=plex.token, is_on_this_machine=True)

    assert (found.pk, found.is_enabled, found.sync_interval_s) == (server.pk, False, 0)
