"""What people choose about servers and their libraries; each choice is in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from library.models import Library, PlexSection
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from library.models import PlexServer
    from mediaflow.accounts.models import User


def set_section_enabled(
    section: PlexSection, *, is_enabled: bool, actor: User | None = None
) -> None:
    """Whether it is synced. Its films stay listed when it is switched off."""
    section.is_enabled = is_enabled
    section.save(update_fields=["is_enabled"])
    action = "plex.section_enable" if is_enabled else "plex.section_disable"
    record_audit(action, actor=actor, subject=section.title, detail=section.server.name)


def remove_server(server: PlexServer, *, actor: User | None = None) -> None:
    """Forget a server, its libraries and the films that only it knew. Nothing at Plex changes."""
    with transaction.atomic():
        own = PlexSection.objects.filter(server=server).exclude(library=None)
        libraries = list(own.values_list("library_id", flat=True))
        record_audit("plex.server_remove", actor=actor, subject=server.name, detail=server.url)
        server.delete()
        Library.objects.filter(pk__in=libraries).delete()
