"""The Plex pages by role: signing in, servers by hand, libraries, folders, path mappings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.urls import reverse

from library.models import Library, PathMapping, PlexAccount, PlexPin, PlexSection, PlexServer
from library.plex import mapping_check
from library.plex.looking import LOOK_KIND
from library.plex.mapping import MappingTable
from library.plex.mapping_check import MAPPING_TEST_KIND, look_at, look_for
from library.plex.sync_operation import SYNC
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.models import AuditEvent, Operation, OperationStatus
from mediaflow.base.operations import claim_operation, run_operation_here
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.test import Client

    from mediaflow.accounts.models import User
    from tests.plex_stand_in import PlexStandIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_plex_tv")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def server(plex: PlexStandIn) -> PlexServer:
    return PlexServer.objects.create(
        machine_id=plex.world.machine_id, name="Home", url=plex.url, is_on_this_machine=True,
        token_encrypted=encrypt_secret(plex.token),
    )  # fmt: skip


def a_section(server: PlexServer, *locations: str, **values: Any) -> PlexSection:
    found: PlexSection = PlexSection.objects.create(
        **{
            "server": server,
            "key": "1",
            "title": "Movies",
            "type": "movie",
            "locations": list(locations),
            **values,
        }
    )
    return found


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# Signing in


def test_an_empty_page_says_what_signing_in_brings(as_admin: Client, as_viewer: Client) -> None:
    page = as_admin.get(reverse("library:plex"))
    assert "Sign in with Plex" in text_of(page)

    shown = text_of(as_viewer.get(reverse("library:plex")))
    assert "An admin signs in." in shown
    assert "Sign in with Plex" not in shown


def test_signing_in_goes_through_plex_and_back(as_admin: Client, plex: PlexStandIn) -> None:
    begun = as_admin.post(reverse("library:plex_sign_in_begin"))
    pin = PlexPin.objects.get()
    assert begun.url == reverse("library:plex_sign_in", args=[pin.nonce])  # type: ignore[attr-defined]
    page = as_admin.get(begun.url).content.decode()  # type: ignore[attr-defined]
    assert f"{plex.url}/auth#?" in page
    poll = reverse("library:plex_sign_in_poll", args=[pin.nonce])

    waiting = as_admin.post(poll, headers=HTMX)
    assert "Waiting for Plex" in waiting.content.decode()
    assert "<html" not in waiting.content.decode()

    plex.tv.approve(pin.code)
    cache.clear()
    done = as_admin.post(poll, headers=HTMX)

    assert done.headers["HX-Redirect"] == reverse("library:plex")
    assert PlexAccount.objects.get().username == "ada"
    assert Operation.objects.get().kind == LOOK_KIND
    # Coming back from Plex once more leads to the page, not to an error.
    assert as_admin.get(begun.url).url == reverse("library:plex")  # type: ignore[attr-defined]


def test_signing_in_works_without_javascript(as_admin: Client, plex: PlexStandIn) -> None:
    as_admin.post(reverse("library:plex_sign_in_begin"))
    pin = PlexPin.objects.get()
    plex.tv.approve(pin.code)

    done = as_admin.post(reverse("library:plex_sign_in_poll", args=[pin.nonce]))

    assert done.url == reverse("library:plex")  # type: ignore[attr-defined]
    assert PlexAccount.objects.exists()


def test_looking_at_the_way_back_changes_nothing(as_admin: Client, plex: PlexStandIn) -> None:
    as_admin.post(reverse("library:plex_sign_in_begin"))
    pin = PlexPin.objects.get()
    plex.tv.approve(pin.code)
    as_admin.get(reverse("library:plex_sign_in", args=[pin.nonce]))

    assert not PlexAccount.objects.exists()


def test_a_sign_in_of_somebody_else_is_refused(
    as_admin: Client, client_for: Callable[[User], Client], operator: User
) -> None:
    from tests.conftest import make_user

    as_admin.post(reverse("library:plex_sign_in_begin"))
    nonce = PlexPin.objects.get().nonce
    other = client_for(make_user("admin", "otto"))

    answer = other.post(reverse("library:plex_sign_in_poll", args=[nonce]), headers=HTMX)
    assert "begun by somebody else" in answer.content.decode()
    page = client_for(operator).get(reverse("library:plex_sign_in", args=[nonce]))
    assert page.status_code == 403


def test_plex_tv_that_is_away_is_one_sentence(as_admin: Client, plex: PlexStandIn) -> None:
    plex.fail("/api/v2/pins", status=503)
    answer = as_admin.post(reverse("library:plex_sign_in_begin"), follow=True)

    assert "plex.tv is too busy to answer" in text_of(answer)


def test_signing_out_asks_first(as_admin: Client, plex: PlexStandIn) -> None:
    account = PlexAccount.objects.create(
        plex_uuid="u", username="ada", token_encrypted=encrypt_secret(plex.account_token)
    )
    url = reverse("library:plex_account_sign_out", args=[account.pk])
    assert "Sign ada out?" in text_of(as_admin.get(url))
    account.refresh_from_db()
    assert account.token_encrypted

    as_admin.post(url)
    account.refresh_from_db()
    assert not account.token_encrypted
    assert "Signed out" in text_of(as_admin.get(reverse("library:plex")))


# Servers


def test_a_server_is_added_by_its_address_and_token(as_admin: Client, plex: PlexStandIn) -> None:
    form = {"url": plex.url, "token": plex.token, "is_on_this_machine": "on"}
    answer = as_admin.post(reverse("library:plex_server_add"), form)

    assert answer.status_code == 302
    server = PlexServer.objects.get()
    assert (server.url, server.is_url_manual) == (plex.url, True)
    assert server.name == plex.world.name
    assert plex.token not in server.token_encrypted


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"url": "plex.local:32400"}, "url", "http://"),
        ({"url": "http://u:p@plex"}, "url", "only scheme, host, port and path"),
        ({"url": "http://nas:99999"}, "url", "give one such as http://192.168.1.20:8080."),
        ({"url": "http://my nas"}, "url", "give one such as http://192.168.1.20:8080."),
        ({"url": "http://169.254.169.254"}, "url", "no address of a server"),
        ({"is_on_this_machine": ""}, "url", "this machine"),
        ({"url": "http://127.0.0.1:1"}, "url", "refused"),
        ({"token": "wrong"}, "token", "does not accept the token; copy it once more."),
        ({"token": ""}, "token", "Give a token"),
        ({"token": "two words"}, "token", "copy it once more"),
    ],
)
def test_what_does_not_work_is_said_at_its_field(
    as_admin: Client, plex: PlexStandIn, values: dict[str, str], field: str, words: str
) -> None:
    form = {"url": plex.url, "token": plex.token, "is_on_this_machine": "on", **values}
    answer = as_admin.post(reverse("library:plex_server_add"), form)

    assert answer.status_code == 422
    errors = answer.context["form"].errors
    assert words in " ".join(errors[field])
    assert not PlexServer.objects.exists()
    assert plex.token not in answer.content.decode()


def test_another_program_at_the_address_is_no_plex(as_admin: Client, plex: PlexStandIn) -> None:
    plex.fail("/identity", garbage=True)
    form = {"url": plex.url, "token": plex.token, "is_on_this_machine": "on"}
    answer = as_admin.post(reverse("library:plex_server_add"), form)

    assert "No Plex server answers there." in text_of(answer)


def test_a_token_of_seven_days_is_warned_of(as_admin: Client, plex: PlexStandIn) -> None:
    plex.world.tokens["eyJhbGciOi.e30.sig"] = True
    form = {"url": plex.url, "token": "eyJhbGciOi.e30.sig", "is_on_this_machine": "on"}
    answer = as_admin.post(reverse("library:plex_server_add"), form, follow=True)

    assert "ends after seven days" in text_of(answer)


def test_settings_of_a_server_try_a_new_address_first(
    as_admin: Client, plex: PlexStandIn, server: PlexServer
) -> None:
    url = reverse("library:plex_server", args=[server.pk])
    form = {
        "is_enabled": "on", "is_on_this_machine": "on", "sync_hours": "0.5", "address": "",
        "token": "",
    }  # fmt: skip
    wrong = as_admin.post(url, {**form, "address": "http://127.0.0.1:1"})
    assert wrong.status_code == 422
    server.refresh_from_db()
    assert (server.url, server.sync_interval_s) == (plex.url, 3600)

    assert as_admin.post(url, {**form, "address": plex.url}).status_code == 302
    server.refresh_from_db()
    assert (server.is_url_manual, server.sync_interval_s) == (True, 1800)
    assert not server.analyses_after_sync

    assert as_admin.post(url, {**form, "sync_hours": "-1"}).status_code == 422
    assert as_admin.post(url, {**form, "sync_hours": "0.01"}).status_code == 422


def test_pages_never_show_a_token(as_admin: Client, plex: PlexStandIn, server: PlexServer) -> None:
    a_section(server)
    for url in (
        reverse("library:plex"),
        reverse("library:plex_server", args=[server.pk]),
        f"/admin/library/plexserver/{server.pk}/change/",
    ):
        page = as_admin.get(url).content.decode()
        assert plex.token not in page
        assert server.token_encrypted not in page


def test_a_server_is_removed_with_what_only_it_knew(as_admin: Client, server: PlexServer) -> None:
    own = Library.objects.create(kind="plex", name="Movies on Home", root="plex:x", root_digest="a")
    folder = Library.objects.create(name="Films", root="/films", root_digest="b")
    a_section(server, library=own)
    url = reverse("library:plex_server_remove", args=[server.pk])
    assert "Remove Home?" in text_of(as_admin.get(url))

    as_admin.post(url)
    run_operation_here(Operation.objects.get())

    assert not PlexServer.objects.exists()
    assert list(Library.objects.all()) == [folder]


def test_a_library_is_chosen_and_synced_at_once(as_admin: Client, server: PlexServer) -> None:
    section = a_section(server)
    as_admin.post(reverse("library:plex_section_switch", args=[section.pk]), {"is_enabled": "1"})

    section.refresh_from_db()
    assert section.is_enabled
    assert Operation.objects.get().kind == SYNC
    page = text_of(as_admin.get(reverse("library:plex")))
    assert "Sync Movies of Home" in page and "Syncing" in page


def test_operators_sync_and_viewers_look(
    as_operator: Client, as_viewer: Client, server: PlexServer
) -> None:
    section = a_section(server, is_enabled=True)
    sync = reverse("library:plex_section_sync", args=[section.pk])
    switch = reverse("library:plex_section_switch", args=[section.pk])
    assert as_viewer.get(reverse("library:plex")).status_code == 200
    assert as_viewer.post(sync).status_code == 403
    assert as_operator.post(switch).status_code == 403

    assert as_operator.post(sync).status_code == 302
    assert Operation.objects.filter(kind=SYNC).exists()


def test_only_an_admin_accepts_losses(as_operator: Client, server: PlexServer) -> None:
    section = a_section(server, is_enabled=True)
    url = reverse("library:plex_section_sync", args=[section.pk])
    as_operator.post(url, {"accept_losses": "1"})

    assert Operation.objects.get().args["accept_losses"] is False


def test_what_is_accepted_counts_for_the_sync_that_waits_and_not_for_one_that_runs(
    as_admin: Client, server: PlexServer
) -> None:
    section = a_section(server, is_enabled=True)
    url = reverse("library:plex_section_sync", args=[section.pk])
    as_admin.post(url)
    as_admin.post(url, {"accept_losses": "1"})
    assert Operation.objects.get().args == {
        "section": section.pk, "is_full": False, "accept_losses": True,
    }  # fmt: skip

    assert claim_operation("another:1")
    as_admin.post(url)  # the one that runs does
    assert "runs already" not in text_of(as_admin.get(reverse("library:plex")))
    as_admin.post(url, {"is_full": "1"})
    assert Operation.objects.get().args["is_full"] is False
    assert "runs already, without what you asked for" in text_of(
        as_admin.get(reverse("library:plex"))
    )
    Operation.objects.update(args={"section": section.pk})
    as_admin.post(url, {"accept_losses": "1"})
    assert AuditEvent.objects.filter(action="plex.accept_losses").count() == 1


def test_an_admin_is_offered_to_accept_losses_where_a_sync_asks_for_it(
    as_admin: Client, as_operator: Client, server: PlexServer
) -> None:
    section = a_section(server, is_enabled=True, trouble="losses", error="Too much is gone.")
    offer = "Accept the losses and sync"
    page = reverse("library:plex")
    assert offer in text_of(as_admin.get(page))
    assert offer not in text_of(as_operator.get(page))
    PlexSection.objects.filter(pk=section.pk).update(trouble="failed")
    assert offer not in text_of(as_admin.get(page))


@pytest.mark.parametrize(
    ("values", "word", "hint"),
    [
        ({"is_enabled": True, "trouble": "scanning", "error": "Plex scans."}, "Waits", True),
        ({"is_enabled": True, "trouble": "failed", "error": "Cut."}, "Failed", True),
        ({"trouble": "failed", "error": "Cut."}, "Not synced", False),
        ({"trouble": "gone", "error": "No such library."}, "Not in Plex", True),
        ({"is_enabled": True}, "Waits", False),
    ],
)
def test_a_library_says_how_it_stands(
    as_admin: Client, server: PlexServer, values: dict[str, Any], word: str, hint: bool
) -> None:
    a_section(server, **values)
    shown = text_of(as_admin.get(reverse("library:plex")))
    assert word in shown
    assert (values.get("error", "Cut.") in shown) == hint
    assert ("Failed" in shown) == (word == "Failed")


# Folders


def test_folders_of_plex_are_added_as_libraries(
    as_admin: Client, server: PlexServer, tmp_path: Path
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    PathMapping.objects.create(
        plex_server=server, source="/data", local=str(tmp_path), local_raw=bytes(tmp_path)
    )
    section = a_section(server, "/data/films", "/data/away", "D:\\Films")
    page = text_of(as_admin.get(reverse("library:plex_server", args=[server.pk])))
    assert "In no library" in page and "Not here" in page and "No path mapping" in page

    add = reverse("library:plex_section_add_folder", args=[section.pk])
    as_admin.post(add, {"location": "/data/films"})

    library = Library.objects.get()
    assert library.root == str(films)
    assert Operation.objects.get().kind == "scan"
    shown = text_of(as_admin.get(reverse("library:plex_server", args=[server.pk])))
    assert "In films" in shown


def test_only_folders_of_the_library_are_added(
    as_admin: Client, server: PlexServer, tmp_path: Path
) -> None:
    section = a_section(server, "/data/films", "D:\\Films")
    add = reverse("library:plex_section_add_folder", args=[section.pk])
    for location, words in (
        (str(tmp_path), "no such folder any more"),
        ("D:\\Films", "No path mapping says"),
        ("/data/films", "There is no folder"),
    ):
        answer = as_admin.post(add, {"location": location}, follow=True)
        assert words in text_of(answer)
    assert not Library.objects.exists()


# Path mappings


def test_a_mapping_is_added_changed_and_removed(as_admin: Client, server: PlexServer) -> None:
    form = {"plex_server": server.pk, "source": "/data/", "local": "/tank/films/"}
    as_admin.post(reverse("library:plex_mapping_add"), form)
    mapping = PathMapping.objects.get()
    assert (mapping.source, mapping.local, bytes(mapping.local_raw)) == (
        "/data/", "/tank/films", b"/tank/films",
    )  # fmt: skip

    url = reverse("library:plex_mapping", args=[mapping.pk])
    saved = as_admin.post(url, {"source": "D:\\Films", "local": "/tank"}, follow=True)
    assert "/tank cannot be used now. It is not there." in text_of(saved)
    mapping.refresh_from_db()
    assert (mapping.plex_server, mapping.source) == (None, "D:\\Films")
    assert "D:\\Films" in text_of(as_admin.get(reverse("library:plex_mappings")))

    as_admin.post(reverse("library:plex_mapping_remove", args=[mapping.pk]))
    assert not PathMapping.objects.exists()
    assert AuditEvent.objects.filter(action__startswith="plex.mapping").count() == 3


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"source": "films"}, "source", "as the other program writes it"),
        ({"source": "/a/../b"}, "source", "as the other program writes it"),
        ({"local": "films"}, "local", "begins with a slash"),
        ({"local": "/a/../b"}, "local", "begins with a slash"),
        ({"source": "/data/"}, "source", "already"),
        ({"source": ""}, "source", "Fill this in."),
        ({"plex_server": "99"}, "plex_server", "Choose one of the list."),
    ],
)
def test_a_wrong_mapping_is_said_at_its_field(
    as_admin: Client, values: dict[str, str], field: str, words: str
) -> None:
    PathMapping.objects.create(source="/data", local="/films", local_raw=b"/films")
    form = {"plex_server": "", "source": "/other", "local": "/tank", **values}
    answer = as_admin.post(reverse("library:plex_mapping_add"), form)

    assert answer.status_code == 422
    assert words in " ".join(answer.context["form"].errors[field])
    assert PathMapping.objects.count() == 1


def test_the_test_says_of_twenty_files_which_are_here(
    as_admin: Client, server: PlexServer, plex: PlexStandIn, tmp_path: Path
) -> None:
    films = plex.world.add_section("Movies")
    for number in range(30):
        plex.world.add_movie(films, f"Film {number}", 2000)
    a_section(server, "/data/Movies", key=films.key)
    paths = mapping_check.sample_paths(server)
    assert len(paths) == 20
    there = tmp_path / paths[0].removeprefix("/data/")
    there.parent.mkdir(parents=True)
    there.write_bytes(b"film")
    PathMapping.objects.create(source="/data", local=str(tmp_path), local_raw=bytes(tmp_path))

    answer = as_admin.post(reverse("library:plex_mapping_test"), {"server": server.pk})
    operation = Operation.objects.get(kind=MAPPING_TEST_KIND)
    assert answer.url.endswith(f"?test={operation.pk}")  # type: ignore[attr-defined]
    done = run_operation_here(operation)

    assert (done.status, done.message) == (
        OperationStatus.COMPLETED, "1 of 20 files were found here.",
    )  # fmt: skip
    page = text_of(as_admin.get(answer.url))  # type: ignore[attr-defined]
    assert str(there) in page
    assert page.count("Not there") == 19


def test_a_disk_that_hangs_costs_seconds_not_the_test(tmp_path: Path) -> None:
    def never(_local: bytes) -> Any:
        raise TimeoutError

    table = MappingTable()
    paths = [f"/films/{number}.mkv" for number in range(20)]
    asked = []
    with mock.patch.object(mapping_check, "answer_within", side_effect=TimeoutError) as looks:
        rows = look_for(
            paths, table, report=lambda *a, **k: asked.append(a), checkpoint=lambda: None
        )

    assert looks.call_count == mapping_check.HANGS_MOST
    assert {row["state"] for row in rows} == {"hangs"}
    assert look_at(bytes(tmp_path / "none")) == ("missing", "It is not there.")
    assert look_at(b"/dev/null")[0] == "denied"


def test_a_test_without_an_answer_of_the_server_says_so(
    server: PlexServer, plex: PlexStandIn, as_admin: Client
) -> None:
    a_section(server)
    plex.world.tokens.clear()
    as_admin.post(reverse("library:plex_mapping_test"), {"server": server.pk})
    done = run_operation_here(Operation.objects.get())

    assert done.status == OperationStatus.FAILED
    assert "Sign in to Plex again" in done.message
