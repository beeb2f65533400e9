"""What tests of Plex share: a server and a section that the stand-in knows, and one sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from library.models import PathMapping, PlexSection, PlexServer
from library.plex.client import client_for
from library.plex.sections import refresh_sections
from library.plex.sync import sync_section
from mediaflow.base.encryption import encrypt_secret

if TYPE_CHECKING:
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Section


def make_server(plex: PlexStandIn, **columns: Any) -> PlexServer:
    """A row for the stand-in's server, signed in, with all its sections (not enabled)."""
    server = PlexServer.objects.create(
        machine_id=plex.world.machine_id,
        name=plex.world.name,
        token_encrypted=encrypt_secret(plex.token),
        url=plex.url,
        is_on_this_machine=True,
        **columns,
    )
    with client_for(server) as client:
        refresh_sections(server, client)
    return server


def make_section(plex: PlexStandIn, section: Section) -> PlexSection:
    """The row of one of its sections, enabled."""
    server = PlexServer.objects.filter(machine_id=plex.world.machine_id).first()
    if server is None or not server.sections.filter(key=section.key).exists():
        if server is not None:
            server.delete()
        server = make_server(plex)
    row = PlexSection.objects.select_related("server").get(server=server, key=section.key)
    row.is_enabled = True
    row.save()
    return row


def sync(section: PlexSection, **how: Any) -> dict[str, Any]:
    """One sync of a section; returns its summary, the row is as the database has it."""
    section.refresh_from_db()
    with client_for(section.server, sleep=lambda _seconds: None) as client:
        try:
            return sync_section(
                section,
                client,
                report=lambda *_args, **_kwargs: None,
                checkpoint=how.pop("checkpoint", lambda: None),
                **how,
            )
        finally:
            section.refresh_from_db()


def map_path(source: str, local: bytes, server: PlexServer | None = None) -> PathMapping:
    return PathMapping.objects.create(
        plex_server=server, source=source, local=local.decode("utf-8", "replace"), local_raw=local
    )
