"""How samples are encoded and scored, without running anything."""

from __future__ import annotations

from array import array
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from library.media_info import HdrKind
from tests.media import make_clip
from tests.transcode.encode import films
from tests.transcode.quality.films import film
from transcode.encoding.process import FfmpegResult
from transcode.outcomes import JobFailed, JobWaits
from transcode.presets.spec import PresetSpec, VideoRule
from transcode.quality import reference as reference_module
from transcode.quality import trial, words
from transcode.quality.bias import best_number, habits, usual_quality
from transcode.quality.cache import settings_key
from transcode.quality.found import FilmSource
from transcode.quality.reference import Reference, cut_reference
from transcode.quality.sampling import Sample, SamplePlan
from transcode.quality.search import Unreachable
from transcode.quality.trial import (
    TrialFailed,
    read_scores,
    sample_argv,
    score_argv,
    summed_up,
    weighted_xpsnr,
)
from transcode.verify.vmaf import weighted_percentile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from transcode.planning.model import Plan

SAMPLES = (Sample(0, 3, 0.25), Sample(100, 3, 0.75))


def plan(spec: PresetSpec | None = None, **picture: Any) -> Plan:
    info = films.film(films.video(**picture))
    return films.plan_for(info, spec or PresetSpec(video=VideoRule(crf=22)))


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return Reference(tmp_path, SAMPLES, (3, 3), Fraction(24000, 1001))


def test_a_sample_is_encoded_by_the_options_of_the_job_and_no_filter_twice(
    reference: Reference,
) -> None:
    scaled = plan(PresetSpec(video=VideoRule(crf=22, max_resolution=720)))
    argv = sample_argv(reference, scaled)
    assert scaled.video is not None
    assert scaled.video.filters
    assert "-filter:v:0" not in argv
    assert argv[argv.index("-crf:v:0") + 1] == "22"
    assert argv[argv.index("-r") + 1] == "24000/1001"
    left_out = {"-filter:v:0", ",".join(scaled.video.filters)}
    assert set(scaled.video_options) - left_out <= set(argv)


def test_what_uploads_pictures_to_a_device_stays(reference: Reference) -> None:
    rule = VideoRule(encoder="hevc_vaapi", crf=22, max_resolution=720)
    argv = sample_argv(reference, plan(PresetSpec(video=rule)))
    assert argv[argv.index("-filter:v:0") + 1] == "format=nv12,hwupload"
    assert argv.index("-vaapi_device") < argv.index("-f")


def test_samples_carry_no_metadata_of_single_pictures(reference: Reference) -> None:
    base = plan()
    argv = sample_argv(
        reference, replace(base, output_options=("-dolbyvision:v:0", "1", *base.output_options))
    )
    assert argv[argv.index("-dolbyvision:v:0") + 1] == "0"


def test_both_sides_are_numbered_alike_and_scored_by_the_model_of_their_size(
    reference: Reference,
) -> None:
    graph = " ".join(score_argv(reference, plan(), "vmaf"))
    assert graph.count("settb=1/25,setpts=N,setparams=range=tv") == 2
    assert "vmaf_v0.6.1" in graph
    large = plan(width=3840, height=2160)
    assert "vmaf_4k_v0.6.1" in " ".join(score_argv(reference, large, "vmaf"))
    assert "xpsnr=stats_file" in " ".join(score_argv(reference, plan(), "xpsnr"))


def test_scores_and_bytes_are_summed_by_sample_and_weighted(reference: Reference) -> None:
    encoded = replace(film([900, 10, 20, 800, 30, 400]), video_keys=array("q", [0, 120, 200]))
    probe = summed_up(22, [50.0, 90, 92, 70, 80, 75], encoded, reference, seconds=1.0)
    first, second = probe.samples
    assert (first.start_bytes, first.rest_bytes, first.keyframes) == (900, 30, 0)
    assert (second.start_bytes, second.rest_bytes, second.keyframes) == (800, 430, 1)
    assert first.score == 91  # the first picture of all has no motion score
    assert probe.mean == pytest.approx((0.25 * (90 + 92) + 0.75 * (70 + 80 + 75)) / 2.75)
    assert probe.p5 == 70


def test_rare_scenes_weigh_little_in_the_low_percentile() -> None:
    assert weighted_percentile([(50.0, 0.01), (90.0, 0.5), (95.0, 0.49)], 5) == 90.0
    assert weighted_percentile([(50.0, 0.06), (90.0, 0.5), (95.0, 0.44)], 5) == 50.0


def test_luma_counts_four_times_and_equal_planes_are_finite() -> None:
    line = "n:    1  XPSNR y: 40.0000  XPSNR u: 43.0000  XPSNR v: 46.0000"
    assert weighted_xpsnr(line) == pytest.approx((160 + 43 + 46) / 6)
    assert weighted_xpsnr("n: 1  XPSNR y: inf  XPSNR u: inf  XPSNR v: inf") == 60.0


