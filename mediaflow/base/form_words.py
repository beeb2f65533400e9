"""What forms say of a wrong value: one sentence that says what to do, in place of Django's own."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

_PICK: Final = "Choose one of the list."
_MADE_ANEW: Final = "Type this anew: it holds a character that cannot be stored."


def clean_name(text: str) -> str:
    """In one line, for lists and logs. Raises ValidationError."""
    name = " ".join(text.split())
    if not name.isprintable():
        raise ValidationError("Use printable characters for the name.")
    return name


class PlainWords(forms.BaseForm):
    """Before `forms.Form` or `forms.ModelForm`. Texts that a field brings itself stay."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            usual = _usual(field)
            for code, words in _words(field).items():
                if field.error_messages.get(code) == usual.get(code):
                    field.error_messages[code] = words


def _usual(field: forms.Field) -> dict[str, Any]:
    """Django's own texts for a field of this kind."""
    found: dict[str, Any] = {}
    for kind in reversed(type(field).__mro__):
        found |= getattr(kind, "default_error_messages", {})
    return found


def _words(field: forms.Field) -> dict[str, str]:
    if isinstance(field, forms.IntegerField):  # of which those for fractions are kinds
        codes = ("required", "invalid", "min_value", "max_value", "max_digits")
        return dict.fromkeys((*codes, "max_decimal_places", "max_whole_digits"), _number(field))
    if isinstance(field, (forms.ChoiceField, forms.ModelChoiceField)):
        return dict.fromkeys(("required", "invalid_choice", "invalid_list"), _PICK)
    if isinstance(field, forms.DateField):
        return dict.fromkeys(("required", "invalid"), "Give a date such as 2026-11-30.")
    words = {"required": "Fill this in.", "null_characters_not_allowed": _MADE_ANEW}
    if isinstance(field, forms.CharField) and field.max_length:
        words["max_length"] = f"Use at most {field.max_length:,} characters."
    return words


def _number(field: forms.IntegerField) -> str:
    is_whole = not isinstance(field, (forms.FloatField, forms.DecimalField))
    low, high = field.min_value, field.max_value
    text = "Give a whole number" if is_whole else "Give a number"
    if low is not None and high is not None:
        text += f" from {low:,} to {high:,}"
    elif low is not None:
        text += f" of at least {low:,}"
    elif high is not None:
        text += f" of at most {high:,}"
    return text + ("." if field.required else ", or leave it empty.")
