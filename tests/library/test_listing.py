"""Keyset paging: every page of every order equals the plain query, forwards and back."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from library.listing import paging as listing
from library.listing import plan as list_plan
from library.listing.filters import parse_query
from library.listing.keys import SORT_COLUMNS, Place, read_place, step_of
from library.listing.paging import Cursor, list_files, read_key, read_sort, write_key
from library.listing.streams import Key
from library.models import FileTag, Library, MediaFile, Tag
from tests.library.file_rows import make_file, make_library, unsaved_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django.test import Client

    from library.listing.paging import Sort

pytestmark = pytest.mark.django_db

ORDERS = [sign + name for name in SORT_COLUMNS for sign in ("", "-")]
QUERIES = [
    *("", "resolution=4k", "codec=hevc,mpeg4", "audio=atmos", "state=failed", "library=Shows"),
    *("size_min=20GB", "size_min=18.3GB", "size_min=3GB&size_max=3.3GB", "bitrate_max=7.7"),
    *("duration_min=1h30", "added_after=2024-06-01", "tag=keep", "q=moon", "q=up", "q=東京"),
    *("resolution=4k&audio=atmos", "codec=h264&size_max=9GB&q=river", "tag=keep&added_after=900d"),
]


@pytest.fixture
def shelf() -> list[Library]:
    """300 films with many ties, drawn from a fixed seed."""
    rng = random.Random(7)
    libraries = [make_library("Films"), make_library("Shows")]
    keep = Tag.objects.create(name="keep")
    words = ("Moon", "River", "Up", "東京", "Amber Road", "Night", "Ёлки", "Москва", "_", "カメラ")
    files = [
        unsaved_file(
            rng.choice(libraries),
            f"{rng.choice(words)} {rng.randrange(9)}",
            path=f"{number}.mkv",
            year=rng.choice((1990, 2001, 2020)),
            size_bytes=rng.choice((1, 3_100_000_000, 8_000_000_000, 19_000_000_000, 30 * 10**9)),
            bit_rate_kbps=rng.randrange(500, 40_000, 500),
            duration_ms=rng.randrange(20, 150, 10) * 60_000,
            resolution=rng.choice((480, 1080, 2160)),
            video_codec=rng.choice(("h264", "hevc", "mpeg4")),
            audio_label=rng.choice(("", "Atmos")),
            state=rng.choice(("new", "new", "failed")),
            added_at=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(400)),
        )
        for number in range(300)
    ]
    MediaFile.objects.bulk_create(files)
    FileTag.objects.bulk_create(FileTag(file=file, tag=keep) for file in files[::3])
    return libraries


def expected(query: str, sort: Sort) -> list[int]:
    sign = "" if sort.is_up else "-"
    matching = MediaFile.objects.filter(parse_query(query).condition())
    ordered = matching.order_by(f"{sign}{sort.column}", f"{sign}id")
    return list(ordered.values_list("pk", flat=True))


def all_pages(query: str, sort: Sort, page_rows: int = 41) -> list[int]:
    found: list[int] = []
    cursor = None
    for _ in range(400):
        page = list_files(parse_query(query), sort, cursor, page_rows=page_rows)
        found += [row.pk for row in page.rows]
        if page.next_key is None:
            return found
        cursor = Cursor(read_back(page.next_key, sort))
    raise AssertionError("the pages do not end")


def read_back(key: Key, sort: Sort) -> Key:
    """As through an address."""
    read = read_key(write_key(key), sort)
    assert read is not None
    return read


@pytest.mark.parametrize("query", QUERIES)
def test_pages_of_every_order_together_are_the_whole_list(shelf: object, query: str) -> None:
    for order in ORDERS:
        sort = read_sort(order)
        assert all_pages(query, sort) == expected(query, sort), order


@pytest.mark.parametrize("query", QUERIES)
def test_going_back_gives_the_page_before(shelf: object, query: str) -> None:
    for order in ("title", "-size", "added", "-year"):
        sort, parsed = read_sort(order), parse_query(query)
        whole = expected(query, sort)
        if len(whole) < 30:
            continue
        first = list_files(parsed, sort, page_rows=10)
        assert first.prev_key is None
        assert first.next_key is not None
        second = list_files(parsed, sort, Cursor(read_back(first.next_key, sort)), page_rows=10)
        assert second.prev_key is not None
        key = read_back(second.prev_key, sort)
        back = list_files(parsed, sort, Cursor(key, is_back=True), page_rows=10)
        assert [row.pk for row in back.rows] == whole[:10]


def _windows(*, quick: int, first: int, later: int) -> AbstractContextManager[object]:
    return mock.patch.multiple(listing, WALK_ROWS=(quick, first), WALK_LATER_ROWS=later)


@pytest.mark.parametrize(
    "query",
    [
        "resolution=4k&audio=atmos",
        "q=moon",
        "tag=keep",
        "added_after=2024-02-01",
        "size_min=18.3GB",
        "codec=hevc&q=moon&added_after=2024-02-01",
    ],
)
@pytest.mark.parametrize("quick", [3, 200])
def test_a_walk_finds_the_same_as_a_plan_by_rare_parts(
    shelf: object, query: str, quick: int
) -> None:
    """In windows that never fill a page, and in one that holds everything."""
    with mock.patch.object(list_plan, "RARE", 0), _windows(quick=quick, first=7, later=7):
        for order in ("title", "-size", "added"):
            sort = read_sort(order)
            assert all_pages(query, sort) == expected(query, sort)


def test_a_walk_out_of_time_says_searching_and_goes_on_from_its_cursor(shelf: object) -> None:
    sort = read_sort("title")
    with (
        mock.patch.object(list_plan, "RARE", 0),
        mock.patch.object(listing, "WALK_BUDGET_S", -1.0),
        _windows(quick=20, first=20, later=60),
    ):
        page = list_files(parse_query("resolution=4k&audio=atmos&q=moon"), sort)
        assert page.is_searching
        assert page.next_key is not None
        assert all_pages("resolution=4k&audio=atmos&q=moon", sort) == expected(
            "resolution=4k&audio=atmos&q=moon", sort
        )


def test_a_search_that_finds_nothing_comes_to_its_end(shelf: object, as_viewer: Client) -> None:
    """The page goes on by itself while it has found nothing: it must not begin again."""
    query = "resolution=4k&audio=atmos&q=moon"
    MediaFile.objects.filter(parse_query(query).condition()).delete()
    url: str | None = f"/library/?{query}"
    with (
        mock.patch.object(list_plan, "RARE", 0),
        mock.patch.object(listing, "WALK_BUDGET_S", -1.0),
        _windows(quick=5, first=20, later=20),
    ):
        pages = 0
        while url is not None and pages < 100:
            answer = as_viewer.get(url)
            url, pages = answer.context["page"].urls.get("go_on"), pages + 1
    assert 2 < pages < 100
    assert "No film matches" in answer.text


def test_a_look_through_texts_out_of_time_is_completed_when_asked_thoroughly(shelf: object) -> None:
    library = Library.objects.get(name="Films")
    inside = make_file(library, "物語東京")
    sort, query = read_sort("title"), parse_query("q=東京")
    with mock.patch.object(listing, "TEXT_BUDGET_S", -1.0):
        partial = list_files(query, sort)
        whole = list_files(query, sort, is_thorough=True)
    assert partial.is_searching
    assert partial.is_partial
    assert inside.pk not in {row.pk for row in partial.rows}
    assert inside.pk in {row.pk for row in whole.rows} | {
        row.pk for row in list_files(query, read_sort("-title")).rows
    }
    assert not whole.is_searching


def test_counts_are_exact_up_to_the_limit_and_open_beyond(shelf: object) -> None:
    sort = read_sort("title")
    assert list_files(parse_query(""), sort).count == 300
    with mock.patch.object(listing, "EXACT_UP_TO", 100):
        page = list_files(parse_query(""), sort)
    assert page.count is None
    assert page.is_count_open


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "5",
        "-1.3",
        "5.x" * 3,
        "99999999999999999999.1",
        "1.99999999999999999999",
        "1.\0",
        "٣.٣",
    ],
)
def test_a_cursor_that_nobody_wrote_is_none_at_all(text: str) -> None:
    assert read_key(text, read_sort("size")) is None


def test_a_cursor_of_another_sort_is_none_at_all() -> None:
    key = write_key(Key("moon", 5))
    assert read_key(key, read_sort("added")) is None
    assert read_key(key, read_sort("year")) is None
    assert read_key(key, read_sort("title")) == Key("moon", 5)


def test_an_unknown_sort_is_the_default() -> None:
    assert read_sort("-password").text == "title"


def test_group_keys_follow_the_columns_whoever_writes_them() -> None:
    library = make_library()
    file = make_file(library, "One", size_bytes=19_999_999_999)
    MediaFile.objects.filter(pk=file.pk).update(state="failed", availability="growing", hdr="hlg")
    file.refresh_from_db()
    assert read_place(file.place_group) == Place(library.pk, "video", "failed", "growing")
    assert file.video_group == "1080:h264:hlg"
    assert file.size_step == step_of(19_999_999_999, list_plan.STEPS["size"][1])


def test_files_removed_from_the_list_are_in_no_page(shelf: list[Library]) -> None:
    MediaFile.objects.filter(resolution=2160).update(removed_from_list_at=datetime.now(UTC))
    assert list_files(parse_query("resolution=4k"), read_sort("title")).rows == []
    assert list_files(parse_query("q=up&resolution=4k"), read_sort("title")).rows == []


def test_the_word_index_follows_renames_and_removals() -> None:
    library = make_library()
    file = make_file(library, "Before")
    MediaFile.objects.filter(pk=file.pk).update(search_text="after")
    sort = read_sort("title")
    assert [row.pk for row in list_files(parse_query("q=aft"), sort).rows] == [file.pk]
    assert list_files(parse_query("q=before"), sort).rows == []
    file.delete()
    assert list_files(parse_query("q=aft"), sort).rows == []
