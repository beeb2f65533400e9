"""The lists of Sonarr's and Radarr's titles, kept for a few minutes: a batch of swaps reads one.

Their APIs cannot be asked for the title of a folder, and the list of a large library is megabytes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from library.arr.client import innermost

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.arr.client import ArrClient, ArrTitle
    from library.models import ArrServer

KEPT_S: Final = 300.0
MOST_SERVERS: Final = 8
MOST_TITLES: Final = 50_000  # longer lists are read each time


@dataclass(frozen=True, slots=True)
class _Kept:
    read_at: float
    titles: tuple[ArrTitle, ...]


class TitleLists:
    """In the memory of one process. May be used by several threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lists: dict[tuple[int, str, str], _Kept] = {}

    def find(self, server: ArrServer, client: ArrClient, path: str) -> ArrTitle | None:
        """The title whose folder holds a file. Raises ArrProblem.

        The list is read anew where the kept one does not have it, for it may have been added since,
        and where the title itself is no longer what the list says.
        """
        key = _key(server)
        with self._lock:
            kept = self._lists.get(key)
        if kept is not None and self._monotonic() - kept.read_at < KEPT_S:
            found = innermost(kept.titles, path)
            if found is not None and client.title(found.id) == found:
                return found
        self.forget(server)
        titles = tuple(client.titles())
        self._keep(key, titles)
        return innermost(titles, path)

    def forget(self, server: ArrServer) -> None:
        """Something went wrong: the next look reads the list again."""
        with self._lock:
            self._lists.pop(_key(server), None)

    def _keep(self, key: tuple[int, str, str], titles: tuple[ArrTitle, ...]) -> None:
        if len(titles) > MOST_TITLES:
            return
        with self._lock:
            self._lists[key] = _Kept(self._monotonic(), titles)
            while len(self._lists) > MOST_SERVERS:
                del self._lists[min(self._lists, key=lambda one: self._lists[one].read_at)]


def _key(server: ArrServer) -> tuple[int, str, str]:
    """Another address is another server."""
    return server.pk, server.kind, server.url


title_lists = TitleLists()
