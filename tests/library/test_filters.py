"""The one definition of filters: what each lets through, and what wrong values say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from django.utils import timezone

from library.listing.filters import (
    FileFilter,
    FilterProblem,
    files_matching,
    filter_params,
    parse_query,
)
from library.models import FileTag, Library, Tag
from tests.library.file_rows import make_file, make_library

pytestmark = pytest.mark.django_db


def titles(query: str) -> set[str]:
    return set(files_matching(query).values_list("title", flat=True))


def test_an_empty_filter_matches_every_file_in_the_list(library: Library) -> None:
    make_file(library, "Kept")
    make_file(library, "Gone", removed_from_list_at=timezone.now())
    assert titles("") == {"Kept"}


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("resolution=4k", {"resolution": 2160}),
        ("resolution=2160,720p", {"resolution": 720}),
        ("codec=HEVC", {"video_codec": "hevc"}),
        ("codec=h265", {"video_codec": "hevc"}),
        ("hdr=dv", {"hdr": "dolby_vision"}),
        ("hdr=HDR10%2B", {"hdr": "hdr10plus"}),
        ("audio=atmos", {"audio_label": "Atmos"}),
        ("audio=truehd", {"audio_codec": "truehd", "audio_label": "Atmos"}),
        ("audio=dts-hd", {"audio_codec": "dts", "audio_label": "DTS-HD"}),
        ("container=matroska,avi", {"container": "avi", "resolution": 1}),
        ("state=failed", {"state": "failed"}),
        ("availability=missing", {"availability": "missing"}),
        ("kind=sample", {"kind": "sample"}),
        ("size_min=20GB", {"size_bytes": 20_000_000_000}),
        ("size_max=700MB", {"size_bytes": 699_999_999}),
        ("size_min=1.5TB", {"size_bytes": 1_600_000_000_000}),
        ("size_min=20GiB", {"size_bytes": 20 * 2**30}),
        ("bitrate_min=40", {"bit_rate_kbps": 40_000}),
        ("bitrate_max=800k", {"bit_rate_kbps": 799}),
        ("duration_min=2h", {"duration_ms": 7_200_000}),
        ("duration_max=1h30", {"duration_ms": 89 * 60_000}),
        ("added_before=2020-01-01", {"added_at": datetime(2019, 12, 31, tzinfo=UTC)}),
        ("q=found", {}),
    ],
)
def test_each_filter_lets_its_files_through_and_no_others(
    library: Library, query: str, values: dict[str, object]
) -> None:
    other = {"container": "mp4"} if "container" in query else {}
    make_file(library, "Other", **other)
    make_file(library, "Found", **values)
    assert titles(query) == {"Found"}


def test_the_end_of_a_range_is_under_it_and_its_beginning_over_it(library: Library) -> None:
    make_file(library, "Exact", size_bytes=20_000_000_000)
    assert titles("size_min=20GB") == {"Exact"}
    assert titles("size_max=20GB") == set()


def test_added_after_takes_a_number_of_days(library: Library) -> None:
    make_file(library, "New")
    make_file(library, "Old", added_at=timezone.now() - timedelta(days=40))
    assert titles("added_after=30d") == {"New"}


def test_filters_of_different_kinds_must_all_hold(library: Library) -> None:
    make_file(library, "Both", resolution=2160, video_codec="hevc")
    make_file(library, "One", resolution=2160)
    make_file(library, "Two", video_codec="hevc")
    assert titles("resolution=4k&codec=hevc") == {"Both"}


def test_a_library_is_named_by_id_or_by_name_in_any_case(library: Library) -> None:
    shows = make_library("Shows, old")
    make_file(library, "Film")
    make_file(shows, "Show")
    assert titles(f"library={shows.pk}") == titles("library=shows, old") == {"Show"}


def test_several_tags_must_all_be_there(library: Library) -> None:
    both, one = make_file(library, "Both"), make_file(library, "One")
    keep, seen = Tag.objects.create(name="Keep"), Tag.objects.create(name="seen")
    for file, tag in ((both, keep), (both, seen), (one, keep)):
        FileTag.objects.create(file=file, tag=tag)
    assert titles("tag=keep") == {"Both", "One"}
    assert titles("tag=keep&tag=SEEN") == {"Both"}


@pytest.mark.parametrize(
    ("words", "title"),
    [("up", "Up"), ("UP", "Up"), ("amelie", "Amélie"), ("AMÉLIE", "Amélie"), ("東京", "東京物語")],
)
def test_search_finds_short_accented_and_japanese_titles(
    library: Library, words: str, title: str
) -> None:
    make_file(library, title)
    make_file(library, "Superb Cupboard")
    assert titles(f"q={words}") == {title}


def test_search_looks_inside_a_run_of_japanese(library: Library) -> None:
    make_file(library, "東京物語")
    assert titles("q=物語") == {"東京物語"}


def test_search_takes_per_cent_and_underscore_as_they_are(library: Library) -> None:
    make_file(library, "Plain")
    assert titles("q=100%25") == set()
    assert titles("q=_") == {"Plain"}  # no word in it: nothing is asked for


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("resolution=99", "resolution"),
        ("codec=xyz", "codec"),
        ("size_min=abc", "size_min"),
        ("size_min=-3", "size_min"),
        ("size_min=99999999999999TB", "size_min"),
        ("size_min=5GB&size_max=3GB", "size_max"),
        ("bitrate_min=1e9", "bitrate_min"),
        ("duration_max=soon", "duration_max"),
        ("added_after=2026-02-31", "added_after"),
        ("library=nowhere", "library"),
        ("tag=none", "tag"),
        ("colour=red", "colour"),
        ("q=" + "x" * 300, "q"),
        ("q=" + "x" * 3000, "filter"),
        ("q=a\0b", "filter"),
    ],
)
def test_a_wrong_value_names_its_field(query: str, field: str) -> None:
    with pytest.raises(FilterProblem) as problem:
        parse_query(query)
    assert problem.value.field == field
    assert problem.value.text.endswith((".", ")"))


def test_only_filters_are_kept_of_an_address() -> None:
    kept = filter_params(QueryDict("q=up&sort=-size&after=3.x&codec=&codec=hevc&nonsense=1"))
    assert kept.urlencode() == "q=up&codec=hevc"


def test_the_filterset_gives_the_same_files_as_the_query_string(library: Library) -> None:
    make_file(library, "Large", size_bytes=50_000_000_000)
    make_file(library, "Small")
    assert [file.title for file in FileFilter(QueryDict("size_min=20GB")).qs] == ["Large"]
