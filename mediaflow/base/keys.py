"""Secrets that live in `keys/` of the data directory: made once, readable by the owner only."""

from __future__ import annotations

import os
import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_or_create_secret(path: Path) -> str:
    """The text in `path`; 50 random bytes when it is not there. Safe when two start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    # Threads of one process may start at once, too.
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(secrets.token_urlsafe(50))
        handle.flush()
        os.fsync(handle.fileno())
    try:
        # link() fails where the file exists, so the first process wins and all read the same key.
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_text(encoding="ascii").strip()
