from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.media_info import MediaInfo
from library.models import MediaProbe
from tests.transcode.encode.films import film, video
from tests.transcode.encode.test_chromecast import CHROMECAST
from tests.transcode.encode.world import AV1, COPY, X265, clip_world, make_world
from transcode.models import Job
from transcode.planning.dry_run import dry_run, index_from_header
from transcode.running.phases import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.presets.spec import PresetSpec

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


def without_job(plan: Plan) -> Plan:
    """The job's number and the fingerprint are only known to the job; the rest must agree."""
    options = tuple(o for o in plan.output_options if not o.startswith("MEDIAFLOW="))
    return replace(plan, output_options=options, source_fingerprint="", source_sha256="")


@pytest.mark.parametrize("kind", ["h264_mkv", "subtitles", "cover_art", "hevc_hdr10"])
def test_it_plans_exactly_what_the_job_would_do(tmp_path: Path, kind: str) -> None:
    world = clip_world(tmp_path, kind, X265)
    shown = dry_run(world.file, world.spec, "test", reads_packets=True)
    assert shown.plan is not None
    assert shown.refusal is None
    assert without_job(shown.plan) == without_job(prepare(world.context()).plan)
    assert "libx265" in shown.command
    assert shown.estimate is not None
    assert shown.estimate.low < shown.estimate.high


def test_without_reading_packets_only_the_count_of_pictures_is_taken_from_the_header(
    tmp_path: Path,
) -> None:
    world = clip_world(tmp_path, "h264_mkv", AV1)
    quick = dry_run(world.file, world.spec, "test").plan
    exact = dry_run(world.file, world.spec, "test", reads_packets=True).plan
    assert quick is not None
    assert exact is not None
    assert quick.output_options == exact.output_options
    assert quick.streams == exact.streams


def test_it_changes_nothing(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "h264_mkv")
    before = os.stat(world.source)
    listing = sorted(tmp_path.rglob("*"))
    jobs = list(Job.objects.values())
    dry_run(world.file, world.spec, "test", reads_packets=True)
    after = os.stat(world.source)
    assert sorted(tmp_path.rglob("*")) == listing
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    assert list(Job.objects.values()) == jobs


def test_a_film_that_the_scan_knows_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = clip_world(tmp_path, "h264_mkv")
    info = film(size_bytes=world.source.stat().st_size, duration_s=1.0)
    MediaProbe.objects.create(file=world.file, detail=info.to_json())
    monkeypatch.setattr("transcode.planning.dry_run.probe_in_worker", _fail)
    shown = dry_run(world.file, world.spec, "test")
    assert shown.info == MediaInfo.from_json(info.to_json())


def _fail(path: bytes) -> MediaInfo:
    raise AssertionError(path)


def test_a_refusal_comes_back_with_its_plan(tmp_path: Path) -> None:
    shown = dry_run(clip_world(tmp_path, "h264_mkv").file, COPY, "test")
    assert shown.plan is not None
    assert shown.refusal is not None
    assert shown.refusal.reason_code == "already_as_wanted"


def test_a_film_that_is_gone_or_broken_is_a_refusal(tmp_path: Path) -> None:
    gone = make_world(tmp_path, tmp_path / "films" / "gone.mkv")
    gone.source.parent.mkdir(parents=True)
    shown = dry_run(gone.file, X265, "test")
    assert shown.refusal is not None
    assert (shown.plan, shown.refusal.reason_code) == (None, "source_missing")
    gone.source.write_bytes(b"no film" * 500)
    shown = dry_run(gone.file, X265, "test")
    assert shown.refusal is not None
    assert shown.refusal.reason_code == "source_not_media"


def test_a_film_that_cannot_be_read_to_its_end_is_a_refusal(tmp_path: Path) -> None:
    """Its header was fine when the scan looked; the packets are what the job would read."""
    world = clip_world(tmp_path, "broken")
    info = film(size_bytes=world.source.stat().st_size)
    MediaProbe.objects.create(file=world.file, detail=info.to_json())
    shown = dry_run(world.file, X265, "test", reads_packets=True)
    assert shown.refusal is not None
    assert (shown.plan, shown.refusal.reason_code) == (None, "source_unreadable")
    assert shown.refusal.reason.startswith("It cannot be read: ")


def test_without_ffmpeg_there_is_no_plan_and_the_reason_names_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/nowhere/ffmpeg")
    shown = dry_run(clip_world(tmp_path, "h264_mkv").file, X265, "test")
    assert shown.refusal is not None
    assert (shown.plan, shown.refusal.reason_code) == (None, "ffmpeg_missing")
    assert "MEDIAFLOW_FFMPEG" in shown.refusal.reason


@pytest.mark.parametrize("spec", [X265, CHROMECAST], ids=["plain", "chromecast"])
def test_sound_without_a_picture_is_a_refusal(tmp_path: Path, spec: PresetSpec) -> None:
    world = clip_world(tmp_path, "h264_mkv", spec)
    info = film(size_bytes=world.source.stat().st_size, video=())
    MediaProbe.objects.create(file=world.file, detail=info.to_json())
    shown = dry_run(world.file, spec, "test")
    assert shown.refusal is not None
    assert (shown.plan, shown.refusal.reason_code) == (None, "no_video")


@pytest.mark.parametrize(
    "info",
    [film(duration_s=None), film(video(frame_rate="0/0")), film(video(frame_rate=""))],
    ids=["length", "rate 0/0", "rate"],
)
def test_a_header_without_rate_or_length_promises_one_picture(info: MediaInfo) -> None:
    assert index_from_header(info).frames == 1
    promising = replace(info, video=(replace(info.video[0], frames=10**12),))
    assert index_from_header(promising).frames == 5_000_000
