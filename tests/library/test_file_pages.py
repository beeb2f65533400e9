"""The library page and the film page: fragments, roles, hostile titles, number of queries."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from library.models import FileTag, Library, MediaProbe, Tag
from mediaflow.base.models import Operation
from tests.library.file_rows import make_file, make_library
from transcode.pages.live import live_parts

if TYPE_CHECKING:
    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
HOSTILE = "<img src=x onerror=alert(1)>"
HTMX = {"HX-Request": "true"}
SignIn = "Callable[[User], Client]"


@pytest.fixture
def library() -> Library:
    return make_library("Films", file_count=3, total_bytes=24_000_000_000)


def text(client: Client, url: str, status: int = 200, headers: dict[str, str] | None = None) -> str:
    answer = client.get(url, headers=headers)
    assert answer.status_code == status
    return answer.content.decode()


def test_a_stranger_is_sent_to_the_login(client: Client) -> None:
    for name in ("file_list", "export_csv", "export_json", "folder_list", "inaccessible_list"):
        answer = client.get(reverse(f"library:{name}"))
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]


def test_without_a_library_the_page_says_what_to_do_next(
    as_admin: Client, as_viewer: Client
) -> None:
    assert "Add a folder" in text(as_admin, "/library/")
    page = text(as_viewer, "/library/")
    assert "An admin adds a folder" in page
    assert reverse("library:folder_add") not in page


def test_the_page_lists_films_with_badges_size_and_state(
    as_viewer: Client, library: Library
) -> None:
    make_file(library, "Large One", resolution=2160, hdr="dolby_vision", audio_label="Atmos",
              state="failed", state_reason="Source damaged at 1:12:04")  # fmt: skip
    page = text(as_viewer, "/library/")
    for shown in ("Large One", "4K", "H.264", "DV", "Atmos", "Failed", "Source damaged"):
        assert shown in page


def test_the_fragment_holds_the_list_alone(as_viewer: Client, library: Library) -> None:
    make_file(library, "Film")
    fragment = text(as_viewer, "/library/", headers=HTMX)
    assert "<html" not in fragment
    assert 'id="files"' in fragment


@pytest.mark.parametrize("name", ["file_list", "file_summary", "export_csv", "export_json"])
def test_pages_that_show_refuse_a_post(as_viewer: Client, name: str) -> None:
    assert as_viewer.post(reverse(f"library:{name}")).status_code == 405


def test_a_wrong_filter_names_its_field_and_lists_nothing(
    as_viewer: Client, library: Library
) -> None:
    make_file(library, "Film")
    page = text(as_viewer, "/library/?size_min=abc", status=422)
    assert "Size over:" in page
    assert "Give a size such as 20GB" in page
    assert "film-" not in page.partition('id="files"')[2]
    assert 'aria-invalid="true"' in page


def test_nothing_matching_offers_to_show_all(as_viewer: Client, library: Library) -> None:
    make_file(library, "Film")
    page = text(as_viewer, "/library/?q=zzz&codec=av1")
    assert "No film matches" in page
    assert "hidden by video codec, “zzz”" in page


def test_pills_take_one_filter_away(as_viewer: Client, library: Library) -> None:
    page = text(as_viewer, "/library/?codec=hevc&size_min=20GB&sort=-size")
    assert 'href="/library/?size_min=20GB&amp;sort=-size"' in page
    assert 'href="/library/?codec=hevc&amp;sort=-size"' in page


def test_a_tampered_cursor_shows_the_first_page(as_viewer: Client, library: Library) -> None:
    make_file(library, "Film")
    for cursor in ("after=hello", "after=1.'; DROP", "before=99.", "after=1.x&sort=size"):
        assert "Film" in text(as_viewer, f"/library/?{cursor}&at=-5")


def test_paging_forward_and_back_by_links(as_viewer: Client, library: Library) -> None:
    for number in range(60):
        make_file(library, f"Film {number:02d}")
    first = as_viewer.get("/library/").context["page"]
    second = as_viewer.get(first.urls["next"]).context["page"]
    assert second.range_text == "51–60 of 60"
    back = as_viewer.get(second.urls["prev"]).context["page"]
    assert [row.title for row in back.rows] == [row.title for row in first.rows]


def test_titles_are_escaped_on_every_page(as_operator: Client, library: Library) -> None:
    file = make_file(library, HOSTILE, path=f"{HOSTILE}.mkv", availability="unreadable",
                     availability_reason=HOSTILE, state_reason=HOSTILE)  # fmt: skip
    for url in ("/library/", f"/library/?q={HOSTILE}", f"/library/{file.pk}/",
                "/library/inaccessible/"):  # fmt: skip
        page = text(as_operator, url)
        assert "<img src=x" not in page
    fragment = text(as_operator, "/library/", headers=HTMX)
    assert "<img src=x" not in fragment
    assert "&lt;img src=x" in fragment


def test_the_number_of_queries_does_not_grow_with_the_rows(
    as_viewer: Client, library: Library
) -> None:
    make_file(library, "First")
    counts = []
    for batch in range(2):
        for url in ("/library/?sort=-size", "/library/?codec=h264"):
            as_viewer.get(url)
            live_parts.forget()  # the sidebar's counts are kept for a second, on any machine
            with CaptureQueriesContext(connection) as queries:
                as_viewer.get(url)
            counts.append(len(queries))
        for number in range(40):
            make_file(library, f"More {batch} {number}", resolution=720 if number % 2 else 2160)
    assert counts[:2] == counts[2:]
    assert max(counts) <= 25


def test_a_viewer_gets_no_boxes_to_tick(
    as_viewer: Client, as_operator: Client, library: Library
) -> None:
    make_file(library, "Film")
    assert "data-row" not in text(as_viewer, "/library/")
    assert "data-row" in text(as_operator, "/library/")


def test_a_running_scan_is_polled_and_an_unchanged_page_costs_nothing(
    as_viewer: Client, library: Library
) -> None:
    Operation.objects.create(kind="scan", title="Scan Films", done_count=5)
    page = text(as_viewer, "/library/")
    found = re.search(r"v=([\w.-]+)", page.partition('id="files"')[2])
    assert found is not None
    version = found.group(1)
    assert as_viewer.get(f"/library/?v={version}", headers=HTMX).status_code == 204
    assert as_viewer.get("/library/?v=old", headers=HTMX).status_code == 200
    Operation.objects.update(done_count=6)
    assert as_viewer.get(f"/library/?v={version}", headers=HTMX).status_code == 200
    Operation.objects.update(status="completed")
    assert "every 3s" not in text(as_viewer, "/library/").partition('id="files"')[2][:300]


def test_the_heading_follows_a_scan_and_a_poll_leaves_open_menus_alone(
    as_viewer: Client, library: Library
) -> None:
    make_file(library, "Film")
    Operation.objects.create(kind="scan", title="Scan Films", done_count=5)
    assert "3\u00a0films" in text(as_viewer, "/library/")
    Library.objects.update(file_count=7)
    Operation.objects.update(status="completed")
    last = text(as_viewer, "/library/?v=1-5", headers=HTMX)
    assert re.search(r'id="lib-totals" hx-swap-oob="true">7\u00a0films', last)
    assert "lib-pills" not in last
    assert "popover" not in last


def test_reset_and_save_filter_come_with_the_first_letter_typed(
    as_viewer: Client, library: Library
) -> None:
    make_file(library, "Film")
    assert re.search(r'id="lib-save" hidden', text(as_viewer, "/library/"))
    typed = text(as_viewer, "/library/?q=fil&sort=-size", headers=HTMX)
    beside = typed.partition('id="lib-totals"')[2]
    assert re.search(r'id="lib-save" hx-swap-oob="true">', beside)
    assert 'href="/library/?sort=-size">Reset' in beside
    assert "/library/filters/?query=q%3Dfil" in beside
    # What a later click on a pill, the filter form or an export starts from.
    assert re.search(r'id="filter-kept"[^>]*><input type="hidden" name="q" value="fil">', beside)
    assert 'export.csv?q=fil"' in beside


@pytest.mark.parametrize(
    ("asked", "age_s", "is_shown"), [(True, 0, True), (False, 0, False), (False, 60, True)]
)
def test_a_scan_that_nobody_asked_for_shows_only_when_it_takes_long(
    as_viewer: Client, viewer: User, library: Library, asked: bool, age_s: int, is_shown: bool
) -> None:
    Operation.objects.create(
        kind="scan",
        title="Scan Films",
        status="running",
        lease_token="t",
        lock_key=f"scan:{library.pk}",
        requested_by=viewer if asked else None,
        started_at=timezone.now() - timedelta(seconds=age_s),
    )
    for url in ("/library/", reverse("library:folder_list")):
        assert ("Scan Films" in text(as_viewer, url)) is is_shown
    assert "every 3s" in text(as_viewer, "/library/")  # new films appear all the same


def test_the_grid_shows_the_same_films_and_every_link_stays_in_it(
    as_operator: Client, library: Library
) -> None:
    for number in range(60):
        make_file(library, f"Film {number:02}", resolution=2160)
    page = text(as_operator, "/library/?view=grid&resolution=4k&sort=-size")
    grid = page.partition('class="grid"')[2].partition("</ul>")[0]
    assert grid.count('class="tile"') == 50
    for shown in ("Film 59", "2001", "4K", "H.264", "8.0"):
        assert shown in grid
    assert "<table" not in page.partition('id="files"')[2]
    links = [unescape(url) for url in re.findall(r'href="(/library/\?[^"]*)"', page)]
    into_table = {url for url in links if "view=grid" not in url}
    assert into_table == {"/library/?resolution=4k&sort=-size"}
    following = next(url for url in links if "after=" in url)
    assert text(as_operator, following).count('class="tile"') == 10
    assert page.count('name="view" value="grid"') == 2  # search and filter form


def test_chosen_columns_are_kept_and_nothing_chosen_is_the_default(
    as_viewer: Client, viewer: User, library: Library
) -> None:
    make_file(library, "Film")
    url = reverse("library:columns")
    answer = as_viewer.post(url, {"columns": ["size", "year", "nonsense"], "next": "/library/?q=a"})
    assert answer["Location"] == "/library/?q=a"
    viewer.refresh_from_db()
    assert viewer.library_columns == ["size", "year"]
    assert ">Year<" in text(as_viewer, "/library/")
    as_viewer.post(url, {})
    viewer.refresh_from_db()
    assert viewer.library_columns == []
    assert as_viewer.get(url).status_code == 405


def test_the_choice_of_columns_never_leads_to_another_site(as_viewer: Client) -> None:
    answer = as_viewer.post(reverse("library:columns"), {"next": "https://evil.example/"})
    assert answer["Location"] == "/library/"


def test_the_summary_adds_up_what_matches(as_viewer: Client, library: Library) -> None:
    make_file(library, "One", size_bytes=2_000_000_000)
    make_file(library, "Two", size_bytes=3_000_000_000)
    assert "5.0" in text(as_viewer, "/library/summary/?codec=h264")
    assert as_viewer.get("/library/summary/?size_min=x").status_code == 422


def test_the_film_page_shows_every_stream(as_viewer: Client, library: Library) -> None:
    file = make_file(library, "Film", bit_depth=10)
    Tag.objects.create(name="keep", color="teal")
    FileTag.objects.create(file=file, tag=Tag.objects.get())
    detail = {
        "container": "mkv", "format_name": "matroska", "size_bytes": 1, "duration_s": 60.0,
        "start_s": 0.0, "bit_rate_kbps": 1,
        "video": [{"index": 0, "codec": "hevc", "width": 3840, "height": 1600, "hdr": "hdr10",
                   "frame_rate": "24000/1001", "bit_depth": 10}],
        "audio": [{"index": 1, "codec": "truehd", "channels": 8, "object_audio": "Atmos",
                   "language": "eng", "disposition": {"is_default": True}}],
        "subtitles": [{"index": 2, "codec": "subrip", "is_text": True, "language": "deu"}],
        "attachments": [{"index": 3, "file_name": "a.ttf", "mime_type": "font/ttf"}],
        "chapters": [{"start_s": 0, "end_s": 9, "title": "Opening"}],
    }  # fmt: skip
    MediaProbe.objects.create(file=file, detail=detail)
    page = text(as_viewer, f"/library/{file.pk}/")
    for shown in ("3840 × 1600", "23.976 fps", "TrueHD 7.1", "Atmos", "default", "subrip", "a.ttf",
                  "1\N{NO-BREAK SPACE}chapter", "Found by scan", "keep", "10-bit"):  # fmt: skip
        assert shown in page


def test_a_film_that_is_not_there_is_404(as_viewer: Client) -> None:
    assert as_viewer.get("/library/99999/").status_code == 404


def test_the_csv_streams_with_formulas_made_harmless(as_viewer: Client, library: Library) -> None:
    make_file(library, "=cmd|' /C calc'!A0")
    make_file(library, "Plain, with comma")
    answer = as_viewer.get("/library/export.csv")
    assert answer.streaming
    assert "attachment" in answer["Content-Disposition"]
    body = answer.getvalue().decode("utf-8-sig")
    assert "'=cmd" in body
    assert ",=cmd" not in body
    assert '"Plain, with comma"' in body
    assert body.splitlines()[0].startswith("id,library,path,title")


def test_the_json_is_one_document_of_what_matches(as_viewer: Client, library: Library) -> None:
    make_file(library, "Amélie")
    make_file(library, "Other", video_codec="av1")
    answer = as_viewer.get("/library/export.json?codec=av1")
    document = json.loads(answer.getvalue())
    assert [file["title"] for file in document["files"]] == ["Other"]
    empty = as_viewer.get("/library/export.json?q=nothing")
    assert json.loads(empty.getvalue()) == {"files": []}
    assert as_viewer.get("/library/export.csv?codec=zzz").status_code == 422
