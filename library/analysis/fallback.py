"""What an encode would save where no preset's estimate is to be had: by codec and bit rate.

The last two of four sources: learned ratios and the rule of thumb come from the encoding room
(hook `savings_expression`); without them the bit rate alone says something, and without that
the codec. Both are wide guesses and say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, CharField, F, Value, When
from django.db.models.functions import Least

from mediaflow.base.film_hooks import SavedBytes

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

# Per cent that is left of films in old codecs, as a rule, in a codec of today.
LEFT_PCT: Final = {
    "mpeg1video": 30, "mpeg2video": 35, "vc1": 45, "wmv1": 45, "wmv2": 45, "wmv3": 45,
    "mpeg4": 50, "msmpeg4v2": 50, "msmpeg4v3": 50, "h264": 60,
}  # fmt: skip
LEFT_OTHERWISE_PCT: Final = 100
# The expected saving may be so many per cent of it.
LOW_PCT, HIGH_PCT = 40, 150
# What a film of today's codecs usually needs at most, by lines: nothing is saved below.
NEEDED_KBPS: Final = {2160: 12_000, 1440: 6_000, 1080: 3_500, 720: 1_800}
NEEDED_OTHERWISE_KBPS: Final = 900


def fallback_savings() -> SavedBytes:
    """Over the columns of a film or of the facts."""
    left = _choice("video_codec", LEFT_PCT, LEFT_OTHERWISE_PCT)
    by_codec = F("size_bytes") - F("size_bytes") * left / Value(100)
    needed = F("duration_ms") * _choice("resolution", NEEDED_KBPS, NEEDED_OTHERWISE_KBPS)
    above_needed = F("size_bytes") - needed / Value(8)
    zero = Value(0, output_field=BigIntegerField())
    expected = Case(
        When(bit_rate_kbps=0, then=by_codec),
        When(duration_ms=0, then=by_codec),
        When(size_bytes__lte=needed / Value(8), then=zero),
        When(size_bytes__lt=by_codec + needed / Value(8), then=above_needed),
        default=by_codec,
        output_field=BigIntegerField(),
    )
    return SavedBytes(
        expected=expected,
        low=expected * Value(LOW_PCT) / Value(100),
        high=Least(F("size_bytes"), expected * Value(HIGH_PCT) / Value(100)),
        basis=Case(
            When(bit_rate_kbps=0, then=Value("fallback")),
            When(duration_ms=0, then=Value("fallback")),
            default=Value("bitrate"),
            output_field=CharField(),
        ),
    )


def _choice(column: str, values: dict[str, int] | dict[int, int], otherwise: int) -> Combinable:
    whens = [When(**{column: name}, then=Value(value)) for name, value in values.items()]
    return Case(*whens, default=Value(otherwise), output_field=BigIntegerField())
