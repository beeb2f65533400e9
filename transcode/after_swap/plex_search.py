"""A film in sections that our rows do not know it in: not synced, or not since it came there.

Plex cannot be asked for a path. What may have the film is listed, the likely first: items of its
title (for an episode: those of its show), then the section from its beginning, as far as the time
goes, or of a synced one what came since. A list names the files of its items, so only the film
itself is read whole.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from library.folding import display_path
from library.models import PlexSection, PlexSwap
from library.plex.client import PlexProblem
from library.plex.facts import TYPE_OF_SECTION
from library.scanning.names import parse_name
from transcode.after_swap.plex_facts import Place, RemoteNames, folder_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from library.models import PlexServer
    from library.plex.facts import ItemFacts, SectionFacts
    from library.scanning.names import ParsedName
    from transcode.after_swap.plex_calls import Film, PlexCalls
    from transcode.models import Replacement

log = logging.getLogger(__name__)
KEPT_FOR_READING_S: Final = 4.0  # of the time: for reading what a list has found
CLOCKS_DIFFER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known now of the film in one section."""

    place: Place
    film: Film | None = None  # None: the section does not have it, or that is not known
    unknown: str = ""  # in words, what may be lost because the section could not be searched


def look_elsewhere(
    row: Replacement,
    server: PlexServer,
    plex: PlexCalls | None,
    settled: Collection[str],
    rest: Sequence[Place],
) -> list[Sighting]:
    """One for each item in sections that are not `settled`, and one for each place of `rest` (what
    our rows know of other sections) where there is none.

    Never raises PlexProblem: what a server does not say in time is `unknown`.
    """
    found = [Sighting(place) for place in rest if place.section_key in settled]
    others = [place for place in rest if place.section_key not in settled]
    names = RemoteNames.of(row, server)
    if names is None:
        return [*found, *(Sighting(place) for place in others)]
    sections = _sections(server, plex)
    if plex is None or sections is None:
        return [*found, *(_not_searched(place, server) for place in others)]
    synced = PlexSection.objects.filter(server=server, is_enabled=True)
    synced_at = dict(synced.values_list("key", "synced_at"))
    for section in sections:
        if section.key in settled or not names.is_in(section.locations):
            continue
        own = [place for place in others if place.section_key == section.key]
        if not own:
            is_synced = section.key in synced_at
            own = [Place(section.key, section.title, names.folder, is_synced)]
        search = _Search(row, server, plex, section, names, synced_at.get(section.key))
        found += search.sightings(own)
    return found


def _sections(server: PlexServer, plex: PlexCalls | None) -> list[SectionFacts] | None:
    """Those of films and series, as they are now; None: it does not say."""
    try:
        sections = plex.sections() if plex is not None else None
    except PlexProblem as problem:
        log.info("%s cannot be asked: %s", server.name, problem.text)
        return None
    return sections and [section for section in sections if section.type in TYPE_OF_SECTION]


def _not_searched(place: Place, server: PlexServer) -> Sighting:
    """Of a synced section our rows are the answer; of another one nobody knows what it had."""
    if place.is_synced or place.rating_key:
        return Sighting(place)
    where = place.section_title or "a library"
    text = (
        f"Perhaps its labels, collections and plays in {where}: it is not synced, and"
        f" {server.name} did not say in time what it knew of the film"
    )
    return Sighting(place, unknown=text)


class _Search:
    """One section of one server, for one film."""

    def __init__(
        self,
        row: Replacement,
        server: PlexServer,
        plex: PlexCalls,
        section: SectionFacts,
        names: RemoteNames,
        synced_at: datetime | None,
    ) -> None:
        self._row, self._server, self._plex = row, server, plex
        self._section, self._paths = section, frozenset(names.paths)
        self._synced_at = synced_at

    def sightings(self, places: Sequence[Place]) -> list[Sighting]:
        """Of the items that are found; else of `places`, what was known of the section."""
        try:
            films = [film for key in self._keys() if (film := self._plex.film(key)) is not None]
        except PlexProblem as problem:
            log.info("%s cannot be searched: %s", self._section.title, problem.text)
            return [_not_searched(place, self._server) for place in places]
        if not films:
            return [Sighting(place) for place in places]
        return [self._sighting(places[0], film) for film in films]

    def _sighting(self, place: Place, film: Film) -> Sighting:
        paths = (part.path for part in film.facts.parts if part.path in self._paths)
        found = replace(
            place,
            folder=folder_of(next(paths, "")) or place.folder,
            rating_key=film.facts.rating_key,
            guid=film.facts.guid,
            item=None,
        )
        return Sighting(found, film)

    def _keys(self) -> list[str]:
        """Of the items that have the film. Raises PlexProblem when that cannot be told."""
        for items in (self._told_before(), self._of_its_title(), self._all()):
            keys = [item.rating_key for item in items if self._has_film(item)]
            if keys:
                return list(dict.fromkeys(keys))
        return []

    def _has_film(self, item: ItemFacts) -> bool:
        return any(part.path in self._paths for part in item.parts)

    def _told_before(self) -> Iterator[ItemFacts]:
        """The items of the swap that is undone now."""
        swaps = PlexSwap.objects.filter(
            replacement_id=self._row.pk, server=self._server, section_key=self._section.key
        )
        for before, after in swaps.values_list("rating_key_before", "rating_key_after"):
            for key in {before, after} - {""}:
                if (film := self._plex.film(key)) is not None:
                    yield film.facts

    def _of_its_title(self) -> Iterator[ItemFacts]:
        name = _name_of(self._row)
        if self._section.type != "show":
            yield from self._pages({"title": name.title})
        elif name.show_title:
            for show in self._plex.shows(self._section.key, name.show_title):
                yield from self._plex.episodes(show)

    def _all(self) -> Iterator[ItemFacts]:
        """Up to the page after the one with the film: of a file of two episodes both are found."""
        if self._synced_at is None:
            yield from self._pages({})
        else:
            since = self._synced_at - CLOCKS_DIFFER
            yield from self._pages({"addedAt>>": int(since.timestamp())})

    def _pages(self, where: dict[str, str | int]) -> Iterator[ItemFacts]:
        start, has_found = 0, False
        kind = TYPE_OF_SECTION[self._section.type]
        while True:
            if self._plex.left_s() < KEPT_FOR_READING_S:
                raise PlexProblem("network", "there was not enough time")
            page = self._plex.listed(self._section.key, kind, start, where)
            yield from page.items
            start += page.returned
            is_on_page = any(self._has_film(item) for item in page.items)
            is_end = not page.returned or (page.total is not None and start >= page.total)
            if is_end or (has_found and not is_on_page):
                return
            has_found = has_found or is_on_page


def _name_of(row: Replacement) -> ParsedName:
    root = bytes(row.root_raw).rstrip(b"/") + b"/"
    return parse_name(display_path(bytes(row.original_raw).removeprefix(root)))
