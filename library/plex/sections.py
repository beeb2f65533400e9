"""The libraries of a server as rows: which there are, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from library.models import PlexSection, PlexSectionTrouble, PlexServer
from library.plex.client import PlexProblem
from library.plex.facts import TYPE_OF_SECTION

if TYPE_CHECKING:
    from library.plex.client import PlexClient
    from library.plex.facts import SectionFacts


def refresh_sections(server: PlexServer, client: PlexClient) -> dict[str, SectionFacts]:
    """Bring the rows of the film and show sections up to date; returns what the server said.

    New ones are not enabled: a person chooses. One that is gone keeps its row, with a sentence.
    Raises PlexProblem.
    """
    told = {facts.key: facts for facts in client.sections() if facts.type in TYPE_OF_SECTION}
    with transaction.atomic():
        if not PlexServer.objects.select_for_update().filter(pk=server.pk).exists():
            raise PlexProblem("refused", f"{server.name} was removed meanwhile.")
        _save_sections(server, told)
    return told


def _save_sections(server: PlexServer, told: dict[str, SectionFacts]) -> None:
    rows = {row.key: row for row in PlexSection.objects.filter(server=server)}
    for key, facts in told.items():
        row = rows.get(key)
        values = {
            "uuid": facts.uuid,
            "title": facts.title,
            "type": facts.type,
            "locations": list(facts.locations),
        }
        if row is None:
            PlexSection.objects.create(server=server, key=key, **values)
        elif any(getattr(row, name) != value for name, value in values.items()):
            PlexSection.objects.filter(pk=row.pk).update(**values)
    gone = [row.pk for key, row in rows.items() if key not in told]
    if gone:
        PlexSection.objects.filter(pk__in=gone).update(
            trouble=PlexSectionTrouble.GONE, error=no_such_library(server)
        )
    back = PlexSection.objects.filter(server=server, key__in=told, trouble=PlexSectionTrouble.GONE)
    back.update(trouble="", error="")


def no_such_library(server: PlexServer) -> str:
    return f"{server.name} has no such library any more."


def note_contact(server: PlexServer, problem: PlexProblem | None = None) -> None:
    """Remember how the last contact went. Only a 401 makes a token dead; a fault does not.

    A server that refuses one thing is well: whoever asked for that says so where it was asked. It
    says nothing about a token that the server got meanwhile, and undoes no sign-out.
    """
    if problem is not None and problem.kind == "refused":
        return
    rows = PlexServer.objects.filter(pk=server.pk, token_encrypted=server.token_encrypted)
    if problem is None:
        rows.update(seen_at=timezone.now(), error="", is_token_dead=False)
    elif problem.kind == "auth":
        rows.update(error=problem.text[:500], is_token_dead=True)
    else:
        rows.update(error=problem.text[:500])
