"""A film that turns out not to be cut safely is encoded whole, says so, and is not tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.transcode.chunks.fakes import FakeWorld, fake_world
from transcode.chunks import film as film_module
from transcode.chunks.encoding import OtherPictures
from transcode.chunks.film import encode_as_planned
from transcode.models import Job

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.chunks.encoding import Calls, ChunkTask
    from transcode.planning.model import Plan
    from transcode.running.context import RunContext

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    def encode_film(ctx: RunContext, plan: Plan, *, source_bytes: int) -> Path:
        whole.append(plan.digest())
        return ctx.work_dir / "encoded.mkv"

    whole: list[str] = []
    monkeypatch.setattr(film_module, "encode_film", encode_film)
    world = fake_world(tmp_path, monkeypatch)
    world.whole = whole
    return world


def encode(world: FakeWorld) -> Path | None:
    context = world.world.context()
    return encode_as_planned(context, world.plan, world.info, world.film.index)


def test_a_film_in_chunks_is_left_to_the_join(world: FakeWorld) -> None:
    assert encode(world) is None
    assert world.whole == []
    assert Job.objects.get().chunks_done == 4


def test_other_pictures_make_it_run_whole_now_and_in_the_next_attempt(world: FakeWorld) -> None:
    def wrong(_task: ChunkTask, _calls: Calls) -> None:
        raise OtherPictures("picture 0 of 25 is that of tick 7")

    world.stub.at_each_try = wrong
    assert encode(world) == world.world.work_dir / "encoded.mkv"
    assert "tick 7" in Job.objects.get().whole_reason
    tries = len(world.stub.encoded)
    Job.objects.update(whole_reason="")  # as the next attempt's plan says
    assert encode(world) == world.world.work_dir / "encoded.mkv"
    assert "tick 7" in Job.objects.get().whole_reason
    assert len(world.stub.encoded) == tries
    assert len(world.whole) == 2
