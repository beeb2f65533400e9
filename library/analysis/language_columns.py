"""Languages as the columns of a film have them: ",eng,deu,". Pure expressions and codes."""

from __future__ import annotations

from functools import reduce
from operator import add, or_
from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, Q, Value, When
from django.db.models.functions import Length, Replace

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

# ISO 639-2 has two codes for these languages; files carry either.
TWINS: Final = (
    ("alb", "sqi"), ("arm", "hye"), ("baq", "eus"), ("bur", "mya"), ("chi", "zho"),
    ("cze", "ces"), ("dut", "nld"), ("fre", "fra"), ("geo", "kat"), ("ger", "deu"),
    ("gre", "ell"), ("ice", "isl"), ("mac", "mkd"), ("may", "msa"), ("per", "fas"),
    ("rum", "ron"), ("slo", "slk"), ("tib", "bod"), ("wel", "cym"),
)  # fmt: skip
_OTHER: Final = {**dict(TWINS), **{second: first for first, second in TWINS}}


def wanted_codes(setting: str) -> tuple[str, ...]:
    """ "eng,ger" as files may say it: eng, ger and deu."""
    named = [code for code in setting.split(",") if code]
    both = [code for name in named for code in (name, _OTHER.get(name, ""))]
    return tuple(dict.fromkeys(code for code in both if code))


def has_any(column: str, codes: tuple[str, ...]) -> Q:
    return reduce(or_, (Q(**{f"{column}__contains": f",{code},"}) for code in codes))


def count_languages(column: str) -> Combinable:
    """Of a list that is not empty."""
    commas = Length(column) - Length(Replace(column, Value(","), Value("")))
    return commas - Value(1)


def count_named(column: str, codes: tuple[str, ...]) -> Combinable:
    """How many of these codes are in the list."""
    one, none = Value(1), Value(0)
    parts = (
        Case(
            When(**{f"{column}__contains": f",{code},"}, then=one),
            default=none,
            output_field=BigIntegerField(),
        )
        for code in codes
    )
    return reduce(add, parts)
