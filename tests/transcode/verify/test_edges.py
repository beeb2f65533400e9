"""What single rungs do at their edges. The evidence is measured once and changed by hand."""

from __future__ import annotations

import copy
import os
from array import array
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from library.media_info import HdrKind
from library.probing.probe import ProbeProblem
from tests.media import make_clip
from tests.transcode.verify.pairs import encode_by_preset
from transcode.encoding.process import FfmpegResult
from transcode.planning.film_timing import FilmTiming, read_film_timing, read_sound_starts
from transcode.planning.model import Action, PlannedChunk, StreamKind
from transcode.planning.packet_index import StreamSpan
from transcode.presets.spec import PresetSpec, VideoRule
from transcode.quality.found import FoundQuality, SampleScore
from transcode.running.work_folders import CHUNKS_FOLDER, UNSAFE_NAME
from transcode.verify import decode_rung
from transcode.verify.color_rungs import check_color
from transcode.verify.decode_rung import check_decode
from transcode.verify.evidence import Evidence
from transcode.verify.process_rungs import check_opens, check_process
from transcode.verify.quality_rung import check_quality
from transcode.verify.stream_rungs import check_streams
from transcode.verify.timing_rungs import check_duration, check_frames, check_sync
from transcode.verify.vmaf import VmafFailed
from transcode.verify.vmaf_graph import Window

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transcode.verify.pairs import Pair
    from transcode.verify import RungResult

pytestmark = pytest.mark.ffmpeg


@pytest.fixture(scope="session")
def measured(rich: Pair) -> Evidence:
    """Everything about the good pair, read once."""
    evidence = Evidence(rich.context(), rich.prepared, rich.output, rich.result)
    assert evidence.after
    assert evidence.output_timing
    assert evidence.source_sound_starts
    return evidence


@pytest.fixture
def evidence(measured: Evidence) -> Evidence:
    """A copy that a test may bend."""
    return copy.copy(measured)


def bend_plan(evidence: Evidence, **changes: Any) -> None:
    plan = replace(evidence.plan, **changes)
    evidence.prepared = replace(evidence.prepared, plan=plan)


def bend_after(evidence: Evidence, **changes: Any) -> None:
    """Change what the probe says of the output."""
    evidence.__dict__["after"] = replace(evidence.after, **changes)


def bend_video(evidence: Evidence, **changes: Any) -> None:
    bend_after(evidence, video=(replace(evidence.after.video[0], **changes),))


def bend_index(evidence: Evidence, **changes: Any) -> None:
    index = replace(evidence.output_index, **changes)
    timing = evidence.output_timing
    evidence.__dict__["output_timing"] = FilmTiming(index, timing.sound_starts_s)


def without_picture(evidence: Evidence) -> None:
    kept = tuple(s for s in evidence.plan.streams if s.kind != StreamKind.VIDEO)
    bend_plan(evidence, streams=kept, video=None)


# Rungs 0 and 2


def test_more_messages_than_could_be_kept_fail(evidence: Evidence) -> None:
    assert evidence.encode_result is not None
    evidence.encode_result = replace(evidence.encode_result, omitted_lines=7)
    assert "7 lines" in check_process(evidence).text


def test_a_stalled_encode_fails(evidence: Evidence) -> None:
    assert evidence.encode_result is not None
    evidence.encode_result = replace(evidence.encode_result, is_stalled=True)
    assert "stood still" in check_process(evidence).text


def test_an_output_without_streams_does_not_open(evidence: Evidence) -> None:
    bend_after(evidence, video=(), audio=(), subtitles=())
    assert check_opens(evidence).is_failed


# Rung 3


def test_an_output_whose_header_promises_more_breaks_off(evidence: Evidence) -> None:
    bend_after(evidence, duration_s=10.0)
    assert "its header says 10.00 s" in check_duration(evidence).text


def test_an_output_that_is_cut_off_breaks_off(evidence: Evidence) -> None:
    bend_index(evidence, is_truncated=True)
    assert "The output breaks off" in check_duration(evidence).text


def test_a_stream_without_packets_is_named(evidence: Evidence) -> None:
    spans = {**evidence.output_index.spans, 2: StreamSpan("audio", None, None, 0)}
    bend_index(evidence, spans=spans)
    assert "audio stream 2 has no packets" in check_duration(evidence).text


# Rung 4


