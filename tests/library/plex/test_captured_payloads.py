"""Answers of real servers through our client, without loss; the stand-in has their shapes."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from library.media_info import HdrKind
from library.plex.reading import read_page, read_sections
from tests.conftest import SHARED
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.listing import Page, list_section
from tests.plex_stand_in.render import whole
from tests.plex_stand_in.routes import _section_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library.plex.facts import ItemFacts
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.service("shared")
FOLDER = SHARED / "data" / "plex" / "plex-api-spec"
LISTS = ("get-library-all__0", "get-library-all__2", "get-library-all__4", "get-library-all__5",
         "get-library-items__0", "get-library-items__1", "get-library-items__2")  # fmt: skip
WHOLE = tuple(f"ratingKey__get-media-meta-data__{number}" for number in range(1, 6))


@cache
def container(name: str) -> dict[str, Any]:
    path = next(FOLDER.glob(f"*{name}.json"))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["MediaContainer"]
    return found


def items_of(name: str, *, is_whole: bool = False) -> tuple[ItemFacts, ...]:
    return read_page(container(name), is_whole=is_whole).items


@pytest.mark.parametrize("name", LISTS)
def test_no_item_and_no_file_of_a_list_is_lost(name: str) -> None:
    trees = container(name)["Metadata"]
    items = items_of(name)
    assert [item.rating_key for item in items] == [tree["ratingKey"] for tree in trees]
    assert [item.title for item in items] == [tree["title"] for tree in trees]
    files = [part["file"] for tree in trees for media in tree["Media"] for part in media["Part"]]
    assert [part.path for item in items for part in item.parts] == files
    sizes = [part["size"] for tree in trees for media in tree["Media"] for part in media["Part"]]
    assert [part.size_bytes for item in items for part in item.parts] == sizes
    assert all(part.changestamp.isdigit() for item in items for part in item.parts)
    guids = [len(tree.get("Guid", [])) for tree in trees]
    assert [len(item.external_ids) for item in items] == guids
    assert [item.view_count for item in items] == [tree.get("viewCount", 0) for tree in trees]
    assert len({item.digest for item in items}) == len(items)


def test_two_versions_stacked_parts_and_an_unanalysed_item_are_told_apart() -> None:
    items = items_of("get-library-all__5")
    versions = [len({part.media_id for part in item.parts}) for item in items]
    assert max(versions) == 2
    stacked = [item for item in items if any(part.index for part in item.parts)]
    assert {len([part for part in item.parts if part.index]) for item in stacked} >= {2, 4}
    for item in stacked:
        indexes = [part.index for part in item.parts if part.index]
        assert indexes == list(range(1, len(indexes) + 1))
    unanalysed = [item for item in items if not item.is_analyzed]
    assert len(unanalysed) == 1
    assert unanalysed[0].parts
    assert all(part.container for part in unanalysed[0].parts)


@pytest.mark.parametrize("name", WHOLE)
def test_no_stream_is_lost(name: str) -> None:
    for tree, item in zip(container(name)["Metadata"], items_of(name, is_whole=True), strict=True):
        parts = [part for media in tree["Media"] for part in media["Part"]]
        for raw, part in zip(parts, item.parts, strict=True):
            streams = raw.get("Stream", [])
            inside = [
                s for s in streams
                if s["streamType"] != 3 or not (s.get("key") or s.get("embeddedInVideo"))
            ]  # fmt: skip
            assert part.info is not None
            kinds = (len(part.info.video), len(part.info.audio), len(part.info.subtitles))
            assert kinds == tuple(
                sum(1 for s in inside if s["streamType"] == number) for number in (1, 2, 3)
            )
            read: list[Any] = [*part.info.video, *part.info.audio, *part.info.subtitles]
            indexes = [stream.index for stream in read]
            assert sorted(indexes) == sorted(s["index"] for s in inside)


def test_dolby_vision_and_its_profile_are_read() -> None:
    item = items_of("get-media-meta-data__1", is_whole=True)[0]
    info = item.parts[0].info
    assert info is not None
    video = info.main_video
    assert video is not None
    assert (video.hdr, video.dolby_vision_profile) == (HdrKind.DOLBY_VISION, "8.1")
    assert (video.codec, video.profile, video.frame_rate) == ("hevc", "Main 10", "24000/1001")
    assert item.genres == ("Romance", "Musical", "Fantasy", "Drama", "Family")
    assert item.parts[0].is_there is True
    assert item.section_key == "3"


def test_dts_hd_ma_is_read() -> None:
    item = items_of("get-media-meta-data__5", is_whole=True)[0]
    info = item.parts[0].info
    assert info is not None
    assert ("dts", "DTS-HD MA", True) in {(a.codec, a.profile, a.is_lossless) for a in info.audio}


def test_sections_of_real_servers_are_read() -> None:
    for number in (0, 1):
        raw = container(f"get-all-libraries__{number}")["Directory"]
        sections = read_sections({"Directory": raw})
        assert [section.key for section in sections] == [tree["key"] for tree in raw]
        assert all(section.locations and section.content_changed_at for section in sections)


# The stand-in's shapes


@pytest.fixture
def film(plex: PlexStandIn) -> Any:
    section = plex.world.add_section("Movies")
    return section, plex.world.add_movie(section, "Heat", 1995, genres=["Crime"], plays=1)


def test_the_stand_ins_list_has_the_keys_of_real_lists(plex: PlexStandIn, film: Any) -> None:
    section, _item = film
    page = Page(0, 500, True)
    answer = list_section(plex.world, section, [("type", "1"), ("includeGuids", "1")], page)
    real = container("get-library-all__5")
    assert _keys(answer) <= _keys(real)
    always = set.intersection(*(_keys(tree) for tree in real["Metadata"]))
    ours = answer["Metadata"][0]
    assert always <= _keys(ours) | {"UltraBlurColors", "art"}  # pictures that nobody reads
    assert _keys(ours) <= _union(real["Metadata"]) | {"viewCount", "lastViewedAt"}
    media = ours["Media"][0]
    assert _keys(media) <= _union(_all(real, "Media"))
    assert _keys(media["Part"][0]) <= _union(_all(real, "Part"))


def test_the_stand_ins_streams_have_the_keys_that_real_streams_have(
    plex: PlexStandIn, film: Any
) -> None:
    section, item = film
    tree = whole(plex.world, section, item, checks_files=True)
    real: list[dict[str, Any]] = []
    for name in (*WHOLE, "get-recently-added__0"):
        real += _all(container(name), "Stream")
    for kind in (1, 2, 3):
        ours = [s for s in _all(tree, "Stream") if s["streamType"] == kind]
        theirs = [s for s in real if s["streamType"] == kind]
        assert ours
        assert _union(ours) <= _union(theirs)
    checked = _all(container("get-media-meta-data__1"), "Part")[0]
    part = _all(tree, "Part")[0]
    assert {"accessible", "exists"} <= _keys(part) & _keys(checked)


def test_the_stand_ins_sections_have_the_keys_of_real_ones(film: Any) -> None:
    real = container("get-all-libraries__0")["Directory"][0]
    assert _keys(_section_tree(film[0])) == _keys(real)


def _keys(tree: dict[str, Any]) -> set[str]:
    return set(tree)


def _union(trees: list[dict[str, Any]]) -> set[str]:
    return set().union(*trees)


def _all(tree: Any, name: str) -> list[dict[str, Any]]:
    return list(_walk(tree, name))


def _walk(tree: Any, name: str) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name and isinstance(value, list):
                yield from value
            yield from _walk(value, name)
    elif isinstance(tree, list):
        for one in tree:
            yield from _walk(one, name)
