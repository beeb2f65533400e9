"""How often something is done, in hours: the field of a form over a column of seconds."""

from __future__ import annotations

from typing import Final

from django import forms

MAX_HOURS: Final = 24 * 365
_ERRORS: Final = ("required", "invalid", "min_value", "max_value")


class HoursField(forms.FloatField):
    """Every wrong value is answered with the one sentence that says which are right."""

    def __init__(self, *, label: str, least: float, help_text: str) -> None:
        words = f"Give a number of hours from {least} to {MAX_HOURS:,}."
        super().__init__(
            label=label,
            min_value=least,
            max_value=MAX_HOURS,
            help_text=help_text,
            error_messages=dict.fromkeys(_ERRORS, words),
        )


def hours_of(seconds: float) -> float:
    """As the field shows them."""
    return round(seconds / 3600, 2)
