"""The watch hears the progress of an encode and stops one that is not worth it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.transcode.encode.films import COPY, X265, film, index_of, plan_for
from transcode.outcomes import JobSkipped
from transcode.planning.model import PlannedChunk
from transcode.prediction.estimate import estimate_size, facts_of_info
from transcode.prediction.watching import watched_encode
from transcode.running.context import PhaseProgress
from transcode.running.preparing import Prepared
from transcode.running.work_folders import CHUNKS_FOLDER, UNSAFE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.presets.spec import PresetSpec
    from transcode.running.context import RunContext

SOURCE_BYTES = 1_000_000


@dataclass
class Heard:
    """What a RunContext is to the watch."""

    work_dir: Path
    seen: list[PhaseProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.report: Any = self.seen.append


@pytest.fixture
def ctx(tmp_path: Path) -> Heard:
    return Heard(tmp_path)


def prepared(spec: PresetSpec = X265, *, is_cut: bool = False) -> Prepared:
    info = film(size_bytes=SOURCE_BYTES, duration_s=1.0)
    plan = plan_for(info, spec)
    if is_cut:
        plan = replace(plan, chunks=(PlannedChunk(0, 500, 12), PlannedChunk(500, 1000, 13)))
    index = index_of(info, video_sizes=array("q", [30_000] * 25))
    return Prepared(plan, info, index, estimate_size(facts_of_info(info), spec))


def encode(ctx: Heard, film: Prepared, whole_bytes: int) -> float:
    """Runs an even encode of that size; returns the percent at which it ended."""
    seconds = count(0.0, 10.0)
    with watched_encode(cast("RunContext", ctx), film, clock=lambda: next(seconds)):
        for pct in range(1, 101):
            try:
                ctx.report(PhaseProgress(pct=float(pct), bytes_so_far=whole_bytes * pct // 100))
            except JobSkipped as skipped:
                assert skipped.reason_code == "not_worth_it"
                return float(pct)
    return 100.0


def test_an_encode_that_grows_too_large_is_stopped_early(ctx: Heard) -> None:
    assert 10 < encode(ctx, prepared(), 2 * SOURCE_BYTES) < 20
    assert ctx.seen  # its progress went where it always goes


def test_one_that_fits_runs_to_its_end_and_leaves_no_trace(ctx: Heard) -> None:
    report = ctx.report
    assert encode(ctx, prepared(), SOURCE_BYTES // 2) == 100.0
    assert len(ctx.seen) == 100
    assert ctx.report == report


def test_the_report_is_given_back_when_the_encode_fails(ctx: Heard) -> None:
    report = ctx.report
    with pytest.raises(RuntimeError), watched_encode(cast("RunContext", ctx), prepared()):
        raise RuntimeError
    assert ctx.report == report


def test_progress_without_figures_is_passed_on(ctx: Heard) -> None:
    with watched_encode(cast("RunContext", ctx), prepared()):
        ctx.report(PhaseProgress(note="Checking"))
    assert [progress.note for progress in ctx.seen] == ["Checking"]


def test_a_copy_is_not_watched(ctx: Heard) -> None:
    assert encode(ctx, prepared(COPY), 5 * SOURCE_BYTES) == 100.0


def test_sound_is_added_to_chunks_but_not_to_a_film_that_is_encoded_whole_after_all(
    ctx: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transcode.prediction.watching.bytes_beside_picture", lambda *_: SOURCE_BYTES // 2
    )
    picture = round(0.7 * SOURCE_BYTES)
    assert encode(ctx, prepared(is_cut=True), picture) < 50
    assert encode(ctx, prepared(), picture) == 100.0
    folder = ctx.work_dir / CHUNKS_FOLDER
    folder.mkdir()
    (folder / UNSAFE_NAME).write_text("cutting failed")
    assert encode(ctx, prepared(is_cut=True), picture) == 100.0


def test_heavy_chunks_first_do_not_look_like_a_film_that_grows_too_large(ctx: Heard) -> None:
    """The heavy half of the film is done first: as the source says, what is left needs less."""
    seconds = count(0.0, 10.0)
    heavy, light = 1_200, 400  # bytes by thousandth of the film: 80 % of what the preset allows
    with watched_encode(
        cast("RunContext", ctx), prepared(is_cut=True), clock=lambda: next(seconds)
    ):
        for step in range(10, 1001, 10):
            first, rest = min(step, 500), max(0, step - 500)
            ctx.report(
                PhaseProgress(
                    pct=step / 10,
                    bytes_so_far=first * heavy + rest * light,
                    effort_share=(first * 0.75 + rest * 0.25) / 500,
                )
            )
    assert len(ctx.seen) == 100
