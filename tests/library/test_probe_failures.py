"""What a probe says of a disk that fails and a header that lies; the worker's side of the pipe."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import av
import pytest

from library.probing import pool as probe_pool
from library.probing import probe, worker
from library.probing.dump import parse_dump
from library.probing.probe import ProbeProblem, probe_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MP4_LOCKED = b"\0\0\0\x18ftypisom" + b"\0" * 20 + b"pssh" + b"\0" * 50


def fails(error: Exception) -> Callable[..., NoReturn]:
    def fail(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise error

    return fail


def problem_of(path: Path) -> ProbeProblem:
    with pytest.raises(ProbeProblem) as caught:
        probe_file(bytes(path))
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), "vanished", "The file is gone."),
        (PermissionError(errno.EACCES, "no"), "unreadable", "may not read it"),
        (OSError(errno.EIO, "Input/output error"), "unreadable", "read: Input/output error."),
        (OSError(errno.ESTALE, "Stale file handle"), "unreadable", "Stale file handle"),
        (av.error.InvalidDataError(errno.EINVAL, "bad"), "not_media", "damaged or not a film"),
        (av.error.ArgumentError(errno.EINVAL, "bad"), "not_media", "container that MediaFlow"),
        (MemoryError(), "not_media", "values that make no sense (MemoryError)"),
        (OverflowError(), "not_media", "values that make no sense (OverflowError)"),
    ],
)
def test_a_disk_that_fails_is_told_from_a_file_that_is_no_film(
    error: Exception, kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"no film")
    monkeypatch.setattr(probe, "open_guarded", fails(error))
    found = problem_of(film)
    assert found.kind == kind
    assert words in found.text


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_film_is_called_encrypted_where_its_head_says_so(
    is_readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(MP4_LOCKED)
    error = av.error.InvalidDataError(errno.EINVAL, "bad")
    monkeypatch.setattr(probe, "open_guarded", fails(error))
    if not is_readable:
        monkeypatch.setattr(os, "pread", fails(OSError(errno.EIO, "no")))
    assert problem_of(film).kind == ("encrypted" if is_readable else "not_media")


def test_a_file_that_goes_between_two_looks_is_not_called_encrypted(tmp_path: Path) -> None:
    assert not probe._looks_encrypted(bytes(tmp_path / "gone.mp4"))


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "film.mkv").touch()
    assert problem_of(tmp_path / "film.mkv").text == "The file is empty (0 bytes)."


@pytest.mark.parametrize(
    ("name", "brand", "path", "expected"),
    [
        ("matroska,webm", "", b"/a.WEBM", "webm"),
        ("matroska,webm", "", b"/a.mkv", "mkv"),
        ("mov,mp4,m4a,3gp,3g2,mj2", "qt  ", b"/a.mov", "mov"),
        ("mov,mp4,m4a,3gp,3g2,mj2", "isom", b"/a.mov", "mp4"),
        ("something_very_long,x", "", b"/a", "something_ve"),
    ],
)
def test_a_container_has_its_short_name(name: str, brand: str, path: bytes, expected: str) -> None:
    film: Any = SimpleNamespace(
        format=SimpleNamespace(name=name), metadata={"major_brand": brand} if brand else {}
    )
    assert probe._short_container(film, path) == expected


def test_packets_end_where_the_disk_or_the_data_fails() -> None:
    packet = SimpleNamespace(size=10)

    def demux(_stream: Any) -> Any:
        yield packet
        raise av.error.InvalidDataError(errno.EINVAL, "bad")

    film: Any = SimpleNamespace(demux=demux)
    packets, is_whole = probe._first_packets(film, None)
    assert is_whole
    assert packets == [packet]


class Decoder:
    """Gives its frame for the packet after which it has one, or when it is flushed."""

    def __init__(self, gives_after: Any, error: Exception | None = None) -> None:
        self.gives_after, self.error = gives_after, error
        self.thread_count = 0

    def decode(self, packet: Any) -> list[str]:
        if self.error is not None:
            raise self.error
        return ["frame"] if packet == self.gives_after else []


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        (Decoder("b"), "frame"),
        (Decoder(None), "frame"),
        (Decoder("never"), None),
        (Decoder("a", av.error.InvalidDataError(errno.EINVAL, "bad")), None),
    ],
)
def test_the_first_frame_is_taken_when_it_comes_or_missed(
    decoder: Decoder, expected: str | None
) -> None:
    packets: Any = ["a", "b"]
    assert probe._first_frame(SimpleNamespace(codec_context=decoder), packets) == expected


@pytest.mark.parametrize(("uneven_at", "expected"), [(None, False), (1_500, True)])
def test_an_index_with_a_late_change_of_rate_is_uneven(
    uneven_at: int | None, expected: bool
) -> None:
    times, at = [], 0
    for number in range(2_000):
        at += 40 if uneven_at is None or number < uneven_at or number % 2 else 90
        times.append(SimpleNamespace(timestamp=at))
    assert probe._index_is_uneven(SimpleNamespace(index_entries=times, frames=2_000)) is expected
    assert not probe._index_is_uneven(SimpleNamespace(index_entries=times, frames=0))


def test_a_description_that_says_less_is_read_as_far_as_it_goes() -> None:
    text = (
        "  Stream #0:0: Video: ???\n"
        "    Side data:\n"
        "      DOVI configuration record: version: 1.0, profile: 5\n"
        "      Display Matrix: rotation of nothing\n"
    )
    stream = parse_dump(text).streams[0]
    assert (stream.codec, stream.rotation_deg, stream.dolby_vision_profile) == ("", 0, "")


# The worker's side


def served(monkeypatch: pytest.MonkeyPatch, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """What a worker answers, line by line; its limits are not put on this process."""
    answers = io.BytesIO()
    lines = b"".join(json.dumps(request).encode() + b"\n" for request in requests)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    monkeypatch.setattr(worker, "private_output", lambda: answers)
    monkeypatch.setattr(worker, "allow_cpu_seconds", lambda _seconds: None)
    worker.serve_probes(1.0)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def request(path: Path, **values: Any) -> dict[str, Any]:
    return {"path": str(path), "probe": True, "fingerprint": False, "name": "", **values}


def test_a_worker_answers_each_line_whatever_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "Up (2009).mkv"
    film.write_bytes(b"no film")
    gone = tmp_path / "gone.mkv"
    found = served(
        monkeypatch,
        request(film, fingerprint=True, name="Up (2009).mkv"),
        request(gone, fingerprint=True),
        request(film, probe=False),
    )
    assert [answer.get("kind") for answer in found] == ["not_media", "vanished", None]
    assert (found[0]["name"]["title"], bool(found[0]["fingerprint"])) == ("Up", True)
    assert found[1]["fingerprint"] == ""
    assert found[2] == {}


def test_a_worker_survives_an_error_that_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "probe_file", fails(KeyError("odd")))
    (answer,) = served(monkeypatch, request(tmp_path / "film.mkv"))
    assert answer == {"kind": "crashed", "text": "Reading it failed (KeyError)."}


class Unreadable(Exception):
    """Pickles, and does not come back."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__("odd")


