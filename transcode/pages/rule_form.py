"""The form of a rule or watch folder; what the services refuse lands on its field."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from django import forms

from library.listing.quantities import parse_size
from library.models import Library, LibraryKind, SavedFilter
from mediaflow.base.form_words import PlainWords
from transcode.models import OutputMode, Preset, RuleKind
from transcode.pages.enqueue_preview import PRIORITIES
from transcode.rules.services import MAX_FILES, RuleInputProblem, RuleValues

if TYPE_CHECKING:
    from transcode.models import Rule

KINDS: Final = (
    (RuleKind.FILTER.value, "Films that a filter finds"),
    (RuleKind.FOLDER.value, "What arrives in a folder"),
)
RESULTS: Final = (
    ("", "As the preset says"),
    (OutputMode.REPLACE.value, "Replace the originals"),
    (OutputMode.BESIDE.value, "Write beside the originals"),
)
MAX_DELAY_MIN: Final = 30 * 24 * 60
FIRST_LIMIT: Final = 20  # films a day, for a new rule
_GB: Final = 10**9
_FIELD_OF: Final = {"max_bytes_per_week": "max_per_week", "delay": "delay_min"}


class RuleForm(PlainWords, forms.Form):
    """`values()` after validation."""

    name = forms.CharField(
        label="Name", max_length=80, help_text="Stands beside each film that it queues."
    )
    kind = forms.ChoiceField(label="It takes", choices=KINDS, widget=forms.RadioSelect)
    saved = forms.ChoiceField(
        label="Saved filter",
        required=False,
        help_text="Its text is taken over now; changing the saved filter later changes no rule.",
    )
    query = forms.CharField(
        label="Filter",
        required=False,
        max_length=2000,
        help_text="As in the address of the library page: codec=h264&size_min=20GB. Empty: all.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    library = forms.ModelChoiceField(
        label="Library", queryset=Library.objects.none(), required=False, empty_label="Choose one"
    )
    folder = forms.CharField(
        label="Folder in it",
        required=False,
        max_length=4000,
        strip=False,
        help_text="For example Incoming. Empty: the whole library.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    delay_min = forms.IntegerField(
        label="Wait after it arrived, minutes",
        min_value=0,
        max_value=MAX_DELAY_MIN,
        required=False,
        help_text="Files that still grow wait anyway.",
    )
    takes_old_films = forms.BooleanField(
        label="Also films that are there already",
        required=False,
        help_text="Otherwise only what arrives from now on.",
    )
    preset = forms.ModelChoiceField(
        label="Preset", queryset=Preset.objects.none(), to_field_name="slug", empty_label=None
    )
    output_mode = forms.ChoiceField(label="Result", choices=RESULTS, required=False)
    priority = forms.TypedChoiceField(
        label="Place in the queue", coerce=int, choices=PRIORITIES, required=False, empty_value="0"
    )
    max_files_per_day = forms.IntegerField(
        label="At most, films a day",
        min_value=1,
        max_value=MAX_FILES,
        required=False,
        help_text="Empty: no limit. A day begins at midnight.",
    )
    max_per_week = forms.CharField(
        label="At most, size a week",
        required=False,
        max_length=40,
        help_text="Such as 500GB, of the last seven days. Empty: no limit.",
    )
    hours = forms.CharField(
        label="Queue only at",
        required=False,
        max_length=400,
        help_text="22:00-06:00 or mon-fri 22:00-06:00, with commas between. Empty: at any time.",
    )
    is_enabled = forms.BooleanField(label="Runs by itself", required=False)

    def __init__(self, *args: Any, owner_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._saved = {
            str(row.pk): row for row in SavedFilter.objects.filter(owner_id=owner_id)[:200]
        }
        saved = self.fields["saved"]
        assert isinstance(saved, forms.ChoiceField)
        saved.choices = [("", "As typed"), *((pk, row.name) for pk, row in self._saved.items())]
        library, preset = self.fields["library"], self.fields["preset"]
        assert isinstance(library, forms.ModelChoiceField)
        assert isinstance(preset, forms.ModelChoiceField)
        library.queryset = Library.objects.filter(kind=LibraryKind.FOLDER)
        preset.queryset = Preset.objects.all()

    @property
    def has_saved(self) -> bool:
        return bool(self._saved)

    def problems(self) -> list[tuple[forms.BoundField, str]]:
        """Each field that needs another value, with what is wrong, for the list on top."""
        return [
            (self[name], " ".join(map(str, texts)))
            for name, texts in self.errors.items()
            if name in self.fields
        ]

    def clean_max_per_week(self) -> int | None:
        text: str = self.cleaned_data["max_per_week"]
        if not text:
            return None
        try:
            return parse_size(text)
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from None

    def chosen_query(self) -> str:
        """The saved filter's, where one is chosen."""
        saved = self._saved.get(self.data.get("saved", ""))
        return saved.query if saved is not None else self.data.get("query", "")

    def values(self) -> RuleValues:
        given = self.cleaned_data
        return RuleValues(
            name=given["name"],
            preset=given["preset"],
            kind=given["kind"],
            query=self.chosen_query(),
            library=given["library"],
            folder=os.fsencode(given["folder"].strip("\r\n")),
            delay_s=60 * (given["delay_min"] or 0),
            output_mode=given["output_mode"],
            priority=int(given["priority"]),
            hours=given["hours"],
            max_files_per_day=given["max_files_per_day"],
            max_bytes_per_week=given["max_per_week"],
            takes_old_films=given["takes_old_films"],
            is_enabled=given["is_enabled"],
        )

    def add_problem(self, problem: RuleInputProblem) -> None:
        name = _FIELD_OF.get(problem.field_name, problem.field_name)
        self.add_error(name if name in self.fields else None, problem.text)


def initial_values(rule: Rule | None, *, query: str = "", kind: str = "") -> dict[str, Any]:
    """What the form starts with: a rule, or the defaults of a new one."""
    if rule is None:
        is_folder = kind == RuleKind.FOLDER
        return {
            "kind": RuleKind.FOLDER if is_folder else RuleKind.FILTER,
            "query": query,
            "preset": "balanced",
            "takes_old_films": not is_folder,
            "delay_min": 0,
            "priority": 0,
            "max_files_per_day": FIRST_LIMIT,
            "is_enabled": True,
        }
    return {
        "name": rule.name,
        "kind": rule.kind,
        "query": rule.query,
        "library": rule.library_id,
        "folder": os.fsdecode(bytes(rule.folder_raw)) if _is_typed(rule) else rule.folder,
        "delay_min": rule.delay_s // 60,
        "takes_old_films": rule.only_added_after is None,
        "preset": rule.preset.slug,
        "output_mode": rule.output_mode,
        "priority": rule.priority,
        "max_files_per_day": rule.max_files_per_day,
        "max_per_week": _size_text(rule.max_bytes_per_week),
        "hours": rule.hours.replace("; ", ", "),
        "is_enabled": rule.is_enabled,
    }


def _is_typed(rule: Rule) -> bool:
    """Whether the name can stand in a form as it is: bytes that are no text cannot."""
    try:
        bytes(rule.folder_raw).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _size_text(size: int | None) -> str:
    """As it can be typed again, exactly."""
    if size is None:
        return ""
    if size % _GB:
        return f"{size}B"
    return f"{size // _GB}GB"
