"""Sonarr and Radarr: what is asked of them, what their answers mean, their page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from library.arr.client import ArrClient, ArrProblem, ArrStatus, innermost, is_below
from library.models import ArrServer
from mediaflow.base.encryption import decrypt_secret, encrypt_secret
from mediaflow.base.models import AuditEvent
from tests.arr_stand_in import API_KEY, ArrStandIn, arr_stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def radarr() -> Iterator[ArrStandIn]:
    film = {"id": 7, "title": "Up", "path": "/movies/Up (2009)"}
    other = {"id": 8, "title": "Up There", "path": "/movies/Up"}
    with arr_stand_in(titles=[other, film]) as stand_in:
        yield stand_in


def server_at(url: str, *, kind: str = "radarr", key: str = API_KEY) -> ArrServer:
    return ArrServer.objects.create(
        kind=kind,
        name=kind.title(),
        url=url,
        api_key_encrypted=encrypt_secret(key),
        is_on_this_machine=True,
    )


def problem_of(server: ArrServer) -> ArrProblem:
    with pytest.raises(ArrProblem) as caught, ArrClient(server) as client:
        client.status()
    assert API_KEY not in str(caught.value)
    return caught.value


def test_the_film_whose_folder_holds_the_file_is_looked_at_again(radarr: ArrStandIn) -> None:
    with ArrClient(server_at(radarr.url)) as client:
        film = innermost(client.titles(), "/movies/Up (2009)/up.mkv")
        assert film is not None
        assert film.id == 7
        client.rescan(film.id)
    assert radarr.commands == [{"name": "RescanMovie", "movieId": 7}]


def test_sonarr_is_asked_about_series() -> None:
    series = {"id": 3, "title": "Lost", "path": "D:\\TV\\Lost"}
    with arr_stand_in(kind="sonarr", titles=[series]) as sonarr:
        with ArrClient(server_at(sonarr.url, kind="sonarr")) as client:
            found = innermost(client.titles(), "d:\\tv\\lost\\Season 01\\e1.mkv")
            assert found is not None
            client.rescan(found.id)
        assert sonarr.commands == [{"name": "RescanSeries", "seriesId": 3}]


@pytest.mark.parametrize(
    ("path", "folder", "expected"),
    [
        ("/movies/Up/up.mkv", "/movies/Up", True),
        ("/movies/Up 2/up.mkv", "/movies/Up", False),
        ("/movies/Up/up.mkv", "/movies/Up/", True),
        ("C:\\Films\\up.mkv", "c:/films", True),
        ("up.mkv", "/movies", False),
    ],
)
def test_a_folder_holds_whole_components(path: str, folder: str, expected: bool) -> None:
    assert is_below(path, folder) is expected


def test_a_wrong_key_is_told_from_a_server_that_is_away(radarr: ArrStandIn) -> None:
    server = server_at(radarr.url, key="wrong")
    assert problem_of(server).kind == "key"
    server.url, server.name = "http://127.0.0.1:9", "Away"
    assert problem_of(server).kind == "network"


def test_a_key_that_cannot_be_read_any_more_is_entered_again(radarr: ArrStandIn) -> None:
    server = server_at(radarr.url)
    server.api_key_encrypted = "gAAAAAnonsense"
    assert "enter it again" in problem_of(server).text


def test_another_program_at_the_address_is_named(radarr: ArrStandIn) -> None:
    radarr.kind = "sonarr"
    assert "is Sonarr, not Radarr" in problem_of(server_at(radarr.url)).text


def test_a_login_page_or_an_error_is_one_sentence(radarr: ArrStandIn) -> None:
    server = server_at(radarr.url)
    radarr.is_html = True
    assert problem_of(server).kind == "answer"
    radarr.is_html, radarr.fails_with = False, 500
    assert "(500)" in problem_of(server).text
    radarr.fails_with = 404
    assert "base path" in problem_of(server).text


def values(stand_in: ArrStandIn, **changes: str) -> dict[str, str]:
    return {
        "kind": "radarr", "name": "Radarr", "url": stand_in.url + "/", "api_key": API_KEY,
        "is_on_this_machine": "on", "is_enabled": "on", **changes,
    }  # fmt: skip


def test_a_server_is_saved_once_it_answers_and_its_key_is_never_shown(
    as_admin: Client, radarr: ArrStandIn
) -> None:
    answer = as_admin.post(reverse("library:arr_add"), values(radarr), follow=True)
    assert "Radarr 5.14.0.9383 answers" in answer.text
    server = ArrServer.objects.get()
    assert decrypt_secret(server.api_key_encrypted) == API_KEY
    assert not server.url.endswith("/")
    pages = answer.text + as_admin.get(reverse("library:arr_edit", args=[server.pk])).text
    assert API_KEY not in pages
    assert API_KEY not in "".join(AuditEvent.objects.values_list("detail", flat=True))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"api_key": "wrong"}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"url": "ftp://nas"}, "url"),
        ({"url": "http://127.0.0.1:9"}, "url"),
        ({"is_on_this_machine": ""}, "url"),
        ({"kind": "sonarr"}, "url"),
        ({"kind": "lidarr"}, "kind"),
        ({"name": ""}, "name"),
    ],
)
def test_what_does_not_work_is_not_saved_and_names_its_field(
    as_admin: Client, radarr: ArrStandIn, changes: dict[str, str], field: str
) -> None:
    sent = {name: value for name, value in values(radarr, **changes).items() if value}
    answer = as_admin.post(reverse("library:arr_add"), sent)
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.text
    assert not ArrServer.objects.exists()


def test_an_empty_key_keeps_the_one_that_is_stored(as_admin: Client, radarr: ArrStandIn) -> None:
    server = server_at(radarr.url)
    sent = values(radarr, name="Films", api_key="")
    as_admin.post(reverse("library:arr_edit", args=[server.pk]), sent)
    server.refresh_from_db()
    assert server.name == "Films"
    assert decrypt_secret(server.api_key_encrypted) == API_KEY


def test_the_stored_key_is_not_sent_to_a_new_address(as_admin: Client, radarr: ArrStandIn) -> None:
    server = server_at("http://127.0.0.1:9")
    url = reverse("library:arr_edit", args=[server.pk])
    assert "A new address needs the key typed again" in as_admin.get(url).text

    answer = as_admin.post(url, values(radarr, api_key=""))

    assert answer.status_code == 422
    assert answer.context["form"].errors["api_key"] == [
        "The address is a new one: type the API key as well, for the stored one is not sent there."
    ]
    assert radarr.paths == []
    server.refresh_from_db()
    assert server.url == "http://127.0.0.1:9"

    assert as_admin.post(url, values(radarr)).status_code == 302
    assert as_admin.post(url, values(radarr, api_key="")).status_code == 302


def test_address_and_key_are_stored_as_they_were_tried_together(
    as_admin: Client, radarr: ArrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else types another address, with a key of their own, while this one is tried."""
    server = server_at(radarr.url)
    url = reverse("library:arr_edit", args=[server.pk])
    ask = ArrClient.status
    mine = {"url": "http://127.0.0.1:9", "api_key_encrypted": "theirs"}

    def answer(client: ArrClient) -> ArrStatus:
        found = ask(client)
        ArrServer.objects.update(**mine)
        return found

    monkeypatch.setattr(ArrClient, "status", answer)
    late = as_admin.post(url, values(radarr, api_key="", name="Films"))
    assert "changed or removed meanwhile" in late.text
    server.refresh_from_db()
    assert (server.url, server.name) == (mine["url"], "Radarr")

    as_admin.post(url, values(radarr))
    server.refresh_from_db()
    assert (server.url, decrypt_secret(server.api_key_encrypted)) == (radarr.url, API_KEY)


