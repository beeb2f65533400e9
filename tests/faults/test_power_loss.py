"""Fault 6: a power cut after any call, losing anything that was not synced, loses no film."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.fs import fs
from tests.faults.disk_model import Disk, Recorder, power_cuts
from tests.faults.places import Refusing
from transcode.models import JournalState, Replacement
from transcode.replacing.picture import (
    Holds,
    Picture,
    Seen,
    Unfit,
    has_changed_name,
    next_back,
    next_forward,
)
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mediaflow.base.fs import FsCall
    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
ORIGINAL, OUTPUT = "original", "output"


@pytest.fixture(autouse=True)
def no_watcher_stays() -> Iterator[None]:
    yield
    fs.watcher = None


class _Both:
    """A disk that lacks some calls, recorded."""

    def __init__(self, recorder: Recorder, lacks: tuple[str, ...]) -> None:
        self._refusing = Refusing(*lacks)
        self._recorder = recorder

    def before(self, call: FsCall) -> None:
        self._refusing.before(call)

    def after(self, call: FsCall) -> None:
        self._recorder.after(call)


def _journal() -> str:
    return str(Replacement.objects.values_list("state", flat=True).first() or "")


LACKS = [
    (),
    ("rename_exchange",),
    ("link",),
    ("link", "rename_exchange"),
    ("rename_exchange", "rename_noreplace"),
]


@pytest.mark.parametrize("lacks", LACKS, ids=lambda lacks: " ".join(lacks) or "all calls")
@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi"])
@pytest.mark.parametrize("way", ["swap", "undo"])
def test_fault_06_no_power_cut_loses_the_film(
    make_world: Callable[..., World], lacks: tuple[str, ...], name: bytes, way: str
) -> None:
    world = make_world(name=name)
    recorder = Recorder(_journal)
    if way == "undo":
        world.swap()
    fs.watcher = _Both(recorder, lacks)
    if way == "swap":
        world.swap()
        start = Disk({world.film: 1}, {1: ORIGINAL})
    else:
        assert undo_job(world.job.pk, actor=None).ok
        row = Replacement.objects.get()
        names = {bytes(row.final_raw): 2, bytes(row.trash_raw or b""): 1}
        start = Disk(names, {1: ORIGINAL, 2: OUTPUT})
    row = Replacement.objects.get()
    places = [bytes(p) for p in (row.original_raw, row.final_raw, row.part_raw, row.trash_raw) if p]
    looked_at = 0
    for number, journal, disk in power_cuts(recorder.calls, start, OUTPUT):
        looked_at += 1
        held = {path: disk.at(path) for path in places}
        said = f"after call {number} ({journal}): {_short(held)}"
        _check_i1(held, places, journal, said)
        _check_names(held, world.film, bytes(row.final_raw), said)
        if journal in {JournalState.SWAPPING, JournalState.PUBLISHED, JournalState.UNDOING}:
            _check_recovery_knows_it(row, held, journal, said)
    assert looked_at > (50 if way == "swap" else 5)


def _check_i1(held: dict[bytes, str | None], places: list[bytes], journal: str, said: str) -> None:
    """The original's bytes are at a journalled place, whatever was lost."""
    assert ORIGINAL in held.values(), said
    if journal in {JournalState.COPYING, JournalState.STAGED, ""}:
        assert held[places[0]] == ORIGINAL, said


def _check_names(held: dict[bytes, str | None], film: bytes, final: bytes, said: str) -> None:
    """Under the film's names lies the original, our whole output or nothing: never torn bytes."""
    assert held[film] in {ORIGINAL, OUTPUT, None}, said
    assert held[final] in {ORIGINAL, OUTPUT, None}, said


HOLDS = {
    None: Holds.ABSENT,
    ORIGINAL: Holds.ORIGINAL,
    OUTPUT: Holds.OUTPUT,
    "empty": Holds.EMPTY,
    "torn": Holds.FOREIGN,
}


def _check_recovery_knows_it(
    row: Replacement, held: dict[bytes, str | None], journal: str, said: str
) -> None:
    """What the cut left fits a step, so that recovery needs nobody."""
    seen = {path: Seen(HOLDS[what]) for path, what in held.items()}
    picture = Picture(
        original=seen[bytes(row.original_raw)],
        final=seen[bytes(row.final_raw)],
        part=seen[bytes(row.part_raw)],
        trash=seen[bytes(row.trash_raw or b"")],
    )
    try:
        if journal != JournalState.UNDOING and has_changed_name(row, picture):
            next_forward(row, picture)
        else:
            next_back(row, picture)
    except Unfit:
        pytest.fail(f"a person would be asked {said}")


def _short(held: dict[bytes, str | None]) -> dict[str, str | None]:
    return {os.fsdecode(os.path.basename(path)): what for path, what in held.items()}


def test_the_model_finds_a_missing_sync(make_world: Callable[..., World]) -> None:
    """Were the part never synced, a cut could leave torn bytes under the film's name."""
    world = make_world(name=b"film.mkv")
    recorder = Recorder(_journal)
    fs.watcher = recorder
    world.swap()
    calls = [entry for entry in recorder.calls if entry[0].name != "fsync_file"]
    cuts = list(power_cuts(calls, Disk({world.film: 1}, {1: ORIGINAL}), OUTPUT))
    assert any(disk.at(world.film) == "torn" for _number, _journal, disk in cuts)


def test_the_journal_is_synced_before_the_names_change(make_world: Callable[..., World]) -> None:
    """Our own link and rename happen under "swapping" only, and "swapping" was made to last."""
    world = make_world(name=b"film.mkv")
    recorder = Recorder(_journal)
    fs.watcher = recorder
    world.swap()
    states = {
        (call.name, journal)
        for call, journal in recorder.calls
        if world.film in (call.path, call.other) and call.name != "fsync_file"
    }
    assert states == {("link", "swapping"), ("rename_exchange", "swapping")}
