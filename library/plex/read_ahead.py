"""Reads the next page and the next details while the last ones are being written."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Final, TypeVar

from library.plex.client import BATCH_IDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from library.plex.client import PlexClient
    from library.plex.facts import ItemFacts, Page
    from library.plex.sync_writer import SyncWriter

T = TypeVar("T")
_READERS: Final = 3
# A transaction changes pages all over the indexes of a file; more files at once share them.
_BATCHES_A_WRITE: Final = 5
_BATCHES_AHEAD: Final = 2 * _BATCHES_A_WRITE
_POLL_S: Final = 0.5


class ReadAhead:
    """A page and some batches of details ahead, so that memory stays flat. Writes in this thread.

    A problem of a call is raised where its answer is waited for.
    """

    def __init__(
        self, client: PlexClient, writer: SyncWriter, checkpoint: Callable[[], None]
    ) -> None:
        self._client = client
        self._writer = writer
        self._checkpoint = checkpoint
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="plex")
        self._waiting: list[tuple[str, int]] = []  # (rating key, where its page began)
        self._asked: deque[tuple[int, list[str], Future[list[ItemFacts]]]] = deque()
        self._under_way: set[str] = set()

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        # A call that is under way ends by itself; nobody waits for its answer any more.
        self._pool.shutdown(wait=False, cancel_futures=True)

    def page(self, section_key: str, kind: int, start: int) -> Future[Page]:
        return self._pool.submit(self._client.list_page, section_key, kind, start)

    def wait(self, future: Future[T]) -> T:
        """Its result; asks meanwhile whether to go on."""
        while True:
            self._checkpoint()
            try:
                return future.result(timeout=_POLL_S)
            except FutureTimeout:
                if future.done():  # the call itself ran out of time
                    raise

    def ask(self, rating_keys: Sequence[str], begun_at: int = 0) -> None:
        """Have the details of these read and written; `begun_at`: where their page begins."""
        fresh = [key for key in rating_keys if key not in self._under_way]
        self._under_way.update(fresh)
        self._waiting += [(key, begun_at) for key in fresh]
        while len(self._waiting) >= BATCH_IDS:
            self._send()

    def _send(self) -> None:
        batch, self._waiting = self._waiting[:BATCH_IDS], self._waiting[BATCH_IDS:]
        keys = [key for key, _begun_at in batch]
        begun_at = min(begun_at for _key, begun_at in batch)
        self._asked.append((begun_at, keys, self._pool.submit(self._client.details, keys)))
        while len(self._asked) > _BATCHES_AHEAD:
            self._write_oldest()

    def _write_oldest(self) -> None:
        oldest = [self._asked[number] for number in range(min(_BATCHES_A_WRITE, len(self._asked)))]
        items: list[ItemFacts] = []
        for _begun_at, _keys, future in oldest:
            found: list[ItemFacts] = self.wait(future)
            items += found
        self._writer.write(items)
        for _begun_at, keys, _future in oldest:
            self._asked.popleft()
            self._under_way.difference_update(keys)

    def written_until(self, start: int) -> int:
        """The position in the list before which everything is written."""
        pending = [begun_at for begun_at, _keys, _future in self._asked]
        pending += [begun_at for _key, begun_at in self._waiting]
        return min([start, *pending])

    def finish(self) -> None:
        """Read and write what is left."""
        while self._waiting:
            self._send()
        while self._asked:
            self._write_oldest()
