"""What is asked for before a decision: the reason of a dismissal, the end of a snooze."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone

from library.analysis.decisions import REASON_LENGTH, Decision
from library.models import RecommendationState
from mediaflow.base.form_words import PlainWords

PRESETS: Final = (("7", "1 week"), ("30", "1 month"), ("91", "3 months"), ("date", "Until a date"))
LATEST: Final = timedelta(days=3650)


class DismissForm(PlainWords, forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=REASON_LENGTH,
        label="Why",
        help_text="Kept with it. What is dismissed is not recommended again.",
    )

    def decision(self) -> Decision:
        return Decision(RecommendationState.DISMISSED, reason=self.cleaned_data["reason"].strip())


class SnoozeForm(PlainWords, forms.Form):
    span = forms.ChoiceField(label="For", choices=PRESETS, initial="30")
    until = forms.DateField(
        required=False,
        label="Date",
        widget=forms.DateInput({"type": "date"}),
        help_text="Only for “Until a date”.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("span") != "date" or self.errors:
            return values
        until = values.get("until")
        today = timezone.localdate()
        if until is None:
            self.add_error("until", "Give the date until which it shall rest.")
        elif not today < until <= today + LATEST:
            self.add_error("until", "The date must lie ahead, at most ten years.")
        return values

    def decision(self) -> Decision:
        return Decision(RecommendationState.SNOOZED, until=self._end())

    def _end(self) -> datetime:
        if self.cleaned_data["span"] != "date":
            return timezone.now() + timedelta(days=int(self.cleaned_data["span"]))
        day: date = self.cleaned_data["until"]
        return datetime.combine(day, time.min, timezone.get_current_timezone())


class PlainForm(forms.Form):
    """Accepting and reopening ask for nothing."""

    def __init__(self, *args: Any, state: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.state = state

    def decision(self) -> Decision:
        return Decision(self.state)


def form_for(verb: str, data: Any = None) -> DismissForm | SnoozeForm | PlainForm:
    """Raises KeyError for a verb that there is not."""
    if verb == "dismiss":
        return DismissForm(data)
    if verb == "snooze":
        return SnoozeForm(data)
    states = {"accept": RecommendationState.ACCEPTED, "reopen": RecommendationState.OPEN}
    return PlainForm(data, state=states[verb])
