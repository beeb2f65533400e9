"""What forms say of wrong values: one sentence that says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError

from mediaflow.base.form_words import PlainWords, clean_name


class Sample(PlainWords, forms.Form):
    name = forms.CharField(max_length=1200)
    own = forms.CharField(error_messages={"required": "Give the key."})
    count = forms.IntegerField(min_value=1, max_value=20_000)
    least = forms.IntegerField(min_value=1, required=False)
    hours = forms.FloatField(max_value=24)
    shift = forms.IntegerField(required=False)
    kind = forms.ChoiceField(choices=[("a", "A")])
    kinds = forms.MultipleChoiceField(choices=[("a", "A")], required=False)
    day = forms.DateField()


FINE = {
    "name": "x", "own": "x", "count": "3", "least": "", "hours": "1.5", "kind": "a",
    "day": "2026-11-30",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "values", "words"),
    [
        ("name", ("", "  "), "Fill this in."),
        ("name", ("x" * 1201,), "Use at most 1,200 characters."),
        ("name", ("a\0b",), "Type this anew: it holds a character that cannot be stored."),
        ("own", ("",), "Give the key."),
        ("count", ("", "x", "1.5", "0", "20001"), "Give a whole number from 1 to 20,000."),
        ("least", ("x", "0"), "Give a whole number of at least 1, or leave it empty."),
        ("hours", ("", "x", "nan", "25"), "Give a number of at most 24."),
        ("shift", ("x", "1.5"), "Give a whole number, or leave it empty."),
        ("kind", ("", "b"), "Choose one of the list."),
        ("kinds", ("b",), "Choose one of the list."),
        ("day", ("", "tomorrow", "2026-02-30"), "Give a date such as 2026-11-30."),
    ],
)
def test_each_wrong_value_has_its_sentence(field: str, values: tuple[str, ...], words: str) -> None:
    for value in values:
        sent: dict[str, Any] = {**FINE, field: value}
        form = Sample(sent | {field: [value]} if field == "kinds" else sent)
        assert form.errors == {field: [words]}, value
    assert Sample(FINE).is_valid()


def test_a_name_is_one_line_of_printable_characters() -> None:
    assert clean_name("  Radarr\n 4K ") == "Radarr 4K"
    with pytest.raises(ValidationError, match="printable characters"):
        clean_name("bell\a")
