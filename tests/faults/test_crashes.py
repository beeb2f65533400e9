"""Faults 1 to 5: where exactly a crash leaves things, and what the restart makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.scenarios import OTHER, SAME
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.harness import FaultInstance

pytestmark = pytest.mark.ffmpeg
FILM = digest(ORIGINAL_BYTES)


def _killed(
    new_instance: Callable[[], FaultInstance], make: dict[str, Any], at: str
) -> FaultInstance:
    instance = new_instance()
    assert instance.act("run", prepare=(("make", make),), kill_at=at).was_killed
    return instance


def _parts(instance: FaultInstance) -> list[bytes]:
    return [p for p in tree(instance.folder / "films") if p.endswith(b".part")]


def test_fault_01_killed_before_the_swap_the_job_starts_again_and_the_film_is_untouched(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = _killed(new_instance, SAME, "replace.copying")
    assert tree(instance.folder / "films")[b"film.mkv"] == FILM
    assert instance.check("restart")["status"] == "completed"


@pytest.mark.parametrize("at", ["replace.part_made", "replace.part_written", "replace.staged"])
def test_fault_02_a_part_is_removed_by_the_journal_and_never_by_its_looks(
    new_instance: Callable[[], FaultInstance], at: str
) -> None:
    stranger = ".mf-0123456789abcdef0123456789abcdef.part"
    make = {**SAME, "neighbours": {stranger: "somebody's file that looks like ours"}}
    instance = _killed(new_instance, make, at)
    assert len(_parts(instance)) == 2
    instance.act("recover")
    assert _parts(instance) == [stranger.encode()]
    instance.check("restart")


@pytest.mark.parametrize(
    ("make", "at", "end"),
    [
        (SAME, "replace.swapping", "abandoned"),
        (SAME, "replace.sidecar", "abandoned"),
        (SAME, "step.swap_names", "done"),
        (OTHER, "replace.sidecar", "abandoned"),
        (OTHER, "step.publish", "done"),
        (OTHER, "step.leave", "done"),
    ],
)
def test_fault_03_after_the_point_of_no_return_the_disk_says_forward_or_back(
    new_instance: Callable[[], FaultInstance], make: dict[str, Any], at: str, end: str
) -> None:
    instance = _killed(new_instance, make, at)
    instance.act("recover")
    found = instance.act("check").answer
    assert found["state"] == end
    instance.check("restart")


def test_fault_04_killed_between_link_and_rename_the_name_is_the_originals(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = _killed(new_instance, SAME, "step.link_trash")
    assert list(tree(instance.folder / "films").values()).count(FILM) == 2
    instance.act("recover")
    files = tree(instance.folder / "films")
    assert files[b"film.mkv"] == FILM
    assert list(files.values()).count(FILM) == 1, "the trash's link is dropped"
    assert instance.check("restart")["status"] == "completed"


@pytest.mark.parametrize("at", ["step.swap_names", "step.drop_part", "replace.reprobed"])
def test_fault_05_killed_after_the_rename_the_new_film_is_verified_again_and_finished(
    new_instance: Callable[[], FaultInstance], at: str
) -> None:
    instance = _killed(new_instance, SAME, at)
    ended = instance.act("recover")
    assert "replace.reprobed" in ended.reached
    found = instance.check()
    assert (found["state"], found["status"]) == ("done", "completed")


def test_fault_05_a_film_that_does_not_verify_after_the_crash_gives_way_to_the_original(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = _killed(new_instance, SAME, "step.drop_part")
    film = instance.folder / "films" / "film.mkv"
    before = film.stat()
    content = bytearray(film.read_bytes())
    content[100] ^= 1
    film.write_bytes(content)
    import os

    os.utime(film, ns=(before.st_atime_ns, before.st_mtime_ns))
    instance.act("recover")
    assert tree(instance.folder / "films")[b"film.mkv"] == FILM


def test_fault_14_a_process_that_hangs_in_its_swap_keeps_others_out(
    new_instance: Callable[[], FaultInstance],
) -> None:
    instance = new_instance()
    instance.act("run_under_a_held_lock", prepare=(("make", SAME),))
    found = instance.act("check").answer
    assert (found["status"], found["state"]) == ("retry_wait", None)
    assert instance.check("restart")["status"] == "completed"


@pytest.mark.parametrize("code", ["same", "other"])
def test_an_original_under_the_parts_name_returns_when_our_film_was_deleted(
    new_instance: Callable[[], FaultInstance], code: str
) -> None:
    """No hard links: killed after the exchange, and then somebody deletes the new film."""
    instance = new_instance()
    prepare = (("make", SAME), ("lack", {"names": ["link"]}))
    instance.act("run", prepare=prepare, kill_at="step.link_trash")
    if code == "same":
        (instance.folder / "films" / "film.mkv").unlink()
    else:
        (instance.folder / "films" / "film.mkv").write_bytes(b"a new film of the user's")
    instance.act("recover", prepare=(("lack", {"names": ["link"]}),))
    files = tree(instance.folder / "films")
    assert FILM in files.values()
    if code == "same":
        assert files[b"film.mkv"] == FILM
    else:
        assert files[b"film.mkv"] == digest(b"a new film of the user's")
        assert instance.act("check").answer["state"] == "stuck"
