"""What stops a job before its first frame, and what it takes into its plan on the way."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from library.probing.probe import ProbeProblem
from servers.models import SlotLease
from tests.transcode.encode.test_borders import letterboxed
from tests.transcode.encode.world import X265, clip_world, make_world
from transcode.encoders.choice import WorkingEncoder
from transcode.models import EncoderCheck, Job
from transcode.outcomes import JobFailed, JobOutcome, JobSkipped, JobWaits
from transcode.quality.found import FoundQuality
from transcode.running import preparing
from transcode.running.phases import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.encode.world import World
    from transcode.presets.rules import VideoRule

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
TARGET = replace(
    X265,
    video=replace(X265.video, crf=None, target_vmaf=93.0, hardware="prefer"),
    min_saving_pct=-200,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return clip_world(tmp_path, "h264_mkv")


@pytest.mark.parametrize("reader", ["probe_in_worker", "index_in_worker"])
@pytest.mark.parametrize(
    ("problem", "outcome", "code", "is_retryable"),
    [
        ("encrypted", JobSkipped, "encrypted", None),
        ("not_media", JobSkipped, "not_media", None),
        ("vanished", JobFailed, "source_missing", False),
        ("unreadable", JobFailed, "source_unreadable", True),
        ("timeout", JobFailed, "source_timeout", True),
        ("crashed", JobFailed, "source_crashed", False),
    ],
)
def test_a_film_that_cannot_be_read_is_skipped_failed_or_tried_again(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
    problem: str,
    outcome: type[JobOutcome],
    code: str,
    is_retryable: bool | None,
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ProbeProblem(problem, "That is why.")

    monkeypatch.setattr(preparing, reader, fail)
    with pytest.raises(outcome) as caught:
        prepare(world.context())
    assert (caught.value.reason_code, caught.value.reason) == (code, "That is why.")
    assert getattr(caught.value, "is_retryable", None) is is_retryable


def test_a_disk_that_goes_away_while_the_film_is_named_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: bytes) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(preparing, "content_fingerprint", fail)
    with pytest.raises(JobWaits) as caught:
        prepare(world.context())
    assert caught.value.reason == "The film cannot be read: Input/output error."


def test_a_film_that_left_the_list_is_still_planned(world: World) -> None:
    """Its row went while the job ran: what may be replaced is asked again before the swap."""
    Job.objects.update(file=None)
    assert prepare(world.context()).plan.video is not None


def test_bars_are_looked_for_and_cut_off_where_the_preset_says_so(tmp_path: Path) -> None:
    source = tmp_path / "films" / "film.mkv"
    source.parent.mkdir()
    letterboxed(source)
    world = make_world(
        tmp_path, source, replace(X265, video=replace(X265.video, crop_borders=True))
    )
    plan = prepare(world.context()).plan
    assert plan.video is not None
    assert plan.video.filters[0] == "crop=320:136:0:22"
    assert "Looking for black bars" in [step.note for step in world.progress]
    assert os.listdir(world.work_dir) == []


@pytest.mark.parametrize(("share", "is_worth_it"), [(0.1, True), (3.0, False)])
def test_what_the_samples_of_this_film_said_counts_more_than_other_films(
    world: World, monkeypatch: pytest.MonkeyPatch, share: float, is_worth_it: bool
) -> None:
    size = round(share * world.source.stat().st_size)
    known = FoundQuality(
        28, 92.0, 90.0, "vmaf", "vmaf_v0.6.1", (), 0, 0.0, True, size, size, size, "Known."
    )
    monkeypatch.setattr(preparing, "known_quality", lambda *_: known)
    if is_worth_it:
        estimate = prepare(world.context()).estimate
        assert (estimate.basis, estimate.vmaf) == ("sampled", 92.0)
        return
    with pytest.raises(JobSkipped) as caught:
        prepare(world.context())
    assert caught.value.reason_code == "not_worth_it"


def test_where_no_hardware_works_the_reason_is_logged_and_a_missed_target_skips_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = clip_world(tmp_path, "h264_mkv", TARGET)
    tried: list[str] = []

    def miss(_film: object, plan_for: object, **_options: object) -> None:
        tried.append("search")
        raise JobSkipped("target_unreachable", "VMAF 93 cannot be reached.")

    monkeypatch.setattr(preparing, "find_quality", miss)
    monkeypatch.setattr(preparing, "working_for", lambda _rule: dict[str, WorkingEncoder]())
    with pytest.raises(JobSkipped, match="target_unreachable"):
        prepare(world.context())
    assert tried == ["search"]
    assert any("no hardware encoder for hevc works here" in line for line in world.log)


def test_hardware_is_tried_on_a_slot_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = clip_world(tmp_path, "h264_mkv", TARGET)
    held: list[str] = []

    def try_hardware(_rule: VideoRule) -> dict[str, WorkingEncoder]:
        held.extend(SlotLease.objects.values_list("kind", flat=True))
        return {}

    monkeypatch.setattr(preparing, "working_for", try_hardware)
    skip = Mock(side_effect=JobSkipped("target_unreachable", "VMAF 93 cannot be reached."))
    monkeypatch.setattr(preparing, "find_quality", skip)
    with pytest.raises(JobSkipped):
        prepare(world.context())
    assert held == ["sample"]
    assert not SlotLease.objects.exists()


def test_named_hardware_that_misses_the_target_is_searched_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the rule says of hardware: nothing else may take its place."""
    rule = replace(TARGET.video, encoder="hevc_nvenc", hardware="allow")
    world = clip_world(tmp_path, "h264_mkv", replace(TARGET, video=rule))
    search = Mock(side_effect=[JobSkipped("target_unreachable", "It cannot be reached.")])
    monkeypatch.setattr(preparing, "find_quality", search)
    with pytest.raises(JobSkipped, match="target_unreachable"):
        prepare(world.context())
    assert not EncoderCheck.objects.exists()  # and none was tried in vain


def test_an_encoder_that_is_hardware_by_name_needs_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed over in this job only by what failed before, never by a choice."""
    rule = replace(TARGET.video, encoder="hevc_nvenc")
    world = clip_world(tmp_path, "h264_mkv", replace(TARGET, video=rule))
    nvenc = WorkingEncoder("hevc_nvenc", ("",), (8, 10))
    monkeypatch.setattr(preparing, "working_for", lambda _rule: {"hevc_nvenc": nvenc})
    found = FoundQuality(
        24, 93.1, 90.0, "vmaf", "vmaf_v0.6.1", (), 3, 1.0, False, 1000, 900, 1100, "Found."
    )
    monkeypatch.setattr(preparing, "find_quality", lambda *_args, **_options: found)
    prepared = prepare(world.context())
    assert prepared.plan.video is not None
    assert (prepared.plan.video.encoder, prepared.plan.video.crf) == ("hevc_nvenc", 24)
    assert not any("encodes" in line or "takes the place" in line for line in world.log)
