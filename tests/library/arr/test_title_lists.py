"""The list of titles is read once for many swaps, and never believed when it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from library.arr import title_lists as module
from library.arr.client import ArrClient, ArrProblem
from library.arr.title_lists import KEPT_S, MOST_SERVERS, TitleLists
from tests.arr_stand_in import ArrStandIn, arr_stand_in
from tests.clock import Clock
from tests.library.arr.test_arr import server_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library.models import ArrServer

pytestmark = pytest.mark.django_db
FILE = "/movies/Up (2009)/up.mkv"


@pytest.fixture
def radarr() -> Iterator[ArrStandIn]:
    with arr_stand_in(titles=[{"id": 7, "title": "Up", "path": "/movies/Up (2009)"}]) as stand_in:
        yield stand_in


@pytest.fixture
def server(radarr: ArrStandIn) -> ArrServer:
    return server_at(radarr.url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lists(clock: Clock) -> TitleLists:
    return TitleLists(monotonic=clock)


def find(lists: TitleLists, server: ArrServer, path: str = FILE) -> int | None:
    with ArrClient(server) as client:
        found = lists.find(server, client, path)
    return found.id if found else None


def lists_read(radarr: ArrStandIn) -> int:
    return radarr.paths.count("GET /api/v3/movie")


def test_many_films_need_one_list(
    lists: TitleLists, server: ArrServer, radarr: ArrStandIn, clock: Clock
) -> None:
    for _ in range(5):
        assert find(lists, server) == 7
    assert lists_read(radarr) == 1
    clock.now += KEPT_S
    assert find(lists, server) == 7
    assert lists_read(radarr) == 2


def test_a_film_that_was_added_since_is_found(
    lists: TitleLists, server: ArrServer, radarr: ArrStandIn
) -> None:
    find(lists, server)
    radarr.titles.append({"id": 9, "title": "Heat", "path": "/movies/Heat"})
    assert find(lists, server, "/movies/Heat/heat.mkv") == 9
    assert find(lists, server) == 7
    assert lists_read(radarr) == 2


@pytest.mark.parametrize(
    "now",
    [
        {"id": 8, "title": "Up", "path": "/movies/Up (2009)"},
        {"id": 7, "title": "Up", "path": "/movies/Elsewhere"},
    ],
    ids=["added anew", "moved"],
)
def test_a_title_that_is_no_longer_what_the_list_says_is_looked_up_again(
    lists: TitleLists, server: ArrServer, radarr: ArrStandIn, now: dict[str, object]
) -> None:
    find(lists, server)
    radarr.titles[:] = [now]
    assert find(lists, server) == (8 if now["id"] == 8 else None)
    assert lists_read(radarr) == 2


def test_after_an_error_the_list_is_read_again(
    lists: TitleLists, server: ArrServer, radarr: ArrStandIn
) -> None:
    find(lists, server)
    radarr.fails_with = 500
    with pytest.raises(ArrProblem):
        find(lists, server)
    radarr.fails_with = 0
    lists.forget(server)
    assert find(lists, server) == 7
    assert lists_read(radarr) == 2


def test_a_server_with_another_address_is_another_server(
    lists: TitleLists, server: ArrServer
) -> None:
    find(lists, server)
    with arr_stand_in(titles=[{"id": 3, "title": "Up", "path": "/movies/Up (2009)"}]) as other:
        server.url = other.url
        assert find(lists, server) == 3


def test_what_is_kept_is_bounded(
    lists: TitleLists, server: ArrServer, radarr: ArrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MOST_SERVERS + 3):
        server.pk = number
        find(lists, server)
    assert len(lists._lists) == MOST_SERVERS
    monkeypatch.setattr(module, "MOST_TITLES", 0)
    server.pk = 100
    before = lists_read(radarr)
    find(lists, server)
    find(lists, server)
    assert lists_read(radarr) == before + 2
