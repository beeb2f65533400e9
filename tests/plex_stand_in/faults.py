"""Ways to fail, on purpose: how many times, and for which calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Fault:
    """What happens to calls whose "METHOD /path?query" contains `match`.

    `status`: answered so (401 as HTML, as Plex does); `cut`: the body ends in the middle;
    `hang_up`: the connection is closed without an answer; `garbage`: 200 with what is no JSON;
    `delay_s`: slow, else as usual; `empty`: 200 without a body; `drip_s`: one byte, head and body,
    and then a pause of so many seconds.
    The first `after` calls are spared, then `times` are hit (0: all that follow).
    """

    match: str = ""
    status: int = 0
    retry_after: str = ""
    cut: bool = False
    hang_up: bool = False
    garbage: bool = False
    empty: bool = False
    delay_s: float = 0.0
    drip_s: float = 0.0
    after: int = 0
    times: int = 1
    seen: int = 0

    def hits(self, call: str) -> bool:
        if self.match not in call:
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        return not self.times or self.seen <= self.after + self.times


@dataclass
class Before:
    """Something that happens just before the `nth` call that contains `match` is answered."""

    match: str
    do: Callable[[], object]
    nth: int = 1
    seen: int = 0

    def is_now(self, call: str) -> bool:
        if self.match not in call:
            return False
        self.seen += 1
        return self.seen == self.nth


@dataclass(frozen=True, slots=True)
class Seen:
    """One call, as it came in."""

    method: str
    path: str
    params: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes = field(default=b"", repr=False)

    def param(self, name: str) -> str | None:
        return dict(self.params).get(name)
