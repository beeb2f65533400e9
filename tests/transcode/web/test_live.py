"""One render for everybody who looks: when it is made, when it is used again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from transcode.pages.live import KEEP_S, LiveParts, Reading, version_of


class Source:
    """Something that pages show, and how often it was read and rendered."""

    def __init__(self) -> None:
        self.value = 1
        self.reads = 0
        self.renders = 0

    def read(self) -> Reading:
        self.reads += 1
        return Reading(version_of(self.value), self.render)

    def render(self) -> str:
        self.renders += 1
        return f"<p>{self.value}</p>"


def test_within_its_time_a_part_is_read_once() -> None:
    now, source = [0.0], Source()
    parts = LiveParts(clock=lambda: now[0])
    for _ in range(5):
        assert parts.get("a", source.read).html == "<p>1</p>"
    assert (source.reads, source.renders) == (1, 1)


def test_after_its_time_it_is_read_but_rendered_only_when_it_changed() -> None:
    now, source = [0.0], Source()
    parts = LiveParts(clock=lambda: now[0])
    parts.get("a", source.read)
    now[0] = KEEP_S + 0.1
    parts.get("a", source.read)
    assert (source.reads, source.renders) == (2, 1)
    source.value, now[0] = 2, 2 * KEEP_S + 0.2
    assert parts.get("a", source.read).html == "<p>2</p>"
    assert source.renders == 2


def test_a_change_by_somebody_here_shows_at_once() -> None:
    source = Source()
    parts = LiveParts(clock=lambda: 0.0)
    parts.get("a", source.read)
    source.value = 2
    parts.clear()
    assert parts.get("a", source.read).html == "<p>2</p>"


def test_threads_that_ask_at_once_share_one_render() -> None:
    source, gate = Source(), threading.Barrier(8)
    parts = LiveParts(clock=lambda: 0.0)

    def ask(_number: int) -> str:
        gate.wait(120)
        return parts.get("a", source.read).html

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"<p>1</p>"}
    assert source.renders == 1


def test_the_number_of_kept_parts_is_bounded() -> None:
    now, source = [0.0], Source()
    parts = LiveParts(clock=lambda: now[0])
    for number in range(1_000):
        now[0] = float(number)
        parts.get(number, source.read)
    assert len(parts._parts) <= 200
    assert len(parts._making) <= 200
