"""Removing a server: in the background, in steps that may be repeated, nothing of others lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from library.models import (
    FileState,
    Library,
    LibraryKind,
    MediaFile,
    PlexItem,
    PlexPart,
    PlexServer,
)
from library.plex.removal import REMOVE_KIND, start_removal
from library.plex.sync_operation import start_sync
from library.services import LibraryProblem
from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.operations import (
    OperationContext,
    claim_operation,
    run_claimed,
    run_operation_here,
)
from tests.library.file_rows import make_file, make_library
from tests.library.plex.rows import make_section, map_path, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from django.test import Client

    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def heat(plex: PlexStandIn) -> MediaFile:
    """Of a folder, and in Plex."""
    library = make_library("Films", root="/films")
    map_path("/data/films", b"/films")
    return make_file(library, "Heat")


@pytest.fixture
def section(plex: PlexStandIn, heat: MediaFile) -> PlexSection:
    films = plex.world.add_section("Movies", location="/data/films")
    plex.world.add_movie(films, "Heat", file=f"/data/films/{heat.path}", plays=4)
    for number in range(5):
        plex.world.add_movie(films, f"Film {number}")
    row = make_section(plex, films)
    sync(row)
    heat.refresh_from_db()
    assert heat.is_in_plex
    return row


def test_the_page_only_asks_for_it(section: PlexSection, as_admin: Client) -> None:
    client, server = as_admin, section.server
    client.post(reverse("library:plex_server_remove", args=[server.pk]))
    server.refresh_from_db()
    assert (server.is_enabled, PlexItem.objects.count()) == (False, 6)
    assert "Being removed" in client.get(reverse("library:plex")).content.decode()
    operation = run_operation_here(Operation.objects.get(kind=REMOVE_KIND))
    assert (operation.status, operation.result) == ("completed", {"items": 6})
    assert "Being removed" not in client.get(reverse("library:plex")).content.decode()
    assert AuditEvent.objects.filter(action="plex.server_remove").count() == 1


def test_what_only_it_knew_goes_and_the_rest_stays(section: PlexSection, heat: MediaFile) -> None:
    run_operation_here(start_removal(section.server))
    assert not PlexServer.objects.exists()
    assert not PlexItem.objects.exists()
    assert not PlexPart.objects.exists()
    assert not Library.objects.filter(kind=LibraryKind.PLEX).exists()
    assert MediaFile.objects.get() == heat
    heat.refresh_from_db()
    assert (heat.is_in_plex, heat.play_count) == (False, 0)


def test_stopped_on_the_way_it_goes_on(
    section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.removal._CHUNK", 2)
    operation = start_removal(section.server)
    claimed = claim_operation("test:1", operation.pk)
    assert claimed is not None

    def stop(_row: Any) -> None:
        context.should_hand_back = True

    context = OperationContext(claimed, on_progress=stop)
    run_claimed(claimed, context)
    operation.refresh_from_db()
    assert (operation.status, PlexItem.objects.count()) == ("queued", 4)
    assert PlexServer.objects.exists()
    assert run_operation_here(operation).status == "completed"
    assert not PlexServer.objects.exists()


def test_a_sync_of_it_is_stopped_first(section: PlexSection) -> None:
    waiting = start_sync(section=section)
    assert run_operation_here(start_removal(section.server)).status == "completed"
    waiting.refresh_from_db()
    assert waiting.status == "cancelled"


def test_a_sync_that_does_not_stop_keeps_the_server(
    section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.removal.SYNC_ENDS_S", 0.0)
    running = start_sync(section=section)
    assert claim_operation("another:1", running.pk)
    operation = run_operation_here(start_removal(section.server))
    assert (operation.status, "does not stop" in operation.message) == ("failed", True)
    running.refresh_from_db()
    assert running.cancel_requested_at is not None
    assert PlexItem.objects.count() == 6


def test_a_film_of_it_in_the_queue_is_not_taken_away(section: PlexSection) -> None:
    operation = start_removal(section.server)
    MediaFile.objects.filter(library__kind=LibraryKind.PLEX).update(state=FileState.QUEUED)
    assert "in the queue" in run_operation_here(operation).message
    assert PlexItem.objects.count() == 6
    with pytest.raises(LibraryProblem, match="in the queue"):
        start_removal(section.server)
