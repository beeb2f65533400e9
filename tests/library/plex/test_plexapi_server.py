"""plexapi behind our guard: one device, no reading on demand, tokens only in headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from plexapi.exceptions import NotFound

from library.plex.client import PlexProblem
from library.plex.device import client_identifier
from library.plex.plexapi_server import connect_plexapi, plexapi_problem
from tests.library.plex.rows import make_server
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from library.models import PlexServer
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(plex: PlexStandIn) -> PlexServer:
    films = plex.world.add_section("Movies")
    for title in ("Heat", "Ran"):
        plex.world.add_movie(films, title, labels=["Kept"])
    return make_server(plex)


def test_edits_go_out_with_our_device_and_the_token_in_a_header(
    plex: PlexStandIn, server: PlexServer
) -> None:
    section = connect_plexapi(server).library.section("Movies")
    films = section.all()
    section.batchMultiEdits(films).addLabel("New").saveMultiEdits()

    assert [sorted(item.tags("Label")) for item in plex.world.sections["1"].items.values()] == [
        ["Kept", "New"], ["Kept", "New"],
    ]  # fmt: skip
    assert len(plex.edits) == 1
    assert plex.edits[0].ids == tuple(plex.world.sections["1"].items)
    for seen in plex.requests:
        assert seen.headers["X-Plex-Token"] == plex.token
        assert seen.headers["X-Plex-Client-Identifier"] == client_identifier()
        assert not any(name == "X-Plex-Token" for name, _value in seen.params)


def test_reading_what_is_not_there_asks_nobody(plex: PlexStandIn, server: PlexServer) -> None:
    films = connect_plexapi(server).library.section("Movies").all()
    plex.requests.clear()
    assert [(film.editionTitle, film.labels, film.tagline) for film in films] == [
        (None, [], None), (None, [], None),
    ]  # fmt: skip
    assert plex.requests == []


def test_a_dead_token_and_a_dead_server_are_told_apart(
    plex: PlexStandIn, server: PlexServer
) -> None:
    plex.world.tokens.clear()
    with pytest.raises(PlexProblem) as problem:
        connect_plexapi(server)
    assert problem.value.kind == "auth"
    server.url = "http://127.0.0.1:9"
    with pytest.raises(PlexProblem) as problem:
        connect_plexapi(server)
    assert problem.value.kind == "network"


def test_this_machine_is_only_called_where_its_row_says_so(server: PlexServer) -> None:
    server.is_on_this_machine = False
    with pytest.raises(PlexProblem, match="this machine"):
        connect_plexapi(server)


def test_what_plexapi_raises_becomes_a_sentence_without_addresses(server: PlexServer) -> None:
    api = connect_plexapi(server)
    with pytest.raises(NotFound) as error:
        api.fetchItem(999)
    problem = plexapi_problem(error.value, "Stand-in")
    assert (problem.kind, problem.status) == ("refused", 404)
    assert "http" not in problem.text