def test_scores_that_cannot_be_read_are_a_failure_in_words(tmp_path: Path) -> None:
    with pytest.raises(TrialFailed, match="cannot be read"):
        read_scores(tmp_path / "none.log", "vmaf")


def test_the_key_of_the_cache_knows_all_options_but_the_crf() -> None:
    def key(spec: PresetSpec, samples: tuple[Sample, ...] = SAMPLES, metric: str = "vmaf") -> str:
        return settings_key(plan(spec), samples, metric, "-crf")

    base = key(PresetSpec(video=VideoRule(crf=22)))
    assert key(PresetSpec(video=VideoRule(crf=30))) == base
    others = (
        key(PresetSpec(video=VideoRule(crf=22, speed="fast"))),
        key(PresetSpec(video=VideoRule(crf=22, max_resolution=720))),
        key(PresetSpec(video=VideoRule(encoder="x264", crf=22))),
        key(PresetSpec(video=VideoRule(crf=22)), (Sample(0, 4),)),
        key(PresetSpec(video=VideoRule(crf=22)), metric="xpsnr"),
    )
    assert len({base, *others}) == 6


def test_the_space_of_the_comparison_is_said() -> None:
    sdr = plan()
    assert sdr.video is not None
    assert words.model_name(sdr, "vmaf") == "vmaf_v0.6.1"
    color = replace(sdr.video.color, hdr=HdrKind.HDR10.value)
    hdr = replace(sdr, video=replace(sdr.video, color=color))
    assert words.model_name(hdr, "vmaf") == "vmaf_v0.6.1, compared as hdr10"
    mapped = replace(sdr, video=replace(sdr.video, filters=("tonemap=tonemap=hable",)))
    assert words.model_name(mapped, "vmaf").endswith("both sides tone-mapped")


def test_a_target_that_cannot_be_reached_says_the_best_and_what_to_do() -> None:
    text = words.unreachable("x265 (HEVC)", 98, "vmaf", Unreachable(8, 96.214))
    assert "VMAF 98 cannot be reached" in text
    assert "VMAF 96.21" in text
    assert "lower target" in text


def test_first_guesses_follow_target_size_and_encoder() -> None:
    x265 = habits("libx265", (1, 51))
    assert usual_quality(x265, 90, 1080, "vmaf") > usual_quality(x265, 95, 1080, "vmaf")
    assert usual_quality(x265, 95, 2160, "vmaf") > usual_quality(x265, 95, 360, "vmaf")
    assert usual_quality(x265, 42, 1080, "xpsnr") < usual_quality(x265, 38, 1080, "xpsnr")
    wide = habits("av1_vaapi", (1, 255))
    assert 100 < usual_quality(wide, 95, 1080, "vmaf") < 180
    assert best_number((1, 51)) == 8


def test_a_full_disk_waits_and_a_film_that_cannot_be_cut_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(line: str) -> None:
        result = FfmpegResult((), 1, (line,), False, 0.1, None)
        monkeypatch.setattr(reference_module, "run_ffmpeg", lambda *_a, **_k: result)

    info = films.film(films.video())
    source = FilmSource(b"/films/film.mkv", info, films.index_of(info))
    ends("[error] Error writing: No space left on device")
    with pytest.raises(JobWaits) as waits:
        cut_reference(source, plan(), [Sample(0, 10)], tmp_path)
    assert waits.value.reason_code == "disk_full"
    ends("[error] Invalid data found")
    with pytest.raises(JobFailed) as failed:
        cut_reference(source, plan(), [Sample(0, 10)], tmp_path)
    assert failed.value.reason_code == "samples_failed"
    assert failed.value.is_retryable


def ffmpeg_that_writes(
    monkeypatch: pytest.MonkeyPatch, module: object, *outputs: tuple[str, bytes], bad_from: int = 99
) -> list[str]:
    """Each run leaves the next of these files; the run `bad_from` ends badly. The log of runs."""
    runs: list[str] = []

    def run(argv: list[str], *, cwd: Path, **_calls: object) -> FfmpegResult:
        number = len(runs)
        runs.append(argv[-1])
        name, content = outputs[min(number, len(outputs) - 1)]
        (cwd / (name or argv[-1])).write_bytes(content)
        is_ok = number < bad_from
        return FfmpegResult(tuple(argv), 0 if is_ok else 187, (), is_ok, 0.1, None)

    monkeypatch.setattr(module, "run_ffmpeg", run)
    return runs


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    """25 pictures."""
    return make_clip("h264_mkv", tmp_path / "clip.mkv").read_bytes()


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("frames", "is_broken", "scores", "bad_from", "reason"),
    [
        (25, True, b"", 99, "what was encoded cannot be read"),
        (26, False, b"", 99, "25 of 26 pictures came out."),
        (25, False, b"", 1, "ffmpeg ended with 187: nothing"),
        (25, False, b"n: 1  XPSNR y: 40  XPSNR u: 43  XPSNR v: 46\n", 99, "1 of 25 pictures have"),
    ],
    ids=["unreadable", "too few pictures", "no scores", "too few scores"],
)
def test_a_probe_that_went_wrong_is_no_measurement(
    tmp_path: Path,
    clip: bytes,
    monkeypatch: pytest.MonkeyPatch,
    frames: int,
    is_broken: bool,
    scores: bytes,
    bad_from: int,
    reason: str,
) -> None:
    reference = Reference(tmp_path, (Sample(0, frames),), (frames,), Fraction(25))
    encoded = b"nothing that opens" if is_broken else clip
    outputs = (trial.ENCODED_NAME, encoded), ("scores.log", scores)
    ffmpeg_that_writes(monkeypatch, trial, *outputs, bad_from=bad_from)
    with pytest.raises(TrialFailed) as failed:
        trial.try_quality(reference, plan(), "xpsnr")
    assert failed.value.reason_code == "quality_probe_failed"
    assert reason in failed.value.reason