def test_a_changed_rate_is_counted_with_its_tolerance(evidence: Evidence) -> None:
    assert evidence.plan.video is not None
    video = replace(evidence.plan.video, expected_frames=77, frame_tolerance=2)
    bend_plan(evidence, video=video)
    assert not check_frames(evidence).is_failed
    bend_plan(evidence, video=replace(video, expected_frames=78))
    assert "where 78" in check_frames(evidence).text


def test_one_frame_per_field_is_compared_with_the_frames_that_they_come_from(
    evidence: Evidence,
) -> None:
    assert evidence.plan.video is not None
    bend_plan(evidence, video=replace(evidence.plan.video, expected_frames=150))
    twice = array("q", [pts for first in range(0, 3000, 40) for pts in (first, first + 20)])
    bend_index(evidence, video_pts=twice)
    assert not check_frames(evidence).is_failed


def test_decoding_times_alone_are_compared_only_where_chunks_were_proven_by_them(
    evidence: Evidence, tmp_path: Path
) -> None:
    """AVI stores no others. A film that was found not to be cut safely was encoded whole."""
    source = evidence.source_index
    other = array("q", [*source.video_pts[:-1], source.video_pts[-1] + 10_000])
    index = replace(source, has_exact_pts=False, video_pts=other)
    evidence.prepared = replace(evidence.prepared, index=index)
    assert not check_frames(evidence).is_failed
    bend_plan(evidence, chunks=(PlannedChunk(0, other[-1] + 1, len(other)),))
    assert check_frames(evidence).is_failed
    evidence.run = replace(evidence.run, work_dir=tmp_path)
    (tmp_path / CHUNKS_FOLDER).mkdir()
    (tmp_path / CHUNKS_FOLDER / UNSAFE_NAME).write_text("other pictures came")
    assert not check_frames(evidence).is_failed


def test_a_film_of_one_frame_has_no_spacing(evidence: Evidence) -> None:
    assert evidence.plan.video is not None
    bend_plan(evidence, video=replace(evidence.plan.video, expected_frames=1))
    bend_index(evidence, video_pts=array("q", [0]))
    one = replace(evidence.prepared.index, video_pts=array("q", [0]))
    evidence.prepared = replace(evidence.prepared, index=one)
    assert not check_frames(evidence).is_failed
    assert not check_duration(evidence).is_failed


@pytest.mark.parametrize("check", [check_frames, check_color, check_sync, check_quality])
def test_a_film_without_a_picture_is_not_asked_for_one(
    evidence: Evidence, check: Callable[[Evidence], RungResult]
) -> None:
    without_picture(evidence)
    assert check(evidence).outcome == "not_applicable"


# Rung 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"codec": "aac"}, "is aac, not ac3"),
        ({"channels": 2}, "2 channels, not 1"),
        ({"index": 9}, "audio stream 1 is not there"),
    ],
)
def test_a_sound_that_differs_is_named(
    evidence: Evidence, changes: dict[str, Any], words: str
) -> None:
    first, *rest = evidence.after.audio
    bend_after(evidence, audio=(replace(first, **changes), *rest))
    assert words in check_streams(evidence).text


def test_a_mark_that_nobody_planned_is_named(evidence: Evidence) -> None:
    first, *rest = evidence.after.subtitles
    forced = replace(first, disposition=replace(first.disposition, is_forced=True))
    bend_after(evidence, subtitles=(forced, *rest))
    assert "is marked “forced”" in check_streams(evidence).text


def test_streams_of_another_kind_are_named(evidence: Evidence) -> None:
    audio, subtitles = evidence.after.audio, evidence.after.subtitles
    bend_after(
        evidence,
        audio=(replace(audio[0], index=3), audio[1]),
        subtitles=(replace(subtitles[0], index=1), subtitles[1]),
    )
    assert "audio stream 1 is subtitle" in check_streams(evidence).text


def test_a_renamed_chapter_is_named(evidence: Evidence) -> None:
    first, second = evidence.after.chapters
    bend_after(evidence, chapters=(first, replace(second, title="End")))
    assert "chapter 2 is called “End”" in check_streams(evidence).text


def test_chapters_that_the_preset_drops_are_not_missed(evidence: Evidence) -> None:
    bend_after(evidence, chapters=())
    assert "0 chapters where 2 are planned" in check_streams(evidence).text
    bend_plan(evidence, chapters=0)
    assert not check_streams(evidence).is_failed


def test_attachments_in_excess_are_seen(evidence: Evidence) -> None:
    bend_after(evidence, attachments=evidence.after.attachments * 2)
    assert "2 attachment streams where 1" in check_streams(evidence).text


# Rung 7


