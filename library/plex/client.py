"""Reading from a Plex server: lists in pages, details in batches, a few calls at a time.

What changes items or collections goes through `writing`; asking for a scan, for a look into a file
or for the mark of a watched film goes through plexapi (`plexapi_server`), which is too slow and too
large for lists. Every call has a bound; a busy server is waited for, a dead token is not.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from library.plex.device import plex_headers
from library.plex.reading import read_page, read_sections
from library.plex.values import container_of, number, text
from mediaflow.base.encryption import SecretLost, decrypt_secret
from mediaflow.base.outbound import OutboundProblem, OutboundSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from library.models import PlexServer
    from library.plex.facts import ItemFacts, Page, SectionFacts
    from mediaflow.base.outbound import Reply

PAGE_ITEMS: Final = 500
BATCH_IDS: Final = 200
MAX_IN_FLIGHT: Final = 4
TRIES: Final = 5
MAX_PAUSE_S: Final = 60.0
READ_TIMEOUT_S: Final = 120.0  # a large server needs its time for 200 whole items
_BUSY: Final = frozenset((429, 502, 503, 504))
# What we do not use of an item. Genre, Collection, Label, Guid and Field must stay in.
_NOT_NEEDED: Final = "Role,Director,Writer,Producer,Country,Rating,Image,Similar,Chapter,Marker"


class PlexProblem(Exception):
    """A call without a usable answer; `text` is for people and names no secret.

    `kind`: auth (the token is dead), network, busy, refused (the server will not do it) or
    bad_reply. `status`: of the answer, 0 when there was none.
    """

    def __init__(self, kind: str, text: str, *, status: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status


class PlexClient:
    """May be used by several threads: each has its own connection, at most four are busy."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        name: str = "Plex",
        may_be_this_machine: bool = False,
        sleep: Callable[[float], object] | None = None,
        ends_at: float | None = None,
    ) -> None:
        """`ends_at`: on the monotonic clock; all calls together, and their tries, end by then."""
        self.name = name
        self._ends_at = ends_at
        self.request_count = 0
        self._url = url.rstrip("/")
        self._headers = plex_headers(token)
        self._may_be_this_machine = may_be_this_machine
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._local = threading.local()
        self._sessions: list[OutboundSession] = []
        self._lock = threading.Lock()
        self._in_flight = threading.BoundedSemaphore(MAX_IN_FLIGHT)

    def close(self) -> None:
        """Also ends the waiting of other threads for a busy server."""
        self._closed.set()
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def __enter__(self) -> PlexClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # What there is to read

    def identity(self) -> tuple[str, str]:
        """Machine identifier and version; also answered without a valid token."""
        container = self.get("/identity", timeout_s=10)
        return text(container.get("machineIdentifier")), text(container.get("version"))

    def sections(self) -> list[SectionFacts]:
        return read_sections(self.get("/library/sections"))

    def list_page(
        self,
        section_key: str,
        kind: int,
        start: int,
        *,
        size: int = PAGE_ITEMS,
        where: Mapping[str, Any] | None = None,
    ) -> Page:
        """A page of a section's films (`kind` 1) or episodes (4), the oldest first.

        `where` are filters such as {"addedAt>>": 1700000000}.
        """
        params = {
            "type": kind,
            "includeGuids": 1,
            "sort": "addedAt:asc",
            # plex.md: hints, which a server may ignore.
            "excludeElements": _NOT_NEEDED,
            "excludeFields": "summary,tagline",
            **(where or {}),
        }
        headers = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        path = f"/library/sections/{section_key}/all"
        return read_page(self.get(path, params=params, headers=headers))

    def count(self, section_key: str, kind: int, where: Mapping[str, Any] | None = None) -> int:
        """How many items a filter finds."""
        found = self.list_page(section_key, kind, 0, size=0, where=where)
        return found.returned if found.total is None else found.total

    def details(self, rating_keys: Iterable[str]) -> list[ItemFacts]:
        """Whole items, with streams and all tags; up to 200 at once. Deleted ones are not there."""
        keys = list(rating_keys)
        if not keys:
            return []
        if not all(key.isalnum() for key in keys):
            raise ValueError("a rating key is a word")
        params = {"skipRefresh": 1, "excludeElements": _NOT_NEEDED}
        try:
            container = self.get(f"/library/metadata/{','.join(keys)}", params=params)
        except PlexProblem as problem:
            if problem.status == 404:
                return []
            raise
        return list(read_page(container, is_whole=True).items)

    def item(self, rating_key: str, *, checks_files: bool = False) -> ItemFacts | None:
        """One whole item, None when it is gone. `checks_files` lets Plex look at the disk."""
        if not rating_key.isalnum():
            raise ValueError("a rating key is a word")
        params = {"checkFiles": 1} if checks_files else {"skipRefresh": 1}
        try:
            container = self.get(f"/library/metadata/{rating_key}", params=params)
        except PlexProblem as problem:
            if problem.status == 404:
                return None
            raise
        return next(iter(read_page(container, is_whole=True).items), None)

    # Calls

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> dict[str, Any]:
        """The MediaContainer of an answer. Raises PlexProblem.

        Again after a busy server (as it asks, bounded) and after a cut connection.
        """
        for tried in range(1, TRIES + 1):
            if self._closed.is_set():
                raise PlexProblem("network", f"{self.name} is not asked any more.")
            try:
                reply = self._call(path, params, headers, self._within(timeout_s))
            except OutboundProblem as problem:
                if problem.kind in ("address", "too_large") or tried >= 3:
                    raise PlexProblem("network", problem.text) from None
                self._sleep(tried * 0.5)
                continue
            if reply.status not in _BUSY:
                return self._container(reply)
            if tried == TRIES:
                break
            self._sleep(pause_s(reply.headers.get("Retry-After"), tried))
        words = f"{self.name} is too busy to answer; try again later."
        raise PlexProblem("busy", words, status=reply.status)

    def _within(self, timeout_s: float) -> float:
        """Of the time of one try what is left of all. Raises PlexProblem when nothing is."""
        if self._ends_at is None:
            return timeout_s
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise out_of_time(self.name)
        return min(timeout_s, left_s)

    def _call(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Reply:
        with self._in_flight, self._session() as session:
            self.request_count += 1
            return session.call(
                "GET",
                self._url + path,
                headers={**self._headers, **(headers or {})},
                params=params,
                timeout_s=timeout_s,
            )

    @contextmanager
    def _session(self) -> Iterator[OutboundSession]:
        session = getattr(self._local, "session", None)
        if session is None:
            session = OutboundSession(may_be_this_machine=self._may_be_this_machine)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        yield session

    def _container(self, reply: Reply) -> dict[str, Any]:
        if reply.status != 200:
            raise status_problem(reply.status, self.name)
        container = container_of(reply.body)
        if container is None:
            words = f"{self.name} answered with something that Plex does not say."
            raise PlexProblem("bad_reply", words, status=reply.status)
        return container


def status_problem(status: int, name: str) -> PlexProblem:
    """What an answer without success means. Bodies are pages of HTML and say nothing more."""
    if status == 401:
        words = f"{name} does not accept MediaFlow's token any more. Sign in to Plex again."
        return PlexProblem("auth", words, status=status)
    if status in _BUSY:
        return PlexProblem("busy", f"{name} is too busy to answer; try again later.", status=status)
    if 400 <= status < 500:
        words = f"{name} refused the request (HTTP {status})."
        if status == 403:
            words = f"{name} allows that only to its owner."
        return PlexProblem("refused", words, status=status)
    return PlexProblem("bad_reply", f"{name} answered with HTTP {status}.", status=status)


def out_of_time(name: str) -> PlexProblem:
    return PlexProblem("network", f"{name} did not answer in time.")


def pause_s(retry_after: str | None, tried: int) -> float:
    """As the server asks (seconds or a date), else doubling; never more than a minute."""
    asked: float | None = number(retry_after)
    if asked is None and retry_after:
        try:
            asked = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (TypeError, ValueError):
            asked = None
    if asked is None:
        asked = 0.5 * 2**tried
    return min(max(asked, 0.1), MAX_PAUSE_S)


def url_of(server: PlexServer) -> str:
    """Raises PlexProblem (network) when none of its addresses ever answered."""
    if not server.url:
        words = f"No address of {server.name} answered yet. Test its connections."
        raise PlexProblem("network", words)
    return server.url.rstrip("/")


def token_of(server: PlexServer) -> str:
    """Raises PlexProblem (auth) when there is none, or the key that opens it was lost."""
    try:
        token = decrypt_secret(server.token_encrypted)
    except SecretLost:
        token = ""
    if not token:
        words = f"MediaFlow has no token for {server.name} any more. Sign in to Plex again."
        raise PlexProblem("auth", words)
    return token


def client_for(
    server: PlexServer,
    *,
    sleep: Callable[[float], object] | None = None,
    ends_at: float | None = None,
) -> PlexClient:
    """A client of a server as its row says. Raises PlexProblem; close it after use."""
    return PlexClient(
        url=url_of(server),
        token=token_of(server),
        name=server.name,
        may_be_this_machine=server.is_on_this_machine,
        sleep=sleep,
        ends_at=ends_at,
    )
