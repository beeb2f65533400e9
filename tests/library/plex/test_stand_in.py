"""The stand-in is honest: plexapi itself, which knows real servers, works with it."""

from __future__ import annotations

import os
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import requests
from plexapi.exceptions import NotFound, Unauthorized
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
from plexapi.server import PlexServer

from tests.media import make_clip
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.process import stand_in_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plex_stand_in import PlexStandIn


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        yield made


@pytest.fixture
def api(plex: PlexStandIn, session: requests.Session) -> PlexServer:
    return PlexServer(plex.url, plex.token, session=session)


def test_plexapi_lists_sections_films_and_streams(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    plex.world.add_movie(films, "Heat", 1995, genres=["Crime", "Drama", "Action"], plays=3)

    section = api.library.section("Movies")
    heat = section.get("Heat").reload()

    assert section.locations == ["/data/Movies"]
    assert heat.viewCount == 3
    assert [genre.tag for genre in heat.genres] == ["Crime", "Drama", "Action"]
    assert [stream.codec for stream in heat.media[0].parts[0].videoStreams()] == ["h264"]
    assert [guid.id for guid in heat.guids]


def test_a_list_has_no_streams_and_only_two_genres(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    plex.world.add_movie(films, "Heat", 1995, genres=["Crime", "Drama", "Action"], labels=["Kept"])

    listed = api.library.section("Movies").all()[0]
    listed._autoReload = False

    assert len(listed.genres) == 2
    assert not listed.labels
    assert listed.media[0].parts[0].videoStreams() == []
    assert listed.media[0].parts[0].exists is None


def test_plexapi_searches_by_genre_and_date(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    plex.world.add_movie(films, "Heat", 1995, genres=["Crime"], added_at=1_700_000_000)
    plex.world.add_movie(films, "Big", 1988, genres=["Comedy"], added_at=1_710_000_000)
    section = api.library.section("Movies")

    assert [film.title for film in section.search(genre="Comedy")] == ["Big"]
    assert [film.title for film in section.search(filters={"addedAt>>": "2024-01-01"})] == ["Big"]


def test_plexapi_walks_a_show(plex: PlexStandIn, api: PlexServer) -> None:
    shows = plex.world.add_section("Series", kind="show")
    for number in (1, 2):
        plex.world.add_episode(shows, "Lost", 1, number)

    lost = api.library.section("Series").get("Lost")

    assert [season.index for season in lost.seasons()] == [1]
    assert [episode.index for episode in lost.episodes()] == [1, 2]
    found = api.library.section("Series").search(libtype="episode")
    assert {episode.grandparentTitle for episode in found} == {"Lost"}


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_plexapi_edits_fields_locks_and_tags(plex: PlexStandIn, api: PlexServer, mode: str) -> None:
    plex.world.tag_mode = mode
    films = plex.world.add_section("Movies")
    item = plex.world.add_movie(films, "Heat", 1995, labels=["Old", "Kept"])

    heat = api.library.section("Movies").get("Heat").reload()  # lists name no labels
    heat.batchEdits().editTitle("Heat!").addLabel("New").saveEdits()
    heat.reload().removeLabel("Old")

    assert item.title == "Heat!"
    assert sorted(item.tags("Label")) == ["Kept", "New"]
    assert {entry["name"] for entry in item.tree["Field"]} == {"title", "label"}
    assert all(edit.ids == (item.rating_key,) for edit in plex.edits)


def test_tags_that_are_not_named_go_only_when_tags_are_replaced(plex: PlexStandIn) -> None:
    films = plex.world.add_section("Movies")
    item = plex.world.add_movie(films, "Heat", 1995, labels=["Old"])
    url = f"{plex.url}/library/sections/1/all?type=1&id={item.rating_key}&label[0].tag.tag="

    _call(plex, "PUT", f"{url}New")
    assert item.tags("Label") == ["Old", "New"]
    plex.world.tag_mode = "replace"
    _call(plex, "PUT", f"{url}Only")
    assert item.tags("Label") == ["Only"]


def test_an_edit_without_ids_changes_everything_and_is_on_record(plex: PlexStandIn) -> None:
    films = plex.world.add_section("Movies")
    items = [plex.world.add_movie(films, title) for title in ("Heat", "Big")]

    _call(plex, "PUT", f"{plex.url}/library/sections/1/all?type=1&label[0].tag.tag=Oops")

    assert [item.tags("Label") for item in items] == [["Oops"], ["Oops"]]
    assert plex.edits[0].ids == ()


def test_plexapi_makes_fills_and_empties_a_collection(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    for title in ("Heat", "Big", "Alien"):
        plex.world.add_movie(films, title)
    section = api.library.section("Movies")
    heat, big = section.get("Heat"), section.get("Big")

    made = section.createCollection("Best", items=[heat])
    made.addItems([big])
    made.removeItems([heat])

    assert [film.title for film in section.collection("Best").items()] == ["Big"]
    made.delete()
    assert section.collections() == []
    assert plex.world.find("Big").tags("Collection") == []


def test_a_replaced_file_is_a_new_part_of_the_same_item(
    plex: PlexStandIn, api: PlexServer, tmp_path: Path
) -> None:
    folder = tmp_path / "Heat (1995)"
    folder.mkdir()
    (folder / "Heat (1995).mkv").write_bytes(b"old")
    plex.world.add_section("Movies", location="/data/Movies", folder=tmp_path)
    section = api.library.section("Movies")
    _scan(plex, section)
    key = section.get("Heat").ratingKey

    (folder / "Heat (1995).mp4").write_bytes(b"new one")
    _scan(plex, section, "/data/Movies/Heat (1995)")
    assert len(plex.world.find("Heat").files) == 2
    (folder / "Heat (1995).mkv").unlink()
    _scan(plex, section, "/data/Movies/Heat (1995)")

    heat = section.get("Heat")
    assert heat.ratingKey == key
    assert [part.file for part in heat.iterParts()] == ["/data/Movies/Heat (1995)/Heat (1995).mp4"]


def test_a_gap_seen_by_a_scan_makes_a_new_item_that_keeps_only_its_plays(
    plex: PlexStandIn, api: PlexServer, tmp_path: Path
) -> None:
    film = tmp_path / "Heat (1995).mkv"
    film.write_bytes(b"old")
    plex.world.add_section("Movies", location="/data/Movies", folder=tmp_path)
    section = api.library.section("Movies")
    _scan(plex, section)
    heat = section.get("Heat")
    heat.addLabel("Kept")
    plex.world.play(plex.world.find("Heat"), times=2)

    film.unlink()
    _scan(plex, section)
    (tmp_path / "Heat (1995).mp4").write_bytes(b"new")
    _scan(plex, section)

    again = section.get("Heat")
    assert again.ratingKey != heat.ratingKey
    assert not again.labels
    assert again.viewCount == 2


def test_a_scan_of_a_place_outside_finds_nothing_and_says_so_in_the_log(
    plex: PlexStandIn, api: PlexServer, tmp_path: Path
) -> None:
    plex.world.add_section("Movies", location="/data/Movies", folder=tmp_path)
    _scan(plex, api.library.section("Movies"), "/elsewhere/Heat")
    assert plex.world.log == ["/elsewhere/Heat was not inside any known section location"]


def test_a_file_that_changed_in_place_keeps_its_old_streams_until_it_is_analysed(
    plex: PlexStandIn, api: PlexServer, tmp_path: Path
) -> None:
    target = tmp_path / "Heat (1995).mkv"
    make_clip("h264_mkv", target)
    plex.world.add_section("Movies", location="/data/Movies", folder=tmp_path)
    section = api.library.section("Movies")
    _scan(plex, section)
    item = plex.world.find("Heat")
    key = item.parts[0]["key"]

    target.write_bytes(b"no film at all")
    os.utime(target, (1, 1))
    _scan(plex, section)

    assert item.parts[0]["key"] != key
    assert item.parts[0]["Stream"]


def test_only_checked_files_say_whether_they_exist(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    item = plex.world.add_movie(films, "Heat")
    item.own()["Media"][0]["Part"][0]["_exists"] = False

    heat = api.library.section("Movies").get("Heat").reload(checkFiles=True)
    assert heat.media[0].parts[0].exists is False
    heat = api.fetchItem(int(item.rating_key))
    assert heat.media[0].parts[0].exists is None


def test_a_size_without_a_start_is_ignored_as_parameter(plex: PlexStandIn) -> None:
    films = plex.world.add_section("Movies")
    for number in range(5):
        plex.world.add_movie(films, f"Film {number}")
    path = f"{plex.url}/library/sections/1/all?type=1"

    whole = _json(plex, f"{path}&X-Plex-Container-Size=2")
    paged = _json(plex, f"{path}&X-Plex-Container-Size=2&X-Plex-Container-Start=0")

    assert whole["size"] == 5
    assert "totalSize" not in whole
    assert (paged["size"], paged["totalSize"]) == (2, 5)


def test_several_ids_are_answered_at_once_and_deleted_ones_are_left_out(
    plex: PlexStandIn, api: PlexServer
) -> None:
    films = plex.world.add_section("Movies")
    keys = [int(plex.world.add_movie(films, f"Film {n}").rating_key) for n in range(3)]

    assert len(api.fetchItems([*keys, 999_999])) == 3
    with pytest.raises(NotFound):
        api.fetchItem(999_999)


def test_a_wrong_token_is_401_as_html(plex: PlexStandIn, session: requests.Session) -> None:
    with pytest.raises(Unauthorized):
        PlexServer(plex.url, "wrong", session=session)
    reply = session.get(f"{plex.url}/library/sections", headers={"X-Plex-Token": "wrong"})
    assert reply.text.startswith("<html>")


def test_who_watches_now_is_seen_by_plexapi(plex: PlexStandIn, api: PlexServer) -> None:
    films = plex.world.add_section("Movies")
    plex.world.watch(plex.world.add_movie(films, "Heat"), user="ada")

    assert [(film.title, film.usernames) for film in api.sessions()] == [("Heat", ["ada"])]
    plex.world.stop_watching()
    assert api.sessions() == []


def test_plexapi_signs_in_with_a_pin(
    plex: PlexStandIn, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MyPlexPinLogin, "PINS", f"{plex.url}/api/v2/pins")
    monkeypatch.setattr(MyPlexAccount, "key", f"{plex.url}/api/v2/user")
    monkeypatch.setattr(MyPlexAccount, "WEBHOOKS", f"{plex.url}/api/v2/user/webhooks")
    monkeypatch.setattr(
        MyPlexResource, "key", f"{plex.url}/api/v2/resources?includeHttps=1&includeRelay=1"
    )
    plex.world.add_section("Movies")
    login = MyPlexPinLogin(session=session, oauth=True)
    assert login.oauthUrl()
    assert not login.checkLogin()
    assert plex.tv.approve(str(login._code))
    assert login.checkLogin()

    account = MyPlexAccount(token=login.token, session=session)
    resource = account.resources()[0]

    assert account.username == "ada"
    assert account.subscriptionActive
    assert (resource.clientIdentifier, resource.accessToken) == (plex.world.machine_id, plex.token)
    assert [c.uri for c in resource.connections] == [plex.url]
    plex.tv.webhooks.append("https://example.com/theirs")
    account.setWebhooks([*account.webhooks(), "https://example.com/ours"])
    assert plex.tv.webhooks == ["https://example.com/theirs", "https://example.com/ours"]


def test_it_runs_as_a_process_of_its_own() -> None:
    with stand_in_process("--movies", "30") as running:
        assert running.request_count == 0
        headers = {"X-Plex-Token": running.token, "Accept": "application/json"}
        asked = urllib.request.Request(f"{running.url}/library/sections", headers=headers)
        with urllib.request.urlopen(asked, timeout=10) as reply:
            assert reply.status == 200
        assert running.request_count == 1


def _scan(plex: PlexStandIn, section: Any, path: str | None = None) -> None:
    section.update(path)
    plex.wait_until_calm()


def _call(plex: PlexStandIn, method: str, url: str) -> None:
    reply = requests.request(method, url, headers={"X-Plex-Token": plex.token}, timeout=10)
    assert reply.status_code == 200
    assert reply.text == ""


def _json(plex: PlexStandIn, url: str) -> dict[str, Any]:
    headers = {"X-Plex-Token": plex.token, "Accept": "application/json"}
    found: dict[str, Any] = requests.get(url, headers=headers, timeout=10).json()["MediaContainer"]
    return found
