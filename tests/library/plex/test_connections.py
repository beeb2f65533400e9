"""Which address of a server is used, and what is said when none answers."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from library.models import PlexAccount, PlexSection, PlexServer
from library.plex.connections import Tried, best_of, choose_connection, try_all
from library.plex.looking import LOOK_KIND, due_looks, look_at_account, start_due_looks
from library.plex.plex_tv import Address, _server
from library.plex.sign_in import save_account
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import run_operation_here
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.accounts import ACCOUNT_TOKEN
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.server import PlexStandIn

pytestmark = pytest.mark.django_db


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def a_server(plex: PlexStandIn, *uris: tuple[str, str], **values: Any) -> PlexServer:
    return PlexServer.objects.create(
        **{
            "machine_id": plex.world.machine_id,
            "name": "Home",
            "token_encrypted": encrypt_secret(plex.token),
            "is_on_this_machine": True,
            "connections": [{"uri": uri, "kind": kind} for uri, kind in uris],
            **values,
        }
    )


def tried(uri: str, kind: str, *, ok: bool = True, ms: int = 5) -> Tried:
    return Tried(uri, kind, ok, ms if ok else None, "" if ok else "no")


def test_local_goes_before_remote_https_before_http_and_fast_before_slow() -> None:
    rows = [
        tried("https://far", "remote", ms=1),
        tried("http://near", "local", ms=1),
        tried("https://near-slow", "local", ms=9),
        tried("https://near", "local", ms=3),
        tried("https://nearest", "local", ok=False),
    ]
    assert best_of(rows) == rows[3]
    assert best_of(rows[:2]) == rows[1]
    assert best_of(rows[:1]) == rows[0]
    assert best_of(rows[4:]) is None


def test_an_address_that_answers_is_kept_and_the_table_says_what_became_of_each(
    plex: PlexStandIn,
) -> None:
    dead = f"http://127.0.0.1:{closed_port()}"
    server = a_server(plex, (dead, "local"), (plex.url, "local"), ("https://relay.x", "relay"))

    assert choose_connection(server)

    server.refresh_from_db()
    assert (server.url, server.error, server.version) == (plex.url, "", plex.world.version)
    assert server.seen_at is not None
    found = {row["uri"]: row for row in server.connections}
    assert found[plex.url]["is_ok"] and found[plex.url]["ms"] is not None
    assert "refused" in found[dead]["error"]
    assert "not used" in found["https://relay.x"]["error"]


def test_the_relay_is_never_used_even_when_nothing_else_answers(plex: PlexStandIn) -> None:
    server = a_server(plex, (plex.url, "relay"))

    assert not choose_connection(server)
    assert server.url == ""
    assert "relay only" in server.error


def test_addresses_are_tried_at_once(plex: PlexStandIn) -> None:
    plex.fail("/identity", delay_s=0.3)
    begun = time.monotonic()
    rows = try_all(
        [Address(f"{plex.url}/", "local")] + [Address(plex.url, "local")] * 7,
        machine_id="", token=plex.token, may_be_this_machine=True,
    )  # fmt: skip

    assert len(rows) == 8
    assert time.monotonic() - begun < 8 * 0.3


def test_a_token_goes_to_no_other_server(plex: PlexStandIn) -> None:
    """Addresses of the local network are handed out anew: another server may answer there."""
    with PlexStandIn() as other:
        other.world.machine_id = "another-machine"
        server = a_server(plex, (other.url, "local"))
        assert not choose_connection(server)

        assert all("x-plex-token" not in seen.headers for seen in other.requests)
        assert server.connections[0]["error"] == "Another Plex server answers there."
    assert not server.is_token_dead


def test_a_dead_token_is_told_from_a_server_that_is_away(plex: PlexStandIn) -> None:
    away = a_server(plex, (f"http://127.0.0.1:{closed_port()}", "local"), url="http://old:32400")
    assert not choose_connection(away)
    assert not away.is_token_dead
    assert away.url == "http://old:32400"
    away.delete()

    dead = a_server(plex, (plex.url, "local"), token_encrypted=encrypt_secret("wrong"))
    assert not choose_connection(dead)
    assert dead.is_token_dead
    assert "the token that was typed" in dead.error and "settings" in dead.error
    account = PlexAccount.objects.create(plex_uuid="u", username="ada")
    PlexServer.objects.update(account=account, is_token_dead=False)
    dead.refresh_from_db()
    assert not choose_connection(dead)
    assert "Sign in to Plex again" in dead.error


def test_a_token_that_cannot_be_read_any_more_means_sign_in_again(plex: PlexStandIn) -> None:
    server = a_server(plex, (plex.url, "local"), token_encrypted="of another key")

    assert not choose_connection(server)
    assert "Sign in to Plex again" in server.error
    assert plex.requests == []


def test_this_machine_is_not_called_unless_its_row_says_so(plex: PlexStandIn) -> None:
    server = a_server(plex, (plex.url, "local"), is_on_this_machine=False)

    assert not choose_connection(server)
    assert "this machine" in server.connections[0]["error"]
    assert plex.requests == []


def test_an_address_that_was_typed_is_the_only_one_used(plex: PlexStandIn) -> None:
    wrong = f"http://127.0.0.1:{closed_port()}"
    server = a_server(plex, (plex.url, "local"), url=wrong, is_url_manual=True)

    assert not choose_connection(server)
    assert server.url == wrong
    assert server.error.startswith("The address given for Home does not work")
    # What else would answer is shown.
    assert [row["is_ok"] for row in server.connections] == [False, True]


def test_plain_addresses_are_tried_beside_names_of_plex_unless_https_is_required() -> None:
    tree = {
        "provides": "server", "clientIdentifier": "m", "httpsRequired": "0",
        "connections": [
            {"uri": "https://1-2-3-4.x.plex.direct:32400", "address": "192.168.1.4",
             "port": "32400", "local": "1", "relay": False},
            {"uri": "https://9-9-9-9.x.plex.direct:32400", "address": "203.0.113.9", "port": 32400,
             "local": False, "relay": False},
            "nonsense",
            {"uri": "file:///etc/passwd", "local": False},
            {"uri": "http://u:p@h:1", "local": False},
            {"uri": f"https://{'x' * 300}.example:1", "local": False},
        ],
    }  # fmt: skip
    found = _server(tree)
    assert found is not None
    assert [one.uri for one in found.addresses] == [
        "https://1-2-3-4.x.plex.direct:32400",
        "http://192.168.1.4:32400",
        "https://9-9-9-9.x.plex.direct:32400",
    ]
    strict = _server({**tree, "httpsRequired": True})
    assert strict is not None
    assert all(one.uri.startswith("https") for one in strict.addresses)


def run(operation: Operation) -> Operation:
    assert operation.kind == LOOK_KIND
    return run_operation_here(operation)


@pytest.mark.usefixtures("at_plex_tv")
def test_looking_at_an_account_finds_its_servers_and_their_libraries(plex: PlexStandIn) -> None:
    plex.world.add_section("Movies")
    plex.world.add_section("Series", kind="show")
    plex.world.add_section("Music", kind="artist")
    account = save_account(ACCOUNT_TOKEN)
    first = run(look_at_account(account))
    assert first.status == OperationStatus.FAILED  # its only address is this machine's
    PlexServer.objects.update(is_on_this_machine=True)

    done = run(look_at_account(account))

    assert (done.status, done.message) == (OperationStatus.COMPLETED, "1 of 1 server answers.")
    assert list(PlexSection.objects.values_list("title", "type")) == [
        ("Movies", "movie"),
        ("Series", "show"),
    ]
    assert ACCOUNT_TOKEN not in str(done.args) and plex.token not in str(done.args)


def test_a_server_that_is_away_is_looked_for_once_an_hour(plex: PlexStandIn) -> None:
    server = a_server(plex, (plex.url, "local"), error="None answers.")
    now = timezone.now()
    assert due_looks(now) == [server]

    start_due_looks()
    start_due_looks()

    assert Operation.objects.count() == 1
    assert due_looks(now) == []
    later = now + timedelta(hours=1, seconds=5)
    assert due_looks(later) == [server]
    # A person has to sign in first, or has switched it off.
    for values in ({"is_token_dead": True}, {"is_enabled": False}, {"error": ""}):
        PlexServer.objects.update(**{"is_token_dead": False, "is_enabled": True, **values})
        assert due_looks(later) == []


@pytest.mark.usefixtures("at_plex_tv")
def test_an_account_is_asked_once_a_day(plex: PlexStandIn) -> None:
    account = save_account(ACCOUNT_TOKEN)
    now = timezone.now()
    assert due_looks(now) == []
    assert due_looks(now + timedelta(days=1, seconds=5)) == [account]