@pytest.mark.ffmpeg
def test_a_probe_is_summed_up_and_its_file_goes(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"n: 1  XPSNR y: 40  XPSNR u: 43  XPSNR v: 46\n"
    outputs = (trial.ENCODED_NAME, clip), ("scores.log", 25 * line)
    ffmpeg_that_writes(monkeypatch, trial, *outputs)
    reference = Reference(tmp_path, (Sample(0, 25),), (25,), Fraction(25))
    probe = trial.try_quality(reference, plan(), "xpsnr")
    assert probe.mean == pytest.approx((160 + 43 + 46) / 6)
    assert not (tmp_path / trial.ENCODED_NAME).exists()


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("values", "tries"), [({}, 3), ({"container": "ts"}, 2)], ids=["matroska", "recording"]
)
def test_a_sample_that_comes_out_short_is_cut_again_and_at_last_taken_as_it_is(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], tries: int
) -> None:
    """By counting from the first picture nothing can be missed: the filters change the rate."""
    runs = ffmpeg_that_writes(monkeypatch, reference_module, ("", clip))
    info = replace(films.film(films.video()), **values)
    source = FilmSource(b"/films/film.mkv", info, films.index_of(info))
    cut = cut_reference(source, plan(), [Sample(0, 30)], tmp_path)
    assert cut.counts == (25,)
    assert len(runs) == tries


@pytest.mark.ffmpeg
def test_a_film_that_is_only_counted_is_cut_once(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AVI: its times are no times of showing."""
    runs = ffmpeg_that_writes(monkeypatch, reference_module, ("", clip))
    info = films.film(films.video())
    index = films.index_of(info, has_exact_pts=False)
    cut = cut_reference(FilmSource(b"/f.avi", info, index), plan(), [Sample(0, 25)], tmp_path)
    assert (cut.counts, len(runs)) == ((25,), 1)


def test_samples_that_cannot_be_read_are_no_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ffmpeg_that_writes(monkeypatch, reference_module, ("", b"nothing that opens"))
    info = films.film(films.video())
    source = FilmSource(b"/films/film.mkv", info, films.index_of(info))
    with pytest.raises(JobFailed, match="0 of 10 pictures came out near picture 3") as failed:
        cut_reference(source, plan(), [Sample(3, 10)], tmp_path)
    assert failed.value.reason_code == "samples_failed"


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        (range(0, 1000, 40), Fraction(25)),
        ([0, 42, 83, 125, 167, 209, 250], Fraction(24)),
        ([round(n * 1001 / 24) for n in range(2000)], Fraction(24000, 1001)),
        (range(0, 1000, 130), Fraction(100, 13)),
        ([7], Fraction(25)),
        ([0, 0, 0], Fraction(25)),
    ],
    ids=["25", "24", "23.976", "odd", "one picture", "all at one moment"],
)
def test_the_rate_of_samples_is_the_film_s_own(times: Sequence[int], rate: Fraction) -> None:
    info = films.film(films.video())
    index = films.index_of(info, video_pts=array("q", times))
    assert reference_module.frame_rate(FilmSource(b"/f.mkv", info, index)) == rate


def test_a_promise_about_hdr_says_in_which_space_it_was_measured() -> None:
    hdr = films.plan_for(films.film(films.hdr_video()), PresetSpec(video=VideoRule(crf=22)))
    samples = SamplePlan((Sample(0, 25),), is_whole=True)
    text = words.found(hdr, samples, "vmaf_v0.6.1", 22, 95.2, "vmaf", 0)
    assert text.endswith("HDR is compared in its own signal on both sides.")
    assert "(vmaf_v0.6.1; the whole film, known from before)" in text
    assert "SDR" not in words.found(hdr, samples, "xpsnr", 22, 41.0, "xpsnr", 1)
