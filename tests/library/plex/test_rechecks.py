"""Re-check for what only Plex knows: in the list, on the disk, or still away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from library.models import FileTag, Library, LibraryKind, MediaFile, PlexPart, Tag
from library.plex.sync_operation import start_sync
from library.scanning.rechecks import RECHECK_KIND
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.library.file_rows import make_file, make_library
from tests.library.plex.rows import make_section, map_path, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db
TITLES = ("Alien", "Big", "Heat")


@pytest.fixture
def section(plex: PlexStandIn) -> PlexSection:
    """Synced, and nothing of it is here."""
    films = plex.world.add_section("Movies", location="/data/films")
    for title in TITLES:
        plex.world.add_movie(films, title, 1990, file=f"/data/films/{title}.mkv")
    found = make_section(plex, films)
    sync(found)
    return found


@pytest.fixture
def films(tmp_path: Path) -> Library:
    """A folder library; the films of Plex are there by a new mapping."""
    map_path("/data/films", bytes(tmp_path))
    return make_library("Films", root=str(tmp_path))


def recheck(client: Client) -> Operation:
    """Tick all that are on the page."""
    page = client.get(f"{reverse('library:inaccessible_list')}?reason=plex")
    ids = [file.pk for file in page.context["page"]]
    assert page.text.count(">Re-check</button>") == len(ids)
    client.post(reverse("library:inaccessible_recheck"), {"ids": ids})
    return run_operation_here(Operation.objects.get(kind=RECHECK_KIND))


def test_a_film_that_a_new_mapping_leads_to_is_found_at_once(
    section: PlexSection, films: Library, as_operator: Client
) -> None:
    heat = make_file(films, "Heat", path="Heat.mkv")
    stand_in = PlexPart.objects.get(path="/data/films/Heat.mkv").file
    assert stand_in is not None
    FileTag.objects.create(file=stand_in, tag=Tag.objects.create(name="Keep"))

    done = recheck(as_operator)

    assert done.message == "1 of 3 can be read now."
    assert PlexPart.objects.get(path="/data/films/Heat.mkv").file == heat
    assert FileTag.objects.get().file == heat
    assert not MediaFile.objects.filter(pk=stand_in.pk).exists()
    library = Library.objects.get(kind=LibraryKind.PLEX)
    assert library.file_count == 2
    # The others say what is known of them by now.
    reasons = set(MediaFile.objects.filter(library=library).values_list("availability_reason"))
    assert all("is not there, as of the last scan of “Films”" in why for (why,) in reasons)


def test_a_film_on_the_disk_that_no_scan_has_seen_is_scanned_for(
    section: PlexSection, films: Library, tmp_path: Path, as_operator: Client
) -> None:
    for title in TITLES[:2]:
        (tmp_path / f"{title}.mkv").write_bytes(b"film")

    done = recheck(as_operator)

    assert done.message == (
        "0 of 3 can be read now. 2 more are on the disk; Films is scanned for that."
    )
    assert Operation.objects.get(kind="scan").args["library"] == films.pk


def test_a_film_of_another_machine_stays_and_no_disk_is_asked(
    section: PlexSection, as_operator: Client
) -> None:
    done = recheck(as_operator)

    assert done.message == "0 of 3 can be read now."
    assert not Operation.objects.filter(kind="scan").exists()
    assert MediaFile.objects.filter(library=section.library).count() == 3


def test_a_library_that_is_being_synced_is_left_to_its_sync(
    section: PlexSection, films: Library, as_operator: Client
) -> None:
    make_file(films, "Heat", path="Heat.mkv")
    start_sync(section=section)
    done = recheck(as_operator)

    assert done.message == (
        "0 of 3 can be read now. Movies is being synced, which looks at all of its files."
    )
