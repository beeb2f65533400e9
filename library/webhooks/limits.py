"""How often a secret address may be called. Counted in this process: several web processes allow
as many times more, which is still a limit."""

from __future__ import annotations

import time
from typing import Final

from django.core.cache import cache

WINDOW_S: Final = 60
CALLS_PER_WEBHOOK: Final = 240
WRONG_PER_ADDRESS: Final = 20


def is_over(kind: str, key: str, allowed: int) -> bool:
    """Count one more and say whether that is too many for this minute."""
    name = f"webhook-{kind}-{key}-{int(time.time()) // WINDOW_S}"
    cache.add(name, 0, timeout=2 * WINDOW_S)
    try:
        return int(cache.incr(name)) > allowed
    except ValueError:  # thrown out of the cache between the two calls
        return False


def is_guessing(address: str) -> bool:
    """Whether this visitor has tried so many wrong secrets that none is looked at any more."""
    name = f"webhook-wrong-{address}-{int(time.time()) // WINDOW_S}"
    return int(cache.get(name, 0)) >= WRONG_PER_ADDRESS
