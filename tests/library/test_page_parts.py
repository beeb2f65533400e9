"""Parts of the library's pages that seldom show: odd films, selections, folders of Plex."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from library.listing import selection as selections
from library.media_info import AudioStream, HdrKind
from library.models import (
    FileTag,
    Library,
    MediaProbe,
    PlexAccount,
    PlexItem,
    PlexPart,
    PlexSection,
    PlexServer,
    SavedFilter,
    Tag,
)
from library.pages import film_page, plex_folders
from library.pages.bulk_bar import make_bulk_bar
from library.pages.connection_forms import ArrForm
from library.pages.plex_page import server_state
from library.pages.plex_panel import shown_plex_title
from library.services import LibraryProblem
from mediaflow.base.models import AuditEvent, Operation
from tests.library.file_rows import make_file, make_library
from tests.library.test_folder_pages import settings_of
from tests.transcode.encode.films import audio, film, video

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

    from library.pages.file_page import FilePage
    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> PlexServer:
    return PlexServer.objects.create(machine_id="m", name="Attic", url="http://plex")


# A film


def test_what_is_special_about_a_film_stands_on_its_page(
    library: Library, as_admin: Client
) -> None:
    file = make_file(
        library, "Up", content_fingerprint="abcdef" * 5, is_sparse=True,
        mediaflow_tag="x;balanced",
    )  # fmt: skip
    picture = video(
        hdr=HdrKind.DOLBY_VISION, dolby_vision_profile="8.1", frame_rate="24000/1001", bit_depth=10
    )
    sound = audio(codec="dts", channels=6, profile="DTS-HD MA")
    info = film(picture, audio=(sound,), warnings=("its length is impossible",))
    MediaProbe.objects.create(file=file, detail=info.to_json(), prober_version="x")
    page = as_admin.get(reverse("library:file_detail", args=[file.pk])).text
    for words in (
        "Dolby Vision 8.1", "23.976 fps", "DTS 5.1, DTS-HD MA", "abcdefab … cdef",
        "its length is impossible", "yes: never encoded", "x;balanced",
    ):  # fmt: skip
        assert words in page, words


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("25", "25 fps"), ("24000/1001", "23.976 fps"), ("0/0", ""), ("x", ""), ("", "")],
)
def test_a_frame_rate_is_said_where_it_makes_sense(rate: str, expected: str) -> None:
    assert film_page._rate_text(rate) == expected


def test_a_profile_is_not_said_twice() -> None:
    track = film_page._audio_track(1, AudioStream(1, "truehd", channels=8, profile="TrueHD"))
    assert track.format == "TrueHD 7.1"
    assert film_page.film_url(7) == reverse("library:file_detail", args=[7])


def test_a_film_that_left_its_folder_says_so_in_its_timeline(
    library: Library, as_admin: Client
) -> None:
    file = make_file(library, "Gone", availability="missing")
    entries = film_page._own_timeline(file)
    assert [entry.kind for entry in entries][1:] == ["bad"]
    assert len(film_page._own_timeline(make_file(library, "Fine"))) == 1


# The list


def test_more_than_can_be_counted_is_said_to_be_more(library: Library, as_admin: Client) -> None:
    make_file(library, "Up")
    page: FilePage = as_admin.get("/library/").context["page"]
    assert (page.count_text, page.range_text, page.total) == ("1", "1–1 of 1", 1)
    many = replace(page, listing=replace(page.listing, count=None, is_count_open=True))
    assert (many.count_text, many.range_text) == ("10,000+", "1–1 of 10,000+")
    assert many.total == 10_001
    unknown = replace(many, listing=replace(many.listing, is_count_open=False))
    assert (unknown.count_text, unknown.range_text) == ("", "1–1")
    assert replace(unknown, rows=[]).range_text == ""


def test_saved_filters_are_tabs_and_tags_and_libraries_are_choices(
    library: Library, as_admin: Client, admin_user: User
) -> None:
    make_library("Shows")
    file = make_file(library, "Up")
    FileTag.objects.create(file=file, tag=Tag.objects.create(name="Kids"))
    SavedFilter.objects.create(owner=admin_user, name="For kids", query="tag=Kids")
    page = as_admin.get(f"/library/?tag=kids&library={library.pk}")
    assert "For kids" in page.text
    assert "Tags (all of them)" in page.text
    groups = {group.name: group for group in page.context["page"].filter_groups}
    assert [(c.label, c.is_on) for c in groups["tag"].choices] == [("Kids", True)]
    assert [(c.label, c.is_on) for c in groups["library"].choices] == [
        ("Films", True), ("Shows", False),
    ]  # fmt: skip


def test_without_a_room_that_encodes_tagging_is_the_button() -> None:
    bar = make_bulk_bar([])
    assert (bar.verb, bar.button["url"]) == ("Tag", reverse("library:bulk_tag"))
    assert [action["label"] for action in bar.actions] == ["Ignore"]


# Selections


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ids": ["x"]}, "The selection holds something that is no film"),
        ({"ids": ["1", "2", "3"]}, "Select at most 2 films by hand"),
        ({"select": "all", "q": "codec=magic"}, "The filter cannot be used"),
    ],
    ids=["no id", "too many", "no filter"],
)
@pytest.mark.parametrize(
    "name",
    ["bulk_tag_apply", "bulk_ignore_apply", "inaccessible_recheck", "inaccessible_forget",
     "plex_edit", "plex_edit_apply"],
)  # fmt: skip
def test_a_selection_that_is_none_changes_nothing_and_says_why(
    name: str, values: dict[str, Any], words: str, library: Library, as_admin: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(selections, "MAX_IDS", 2)
    make_file(library, "Gone", availability="missing")
    data = {"action": "add", "tags": "x", "field": "label", "value": "x", **values}
    answer = as_admin.post(reverse(f"library:{name}"), data, follow=True)
    assert words in answer.text
    assert not AuditEvent.objects.exists()
    assert not Operation.objects.exists()


def test_forgetting_what_is_in_the_queue_removes_nothing(
    library: Library, as_admin: Client
) -> None:
    file = make_file(library, "Up", availability="missing", state="processing")
    answer = as_admin.post(reverse("library:file_forget", args=[file.pk]), follow=True)
    assert "Nothing was removed" in answer.text
    file.refresh_from_db()
    assert file.removed_from_list_at is None


def test_ticking_nothing_inaccessible_says_so(library: Library, as_admin: Client) -> None:
    file = make_file(library, "Fine")
    answer = as_admin.post(reverse("library:inaccessible_recheck"), {"ids": [file.pk]}, follow=True)
    assert "No file is selected; tick some first." in answer.text


# Folders, connections, Plex


def test_settings_that_stay_are_not_put_on_record(library: Library, as_admin: Client) -> None:
    url = reverse("library:folder_edit", args=[library.pk])
    assert as_admin.post(url, settings_of(library)).status_code == 302
    AuditEvent.objects.all().delete()
    assert as_admin.post(url, settings_of(library)).status_code == 302
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("name", "service"),
    [("folder_edit", "rename_library"), ("scan_start", "start_scan")],
)
def test_what_changed_meanwhile_is_a_sentence(
    name: str, service: str, library: Library, as_admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise LibraryProblem("name", "Somebody was faster.")

    monkeypatch.setattr(f"library.pages.views_folders.{service}", refuse)
    answer = as_admin.post(
        reverse(f"library:{name}", args=[library.pk]), settings_of(library, name="New"), follow=True
    )
    assert "Somebody was faster." in answer.text


@pytest.mark.parametrize("key", ["schlüssel", "a\tb"])
def test_an_api_key_is_letters_and_digits(key: str) -> None:
    form = ArrForm({"kind": "radarr", "name": "R", "url": "http://radarr:7878", "api_key": key})
    assert form.errors["api_key"] == ["An API key is letters and digits; copy it once more."]


@pytest.mark.parametrize(
    ("local", "known", "word", "may_add"),
    [
        (None, {}, "No path mapping", False),
        (b"/films/Films/a", None, "In Films", False),
        (b"/other", None, "Does not answer", False),
        (b"/other", {}, "Not here", False),
        (b"/films", {b"/films": b"/films"}, "Partly in Films", False),
        (b"/other", {b"/other": b"/other"}, "In no library", True),
        (b"/link", {b"/link": b"/films/Films"}, "In Films", False),
    ],
)
def test_a_folder_of_plex_says_which_library_has_it(
    local: bytes | None, known: dict[bytes, bytes] | None, word: str, may_add: bool,
    library: Library, server: PlexServer,
) -> None:  # fmt: skip
    section = PlexSection(server=server, key="1", title="Movies", type="movie")
    found = plex_folders._folder(section, "/data", local, [library], known)
    assert (found.word, found.may_add) == (word, may_add)


def test_disks_that_do_not_answer_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_args: Any, **_kwargs: Any) -> None:
        raise TimeoutError

    assert plex_folders._real_folders([bytes(tmp_path)]) == {bytes(tmp_path): bytes(tmp_path)}
    assert plex_folders._real_folders([]) == {}
    monkeypatch.setattr(plex_folders, "answer_within", hang)
    assert plex_folders._real_folders([bytes(tmp_path)]) is None


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"is_enabled": False}, "Switched off"),
        ({"error": "Refused."}, "No answer"),
        ({}, "Not asked yet"),
        ({"seen_at": "2026-01-01T00:00Z"}, "Answers"),
    ],
)
def test_a_server_says_how_it_stands(values: dict[str, Any], word: str) -> None:
    assert server_state(PlexServer(name="Attic", **values))[1] == word


def test_the_film_page_says_what_it_is_called_in_plex(
    library: Library, server: PlexServer, as_admin: Client
) -> None:
    file = make_file(library, "Pilot", is_in_plex=True)
    url = reverse("library:file_detail", args=[file.pk])
    assert "app.plex.tv" not in as_admin.get(url).text  # Plex has forgotten it since the last sync
    section = PlexSection.objects.create(server=server, key="1", title="Shows", type="show")
    item = PlexItem.objects.create(
        section=section, rating_key="7", type="episode", title="Pilot", show_title="A Show",
        season=1, episode=2,
    )  # fmt: skip
    PlexPart.objects.create(plex_item=item, file=file, media_id="8", part_id="9", path="/a")
    page = as_admin.get(url).text
    assert "A Show S01E02 Pilot" in page
    assert "details?key=%2Flibrary%2Fmetadata%2F7" in page
    movie = PlexItem(type="movie", title="Up", year=2009, edition="Extended")
    assert shown_plex_title(movie) == "Up (2009) {Extended}"


def test_a_server_of_somebody_signed_in_comes_back_and_that_is_said(
    server: PlexServer, as_admin: Client
) -> None:
    server.account = PlexAccount.objects.create(plex_uuid="1", username="ann", token_encrypted="x")
    server.save()
    page = as_admin.get(reverse("library:plex_server_remove", args=[server.pk])).text
    assert "While ann is signed in, it is found again" in page


def test_a_section_is_switched_off_and_then_not_synced(
    server: PlexServer, as_admin: Client
) -> None:
    section = PlexSection.objects.create(
        server=server, key="1", title="Movies", type="movie", is_enabled=True
    )
    switch = reverse("library:plex_section_switch", args=[section.pk])
    assert "not synced any more" in as_admin.post(switch, {"is_enabled": "0"}, follow=True).text
    section.refresh_from_db()
    assert not section.is_enabled
    answer = as_admin.post(reverse("library:plex_section_sync", args=[section.pk]), follow=True)
    assert "Movies is switched off; switch it on first." in answer.text
    assert not Operation.objects.filter(kind="plex_sync", args__section=section.pk).exists()


def test_a_saved_filter_keeps_its_words_where_the_new_ones_are_wrong(
    as_admin: Client, admin_user: User
) -> None:
    saved = SavedFilter.objects.create(owner=admin_user, name="For kids", query="codec=hevc")
    url = reverse("library:saved_filter_edit", args=[saved.pk])
    assert as_admin.post(url, {"query": "codec=magic"}).status_code == 422
    saved.refresh_from_db()
    assert saved.query == "codec=hevc"
