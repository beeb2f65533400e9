"""How severe, how sure and how urgent a recommendation is: the one place with the formulas.

Severity, where an analyser does not say: 3 from 10 GB saved, 2 from 2 GB, else 1.
Confidence, where an analyser does not say, by what the saving rests on: learned 85 %, rule of
thumb 65 %, bit rate 45 %, a guess 25 %.
Priority, 0 to 100, for what saves space:

    (45 * gigabytes + 25 * share + 20 * confidence + 10 * severity) / 100 * weight

where each is 0 to 100: gigabytes saved of 20, the saving's share of the film, the confidence, and
a third for each step of severity. For what saves nothing: (70 * severity + 30 * confidence) / 100
* weight. The weight is the analyser's: an offer weighs less than a find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, F, Value, When
from django.db.models.functions import Greatest, Least

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

GB: Final = 1_000_000_000
SEVERE_BYTES, MEDIUM_BYTES = 10 * GB, 2 * GB
MOST_BYTES: Final = 20 * GB
CONFIDENCE_PCT: Final = {"learned": 85, "rule": 65, "bitrate": 45, "fallback": 25}
_UNKNOWN_PCT: Final = 50


def severity() -> Combinable:
    """Over the columns of a finding, as the other two."""
    return _case(
        When(severity__gt=0, then=F("severity")),
        When(savings_bytes__gte=SEVERE_BYTES, then=Value(3)),
        When(savings_bytes__gte=MEDIUM_BYTES, then=Value(2)),
        default=1,
    )


def confidence() -> Combinable:
    by_basis = [When(basis=basis, then=Value(pct)) for basis, pct in CONFIDENCE_PCT.items()]
    return _case(
        When(confidence_pct__gt=0, then=F("confidence_pct")), *by_basis, default=_UNKNOWN_PCT
    )


def priority() -> Combinable:
    gigabytes = Least(F("savings_bytes"), Value(MOST_BYTES)) / Value(MOST_BYTES // 100)
    share = Least(F("savings_bytes"), F("size_bytes")) * Value(100) / Greatest(F("size_bytes"), 1)
    step = severity() * Value(100) / Value(3)
    saving = (
        gigabytes * Value(45) + share * Value(25) + confidence() * Value(20) + step * Value(10)
    ) * F("weight_pct")
    other = (step * Value(70) + confidence() * Value(30)) * F("weight_pct")
    return _case(
        When(savings_bytes__gt=0, then=saving / Value(10_000)),
        When(savings_bytes__lte=0, then=other / Value(10_000)),
        default=0,
    )


def _case(*whens: When, default: int) -> Case:
    return Case(*whens, default=Value(default), output_field=BigIntegerField())
