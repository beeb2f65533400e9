"""The swap on real files, from S3 to S8."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from library.models import FileState
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import ORIGINAL_BYTES, digest, tree
from transcode.models import JobStatus, JournalState, OutboxEntry, OutputMode, TrashEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.replace.world import World

pytestmark = pytest.mark.ffmpeg
MakeWorld = "Callable[..., World]"


@pytest.mark.parametrize("name", [b"film.mkv", b"film.avi", b"a/b/film.MKV"])
def test_the_output_takes_the_films_place_and_the_original_lies_in_the_trash(
    make_world: Callable[..., World], name: bytes
) -> None:
    world = make_world(name=name)
    row = world.swap()
    assert row.state == JournalState.DONE
    assert world.status() == JobStatus.COMPLETED
    assert broken_invariants(world) == []
    entry = TrashEntry.objects.get(replacement=row)
    assert os.path.dirname(bytes(entry.path_raw)) == os.fsencode(
        world.root / ".mediaflow" / "trash"
    )
    assert entry.sha256 == digest(ORIGINAL_BYTES)
    world.file.refresh_from_db()
    assert world.file.state == FileState.COMPLETED
    assert bytes(world.file.path_raw).endswith(b"film.MKV" if b"MKV" in name else b"film.mkv")
    assert OutboxEntry.objects.get().kind == "file_swapped"


@pytest.mark.parametrize("mode", [OutputMode.BESIDE, OutputMode.FOLDER])
def test_an_output_beside_leaves_the_film_alone(
    make_world: Callable[..., World], tmp_path: object, mode: str
) -> None:
    world = make_world(mode=mode)
    if mode == OutputMode.FOLDER:
        target = world.folder / "out"
        target.mkdir()
        world.output_folder = os.fsencode(target)
    row = world.swap()
    assert broken_invariants(world) == []
    assert world.status() == JobStatus.COMPLETED
    name = b"film.mkv" if mode == OutputMode.FOLDER else b"film.mf1.mkv"
    assert os.path.basename(bytes(row.final_raw)) == name
    assert (
        world.output_sha256
        in tree(world.folder if mode == OutputMode.FOLDER else world.root).values()
    )


def test_another_file_under_the_trash_name_of_a_begun_swap_is_never_removed(
    make_world: Callable[..., World],
) -> None:
    from transcode.models import Replacement
    from transcode.replacing.back import discard_part
    from transcode.replacing.picture import Unfit

    world = make_world()
    row = world.swap()
    trash = bytes(row.trash_raw or b"")
    with open(trash, "wb") as film:
        film.write(b"somebody's film")
    Replacement.objects.update(state="copying")
    row.refresh_from_db()
    with pytest.raises(Unfit, match="another file"):
        discard_part(row)
    assert os.path.exists(trash)
