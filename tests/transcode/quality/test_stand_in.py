"""Software that answers for hardware aims at the same quality, in its own numbers."""

from __future__ import annotations

import pytest

from transcode.encoders import ENCODERS
from transcode.encoders.extra_options import parse
from transcode.presets.rules import VideoRule
from transcode.quality.stand_in import stand_in_rule


@pytest.mark.parametrize(
    ("named", "crf", "other", "low", "high"),
    [
        ("hevc_nvenc", 25, "x265", 22, 24),
        ("hevc_nvenc", 30, "x265", 24, 30),
        ("av1_vaapi", 120, "svtav1", 25, 40),  # counts to 255
        ("av1_vaapi", 255, "svtav1", 50, 63),
        ("hevc_videotoolbox", 80, "x265", 1, 20),  # higher is better
        ("hevc_videotoolbox", 40, "x265", 22, 35),
    ],
)
def test_a_number_of_one_encoder_becomes_one_of_the_other(
    named: str, crf: float, other: str, low: float, high: float
) -> None:
    found = stand_in_rule(VideoRule(encoder=named, crf=crf), other)
    assert found.encoder == other
    assert found.crf is not None
    assert low <= found.crf <= high
    assert (found.crf / ENCODERS[other].quality_step).is_integer()


def test_a_better_picture_asked_for_stays_a_better_one() -> None:
    numbers = [
        stand_in_rule(VideoRule(encoder="hevc_videotoolbox", crf=q), "x265").crf or 0
        for q in range(1, 101, 9)
    ]
    assert numbers == sorted(numbers, reverse=True)


def test_options_of_the_one_are_not_given_to_the_other() -> None:
    rule = VideoRule(encoder="hevc_nvenc", crf=28, extra_options="b_ref_mode=disabled")
    with pytest.raises(ValueError, match="not an option"):
        parse("x265", rule.extra_options)
    assert stand_in_rule(rule, "x265").extra_options == ""


def test_the_named_encoder_keeps_its_rule() -> None:
    rule = VideoRule(encoder="x265", crf=22, extra_options="aq-mode=3")
    assert stand_in_rule(rule, "x265") is rule
