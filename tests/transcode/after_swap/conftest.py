"""A film on disk, the same film in a stand-in Plex that scans that folder, and our rows of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.models import PathMapping, PlexItem, PlexPart, PlexSection, PlexServer, PlexSwap
from mediaflow.base.encryption import encrypt_secret
from tests.plex_stand_in.fixture import plex as plex
from tests.transcode.replace.conftest import make_world, probe_in_this_process
from transcode.after_swap import outbox, plex_before, plex_step
from transcode.after_swap.plex_calls import PlexCalls
from transcode.models import OutboxEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Item, Section
    from tests.transcode.replace.world import World

__all__ = ["make_world", "plex", "probe_in_this_process"]
LOCATION = "/data/films"


@dataclass
class Cinema:
    """One film, as it lies on the disk and as Plex has it."""

    world: World
    plex: PlexStandIn
    server: PlexServer
    section: Section
    film: Item

    def plex_path(self, path: bytes) -> str:
        relative = path.removeprefix(os.fsencode(self.world.root) + b"/")
        return f"{LOCATION}/{relative.decode()}"

    def item(self) -> Item:
        """The film in Plex now, whatever its key."""
        return self.plex.world.find("Film")

    def swap(self) -> PlexSwap:
        return PlexSwap.objects.get()

    def tell(self, rounds: int = 30) -> None:
        """Work on the outbox until nothing waits for Plex any more, without the waiting times."""
        for _ in range(rounds):
            outbox.work_on_due()
            self.plex.wait_until_calm()
            if not outbox.open_entries().exists():
                return
            OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
        raise AssertionError(list(OutboxEntry.objects.filter(done_at=None).values()))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plex_before, "POLL_S", 0.05)
    monkeypatch.setattr(plex_before, "AWAY_PATIENCE_S", 0.5)
    monkeypatch.setattr(PlexCalls, "_sleep", lambda _calls, _seconds: None)
    monkeypatch.setattr(plex_step, "POLL_S", 0.0)
    monkeypatch.setattr(plex_step, "SCAN_BEGINS", timedelta(0))


@pytest.fixture
def make_cinema(make_world: Callable[..., World], plex: PlexStandIn) -> Callable[..., Cinema]:
    """`make_cinema(name=…, extension=…)`, and values of the film in Plex in `film={…}`."""

    def make(*, film: dict[str, Any] | None = None, **values: Any) -> Cinema:
        world = make_world(**values)
        section = plex.world.add_section("Films", location=LOCATION, folder=world.root)
        server = make_server(plex)
        relative = world.film.removeprefix(os.fsencode(world.root) + b"/").decode()
        status = os.stat(world.film)
        item = plex.world.add_movie(
            section, "Film", 2001, file=f"{LOCATION}/{relative}", size=status.st_size,
            mtime=int(status.st_mtime), added_at=1_600_000_000, **(film or {}),
        )  # fmt: skip
        PathMapping.objects.create(
            plex_server=server, source=LOCATION, local=str(world.root),
            local_raw=os.fsencode(world.root),
        )  # fmt: skip
        note_in_rows(server, section, item, world)
        return Cinema(world, plex, server, section, item)

    return make


def make_server(plex: PlexStandIn, **values: Any) -> PlexServer:
    return PlexServer.objects.create(
        machine_id=plex.world.machine_id,
        name="Home",
        url=plex.url,
        token_encrypted=encrypt_secret(plex.token),
        is_on_this_machine=True,
        **values,
    )


def note_in_rows(server: PlexServer, section: Section, item: Item, world: World) -> PlexItem:
    """What a sync would have written."""
    row, _made = PlexSection.objects.get_or_create(
        server=server, key=section.key, title=section.title, type=section.type,
        locations=list(section.locations), is_enabled=True,
    )  # fmt: skip
    plex_item = PlexItem.objects.create(
        section=row, rating_key=item.rating_key, guid=item.guid, type=item.type,
        title=item.title, labels=item.tags("Label"), collections=item.tags("Collection"),
        genres=item.tags("Genre"),
    )  # fmt: skip
    for part in item.parts:
        PlexPart.objects.create(
            plex_item=plex_item, media_id="1", part_id=str(part["id"]), path=part["file"],
            path_digest=hashlib.sha256(part["file"].encode()).hexdigest(), file=world.file,
            size_bytes=part["size"],
        )  # fmt: skip
    return plex_item
