"""Searches on real clips: a promised VMAF is kept, and a second search costs nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.encode.world import World, clip_world
from transcode.encoders.choice import WorkingEncoder
from transcode.models import QualityProbe, QualitySearch
from transcode.outcomes import JobCancelled, JobSkipped
from transcode.presets.spec import PresetSpec, VideoRule
from transcode.quality import find, trial
from transcode.quality.found import Probe, SampleScore
from transcode.running import preparing
from transcode.running.preparing import Prepared, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.quality.reference import Reference

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]

TARGET = PresetSpec(
    video=VideoRule(speed="fastest", crf=None, target_vmaf=93.0), min_saving_pct=-200
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return clip_world(tmp_path, "h264_mkv", TARGET)


def test_a_target_becomes_the_crf_that_reaches_it_and_is_not_searched_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(world.context())
    found = prepared.found
    assert found is not None
    assert prepared.plan.video is not None
    assert prepared.plan.video.crf == found.crf
    assert prepared.plan.video.target_vmaf == 93.0
    assert 92.7 <= found.predicted_vmaf <= 94.5
    assert prepared.plan.min_vmaf_mean == 91.5
    assert prepared.estimate.basis == "sampled"
    assert found.bytes_low <= found.bytes_expected <= found.bytes_high
    assert QualitySearch.objects.count() == 1
    assert QualityProbe.objects.count() == found.probes
    assert any(step.note.startswith("Trying CRF") for step in world.progress)
    assert not list(world.work_dir.iterdir())
    monkeypatch.setattr(trial, "run_ffmpeg", _never)
    again = prepare(world.context())
    assert again.found is not None
    assert again.found.is_cached
    assert again.plan.digest() == prepared.plan.digest()
    _another_target_uses_the_probes(world, prepared)


def _another_target_uses_the_probes(world: World, before: Prepared) -> None:
    """With the CRF known, a target that a probe meets needs no further one."""
    assert before.found is not None
    met = round(before.found.predicted_vmaf, 3)
    world.spec = replace(TARGET, video=replace(TARGET.video, target_vmaf=met - 0.01))
    again = prepare(world.context())
    assert again.found is not None
    assert again.found.probes == 0


def test_a_target_above_what_the_encoder_reaches_skips_the_film_and_says_the_best(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "cut_reference", lambda *_a, **_k: None)
    monkeypatch.setattr(find, "try_quality", lambda _r, plan, _m, **_k: probe(plan, 90.0))
    with pytest.raises(JobSkipped) as skipped:
        prepare(world.context())
    assert skipped.value.reason_code == "target_unreachable"
    assert "the best is VMAF 90.00" in skipped.value.reason
    assert QualitySearch.objects.count() == 0


def probe(plan: Plan, score: float) -> Probe:
    assert plan.video is not None
    assert plan.video.crf is not None
    sample = SampleScore(0, 25, score, score, 4000, 20_000, 0)
    return Probe(plan.video.crf, score, score, (sample,), 0.1)


def test_a_search_ends_when_the_job_is_cancelled(world: World) -> None:
    def checkpoint() -> None:
        if any(step.note.startswith("Trying") for step in world.progress):
            raise JobCancelled("cancelled", "Cancelled.")

    with pytest.raises(JobCancelled):
        prepare(world.context(checkpoint))
    assert not list(world.work_dir.iterdir())


def _never(*_args: object, **_kwargs: object) -> None:
    raise AssertionError("nothing is encoded a second time")


def test_hardware_that_fails_here_is_passed_over_and_the_preset_s_own_encoder_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hevc_nvenc is in the bundled build and fails without a device; what x265 gives is made up."""

    def try_quality(reference: Reference, plan: Plan, metric: str, **calls: Any) -> Probe:
        assert plan.video is not None
        is_hardware = plan.video.encoder == "hevc_nvenc"
        return real(reference, plan, metric, **calls) if is_hardware else probe(plan, 93.1)

    real = trial.try_quality
    monkeypatch.setattr(find, "try_quality", try_quality)
    nvenc = WorkingEncoder("hevc_nvenc", ("",), (8, 10))
    monkeypatch.setattr(preparing, "working_for", lambda _rule: {"hevc_nvenc": nvenc})
    world.spec = replace(TARGET, video=replace(TARGET.video, hardware="prefer"))
    prepared = prepare(world.context())
    assert prepared.plan.video is not None
    assert prepared.plan.video.encoder == "libx265"
    assert any("hevc_nvenc is passed over" in line for line in world.log)
