"""What is written to a Plex server: edits of items, collections and who is in them.

One choke point for edits: a PUT without `id=` would change every item of its type in the section
(plex.md, section 3), so `edit_items` is the only place that sends one, and refuses it without ids.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from library.plex.client import (
    TRIES,
    PlexProblem,
    out_of_time,
    pause_s,
    status_problem,
    token_of,
    url_of,
)
from library.plex.device import plex_headers
from library.plex.values import container_of, entries, text
from mediaflow.base.outbound import OutboundProblem, OutboundSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from library.models import PlexServer
    from mediaflow.base.outbound import Reply

CHUNK_IDS: Final = 100  # longer addresses are refused by servers and proxies
WRITE_TIMEOUT_S: Final = 120.0  # of one try
CALL_BUDGET_S: Final = 240.0  # of one call with all its tries and pauses
_BUSY: Final = frozenset((429, 503))


class PlexWriter:
    """One server, for one thread. Every method raises PlexProblem."""

    def __init__(
        self,
        server: PlexServer,
        *,
        sleep: Callable[[float], object] = time.sleep,
        ends_at: float | None = None,
    ) -> None:
        """`ends_at`: on the monotonic clock; all calls together, and their tries, end by then."""
        self._url = url_of(server)
        if not server.is_owned:
            raise PlexProblem("refused", f"{server.name} allows that only to its owner.")
        self._server = server
        self._headers = plex_headers(token_of(server))
        self._session = OutboundSession(may_be_this_machine=server.is_on_this_machine)
        self._sleep = sleep
        self._ends_at = ends_at

    def __enter__(self) -> PlexWriter:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.close()

    def edit_items(
        self, section_key: str, kind: int, rating_keys: Sequence[str], values: Mapping[str, str]
    ) -> None:
        """Give these items these values, the same for all. Sending it twice does no harm."""
        params = {"type": str(kind), "id": _ids(rating_keys), **_checked_values(values)}
        self._send("PUT", f"/library/sections/{_word(section_key)}/all", params)

    def create_collection(
        self, section_key: str, kind: int, title: str, rating_keys: Sequence[str]
    ) -> str:
        """Its rating key. Not tried again after a cut: it might be made twice."""
        params = {
            "type": str(kind),
            "title": title,
            "smart": "0",
            "sectionId": _word(section_key),
            "uri": self._uri(rating_keys),
        }
        reply = self._send("POST", "/library/collections", params, may_repeat=False)
        for tree in entries(container_of(reply.body), "Metadata"):
            if key := text(tree.get("ratingKey")):
                return key[:20]
        raise PlexProblem("bad_reply", f"{self._server.name} did not say what it made.")

    def add_to_collection(self, collection_key: str, rating_keys: Sequence[str]) -> None:
        path = f"/library/collections/{_word(collection_key)}/items"
        self._send("PUT", path, {"uri": self._uri(rating_keys)})

    def remove_from_collection(self, collection_key: str, rating_key: str) -> None:
        """One that is not in it is no problem."""
        path = f"/library/collections/{_word(collection_key)}/items/{_word(rating_key)}"
        try:
            self._send("DELETE", path, {})
        except PlexProblem as problem:
            if problem.status != 404:
                raise

    def _uri(self, rating_keys: Sequence[str]) -> str:
        machine = self._server.machine_id
        keys = _ids(rating_keys)
        return f"server://{machine}/com.plexapp.plugins.library/library/metadata/{keys}"

    def _send(
        self, method: str, path: str, params: Mapping[str, str], *, may_repeat: bool = True
    ) -> Reply:
        """Again after a busy server, which did nothing; after a cut only where that is harmless."""
        url = self._url + path
        ends_at = time.monotonic() + CALL_BUDGET_S
        if self._ends_at is not None:
            ends_at = min(ends_at, self._ends_at)
        for tried in range(1, TRIES + 1):
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                raise out_of_time(self._server.name)
            timeout_s = min(WRITE_TIMEOUT_S, left_s)
            try:
                reply = self._session.call(
                    method, url, headers=self._headers, params=params, timeout_s=timeout_s
                )
            except OutboundProblem as problem:
                if not may_repeat or tried >= 3:
                    raise PlexProblem("network", problem.text) from None
                self._sleep(tried * 0.5)
                continue
            if reply.status in _BUSY and tried < TRIES:
                self._sleep(pause_s(reply.headers.get("Retry-After"), tried))
                continue
            if not 200 <= reply.status < 300:
                raise status_problem(reply.status, self._server.name)
            return reply
        raise PlexProblem("busy", f"{self._server.name} is too busy to answer; try again later.")


def _ids(rating_keys: Sequence[str]) -> str:
    """The choke point: never empty, never more than a server takes, nothing but keys."""
    if not rating_keys:
        raise ValueError("an edit without ids would change the whole section")
    if len(rating_keys) > CHUNK_IDS:
        raise ValueError(f"at most {CHUNK_IDS} items at once")
    return ",".join(_word(key) for key in rating_keys)


def _word(key: str) -> str:
    if not (key.isascii() and key.isalnum()):
        raise ValueError("a key of Plex is a word")
    return key


def _checked_values(values: Mapping[str, str]) -> Mapping[str, str]:
    if not values or {"id", "type"} & set(values):
        raise ValueError("values of an item, and no ids among them")
    return values
