"""A film that Plex and a folder library know is one file; what nobody has says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from library.models import (
    Availability,
    FileState,
    FileTag,
    Library,
    LibraryKind,
    MediaFile,
    MediaItem,
    PlexItem,
    PlexPart,
    Tag,
)
from library.plex.linking import relink_section, tidy_links, unlink_section
from library.scanning.items import link_items
from library.scanning.names import parse_name
from tests.library.file_rows import make_file, make_library
from tests.library.plex.rows import make_section, map_path, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from pathlib import Path

    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Section

pytestmark = pytest.mark.django_db
HEAT = "Heat (1995)/Heat (1995).mkv"


@pytest.fixture
def films(plex: PlexStandIn) -> Section:
    section = plex.world.add_section("Movies", location="/data/films")
    plex.world.add_movie(section, "Heat", 1995, plays=4)
    return section


@pytest.fixture
def section(plex: PlexStandIn, films: Section) -> PlexSection:
    return make_section(plex, films)


@pytest.fixture
def folder_library() -> Library:
    return make_library("Films", root="/films")


def add_scanned(library: Library, path: str, **values: Any) -> MediaFile:
    """A row with its item, as a scan leaves it."""
    name = parse_name(path)
    file = make_file(library, name.title, path=path, year=name.year or 0, **values)
    link_items(library.pk, [(file, name)])
    return file


def test_a_film_of_a_folder_library_is_not_there_twice(
    section: PlexSection, folder_library: Library
) -> None:
    file = add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    summary = sync(section)

    assert MediaFile.objects.get() == file
    file.refresh_from_db()
    assert (file.is_in_plex, file.play_count) == (True, 4)
    assert file.last_played_at is not None
    assert (file.availability, file.video_codec) == (Availability.PRESENT, "h264")
    assert PlexPart.objects.get().unmatched_reason == ""
    item = MediaItem.objects.get()
    assert item.plex_guid == PlexItem.objects.get().guid
    assert PlexItem.objects.get().item == item
    assert (summary["matched"], summary["unmatched"]) == (1, 0)


def test_a_path_outside_of_all_libraries_says_which_folder_to_add(
    section: PlexSection, folder_library: Library
) -> None:
    map_path("/data/films", b"/volume/cinema")
    sync(section)
    assert MediaFile.objects.get().availability_reason == (
        "/volume/cinema/Heat (1995) lies outside of every folder library;"
        " add it or its parent as one."
    )


def test_a_path_in_a_library_that_has_no_such_film_says_so(
    section: PlexSection, folder_library: Library
) -> None:
    map_path("/data/films", b"/films")
    sync(section)
    assert MediaFile.objects.get().availability_reason == (
        f"/films/{HEAT} is not there, as of the last scan of “Films”."
    )


def test_without_a_mapping_the_same_path_is_looked_for(plex: PlexStandIn) -> None:
    films = plex.world.add_section("Movies", location="/films")
    plex.world.add_movie(films, "Heat", 1995)
    file = add_scanned(make_library("Films", root="/films"), HEAT)
    sync(make_section(plex, films))
    assert PlexPart.objects.get().file == file


def test_paths_of_windows_are_mapped(plex: PlexStandIn, folder_library: Library) -> None:
    films = plex.world.add_section("Movies", location="D:\\Films")
    plex.world.add_movie(films, "Heat", 1995, file="D:\\Films\\Heat (1995)\\Heat (1995).mkv")
    plex.world.add_movie(films, "Ran", 1985, file="E:\\More\\Ran.mkv")
    file = add_scanned(folder_library, HEAT)
    map_path("D:\\Films", b"/films")
    sync(make_section(plex, films))

    assert PlexPart.objects.get(file=file).path.startswith("D:\\")
    other = MediaFile.objects.exclude(pk=file.pk).get()
    assert other.path == "E:/More/Ran.mkv"
    assert "no path mapping leads there" in other.availability_reason


def test_a_mapping_that_is_a_link_leads_to_the_library_behind_it(
    plex: PlexStandIn, films: Section, tmp_path: Path
) -> None:
    (tmp_path / "volume1").mkdir()
    (tmp_path / "films").symlink_to(tmp_path / "volume1")
    library = make_library("Films", root=str(tmp_path / "volume1"))
    file = add_scanned(library, HEAT)
    map_path("/data/films", bytes(tmp_path / "films"))
    sync(make_section(plex, films))
    assert PlexPart.objects.get().file == file


def test_a_scan_that_finds_the_film_later_takes_the_stand_ins_place(
    section: PlexSection, folder_library: Library
) -> None:
    map_path("/data/films", b"/films")
    sync(section)
    stand_in = MediaFile.objects.get()
    tag = Tag.objects.create(name="Keep")
    FileTag.objects.create(file=stand_in, tag=tag)
    file = add_scanned(folder_library, HEAT)
    folder_library.scan_generation += 1
    folder_library.save()
    tidy_links()

    assert MediaFile.objects.get() == file
    file.refresh_from_db()
    assert (file.is_in_plex, file.play_count) == (True, 4)
    assert [row.name for row in file.tags.all()] == ["Keep"]
    assert MediaItem.objects.get().plex_guid == PlexItem.objects.get().guid
    assert PlexPart.objects.get().unmatched_reason == ""
    section.refresh_from_db()
    assert section.library is not None
    assert section.library.file_count == 0


def test_another_mapping_links_without_a_sync(
    section: PlexSection, folder_library: Library
) -> None:
    file = add_scanned(folder_library, HEAT)
    sync(section)
    assert MediaFile.objects.count() == 2
    map_path("/data/films", b"/films")
    tidy_links()
    assert MediaFile.objects.get() == file


def test_another_mapping_gives_another_reason(
    section: PlexSection, folder_library: Library
) -> None:
    sync(section)
    map_path("/data/films", b"/films")
    tidy_links()
    assert "is not there" in MediaFile.objects.get().availability_reason
    assert "is not there" in PlexPart.objects.get().unmatched_reason


def test_looking_again_costs_nothing_while_nothing_changed(
    section: PlexSection, django_assert_max_num_queries: Any
) -> None:
    sync(section)
    section.refresh_from_db()
    with django_assert_max_num_queries(3):
        assert relink_section(section) == 0


def test_a_file_in_the_hands_of_a_job_is_only_told_its_plays(
    section: PlexSection, folder_library: Library
) -> None:
    file = add_scanned(folder_library, HEAT, state=FileState.PROCESSING)
    before = {name: getattr(file, name) for name in ("size_bytes", "title", "availability_since")}
    map_path("/data/films", b"/films")
    sync(section)

    file.refresh_from_db()
    assert file.play_count == 4
    assert file.state == FileState.PROCESSING
    assert {name: getattr(file, name) for name in before} == before


def test_a_folder_library_that_is_removed_leaves_what_plex_knows(
    section: PlexSection, folder_library: Library
) -> None:
    add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    sync(section)
    folder_library.delete()
    tidy_links()
    assert sync(section)["mode"] == "sweep"  # although the server says that nothing changed

    file = MediaFile.objects.get()
    assert file.library == section.library
    assert (file.video_codec, file.availability) == ("h264", Availability.UNREACHABLE)


def test_a_section_that_is_switched_off_is_taken_apart_and_comes_back(
    section: PlexSection, folder_library: Library, plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Ran", 1985)
    file = add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    sync(section)
    assert MediaFile.objects.count() == 2
    section.is_enabled = False
    section.save()
    tidy_links()

    file.refresh_from_db()
    assert MediaFile.objects.get() == file
    assert (file.is_in_plex, file.play_count, file.last_played_at) == (False, 0, None)
    assert not Library.objects.filter(kind=LibraryKind.PLEX).exists()

    section.refresh_from_db()
    section.is_enabled = True
    section.save()
    sync(section)
    file.refresh_from_db()
    assert (MediaFile.objects.count(), file.is_in_plex) == (2, True)


def test_a_server_that_is_removed_leaves_no_rows_behind(
    section: PlexSection, folder_library: Library, plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Ran", 1985)
    file = add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    sync(section)
    section.server.delete()
    tidy_links()

    assert MediaFile.objects.get() == file
    assert not MediaFile.objects.get().is_in_plex
    assert not Library.objects.filter(kind=LibraryKind.PLEX).exists()


def test_unlinking_one_section_keeps_the_plays_of_another(
    plex: PlexStandIn, section: PlexSection, folder_library: Library
) -> None:
    again = plex.world.add_section("Again", location="/data/films")
    plex.world.add_movie(again, "Heat", 1995, guid="local://1", plays=1)
    file = add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    sync(section)
    other = make_section(plex, again)
    section = other.server.sections.get(key="1")
    sync(section)
    sync(other)
    file.refresh_from_db()
    assert file.play_count == 5
    unlink_section(section)
    file.refresh_from_db()
    assert (file.is_in_plex, file.play_count) == (True, 1)


def test_a_film_that_two_sections_know_was_watched_once(
    plex: PlexStandIn, films: Section, folder_library: Library
) -> None:
    again = plex.world.add_section("Again", location="/data/films")
    plex.world.add_movie(again, "Heat", 1995, plays=3)  # the same guid: Plex counts it for both
    file = add_scanned(folder_library, HEAT)
    map_path("/data/films", b"/films")
    other = make_section(plex, again)
    sync(other)
    section = make_section(plex, films)
    sync(section)
    file.refresh_from_db()
    assert (file.play_count, PlexPart.objects.filter(file=file).count()) == (3, 2)
