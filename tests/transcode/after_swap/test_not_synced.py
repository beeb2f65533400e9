"""Films in sections that are not synced keep what Plex knows of them, or the record says so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from django.utils import timezone

from library.models import PlexItem, PlexSection, PlexSwap
from tests.transcode.after_swap.test_plex import EDITED, LABELS, NEW_NAME
from transcode.after_swap import plex_before, plex_note, plex_search
from transcode.models import JobStatus
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]


def is_not_synced(cinema: Cinema, *, has_row: bool = True) -> None:
    """As somebody left it who switched the section off, or never saw it here."""
    PlexItem.objects.all().delete()
    if has_row:
        PlexSection.objects.update(is_enabled=False)
    else:
        PlexSection.objects.all().delete()


@pytest.mark.parametrize("has_row", [True, False])
@pytest.mark.parametrize("title", ["Film", "Otherwise called"])
def test_a_new_extension_keeps_the_item_of_a_section_that_is_not_synced(
    make_cinema: Callable[..., Cinema], has_row: bool, title: str
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    cinema.film.own()["title"] = title
    is_not_synced(cinema, has_row=has_row)
    folder = os.path.dirname(os.fsdecode(cinema.world.film))
    seen: list[set[str]] = []
    cinema.plex.before("/refresh", lambda: seen.append(set(os.listdir(folder))))
    assert cinema.world.run() == JobStatus.COMPLETED
    assert {"film.avi", "film.mkv"} <= seen[0]  # both, until Plex had the new one
    swap = cinema.swap()
    assert (swap.step, swap.rating_key_before) == ("seen", cinema.film.rating_key)
    assert set(swap.before["labels"]) == set(LABELS)
    cinema.tell()
    [item] = cinema.plex.world.sections[cinema.section.key].of_type("movie")
    assert item.rating_key == cinema.film.rating_key
    assert item.files == [cinema.plex_path(cinema.world.final)]
    assert set(item.tags("Label")) == set(LABELS)
    assert (cinema.swap().step, cinema.swap().lost) == ("done", [])


def test_an_item_that_plex_made_anew_gets_its_things_back(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    is_not_synced(cinema)
    cinema.world.run()
    fresh = cinema.plex.world.renumber(cinema.film)
    for key in ("Label", "Collection", "Field"):
        fresh.own().pop(key, None)
    cinema.tell()
    assert cinema.item().rating_key == fresh.rating_key
    assert set(cinema.item().tags("Label")) == set(LABELS)
    assert cinema.item().tags("Collection") == EDITED["collections"]
    assert "The label Kept" in cinema.swap().reapplied
    assert not PlexItem.objects.exists()  # what is not synced stays so


def test_an_undo_finds_the_item_again(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    is_not_synced(cinema)
    cinema.world.run()
    cinema.tell()
    cinema.item().own()["Label"].append(cinema.plex.world.tag("Label", "Added after"))
    cinema.plex.requests.clear()
    assert undo_job(cinema.world.job.pk, actor=None).ok
    assert cinema.plex.calls("/all") == []  # its key is known: nothing is listed
    assert "Added after" in cinema.swap().before["labels"]
    cinema.tell()
    assert {"Added after", *LABELS} <= set(cinema.item().tags("Label"))
    assert cinema.item().files[-1] == cinema.plex_path(cinema.world.film)


def test_a_film_that_came_since_the_last_sync_keeps_its_labels_too(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    PlexItem.objects.all().delete()
    cinema.world.run()
    assert set(cinema.swap().before["labels"]) == set(LABELS)


def test_of_a_synced_section_only_what_came_since_is_listed(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.film.own()["title"] = "Otherwise called"
    now = timezone.now()
    cinema.film.added_at = int(now.timestamp())
    PlexItem.objects.all().delete()
    PlexSection.objects.update(synced_at=now)
    cinema.world.run()
    assert cinema.swap().rating_key_before == cinema.film.rating_key
    listed = [dict(seen.params) for seen in cinema.plex.calls("/all")]
    assert all("title" in params or "addedAt>>" in params for params in listed)


def test_an_item_that_was_made_anew_since_the_last_sync_is_found_under_its_new_key(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    fresh = cinema.plex.world.renumber(cinema.film)
    fresh.own()["Label"] = [cinema.plex.world.tag("Label", "Of now")]
    cinema.world.run()
    swap = cinema.swap()
    assert (swap.rating_key_before, swap.before["labels"]) == (fresh.rating_key, ["Of now"])
    cinema.tell()
    assert cinema.item().tags("Label") == ["Of now"]


def test_a_film_in_two_sections_keeps_its_things_in_both(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    other = cinema.plex.world.add_section(
        "Not synced", location=cinema.section.locations[0], folder=cinema.world.root
    )
    size = os.stat(cinema.world.film).st_size
    twin = cinema.plex.world.add_movie(
        other, "Film", 2001, file=cinema.plex_path(cinema.world.film), labels=["Twin's"], size=size
    )
    cinema.world.run()
    steps = dict(PlexSwap.objects.values_list("rating_key_before", "step"))
    assert steps == {cinema.film.rating_key: "seen", twin.rating_key: "seen"}
    cinema.tell()
    assert [item.rating_key for item in other.of_type("movie")] == [twin.rating_key]
    assert twin.tags("Label") == ["Twin's"]


def test_an_episode_is_found_by_its_show_without_reading_the_whole_section(
    make_cinema: Callable[..., Cinema],
) -> None:
    name = b"Lost/Season 01/Lost - S01E01-E02.avi"
    cinema = make_cinema(name=name, extension=".mkv")
    is_not_synced(cinema)
    world = cinema.plex.world
    shows = world.add_section(
        "Series", kind="show", location="/data/films/Lost", folder=cinema.world.root / "Lost"
    )
    path = cinema.plex_path(cinema.world.film)
    twins = [world.add_episode(shows, "Lost", 1, n, file=path, labels=["Mine"]) for n in (1, 2)]
    world.add_episode(shows, "Lost", 1, 3)
    del world.sections[cinema.section.key]
    cinema.world.run()
    noted = PlexSwap.objects.exclude(rating_key_before="")
    assert {swap.rating_key_before for swap in noted} == {twin.rating_key for twin in twins}
    assert all(swap.before["labels"] == ["Mine"] for swap in noted)
    listed = [seen.param("type") for seen in cinema.plex.calls(f"/sections/{shows.key}/all")]
    assert "4" not in listed


def test_a_section_that_does_not_have_the_film_loses_nothing(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    is_not_synced(cinema)
    cinema.section.items.clear()
    cinema.world.run()
    swap = cinema.swap()
    assert (swap.rating_key_before, swap.lost) == ("", [])
    cinema.tell()
    assert cinema.plex.scans == [(cinema.section.key, "/data/films/Film (2001)")]


@pytest.mark.parametrize("has_answer", [True, False])
def test_what_could_not_be_looked_up_in_time_is_on_the_record_of_the_job(
    make_cinema: Callable[..., Cinema],
    as_operator: Client,
    monkeypatch: pytest.MonkeyPatch,
    has_answer: bool,
) -> None:
    """Both names are there until Plex has looked all the same, so that it keeps them if it can."""
    monkeypatch.setattr(plex_before, "SCAN_BEGINS_S", 0.1)
    monkeypatch.setattr(plex_note, "NOTE_BUDGET_S", 1.0)
    monkeypatch.setattr(plex_search, "KEPT_FOR_READING_S", 0.1)
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    is_not_synced(cinema)
    cinema.plex.fail("/all" if has_answer else "GET /library/sections?", drip_s=0.5)
    folder = os.path.dirname(os.fsdecode(cinema.world.film))
    seen: list[set[str]] = []
    cinema.plex.before("/refresh", lambda: seen.append(set(os.listdir(folder))))
    assert cinema.world.run() == JobStatus.COMPLETED
    assert {"film.avi", "film.mkv"} <= seen[0]
    cinema.tell()
    [words] = cinema.swap().lost
    assert words.startswith("Perhaps its labels, collections and plays in Films: it is not synced")
    page = as_operator.get(reverse("transcode:job_detail", args=[cinema.world.job.pk]))
    assert "Perhaps its labels, collections and plays in Films" in page.text
    assert cinema.item().rating_key == cinema.film.rating_key
    assert set(cinema.item().tags("Label")) == set(LABELS)


def test_a_server_of_somebody_else_is_not_searched(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    is_not_synced(cinema)
    type(cinema.server).objects.update(is_owned=False)
    cinema.world.run()
    assert cinema.plex.requests == []
    assert not PlexSwap.objects.exists()
