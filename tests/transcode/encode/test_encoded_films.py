"""Real films through prepare, encode and assemble: what comes out is what the plan says."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind, MediaInfo
from tests.transcode.encode.world import AV1, COPY, PHONE, X265, Result, clip_world, run_phases
from transcode.outcomes import JobSkipped
from transcode.planning.model import StreamKind

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import AudioStream, SubtitleStream, VideoStream
    from transcode.presets.spec import PresetSpec

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]

PTS_LIMIT_S = 0.0011
END_LIMIT_S = 0.021


def assert_as_planned(result: Result) -> None:
    """Tracks, pictures, times, colour, chapters, tag."""
    plan, after = result.prepared.plan, result.after
    assert plan.video is not None
    assert result.index.frames == plan.video.expected_frames
    assert _colour_differences(result) == []
    tracks = _tracks(after)
    for stream in plan.kept:
        if stream.kind in (StreamKind.VIDEO, StreamKind.AUDIO, StreamKind.SUBTITLE):
            track = tracks[stream.output_index or 0]
            assert track.codec == stream.output_codec
            assert (track.language, track.title) == (stream.language, stream.title)
            assert track.disposition == stream.disposition
    counts = [len(after.video), len(after.audio), len(after.subtitles)]
    counts += [len(after.attachments), len(after.cover_art)]
    kinds = list(StreamKind)[:5]
    assert counts == [sum(s.kind == kind for s in plan.kept) for kind in kinds]
    assert len(after.chapters) == plan.chapters
    assert after.mediaflow_tag.endswith(";test")
    assert_same_times(result)


def _tracks(info: MediaInfo) -> dict[int, VideoStream | AudioStream | SubtitleStream]:
    tracks: list[VideoStream | AudioStream | SubtitleStream] = [*info.video]
    tracks += [*info.audio, *info.subtitles]
    return {track.index: track for track in tracks}


def _colour_differences(result: Result) -> list[tuple[str, object, object]]:
    plan, video = result.prepared.plan.video, result.after.main_video
    assert plan is not None
    assert video is not None
    assert (video.width, video.height) == (plan.width, plan.height)
    found = []
    for name in plan.color.__slots__:
        wanted, got = getattr(plan.color, name), getattr(video, name)
        if wanted not in ("", None) and wanted != got:
            found.append((name, wanted, got))
    return found


def assert_same_times(result: Result) -> None:
    """Each picture keeps its time, and the picture its distance to the end of the sound."""
    source, output = result.prepared.index, result.index
    before = [float((p - source.video_pts[0]) * source.time_base) for p in source.video_pts]
    after = [float((p - output.video_pts[0]) * output.time_base) for p in output.video_pts]
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= PTS_LIMIT_S
    for stream in result.prepared.plan.kept:
        if stream.kind != StreamKind.AUDIO:
            continue
        was, now = source.spans[stream.source_index], output.spans[stream.output_index or 0]
        assert source.video_span is not None
        assert output.video_span is not None
        gap_before = (was.end_s or 0) - (source.video_span.end_s or 0)
        gap_after = (now.end_s or 0) - (output.video_span.end_s or 0)
        assert abs(gap_before - gap_after) <= END_LIMIT_S


@pytest.mark.parametrize(
    "kind",
    [
        "h264_mkv",
        "h264_mp4",
        "mpeg4_avi",
        "hevc_hdr10",
        "hlg",
        "interlaced",
        "mpeg2_ts",
        "vfr",
        "two_audio",
        "subtitles",
        "bitmap_subs",
        "chapters",
        "fonts",
        "cover_art",
        "odd_size",
        "rotated",
        "edit_list",
        "late_start",
    ],
)
def test_a_film_encoded_to_hevc_comes_out_as_planned(tmp_path: Path, kind: str) -> None:
    assert_as_planned(run_phases(clip_world(tmp_path, kind, X265)))


@pytest.mark.parametrize("kind", ["hlg", "vfr", "odd_size"])
def test_a_film_encoded_to_av1_comes_out_as_planned(tmp_path: Path, kind: str) -> None:
    assert_as_planned(run_phases(clip_world(tmp_path, kind, AV1)))


@pytest.mark.parametrize(
    "kind",
    [
        "h264_mkv",
        "hlg",
        "interlaced",
        "two_audio",
        "subtitles",
        "bitmap_subs",
        "fonts",
        "cover_art",
    ],
)
def test_a_film_encoded_for_phones_comes_out_as_planned(tmp_path: Path, kind: str) -> None:
    assert_as_planned(run_phases(clip_world(tmp_path, kind, PHONE)))


@pytest.mark.parametrize("kind", ["h264_mp4", "mpeg4_avi", "mpeg2_ts", "cover_art"])
def test_a_copied_film_comes_out_as_planned(tmp_path: Path, kind: str) -> None:
    assert_as_planned(run_phases(clip_world(tmp_path, kind, COPY)))


@pytest.mark.parametrize("spec", [X265, AV1], ids=["x265", "svtav1"])
def test_hdr10_keeps_its_mastering_display_and_light_levels(
    tmp_path: Path, spec: PresetSpec
) -> None:
    result = run_phases(clip_world(tmp_path, "hevc_hdr10", spec))
    video = result.after.main_video
    assert video is not None
    assert video.hdr == HdrKind.HDR10
    assert video.bit_depth == 10
    assert video.mastering_display is not None
    assert video.mastering_display == result.before.video[0].mastering_display
    assert (video.max_cll_nits, video.max_fall_nits) == (1000, 400)


def test_tone_mapping_leaves_no_trace_of_hdr(tmp_path: Path) -> None:
    video = run_phases(clip_world(tmp_path, "hevc_hdr10", PHONE)).after.main_video
    assert video is not None
    assert (video.hdr, video.bit_depth, video.color_transfer) == (HdrKind.SDR, 8, "bt709")
    assert video.mastering_display is None
    assert video.max_cll_nits is None


def test_closed_captions_survive_x265(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "captions", X265))
    assert result.before.video[0].has_closed_captions
    assert result.after.video[0].has_closed_captions
    assert result.prepared.plan.losses == ()


def test_closed_captions_are_a_listed_loss_with_svtav1(tmp_path: Path) -> None:
    plan = run_phases(clip_world(tmp_path, "captions", AV1)).prepared.plan
    assert plan.losses == ("closed captions",)


def test_a_late_picture_stays_late(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "late_start", X265))
    before, after = result.prepared.index.spans, result.index.spans
    late_by_s = (before[0].start_s or 0) - (before[1].start_s or 0)
    assert late_by_s > 0.6
    assert (after[0].start_s or 0) - (after[1].start_s or 0) == pytest.approx(late_by_s, abs=0.02)


def test_pictures_that_an_edit_list_hides_stay_hidden(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "edit_list", X265, seconds=2))
    assert result.prepared.index.hidden_packets > 0
    assert result.index.frames == result.prepared.index.frames


def test_a_copy_does_not_show_what_an_edit_list_hides(tmp_path: Path) -> None:
    with pytest.raises(JobSkipped) as caught:
        run_phases(clip_world(tmp_path, "edit_list", COPY, seconds=2))
    assert caught.value.reason_code == "edit_list_would_be_lost"


def test_a_rotated_film_is_turned_upright(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "rotated", X265))
    before, after = result.before.video[0], result.after.video[0]
    assert before.rotation_deg % 180 == 90
    assert (after.width, after.height) == (before.height, before.width)
    assert after.rotation_deg == 0


def test_cover_art_is_no_second_film(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "cover_art", X265))
    assert len(result.after.video) == 1
    assert [c.codec for c in result.after.cover_art] == [c.codec for c in result.before.cover_art]


def test_stale_statistics_tags_are_not_copied(tmp_path: Path) -> None:
    result = run_phases(clip_world(tmp_path, "two_audio", X265))
    raw = result.output.read_bytes()
    assert b"NUMBER_OF_FRAMES" not in raw
    assert b"_STATISTICS_TAGS" not in raw


def test_the_source_hash_is_taken_in_the_reading_pass(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "h264_mkv", X265)
    prepared = run_phases(world).prepared
    assert prepared.index.sha256 == hashlib.sha256(world.source.read_bytes()).hexdigest()


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "h264_mkv", X265, seconds=2)
    run_phases(world)
    shares = [p.pct for p in world.progress if p.pct is not None]
    assert shares == sorted(shares)
    assert shares[-1] == 100.0


def test_the_log_holds_the_exact_command(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "h264_mkv", X265)
    run_phases(world)
    command = next(line for line in world.log if line.startswith("$ "))
    assert "libx265" in command
    assert f"file:{os.fspath(world.source)}" in command
