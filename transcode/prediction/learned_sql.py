"""What finished jobs make of the rule of thumb, as expressions of the database.

The same as `predict._by_lesson` and `predict._corrected`: a factor and a spread for each group of
films that lessons know, found by codec and size of the picture.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Case, FloatField, Q, Value, When
from django.db.models.functions import Exp, Ln, Power, Sqrt

from transcode.prediction.keys import PredictionKey, quality_key
from transcode.prediction.learning import Z_80

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.db.models.expressions import Combinable

    from transcode.prediction.lessons import Lessons
    from transcode.presets.spec import PresetSpec, VideoRule

# Of a codec without regard to the picture's size.
_ANY_SIZE = -1


@dataclass(frozen=True, slots=True)
class BytesAfter:
    """Of the whole output. `is_learned`: whether jobs like it have taught the figures."""

    expected: Combinable
    low: Combinable
    high: Combinable
    is_learned: Q = field(default_factory=lambda: Q(pk__in=[]))


@dataclass(frozen=True, slots=True)
class _Terms:
    """One lesson. Its variance is `fixed + share * spread of the rule of thumb ** 2`."""

    log_factor: float
    fixed: float
    share: float


def learned_range(rule: BytesAfter, spec: PresetSpec, lessons: Lessons) -> BytesAfter:
    """The rule of thumb as it is where nothing was learned and nothing corrected."""
    terms = _terms_of(spec.video, lessons)
    by_rule = _corrected_rule(rule, lessons)
    if not terms:
        return by_rule
    cap = spec.video.max_resolution
    correction = lessons.correction("learned")

    def pick(value: Callable[[_Terms], float], otherwise: float = 0.0) -> Case:
        return _by_group(terms, value, otherwise, cap)

    spread = Ln(rule.high / rule.low) / _number(2 * Z_80)
    variance = pick(lambda t: t.fixed) + pick(lambda t: t.share) * spread * spread
    reach = Sqrt(variance) * _number(Z_80 * correction.range_factor)
    expected = rule.expected * pick(lambda t: math.exp(t.log_factor + correction.log_bias))
    is_learned = _is_in(terms, cap)

    def either(learned: Combinable, plain: Combinable) -> Case:
        return Case(When(is_learned, then=learned), default=plain, output_field=FloatField())

    return BytesAfter(
        either(expected, by_rule.expected),
        either(expected / Exp(reach), by_rule.low),
        either(expected * Exp(reach), by_rule.high),
        is_learned,
    )


def _corrected_rule(rule: BytesAfter, lessons: Lessons) -> BytesAfter:
    """By what the rule of thumb has got wrong so far."""
    correction = lessons.correction("rule")
    if correction.log_bias == 0.0 and correction.range_factor == 1.0:
        return rule
    expected = rule.expected * _number(math.exp(correction.log_bias))
    factor = _number(correction.range_factor)
    return BytesAfter(
        expected,
        expected * Power(rule.low / rule.expected, factor),
        expected * Power(rule.high / rule.expected, factor),
    )


def _terms_of(rule: VideoRule, lessons: Lessons) -> dict[str, dict[int, _Terms]]:
    """By codec and lines of the output; `_ANY_SIZE` for sizes of which nothing is known."""
    found: dict[str, dict[int, _Terms]] = defaultdict(dict)
    for group in lessons.ratios.groups():
        if group[0] != rule.encoder or len(group) not in (2, 3):
            continue
        codec, lines = str(group[1]), int(group[2]) if len(group) == 3 else _ANY_SIZE
        if rule.max_resolution and lines > rule.max_resolution:
            continue  # of presets without this cap
        terms = _terms(rule, lessons, codec, lines)
        if terms is not None:
            found[codec][lines] = terms
    return dict(found)


def _terms(rule: VideoRule, lessons: Lessons, codec: str, lines: int) -> _Terms | None:
    key = PredictionKey(rule.encoder, codec, lines, quality_key(rule), rule.speed)
    fixed = lessons.ratios.lesson(key.levels, rule_spread=0.0)
    whole = lessons.ratios.lesson(key.levels, rule_spread=1.0)
    if fixed is None or whole is None:
        return None
    start = fixed.log_spread**2
    return _Terms(fixed.log_factor, start, whole.log_spread**2 - start)


def _by_group(
    terms: Mapping[str, Mapping[int, _Terms]],
    value: Callable[[_Terms], float],
    otherwise: float,
    cap: int,
) -> Case:
    """Codec first, then size: a film is compared with a handful of words, not with all groups."""
    codecs = []
    for codec, sizes in terms.items():
        whens = [
            When(_has_lines(lines, cap), then=_number(value(one)))
            for lines, one in sizes.items()
            if lines != _ANY_SIZE
        ]
        rest = _number(value(sizes[_ANY_SIZE]) if _ANY_SIZE in sizes else otherwise)
        inner: Any = _case(*whens, default=rest) if whens else rest
        codecs.append(When(video_codec=codec, then=inner))
    return _case(*codecs, default=_number(otherwise))


def _is_in(terms: Mapping[str, Mapping[int, _Terms]], cap: int) -> Q:
    """Films of which something was learned."""
    found = Q(pk__in=[])
    for codec, sizes in terms.items():
        if _ANY_SIZE in sizes:
            found |= Q(video_codec=codec)
            continue
        for lines in sizes:
            found |= Q(video_codec=codec) & _has_lines(lines, cap)
    return found


def _has_lines(lines: int, cap: int) -> Q:
    """Whether the output has so many lines."""
    return Q(resolution__gte=cap) if cap and lines == cap else Q(resolution=lines)


def _number(value: float) -> Value:
    return Value(float(value), output_field=FloatField())


def _case(*whens: When, default: Any) -> Case:
    return Case(*whens, default=default, output_field=FloatField())
