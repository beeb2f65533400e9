"""A preset's rule for an encoder that takes the place of the one it names. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from transcode.encoders import ENCODERS
from transcode.quality.bias import habits

if TYPE_CHECKING:
    from transcode.encoders.model import VideoEncoder
    from transcode.presets.rules import VideoRule


def stand_in_rule(rule: VideoRule, family: str) -> VideoRule:
    """The same quality in the numbers of the other encoder, without options that it may not know.

    A CRF means another quality in each encoder, and VideoToolbox counts the other way round.
    """
    if family == rule.encoder:
        return rule
    changed = replace(rule, encoder=family, extra_options="")
    if rule.crf is None:
        return changed
    return replace(changed, crf=same_quality(rule.crf, ENCODERS[rule.encoder], ENCODERS[family]))


def same_quality(crf: float, named: VideoEncoder, other: VideoEncoder) -> float:
    """As far as their habits tell, rounded to the better side."""
    before = habits(named.ffmpeg_name, named.quality_range)
    after = habits(other.ffmpeg_name, other.quality_range)
    steps = (_lower_is_better(crf, named) - before.usual) * before.slope / after.slope
    low, high = other.quality_range
    number = math.floor((after.usual + steps) / other.quality_step) * other.quality_step
    return _lower_is_better(min(high, max(low, number)), other)


def _lower_is_better(number: float, encoder: VideoEncoder) -> float:
    """Its own inverse."""
    low, high = encoder.quality_range
    return low + high - number if encoder.is_higher_better else number
