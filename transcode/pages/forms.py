"""Small forms of the queue's pages. The form of a preset is in preset_form.py."""

from __future__ import annotations

from django import forms


class PauseForm(forms.Form):
    """Why the queue is paused: shown above it to everybody."""

    reason = forms.CharField(
        label="Why", max_length=300, required=False, help_text="Shown above the queue."
    )