def make_unreadable() -> None:
    raise Unreadable(1, 2)


@pytest.mark.parametrize(
    ("call", "is_value", "expected"),
    [
        (("math", "sqrt", (9,)), True, 3.0),
        (("math", "sqrt", (-9,)), False, ValueError),
        (("math", "no_such_function", ()), False, AttributeError),
        ((__name__, "make_unreadable", ()), False, RuntimeError),
    ],
)
def test_a_guarded_call_always_gives_an_answer_that_can_be_read(
    call: tuple[Any, ...], is_value: bool, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = io.BytesIO()
    ended: list[int] = []
    stdin = SimpleNamespace(buffer=io.BytesIO(pickle.dumps(call)))
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(worker, "private_output", lambda: answers)
    monkeypatch.setattr(worker, "allow_cpu_seconds", lambda _seconds: None)
    monkeypatch.setattr(os, "_exit", ended.append)
    worker.serve_one_call(1.0)
    assert ended == [0]
    if is_value:
        assert probe_pool._unpack(answers.getvalue()) == expected
    else:
        with pytest.raises(expected):
            probe_pool._unpack(answers.getvalue())


@pytest.mark.parametrize("raw", [b"", b"\x80", b"not a pickle", pickle.dumps((True, 1))[:-2]])
def test_half_an_answer_counts_as_a_crash(raw: bytes) -> None:
    with pytest.raises(ProbeProblem) as caught:
        probe_pool._unpack(raw)
    assert caught.value.kind == "crashed"
