"""SHA-256 of a file beside another reading pass, so that the disk is read once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HASH_BLOCK_BYTES = 4 * 1024 * 1024


class FileHasher:
    """SHA-256 of a file, advanced as far as the demuxer has read. Raises OSError."""

    def __init__(self, path: bytes) -> None:
        self._file = Path(os.fsdecode(path)).open("rb", buffering=0)  # noqa: SIM115  # see `close`
        self._hash = hashlib.sha256()
        self._done_bytes = 0

    def advance(self, position: int, checkpoint: Callable[[], None]) -> None:
        while position - self._done_bytes >= HASH_BLOCK_BYTES:
            if not self._next_block():
                return
            checkpoint()

    def finish(self, checkpoint: Callable[[], None]) -> str:
        while self._next_block():
            checkpoint()
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()

    def _next_block(self) -> bool:
        block = self._file.read(HASH_BLOCK_BYTES)
        self._hash.update(block)
        self._done_bytes += len(block)
        return bool(block)