def test_a_film_without_sound_has_no_sync(evidence: Evidence) -> None:
    kept = tuple(s for s in evidence.plan.streams if s.kind != StreamKind.AUDIO)
    bend_plan(evidence, streams=kept)
    assert check_sync(evidence).outcome == "not_applicable"


@pytest.mark.parametrize(("moved_s", "is_failed"), [(0.019, False), (0.021, True), (-0.021, True)])
def test_the_end_of_a_copied_sound_may_move_by_20_ms(
    evidence: Evidence, moved_s: float, is_failed: bool
) -> None:
    spans = dict(evidence.output_index.spans)
    assert spans[1].end_s is not None
    assert evidence.source_index.spans[1].end_s is not None
    spans[1] = replace(spans[1], end_s=evidence.source_index.spans[1].end_s + moved_s)
    bend_index(evidence, spans=spans)
    assert check_sync(evidence).is_failed is is_failed


def test_an_encoder_may_fill_its_last_block(evidence: Evidence) -> None:
    encoded = tuple(
        replace(s, action=Action.ENCODE, encoder="aac", output_codec="aac")
        if s.source_index == 1
        else s
        for s in evidence.plan.streams
    )
    bend_plan(evidence, streams=encoded)
    spans = dict(evidence.output_index.spans)
    assert spans[1].end_s is not None
    spans[1] = replace(spans[1], end_s=spans[1].end_s + 0.035)
    bend_index(evidence, spans=spans)
    assert not check_sync(evidence).is_failed


# Rung 9


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 318}, "318×180 pixels, not 320×180"),
        ({"color_range": "pc"}, "range “pc”, not “tv”"),
        ({"color_space": "bt2020nc"}, "matrix “bt2020nc”"),
        ({"hdr": HdrKind.HLG}, "it is hlg, not sdr"),
        ({"dolby_vision_profile": "8.4"}, "Dolby Vision “8.4”"),
        ({"is_interlaced": True}, "interlaced"),
    ],
)
def test_a_picture_that_says_otherwise_is_named(
    evidence: Evidence, changes: dict[str, Any], words: str
) -> None:
    bend_video(evidence, **changes)
    assert words in check_color(evidence).text


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"max_cll_nits": 1000}, "MaxCLL not said, not 1000"),
        ({"max_fall_nits": 400}, "MaxFALL not said, not 400"),
        ({"hdr": "hdr10plus"}, "it is sdr, not hdr10plus"),
        ({"is_interlaced": True}, "not interlaced"),
    ],
)
def test_what_the_plan_wants_and_the_picture_lacks_is_named(
    evidence: Evidence, wanted: dict[str, Any], words: str
) -> None:
    assert evidence.plan.video is not None
    color = replace(evidence.plan.video.color, **wanted)
    bend_plan(evidence, video=replace(evidence.plan.video, color=color))
    assert words in check_color(evidence).text


def copied_picture(evidence: Evidence) -> None:
    streams = tuple(
        replace(s, action=Action.COPY) if s.kind == StreamKind.VIDEO else s
        for s in evidence.plan.streams
    )
    bend_plan(evidence, streams=streams)


def test_a_copy_of_which_nobody_knows_what_it_should_say_is_not_believed(
    evidence: Evidence,
) -> None:
    copied_picture(evidence)
    info = replace(evidence.before, video=())
    evidence.prepared = replace(evidence.prepared, info=info)
    assert "Nothing is known of the source's picture" in check_color(evidence).text
    assert check_color(evidence).is_failed


def test_a_copied_picture_is_not_measured(evidence: Evidence) -> None:
    copied_picture(evidence)
    result = check_quality(evidence)
    assert (result.outcome, result.text) == ("not_applicable", "The picture is copied unchanged.")


def test_a_preset_that_does_not_ask_for_a_measurement_gets_none(evidence: Evidence) -> None:
    bend_plan(evidence, is_vmaf_checked=False)
    result = check_quality(evidence)
    assert result.text == "The preset does not ask for VMAF."
    assert result.outcome == "not_applicable"


def test_a_picture_that_is_not_there_has_no_colour(evidence: Evidence) -> None:
    bend_after(evidence, video=())
    assert check_color(evidence).is_failed
    assert check_quality(evidence).is_failed


# Rungs 6 and 8


