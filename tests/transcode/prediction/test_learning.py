from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from tests.transcode.prediction.facts import facts
from transcode.prediction.keys import key_of, quality_key
from transcode.prediction.learning import (
    MOST_BIAS,
    MOST_RANGE,
    LearnedRatios,
    Lesson,
    PastPrediction,
    Tally,
    corrections,
    quantile,
)
from transcode.prediction.speed import EncodeSpeeds, SpeedSample
from transcode.presets.spec import PresetSpec, VideoRule

SPEC = PresetSpec()
KEY = key_of(facts(), SPEC)
SPREAD = 0.5


def tally(ratio: float, jobs: int, spread: float = 0.0) -> Tally:
    """Half of them a bit above, half a bit below."""
    logs = [math.log(ratio) + spread * (-1) ** n for n in range(jobs)]
    return Tally(jobs, sum(logs), sum(x * x for x in logs))


def lesson_of(groups: dict[tuple[str | int, ...], Tally]) -> Lesson | None:
    return LearnedRatios(groups).lesson(KEY.levels, rule_spread=SPREAD)


def test_two_films_are_no_ground_to_learn_from() -> None:
    assert lesson_of({("x265", "h264", 1080, "crf22"): tally(0.7, 2)}) is None


def test_few_jobs_pull_the_rule_of_thumb_only_part_of_the_way() -> None:
    few = lesson_of({("x265", "h264", 1080, "crf22"): tally(0.5, 3)})
    many = lesson_of({("x265", "h264", 1080, "crf22"): tally(0.5, 200)})
    assert few is not None and many is not None
    assert math.log(0.5) < few.log_factor < 0
    assert many.log_factor == pytest.approx(math.log(0.5), rel=0.02)
    assert many.log_spread < few.log_spread < SPREAD
    assert (few.jobs, few.depth) == (3, 4)


def test_a_quality_never_tried_learns_from_the_others_of_its_kind() -> None:
    found = lesson_of({("x265", "h264", 1080, "crf26"): tally(0.6, 20)})
    assert found is not None
    assert (found.jobs, found.depth) == (20, 3)
    assert found.log_factor == pytest.approx(math.log(0.6), rel=0.1)


def test_films_of_another_source_codec_are_not_like_this_one() -> None:
    assert lesson_of({("x265", "mpeg2video", 1080, "crf22"): tally(0.6, 50)}) is None


def test_other_source_codecs_steady_a_small_group() -> None:
    own: dict[tuple[str | int, ...], Tally] = {("x265", "h264", 1080, "crf22"): tally(1.0, 3)}
    alone = lesson_of(own)
    beside = lesson_of({**own, ("x265", "mpeg2video", 576, "crf22"): tally(0.5, 50)})
    assert alone is not None and beside is not None
    assert beside.log_factor < alone.log_factor


def test_a_wide_group_keeps_a_wide_range() -> None:
    even = lesson_of({("x265", "h264", 1080, "crf22"): tally(0.6, 40, 0.05)})
    uneven = lesson_of({("x265", "h264", 1080, "crf22"): tally(0.6, 40, 0.6)})
    assert even is not None and uneven is not None
    assert even.log_spread < 0.25 < 0.5 < uneven.log_spread


def test_eight_of_ten_new_films_lie_in_the_learned_range() -> None:
    """Left out one by one, of films drawn from one distribution."""
    chance = random.Random(7)
    logs = [chance.gauss(-0.3, 0.25) for _ in range(60)]
    inside = 0
    for left_out in logs:
        rest = [x for x in logs if x != left_out]
        group = Tally(len(rest), sum(rest), sum(x * x for x in rest))
        found = lesson_of({("x265", "h264", 1080, "crf22"): group})
        assert found is not None
        inside += abs(left_out - found.log_factor) <= 1.2816 * found.log_spread
    assert 0.7 <= inside / len(logs) <= 0.92


def past(log_error: float, half: float = 0.3, basis: str = "sampled") -> PastPrediction:
    return PastPrediction(basis, log_error, half)


