"""The settings page's form, built from the definitions of the settings store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from mediaflow.base.settings_store import (
    DEFINITIONS,
    SettingProblem,
    get_settings,
    parse_setting,
    set_setting,
)

if TYPE_CHECKING:
    from mediaflow.accounts.models import User
    from mediaflow.base.setting_definition import SettingDefinition

GROUP_LABELS = {
    "queue": "Queue",
    "encoding": "Encoding",
    "trash": "Trash",
    "disk": "Disks",
    "machine": "This machine",
    "library": "Libraries",
    "insights": "Insights",
    "general": "General",
}
GIB = 1024**3


class BytesField(forms.DecimalField):
    """A size that people give in GB (of 1024³ bytes, as the pages show them)."""

    def clean(self, value: Any) -> int | None:
        gigabytes = super().clean(value)
        return None if gigabytes is None else int(gigabytes * GIB)


@dataclass(frozen=True, slots=True)
class FieldGroup:
    label: str
    fields: list[tuple[forms.BoundField, str]]  # the field and its unit


class SettingsForm(forms.Form):
    """One field for each shown setting; what the store refuses becomes an error of that field."""

    def __init__(self, data: Any = None) -> None:
        values = get_settings()
        self.shown = [d for d in DEFINITIONS.values() if d.is_shown]
        super().__init__(data, initial={d.key: _initial(d, values[d.key]) for d in self.shown})
        for definition in self.shown:
            self.fields[definition.key] = _field(definition)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for definition in self.shown:
            if definition.key not in cleaned:
                continue
            try:
                parse_setting(definition.key, cleaned[definition.key])
            except SettingProblem as problem:
                text = problem.text[:1].upper() + problem.text[1:]
                self.add_error(definition.key, ValidationError(text))
        return cleaned

    def save(self, actor: User) -> int:
        """Store what changed; how many settings that were."""
        before = get_settings()
        changed = 0
        for definition in self.shown:
            value = parse_setting(definition.key, self.cleaned_data[definition.key])
            if value != before[definition.key]:
                set_setting(definition.key, value, actor)
                changed += 1
        return changed

    def groups(self) -> list[FieldGroup]:
        """Fields in the order of the definitions, under their headings."""
        names = list(dict.fromkeys(d.group for d in self.shown))
        return [
            FieldGroup(
                GROUP_LABELS.get(name, name.capitalize()),
                [(self[d.key], _unit(d)) for d in self.shown if d.group == name],
            )
            for name in names
        ]


def _field(definition: SettingDefinition) -> forms.Field:
    common: dict[str, Any] = {"label": definition.label, "help_text": definition.help}
    required = not definition.is_optional
    if definition.kind == "bool":
        return forms.BooleanField(required=False, **common)
    allowed = _allowed_text(definition)
    common["error_messages"] = {
        **dict.fromkeys(_ERROR_CODES, allowed),
        **dict.fromkeys(_FORMATTED_CODES, allowed.replace("%", "%%")),
    }
    if definition.kind == "choice":
        return forms.ChoiceField(choices=definition.choices, required=required, **common)
    if definition.unit == "bytes":
        return BytesField(
            required=required,
            min_value=definition.low // GIB,
            max_value=definition.high // GIB,
            max_digits=12,
            decimal_places=2,
            **common,
        )
    if definition.kind == "int":
        return forms.IntegerField(
            required=required, min_value=definition.low, max_value=definition.high, **common
        )
    too_long = f"Use at most {definition.high:,} characters."
    common["error_messages"] = {"max_length": too_long}
    return forms.CharField(required=False, max_length=definition.high or None, **common)


# Whatever is wrong with a figure or a choice, the same sentence says what is allowed.
_ERROR_CODES = ("required", "invalid")
# Django puts figures into these: a sign for per cent has to be written twice.
_FORMATTED_CODES = (
    *("invalid_choice", "min_value", "max_value"),
    *("max_digits", "max_decimal_places", "max_whole_digits"),
)


def _allowed_text(definition: SettingDefinition) -> str:
    end = ", or leave it empty." if definition.is_optional else "."
    if definition.kind == "choice":
        return f"Choose one of: {', '.join(label for _name, label in definition.choices)}."
    if definition.unit == "bytes":
        low, high = definition.low // GIB, definition.high // GIB
        return f"Give a size from {low:,} to {high:,} GB, such as 2.5{end}"
    unit = f" {definition.unit}" if definition.unit else ""
    return f"Give a whole number from {definition.low:,} to {definition.high:,}{unit}{end}"


def _initial(definition: SettingDefinition, value: Any) -> Any:
    if definition.unit == "bytes" and value is not None:
        return f"{value / GIB:.2f}".rstrip("0").rstrip(".")
    return value


def _unit(definition: SettingDefinition) -> str:
    return "GB" if definition.unit == "bytes" else definition.unit