def test_a_long_remux_is_decoded_in_samples_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip("h264_mkv", tmp_path / "source.mkv", seconds=3)
    spec = PresetSpec(video=VideoRule(encoder="copy", crf=None), min_saving_pct=-5)
    pair = encode_by_preset(source, tmp_path, spec)
    for name, value in (("SAMPLED_FROM_S", 2.0), ("EDGE_S", 0.3), ("MIDDLE_S", 0.2)):
        monkeypatch.setattr(decode_rung, name, value)
    result = check_decode(Evidence(pair.context(), pair.prepared, pair.output, pair.result))
    assert result.outcome == "sampled"
    assert "7 windows" in result.measured


def test_a_copied_sound_with_other_errors_than_the_source_fails(
    rich: Pair, evidence: Evidence, tmp_path: Path
) -> None:
    raw = bytearray(rich.source.read_bytes())
    raw[raw.index(b"\x0b\x77", len(raw) // 2) + 150] ^= 0xFF
    source = tmp_path / "source.mkv"
    source.write_bytes(bytes(raw))
    output = tmp_path / "output.mkv"
    raw = bytearray(rich.output.read_bytes())
    for share in (3, 2):
        raw[raw.index(b"\x0b\x77", len(raw) // share) + 150] ^= 0xFF
    output.write_bytes(bytes(raw))
    pair = replace(rich, source=source, output=output)
    result = check_decode(Evidence(pair.context(), pair.prepared, output, None))
    assert result.code == "verify_decode"


def ended(return_code: int, *lines: str) -> FfmpegResult:
    return FfmpegResult((), return_code, lines, return_code == 0, 0.0, None)


@pytest.mark.parametrize(
    ("lines", "words"), [((), "exit code -9"), (("[ac3 @ 0x1] frame sync error",), "frame sync")]
)
def test_decoding_that_memory_ends_in_both_films_proves_nothing(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch, lines: tuple[str, ...], words: str
) -> None:
    """All streams are copied, and the source's decoding ends alike: still nobody saw the end."""
    copied_picture(evidence)
    monkeypatch.setattr(decode_rung, "run_ffmpeg", lambda *_args, **_options: ended(-9, *lines))
    result = check_decode(evidence)
    assert result.code == "verify_decode"
    assert words in result.text


def test_a_promise_is_measured_on_the_windows_where_it_was_made(evidence: Evidence) -> None:
    samples = tuple(SampleScore(n, 24, 95.0, 93.0, 1, 1, 0, weight=0.5) for n in (5, 45))
    found = FoundQuality(
        24, 95.1, 92.0, "vmaf", "vmaf_v0.6.1", samples, 2, 9.0, False, 100, 90, 110, "Found."
    )
    evidence.prepared = replace(evidence.prepared, found=found)
    assert not check_quality(evidence).is_failed
    assert evidence.score is not None
    assert [w.window for w in evidence.score.windows] == [Window(5, 24), Window(45, 24)]


def test_a_picture_that_cannot_be_measured_fails(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise VmafFailed("no model")

    monkeypatch.setattr("transcode.verify.quality_rung.measure_vmaf", fail)
    assert "no model" in check_quality(evidence).text


def test_a_film_without_frames_cannot_be_measured(evidence: Evidence) -> None:
    bend_index(evidence, video_pts=array("q"))
    assert "no frames" in check_quality(evidence).text


# What the workers read


def test_sounds_begin_with_the_first_frame_that_is_heard(rich: Pair, tmp_path: Path) -> None:
    mp4 = make_clip("h264_mp4", tmp_path / "film.mp4")
    assert read_sound_starts(os.fsencode(mp4), [1]) == {1: 0.0}
    timing = read_film_timing(os.fsencode(rich.output), (1, 2), True)
    assert timing.index is not None
    assert timing.index.time_base == Fraction(1, 1000)
    assert timing.sound_starts_s == {1: 0.0, 2: 0.0}


def test_a_sound_whose_first_packet_is_broken_begins_with_the_next_one(tmp_path: Path) -> None:
    path = make_clip("interlaced", tmp_path / "film.mkv")  # its sound is AC-3
    raw = path.read_bytes()
    first = raw.index(b"\x0b\x77")
    path.write_bytes(raw[:first] + bytes(2) + raw[first + 2 :])
    starts = read_sound_starts(os.fsencode(path), [1])
    assert starts == {1: pytest.approx(0.032, abs=0.001)}


def test_a_film_without_planned_sounds_is_not_read_for_them(tmp_path: Path) -> None:
    path = make_clip("h264_mkv", tmp_path / "film.mkv")
    assert read_sound_starts(os.fsencode(path), [0]) == {}


def test_a_film_whose_packets_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"nothing")
    with pytest.raises(ProbeProblem, match="cannot be read"):
        read_film_timing(os.fsencode(broken), (), True)
