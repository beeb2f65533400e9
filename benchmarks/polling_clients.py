"""Browsers as the server sees them: each polls the parts of a queue page, with their versions."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

# Address and seconds between two polls, as the templates say while jobs run.
PARTS: Final = (
    ("/queue/running/", 3.0),
    ("/queue/waiting/", 5.0),
    ("/queue/side/", 10.0),
    ("/queue/dock/", 3.0),
)
_VERSION = re.compile(rb"[?&]v=([0-9a-f]{16})")


def poll(address: str, sessions: list[str], seconds: float) -> dict[int, int]:
    """All sessions at once for so long. Returns how many answers had which status."""
    with ThreadPoolExecutor(len(sessions)) as pool:
        counts = pool.map(lambda session: _page(address, session, seconds), sessions)
        total: Counter[int] = Counter()
        for found in counts:
            total.update(found)
    return dict(total)


def _page(address: str, session: str, seconds: float) -> Counter[int]:
    """One open page: every part at its own beat, over one connection."""
    connection = http.client.HTTPConnection(address, timeout=30)
    headers = {
        "Cookie": f"mediaflow-session={session}",
        "HX-Request": "true",
        "Accept-Encoding": "gzip",
    }
    versions: dict[str, str] = {}
    counts: Counter[int] = Counter()
    end = time.monotonic() + seconds
    due = {path: time.monotonic() + random.random() * every for path, every in PARTS}
    while (path := min(due, key=lambda each: due[each])) and due[path] < end:
        time.sleep(max(0.0, due[path] - time.monotonic()))
        due[path] += dict(PARTS)[path]
        known = f"?v={versions[path]}" if path in versions else ""
        connection.request("GET", path + known, headers=headers)
        answer = connection.getresponse()
        found = _VERSION.search(answer.read())
        if found:
            versions[path] = found.group(1).decode()
        counts[answer.status] += 1
    connection.close()
    return counts