def test_a_habit_is_corrected_but_never_beyond_its_bound() -> None:
    slight = corrections([past(0.05) for _ in range(40)])["sampled"]
    assert 0.03 < slight.log_bias < 0.05
    gross = corrections([past(3.0) for _ in range(40)])["sampled"]
    assert gross.log_bias == MOST_BIAS["sampled"]
    assert gross.range_factor == MOST_RANGE


def test_few_jobs_correct_nothing() -> None:
    found = corrections([past(0.1) for _ in range(4)])["sampled"]
    assert (found.log_bias, found.range_factor) == (0.0, 1.0)


def test_a_range_that_was_too_wide_narrows_and_one_too_narrow_widens() -> None:
    errors = [0.01 * (n - 20) for n in range(40)]
    wide = corrections([past(error, half=1.0) for error in errors])["sampled"]
    narrow = corrections([past(error, half=0.05) for error in errors])["sampled"]
    assert wide.range_factor < 1.0 < narrow.range_factor


def test_each_basis_is_judged_by_itself() -> None:
    found = corrections(
        [past(0.1) for _ in range(20)] + [past(-0.1, basis="rule") for _ in range(20)]
    )
    assert found["rule"].log_bias < 0 < found["sampled"].log_bias


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.5), (1.0, 4.0), (0.25, 1.75)])
def test_a_quantile_lies_between_its_neighbours(share: float, value: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(value)


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (VideoRule(), "crf22"),
        (VideoRule(crf=21.5), "crf21.5"),
        (VideoRule(crf=None, target_vmaf=95.0), "vmaf95"),
        (VideoRule(crf=None, target_vmaf=42.0, target_metric="xpsnr"), "xpsnr42"),
        (VideoRule(crf=None, bit_rate_kbps=4000), "4000k"),
        (VideoRule(encoder="copy", crf=None), ""),
    ],
)
def test_a_quality_has_a_short_key(rule: VideoRule, key: str) -> None:
    assert quality_key(rule) == key


def test_a_cap_of_the_resolution_decides_the_group() -> None:
    small = replace(SPEC, video=VideoRule(max_resolution=720))
    assert key_of(facts(), small).resolution_class == 720
    assert key_of(facts(width=640, height=360), small).resolution_class == 360


# Time


def sample(lines: int, jobs: int, mpixels_per_s: float, speed: str = "medium") -> SpeedSample:
    return SpeedSample("x265", speed, lines, jobs, 1e9 * jobs, 1e3 * jobs / mpixels_per_s)


def test_a_learned_speed_says_how_long_it_takes() -> None:
    speeds = EncodeSpeeds([sample(1080, 3, 20.0)])
    assert speeds.seconds(KEY, 2_000_000_000, cores=8) == pytest.approx(100.0)


def test_one_job_alone_teaches_no_speed_and_other_sizes_stand_in() -> None:
    table = EncodeSpeeds().seconds(KEY, 2_000_000_000, cores=8)
    assert EncodeSpeeds([sample(1080, 1, 20.0)]).seconds(KEY, 2_000_000_000, cores=8) == table
    other = EncodeSpeeds([sample(1080, 1, 20.0), sample(576, 2, 20.0)])
    assert other.seconds(KEY, 2_000_000_000, cores=8) == pytest.approx(100.0)


def test_more_cores_are_faster_up_to_what_a_small_film_can_use() -> None:
    def seconds(cores: int) -> float:
        found = EncodeSpeeds().seconds(KEY, 10**9, cores=cores)
        assert found is not None
        return found

    assert seconds(1) > seconds(4) > seconds(16) == seconds(64)


def test_an_unknown_encoder_or_length_has_no_time() -> None:
    unknown = replace(KEY, encoder="hevc_nvenc")
    assert EncodeSpeeds().seconds(unknown, 10**9, cores=8) is None
    assert EncodeSpeeds().seconds(KEY, 0, cores=8) is None
