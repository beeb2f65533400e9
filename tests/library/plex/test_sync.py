"""A sync against the stand-in: what arrives, what follows from it, what changes later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.models import (
    Availability,
    ItemFile,
    MediaFile,
    MediaItem,
    MediaProbe,
    PlexItem,
    PlexPart,
    PlexServer,
)
from library.plex.sync_operation import due_sections, start_sync
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.library.plex.rows import make_section, sync
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.trees import audio_stream, subtitle_stream, video_stream

if TYPE_CHECKING:
    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Section

pytestmark = pytest.mark.django_db


@pytest.fixture
def films(plex: PlexStandIn) -> Section:
    return plex.world.add_section("Movies", location="/data/films")


@pytest.fixture
def shows(plex: PlexStandIn) -> Section:
    return plex.world.add_section("Series", kind="show", location="/data/series")


def test_a_film_arrives_with_all_that_plex_knows(plex: PlexStandIn, films: Section) -> None:
    plex.world.add_movie(
        films, "Heat", 1995, genres=["Crime", "Drama", "Action"], labels=["Kept"],
        collections=["Best", "Old", "Loud"], plays=3, contentRating="R", titleSort="Heat, The",
        streams=[video_stream("hevc", hdr="dv8", width=3840, height=1600),
                 audio_stream("truehd", channels=8, title="TrueHD Atmos 7.1"),
                 subtitle_stream("pgs", languageCode="deu", index=2)],
    )  # fmt: skip

    summary = sync(make_section(plex, films))

    item = PlexItem.objects.get()
    assert (item.title, item.year, item.content_rating) == ("Heat", 1995, "R")
    assert item.genres == ["Crime", "Drama", "Action"]
    assert item.labels == ["Kept"]
    assert item.collections == ["Best", "Old", "Loud"]
    assert (item.view_count, item.sort_title) == (3, "Heat, The")
    assert item.external_ids
    file = MediaFile.objects.get()
    assert (file.video_codec, file.resolution, file.hdr) == ("hevc", 2160, "dolby_vision")
    assert (file.dolby_vision_profile, file.audio_label) == ("8.1", "Atmos")
    assert file.subtitle_languages == ",deu,"
    assert (file.title, file.year, file.play_count) == ("Heat", 1995, 3)
    assert file.is_in_plex
    assert file.last_played_at is not None
    assert MediaProbe.objects.get().detail["video"][0]["codec"] == "hevc"
    assert (summary["added"], summary["items"], summary["mode"]) == (1, 1, "sweep")


def test_a_file_that_only_plex_knows_is_unreachable_with_the_reason(
    plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Heat", 1995)
    section = make_section(plex, films)
    sync(section)

    file = MediaFile.objects.get()
    assert file.availability == Availability.UNREACHABLE
    assert file.availability_reason == (
        "Plex has it at /data/films/Heat (1995)/Heat (1995).mkv; no path mapping leads there."
    )
    assert file.path == "Heat (1995)/Heat (1995).mkv"
    assert section.library is not None
    assert not section.library.is_replace_allowed
    assert not section.library.is_watched
    assert (section.library.file_count, section.item_count) == (1, 1)
    item = MediaItem.objects.get()
    assert (item.title, item.year, item.plex_guid) == ("Heat", 1995, PlexItem.objects.get().guid)
    assert PlexItem.objects.get().item == item


def test_versions_stacked_parts_and_optimised_versions(plex: PlexStandIn, films: Section) -> None:
    world = plex.world
    world.add_movie(films, "Heat", media=[world.media("/data/films/4k.mkv"),
                                          world.media("/data/films/hd.mkv")])  # fmt: skip
    world.add_movie(films, "Ran", media=[world.media(["/data/films/cd1.avi",
                                                      "/data/films/cd2.avi"])])  # fmt: skip
    world.add_movie(
        films, "Big", media=[world.media("/data/films/big.mkv"),
                             world.media("/data/films/Plex Versions/Mobile/big.mp4"),
                             world.media("/data/films/tv.mp4", proxyType=42)],
    )  # fmt: skip

    sync(make_section(plex, films))

    parts = PlexPart.objects.order_by("path").values_list("path", "part_index")
    assert list(parts) == [
        ("/data/films/4k.mkv", 0),
        ("/data/films/big.mkv", 0),
        ("/data/films/cd1.avi", 1),
        ("/data/films/cd2.avi", 2),
        ("/data/films/hd.mkv", 0),
    ]
    assert MediaFile.objects.count() == 5
    assert MediaItem.objects.count() == 3
    assert sorted(ItemFile.objects.values_list("part_index", flat=True)) == [0, 0, 0, 1, 2]


def test_a_file_of_two_episodes_is_one_file_of_two_items(plex: PlexStandIn, shows: Section) -> None:
    for number in (1, 2):
        item = plex.world.add_episode(shows, "Lost", 1, number, file="/data/series/l12.mkv")
        plex.world.play(item, times=number)
    plex.world.add_episode(shows, "Lost", 1, 3)

    sync(make_section(plex, shows))

    double = MediaFile.objects.get(path="l12.mkv")
    assert MediaFile.objects.count() == 2
    numbers = MediaItem.objects.filter(item_files__file=double).values_list("season", "episode")
    assert sorted(numbers) == [(1, 1), (1, 2)]
    assert double.play_count == 3
    assert {row.item.episode for row in PlexItem.objects.select_related("item") if row.item} == {
        1, 2, 3,
    }  # fmt: skip


def test_the_second_episode_of_a_known_file_leaves_the_first_in_place(
    plex: PlexStandIn, shows: Section
) -> None:
    plex.world.add_episode(shows, "Lost", 1, 1, file="/data/series/l12.mkv")
    section = make_section(plex, shows)
    sync(section)
    plex.world.add_episode(shows, "Lost", 1, 2, file="/data/series/l12.mkv")
    sync(section)

    numbers = MediaItem.objects.filter(item_files__file__path="l12.mkv")
    assert set(numbers.values_list("episode", flat=True)) == {1, 2}


def test_an_item_that_plex_has_not_analysed_is_listed_without_codecs(
    plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Heat", analyzed=False)
    sync(make_section(plex, films))

    assert not PlexItem.objects.get().is_analyzed
    file = MediaFile.objects.get()
    assert (file.video_codec, file.container, file.size_bytes) == ("", "mkv", 8_000_000_000)


def test_nothing_changed_costs_three_requests(plex: PlexStandIn, films: Section) -> None:
    for number in range(30):
        plex.world.add_movie(films, f"Film {number}")
    section = make_section(plex, films)
    sync(section)
    before = plex.request_count
    summary = sync(section)

    assert summary["mode"] == "unchanged"
    assert plex.request_count - before <= 3


def test_plays_arrive_although_the_section_did_not_change(
    plex: PlexStandIn, films: Section
) -> None:
    heat = plex.world.add_movie(films, "Heat")
    section = make_section(plex, films)
    sync(section)
    plex.world.play(heat, times=2)
    summary = sync(section)

    assert (summary["mode"], summary["plays"]) == ("unchanged", 1)
    assert MediaFile.objects.get().play_count == 2


def test_only_what_changed_is_read_in_detail(plex: PlexStandIn, films: Section) -> None:
    for number in range(30):
        plex.world.add_movie(films, f"Film {number}")
    section = make_section(plex, films)
    sync(section)
    plex.world.touch(plex.world.find("Film 7"), title="Film seven")
    plex.requests.clear()
    summary = sync(section)

    details = plex.calls("/library/metadata/")
    assert [seen.path.count(",") for seen in details] == [0]
    assert (summary["changed"], summary["added"], summary["missing"]) == (1, 0, 0)
    assert PlexItem.objects.filter(title="Film seven").count() == 1
    assert MediaFile.objects.filter(title="Film seven").count() == 1


def test_a_full_sync_reads_all_details_again(plex: PlexStandIn, films: Section) -> None:
    for number in range(3):
        plex.world.add_movie(films, f"Film {number}")
    section = make_section(plex, films)
    sync(section)
    summary = sync(section, is_full=True)
    assert (summary["mode"], summary["changed"]) == ("sweep", 3)


def test_a_film_that_is_gone_is_missing_and_comes_back(plex: PlexStandIn, films: Section) -> None:
    for number in range(20):
        plex.world.add_movie(films, f"Film {number}")
    heat = plex.world.add_movie(films, "Heat", plays=2)
    section = make_section(plex, films)
    sync(section)
    plex.world.remove(heat)
    summary = sync(section)

    gone = PlexItem.objects.get(title="Heat")
    assert summary["missing"] == 1
    assert gone.missing_since is not None
    file = MediaFile.objects.get(title="Heat")
    assert (file.availability, file.is_in_plex) == (Availability.MISSING, False)

    films.items[heat.rating_key] = heat
    films.change()
    sync(section)
    file.refresh_from_db()
    assert PlexItem.objects.filter(title="Heat", missing_since=None).exists()
    assert (file.availability, file.is_in_plex) == (Availability.UNREACHABLE, True)
    assert file.play_count == 2


def test_a_film_made_anew_by_plex_goes_on_in_its_row(plex: PlexStandIn, films: Section) -> None:
    heat = plex.world.add_movie(films, "Heat", plays=2)
    section = make_section(plex, films)
    sync(section)
    before = PlexItem.objects.get()
    plex.world.renumber(heat)
    summary = sync(section)

    after = PlexItem.objects.get()
    assert after.pk == before.pk
    assert after.rating_key != before.rating_key
    assert (summary["followed"], summary["missing"], summary["added"]) == (1, 0, 0)
    assert MediaFile.objects.count() == 1
    assert PlexPart.objects.count() == 1


def test_a_second_copy_with_the_same_guid_is_another_item(
    plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Heat", 1995)
    section = make_section(plex, films)
    sync(section)
    plex.world.add_movie(
        films, "Heat", 1995, editionTitle="Director's Cut", file="/data/films/d.mkv"
    )
    sync(section)

    assert PlexItem.objects.count() == 2
    assert MediaItem.objects.count() == 1
    assert sorted(ItemFile.objects.values_list("edition", flat=True)) == ["", "Director's Cut"]


def test_a_replaced_part_takes_the_old_file_off(plex: PlexStandIn, films: Section) -> None:
    heat = plex.world.add_movie(films, "Heat", file="/data/films/heat.mkv")
    section = make_section(plex, films)
    sync(section)
    plex.world.touch(heat, Media=[plex.world.media("/data/films/heat.mp4")])
    sync(section)

    assert [file.path for file in MediaFile.objects.all()] == ["heat.mp4"]
    assert [part.path for part in PlexPart.objects.all()] == ["/data/films/heat.mp4"]


def synced_large_section(
    plex: PlexStandIn, films: Section, monkeypatch: pytest.MonkeyPatch
) -> PlexSection:
    """20 films, which are too many to list whole, and none is new."""
    monkeypatch.setattr("library.plex.sync.LISTED_WHOLE", 10)
    for number in range(20):
        plex.world.add_movie(films, f"Film {number}")
    section = make_section(plex, films)
    sync(section)
    return section


def test_a_large_section_is_asked_for_changes_only(
    plex: PlexStandIn, films: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = synced_large_section(plex, films, monkeypatch)
    plex.world.add_movie(films, "Brand new", added_at=int(timezone.now().timestamp()))
    plex.world.touch(plex.world.find("Film 7"), title="Film seven")
    plex.requests.clear()
    summary = sync(section)

    assert summary["mode"] == "changes"
    assert (summary["added"], summary["changed"]) == (1, 1)
    assert PlexItem.objects.filter(title__in=("Brand new", "Film seven")).count() == 2
    assert PlexItem.objects.filter(missing_since=None).count() == 21


def test_changes_are_not_asked_for_where_the_server_ignores_the_filter(
    plex: PlexStandIn, films: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    plex.world.knows_updated_at = False
    section = synced_large_section(plex, films, monkeypatch)
    plex.world.touch(plex.world.find("Film 7"), title="Film seven")
    assert sync(section)["mode"] == "sweep"
    section.server.refresh_from_db()
    assert section.server.can_list_changes is False


def test_a_day_after_the_last_sweep_everything_is_listed_again(
    plex: PlexStandIn, films: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = synced_large_section(plex, films, monkeypatch)
    plex.world.remove(plex.world.find("Film 7"))
    assert sync(section)["mode"] == "changes"
    assert PlexItem.objects.filter(missing_since=None).count() == 20
    section.swept_at = timezone.now() - timedelta(days=2)
    section.save()
    assert sync(section)["missing"] == 1


def test_a_section_that_says_it_is_unchanged_is_swept_daily(
    plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Heat")
    section = make_section(plex, films)
    sync(section)
    section.swept_at = timezone.now() - timedelta(hours=25)
    section.save()
    assert sync(section)["mode"] == "sweep"
    assert sync(section)["mode"] == "unchanged"


def test_a_server_without_stamps_is_never_unchanged(plex: PlexStandIn, films: Section) -> None:
    plex.world.add_movie(films, "Heat")
    films.content_changed_at = films.scanned_at = 0
    section = make_section(plex, films)
    sync(section)
    plex.world.add_movie(films, "Ran")
    films.content_changed_at = films.scanned_at = 0
    assert (sync(section)["mode"], PlexItem.objects.count()) == ("sweep", 2)


@pytest.mark.parametrize("refused", ["lastViewedAt", "updatedAt"])
def test_a_server_that_refuses_a_filter_is_swept(
    plex: PlexStandIn, films: Section, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    monkeypatch.setattr("library.plex.sync.LISTED_WHOLE", 3)
    for number in range(5):
        plex.world.add_movie(films, f"Film {number}")
    section = make_section(plex, films)
    sync(section)
    plex.fail(refused, status=400, times=0)
    assert sync(section)["mode"] == "unchanged"
    plex.world.add_movie(films, "Ran")
    assert (sync(section)["mode"], PlexItem.objects.count()) == ("sweep", 6)
    assert PlexServer.objects.get().can_list_changes is False


def test_two_disks_of_a_section_may_hold_the_same_path(plex: PlexStandIn, films: Section) -> None:
    films.locations[:] = ["/disk1", "/disk2"]
    for disk in films.locations:
        plex.world.add_movie(films, f"Film of {disk}", file=f"{disk}/F/F.mkv")
    sync(make_section(plex, films))
    assert sorted(row.path for row in MediaFile.objects.all()) == ["disk1/F/F.mkv", "disk2/F/F.mkv"]


def test_a_renamed_section_is_renamed_here(plex: PlexStandIn, films: Section) -> None:
    section = make_section(plex, films)
    films.title, films.locations = "Cinema", ["/data/films", "/more"]
    sync(section)
    assert (section.title, section.locations) == ("Cinema", ["/data/films", "/more"])


def test_what_a_sync_brought_is_analysed_where_the_server_says_so(
    plex: PlexStandIn, films: Section
) -> None:
    plex.world.add_movie(films, "Heat")
    section = make_section(plex, films)
    run_operation_here(start_sync(section=section))
    waiting = Operation.objects.get(kind="analyze")
    section.refresh_from_db()
    assert waiting.args == {"library": section.library_id, "trigger": "sync"}
    run_operation_here(waiting)
    run_operation_here(start_sync(section=section))
    assert Operation.objects.filter(kind="analyze").count() == 1


def test_sections_are_synced_by_the_clock(plex: PlexStandIn, films: Section) -> None:
    section = make_section(plex, films)
    now = timezone.now()
    assert due_sections(now) == [section]
    run_operation_here(start_sync(section=section))
    assert due_sections(now + timedelta(minutes=59)) == []
    assert due_sections(now + timedelta(minutes=61)) == [section]
    for column, value in (("is_token_dead", True), ("is_enabled", False), ("sync_interval_s", 0)):
        server = PlexServer.objects.get()
        before = getattr(server, column)
        setattr(server, column, value)
        server.save()
        assert due_sections(now + timedelta(minutes=61)) == []
        setattr(server, column, before)
        server.save()
    section.is_enabled = False
    section.save()
    assert due_sections(now + timedelta(minutes=61)) == []