def test_a_server_that_is_removed_while_it_is_tried_stays_removed(
    as_admin: Client, radarr: ArrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_at(radarr.url)
    ask = ArrClient.status

    def answer(client: ArrClient) -> ArrStatus:
        found = ask(client)
        ArrServer.objects.all().delete()
        return found

    monkeypatch.setattr(ArrClient, "status", answer)
    late = as_admin.post(reverse("library:arr_edit", args=[server.pk]), values(radarr))
    assert "changed or removed meanwhile" in late.text
    assert not ArrServer.objects.exists()


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_only_an_admin_may_type_an_address(
    radarr: ArrStandIn, role: str, client_for: Callable[[User], Client],
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    server = server_at("http://127.0.0.1:9")
    client = client_for(request.getfixturevalue(role))
    for url in (
        reverse("library:arr_edit", args=[server.pk]),
        reverse("library:arr_add"),
        reverse("library:arr_test", args=[server.pk]),
    ):
        assert client.post(url, values(radarr)).status_code == 403, url
    assert radarr.paths == []
    assert ArrServer.objects.get().url == "http://127.0.0.1:9"


def test_a_test_says_what_it_found_and_the_row_remembers(
    as_admin: Client, radarr: ArrStandIn
) -> None:
    server = server_at(radarr.url)
    url = reverse("library:arr_test", args=[server.pk])
    assert "Radarr answers" in as_admin.post(url, follow=True).text
    radarr.fails_with = 500
    assert "answered with an error" in as_admin.post(url, follow=True).text
    server.refresh_from_db()
    assert server.error
    assert server.seen_at is not None


def test_removing_asks_first(as_admin: Client, radarr: ArrStandIn) -> None:
    server = server_at(radarr.url)
    url = reverse("library:arr_remove", args=[server.pk])
    assert "Remove Radarr?" in as_admin.get(url).text
    assert ArrServer.objects.exists()
    as_admin.post(url)
    assert not ArrServer.objects.exists()
    assert AuditEvent.objects.filter(action="arr.remove", subject="Radarr").exists()


def test_only_admins_see_connections(
    client_for: Callable[[User], Client], operator: User, viewer: User
) -> None:
    for user in (operator, viewer):
        for name in ("connection_list", "arr_add", "webhook_list"):
            assert client_for(user).get(reverse(f"library:{name}")).status_code == 403
        assert client_for(user).get(reverse("transcode:outbox")).status_code == 403
