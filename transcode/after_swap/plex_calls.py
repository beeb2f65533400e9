"""The calls to a Plex server around a swap. Reads and edits go through our own client, the rest
through plexapi.

Every method raises PlexProblem. plexapi is loaded with the first call that needs it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from library.plex.client import PlexProblem, client_for, out_of_time
from library.plex.facts import number_of
from library.plex.reading import read_item, read_page, read_sections, read_sessions
from library.plex.values import entries
from library.plex.writing import PlexWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from library.models import PlexServer
    from library.plex.facts import ItemFacts, Page, PartFacts, SectionFacts, Session

CALL_TIMEOUT_S: Final = 25.0  # of one call, of those that only read
STEP_BUDGET_S: Final = 120.0  # of all that one round of one entry asks and tells a server
MOST_CANDIDATES: Final = 20
SHOW: Final = 2  # Plex's number of the type
_IDENTIFIER: Final = "com.plexapp.plugins.library"


@dataclass(frozen=True, slots=True)
class Film:
    """A whole item: what the rest of MediaFlow uses of it, and all that the server said."""

    facts: ItemFacts
    tree: dict[str, Any]

    def part_at(self, path: str) -> PartFacts | None:
        return next((part for part in self.facts.parts if part.path == path), None)


class PlexCalls:
    """One server, for one thread. `budget_s` bounds everything together, to the last byte of the
    last call: a server that sends one byte a minute holds nobody up."""

    def __init__(self, server: PlexServer, *, budget_s: float | None = None) -> None:
        self._server = server
        self._ends_at = time.monotonic() + (STEP_BUDGET_S if budget_s is None else budget_s)
        self._client = client_for(server, sleep=self._sleep, ends_at=self._ends_at)
        self._api: Any = None

    def __enter__(self) -> PlexCalls:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.close()
        if self._api is not None:
            self._api._session.close()

    def left_s(self) -> float:
        return self._ends_at - time.monotonic()

    def _sleep(self, seconds: float) -> None:
        if seconds >= self.left_s():
            raise out_of_time(self._server.name)
        time.sleep(seconds)

    def _timeout_s(self) -> float:
        if self.left_s() <= 0:
            raise out_of_time(self._server.name)
        return min(CALL_TIMEOUT_S, self.left_s())

    # Reading

    def film(self, rating_key: str) -> Film | None:
        """The whole item, with all its tags; None when it is gone."""
        if not rating_key.isalnum():
            return None
        try:
            found = self._client.get(
                f"/library/metadata/{rating_key}",
                params={"skipRefresh": 1},
                timeout_s=self._timeout_s(),
            )
        except PlexProblem as problem:
            if problem.status == 404:
                return None
            raise
        for tree in entries(found, "Metadata"):
            if tree.get("ratingKey") and tree.get("type") in ("movie", "episode"):
                return Film(read_item(tree, is_whole=True), tree)
        return None

    def find_film(
        self, section_key: str, kind: str, path: str, *, guid: str, title: str
    ) -> Film | None:
        """The item that holds this file: one that was made anew has a new key, but its old guid.

        Films that no agent knows have a new guid as well; their title is the file's.
        """
        for name, value in (("guid", guid), ("title", title)):
            if not value:
                continue
            found = self._client.get(
                f"/library/sections/{section_key}/all",
                params={"type": number_of(kind), name: value},
                timeout_s=self._timeout_s(),
            )
            for tree in entries(found, "Metadata")[:MOST_CANDIDATES]:
                film = self.film(str(tree.get("ratingKey", "")))
                if film is not None and film.part_at(path) is not None:
                    return film
        return None

    def sections(self) -> list[SectionFacts]:
        return read_sections(self._client.get("/library/sections", timeout_s=self._timeout_s()))

    def listed(self, section_key: str, kind: int, start: int, where: Mapping[str, Any]) -> Page:
        """A page of a section's films or episodes: their files, but not all of their tags."""
        self._timeout_s()
        return self._client.list_page(section_key, kind, start, where=where)

    def shows(self, section_key: str, title: str) -> list[str]:
        """Rating keys of the shows whose title has these words."""
        found = self._client.get(
            f"/library/sections/{section_key}/all",
            params={"type": SHOW, "title": title},
            timeout_s=self._timeout_s(),
        )
        keys = [str(tree.get("ratingKey", "")) for tree in entries(found, "Metadata")]
        return [key for key in keys[:MOST_CANDIDATES] if key.isalnum()]

    def episodes(self, show_key: str) -> tuple[ItemFacts, ...]:
        path = f"/library/metadata/{_checked(show_key)}/allLeaves"
        return read_page(self._client.get(path, timeout_s=self._timeout_s())).items

    def watching(self) -> list[Session]:
        return read_sessions(self._client.get("/status/sessions", timeout_s=self._timeout_s()))

    def is_refreshing(self, section_key: str) -> bool:
        """Whether a scan of the section is under way."""
        return any(one.is_refreshing for one in self.sections() if one.key == section_key)

    # Telling

    def refresh(self, section_key: str, folder: str) -> None:
        """Queue a scan of one folder ("": the whole section). Nothing is read again from the net:
        that would be `force=1`. The server answers before it looks."""
        params = {"path": folder} if folder else {}
        self._write("GET", f"/library/sections/{section_key}/refresh", params)

    def analyze(self, rating_key: str) -> None:
        self._write("PUT", f"/library/metadata/{_checked(rating_key)}/analyze", {})

    def edit(self, section_key: str, kind: str, rating_key: str, values: Mapping[str, Any]) -> None:
        """Write values of one item."""
        texts = {name: str(value) for name, value in values.items()}
        with PlexWriter(self._server, sleep=self._sleep, ends_at=self._ends_at) as writer:
            writer.edit_items(section_key, number_of(kind), [_checked(rating_key)], texts)

    def mark_watched(self, rating_key: str) -> None:
        params = {"key": _checked(rating_key), "identifier": _IDENTIFIER}
        self._write("GET", "/:/scrobble", params)

    def _write(self, method: str, path: str, params: Mapping[str, Any]) -> None:
        import requests
        from plexapi.exceptions import PlexApiException

        from library.plex.plexapi_server import connect_plexapi, plexapi_problem

        self._timeout_s()
        if self._api is None:
            self._api = connect_plexapi(self._server, left_s=self.left_s)
        session = self._api._session
        call = session.put if method == "PUT" else session.get
        address = f"{path}?{urlencode(params)}" if params else path
        try:
            self._api.query(address, method=call)
        except (PlexApiException, PlexProblem, requests.RequestException) as error:
            raise plexapi_problem(error, self._server.name) from None


def _checked(rating_key: str) -> str:
    if not rating_key.isalnum():
        raise ValueError("a rating key is a word")
    return rating_key
