"""What the film page shows of a film's life in Plex: for the hook `film_panels`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from library.models import MediaFile, PlexItem, PlexPart
from mediaflow.base.film_hooks import FilmPanel

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

MOST: Final = 6  # a file of many episodes, or of several servers


@dataclass(frozen=True, slots=True)
class InPlex:
    """One item that the file belongs to."""

    item: PlexItem
    title: str
    url: str  # in Plex's own web app
    locked: str


def plex_panel(_request: HttpRequest, file: Model) -> FilmPanel | None:
    """None for a film that Plex does not know. Two queries at most."""
    assert isinstance(file, MediaFile)
    if not file.is_in_plex:
        return None
    parts = (
        PlexPart.objects.filter(file=file)
        .select_related("plex_item__section__server")
        .order_by("plex_item_id", "part_index")
    )
    items = {part.plex_item_id: part.plex_item for part in parts[: 4 * MOST]}
    if not items:
        return None
    shown = [_in_plex(item) for item in list(items.values())[:MOST]]
    return FilmPanel(
        template="library/_plex_panel.html",
        context={"plex_items": shown, "more": max(0, len(items) - MOST)},
        stats=(
            {
                "label": "Plays",
                "figure": f"{file.play_count:,}",
                "note": "in Plex, by the owner",
                "tone": "",
            },
        ),
    )


def _in_plex(item: PlexItem) -> InPlex:
    return InPlex(item, shown_plex_title(item), web_url(item), ", ".join(item.locked_fields))


def shown_plex_title(item: PlexItem) -> str:
    if item.type == "episode":
        number = f"S{item.season or 0:02d}E{item.episode or 0:02d}"
        return f"{item.show_title} {number} {item.title}".strip()
    year = f" ({item.year})" if item.year else ""
    edition = f" {{{item.edition}}}" if item.edition else ""
    return f"{item.title}{year}{edition}"


def web_url(item: PlexItem) -> str:
    """Plex's web app; it finds the server by itself, so no address of it is given away."""
    server = quote(item.section.server.machine_id, safe="")
    key = quote(f"/library/metadata/{item.rating_key}", safe="")
    return f"https://app.plex.tv/desktop/#!/server/{server}/details?key={key}"
