"""Live parts of pages: rendered once for everybody who looks, and not at all when nothing changed.

Twenty open pages ask every few seconds. Each part is kept per process, by a key that names the
part and the role, for a second and a half; its version is a hash of what it shows, so an answer to
somebody who has that version already is an empty 204.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.utils.safestring import SafeString, mark_safe

from transcode.pages.shown_progress import SteadyEtas

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from django.http import HttpRequest

T = TypeVar("T")

KEEP_S: Final = 1.5
MOST_PARTS: Final = 200
# Stands where the token of the person who asks is put in; a render is shared by many people.
TOKEN_MARK: Final = "csrf-token-of-the-reader"


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part would show now, not yet rendered."""

    version: str
    render: Callable[[], str]
    render_extra: Callable[[], str] = _nothing


@dataclass(frozen=True, slots=True)
class LivePart:
    """One rendered fragment and what it stands for."""

    version: str
    html: str
    extra: str = ""  # goes with a polled answer only: what it swaps elsewhere on the page

    def for_reader(self, request: HttpRequest) -> SafeString:
        """The fragment with the reader's own CSRF token."""
        return _with_token(self.html, request)

    def for_poll(self, request: HttpRequest) -> SafeString:
        return _with_token(self.html + self.extra, request)


def _with_token(html: str, request: HttpRequest) -> SafeString:
    # Rendered by Django's autoescaping templates; a token is letters and digits.
    return mark_safe(html.replace(TOKEN_MARK, get_token(request)))


class LiveParts:
    """The parts of one process, for any number of threads; one of them makes each part."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._parts: dict[Hashable, tuple[float, LivePart]] = {}
        self._figures: dict[Hashable, tuple[float, Any]] = {}
        self.etas = SteadyEtas(clock)

    def get(
        self,
        key: Hashable,
        read: Callable[[], Reading],
        *,
        keep_s: float = KEEP_S,
    ) -> LivePart:
        """The part for a key. What `read` gives is rendered only when its version is a new one."""
        found = self._fresh(key, keep_s)
        if found is not None:
            return found
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            found = self._fresh(key, keep_s)
            if found is not None:
                return found
            part = self._made(key, read)
            with self._lock:
                self._forget_old()
                self._parts[key] = (self._clock(), part)
            return part

    def figure(self, key: Hashable, read: Callable[[], T], *, keep_s: float = KEEP_S) -> T:
        """Something that several parts and every page need: read once for so long. There are few
        of them; two threads may read one at the same time."""
        found = self._figures.get(key)
        if found is not None and self._clock() - found[0] < keep_s:
            return cast("T", found[1])
        value = read()
        self._figures[key] = (self._clock(), value)
        return value

    def clear(self) -> None:
        """Somebody changed something: the next look reads anew."""
        with self._lock:
            self._figures = {}
            self._parts = {
                key: (float("-inf"), part) for key, (_made_at, part) in self._parts.items()
            }

    def forget(self) -> None:
        """As after a start: no version is known."""
        with self._lock:
            self._parts, self._figures = {}, {}
        self.etas.forget()

    def _fresh(self, key: Hashable, keep_s: float) -> LivePart | None:
        entry = self._parts.get(key)
        return entry[1] if entry and self._clock() - entry[0] < keep_s else None

    def _made(self, key: Hashable, read: Callable[[], Reading]) -> LivePart:
        reading = read()
        before = self._parts.get(key)
        if before and before[1].version == reading.version:
            return before[1]
        return LivePart(reading.version, reading.render(), reading.render_extra())

    def _forget_old(self) -> None:
        if len(self._parts) >= MOST_PARTS:
            oldest = sorted(self._parts, key=lambda key: self._parts[key][0])
            for key in oldest[: MOST_PARTS // 2]:
                del self._parts[key]
                self._making.pop(key, None)


def version_of(shown: object) -> str:
    """A short name for what a part shows; equal exactly when that is equal."""
    return hashlib.sha256(repr(shown).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def answer_poll(request: HttpRequest, part: LivePart) -> HttpResponse:
    """204 for somebody who shows this version already, else the fragment."""
    if request.GET.get("v") == part.version:
        return HttpResponse(status=204)
    return HttpResponse(part.for_poll(request))


live_parts = LiveParts()
