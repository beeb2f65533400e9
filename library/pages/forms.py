"""Forms of the library pages; every wrong value names its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from library.listing.filters import MAX_QUERY_LENGTH, FilterProblem, parse_query
from library.models import Library, SavedFilter, Tag
from library.pages.hours_field import HoursField, hours_of
from mediaflow.base.form_words import PlainWords, clean_name

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

    # Generic only for the type checker.
    LibraryModelForm = forms.ModelForm[Library]
    SavedFilterModelForm = forms.ModelForm[SavedFilter]
    TagModelForm = forms.ModelForm[Tag]
else:
    LibraryModelForm = SavedFilterModelForm = TagModelForm = forms.ModelForm

TAG_COLORS = ("slate", "violet", "gold", "pink", "teal", "lime", "sky", "orange")


class FolderForm(PlainWords, forms.Form):
    """A folder to watch over. The service checks the folder itself."""

    root = forms.CharField(
        label="Folder",
        max_length=4000,
        strip=False,
        help_text="As this machine sees it, for example /tank/films.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        label="Name", max_length=120, required=False, help_text="Empty: the folder's own name."
    )

    def clean_root(self) -> str:
        root: str = self.cleaned_data["root"].strip("\n\r")
        if not root.startswith("/"):
            raise ValidationError("Give the whole path; it begins with /.")
        return root


class LibraryForm(PlainWords, LibraryModelForm):
    """Settings of one library."""

    rescan_hours = HoursField(
        label="Look through it every",
        least=0.1,
        help_text="In hours. Changes that the watch misses are found then.",
    )

    class Meta:
        model = Library
        fields: ClassVar[list[str]] = [
            "name",
            "is_enabled",
            "is_watched",
            "is_replace_allowed",
            "settle_window_s",
            "max_missing_pct",
            "hard_link_policy",
            "never_replace",
        ]
        labels: ClassVar[dict[str, str]] = {
            "is_enabled": "Scan and watch this library",
            "is_watched": "Notice changes at once, where the file system reports them",
            "is_replace_allowed": "Films here may be replaced by their smaller version",
            "settle_window_s": "A file is done growing after",
            "max_missing_pct": "Freeze when more is gone at once than",
            "hard_link_policy": "Films with several hard links",
            "never_replace": "Folders where nothing is ever replaced",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "settle_window_s": "Seconds without a change of size or time.",
            "max_missing_pct": "Per cent of the files. A mount that is away looks like this.",
            "never_replace": "One per line, below the library's folder; for films that are seeded.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rescan_hours"].initial = hours_of(self.instance.rescan_interval_s)
        self.fields["max_missing_pct"].widget.attrs.update({"min": 1, "max": 100})
        self.fields["settle_window_s"].widget.attrs.update({"min": 0, "max": 86_400})

    def clean_max_missing_pct(self) -> int:
        return _within(self.cleaned_data["max_missing_pct"], 1, 100)

    def clean_settle_window_s(self) -> int:
        return _within(self.cleaned_data["settle_window_s"], 0, 86_400)

    def clean_never_replace(self) -> str:
        lines = [line.strip().strip("/") for line in self.cleaned_data["never_replace"].split("\n")]
        if any(".." in line.split("/") for line in lines):
            raise ValidationError("Name folders below the library's folder, without '..'.")
        return "\n".join(line for line in lines if line)

    def save(self, commit: bool = True) -> Library:
        self.instance.rescan_interval_s = round(self.cleaned_data["rescan_hours"] * 3600)
        return super().save(commit=commit)


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValidationError(f"Give a number from {low:,} to {high:,}.")
    return value


class SavedFilterForm(PlainWords, SavedFilterModelForm):
    """A name for a filter. Names are unique per person."""

    class Meta:
        model = SavedFilter
        fields: ClassVar[list[str]] = ["name", "query"]
        widgets: ClassVar[dict[str, Any]] = {"query": forms.HiddenInput()}

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.owner = owner
        query = self.fields["query"]
        query.max_length = MAX_QUERY_LENGTH  # type: ignore[attr-defined]  # a CharField

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = SavedFilter.objects.filter(owner=self.owner, name=name)
        if others.exclude(pk=self.instance.pk).exists():
            raise ValidationError("You have a filter of that name; choose another.")
        return name

    def clean_query(self) -> str:
        query: str = self.cleaned_data["query"]
        try:
            parse_query(query)
        except FilterProblem as problem:
            raise ValidationError(f"The filter cannot be used: {problem}") from None
        return query


class TagForm(PlainWords, TagModelForm):
    """A tag: name and colour."""

    color = forms.ChoiceField(
        label="Colour", choices=[(color, color.capitalize()) for color in TAG_COLORS]
    )

    class Meta:
        model = Tag
        fields: ClassVar[list[str]] = ["name", "color"]

    def clean_name(self) -> str:
        name = clean_name(self.cleaned_data["name"])
        if Tag.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError("There is a tag of that name; choose another.")
        return name


class BulkTagForm(PlainWords, forms.Form):
    """A tag to put on a selection or to take off it; a new name makes a new tag."""

    title = "Tag films"
    verb = forms.ChoiceField(
        label="What to do",
        choices=[("tag", "Add the tag"), ("untag", "Remove the tag")],
        widget=forms.RadioSelect,
        initial="tag",
    )
    name = forms.CharField(
        label="Tag",
        max_length=60,
        help_text="An existing tag, or a new one.",
        widget=forms.TextInput(attrs={"list": "tag-names", "autocomplete": "off"}),
    )
    color = forms.ChoiceField(
        label="Colour of a new tag",
        required=False,
        choices=[(color, color.capitalize()) for color in TAG_COLORS],
        initial="slate",
    )

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])


class BulkIgnoreForm(PlainWords, forms.Form):
    """Whether a selection is left out of everything."""

    title = "Ignore films"
    verb = forms.ChoiceField(
        label="What to do",
        choices=[
            ("ignore", "Ignore: leave these films out of everything"),
            ("unignore", "Stop ignoring: they may be queued again"),
        ],
        widget=forms.RadioSelect,
        initial="ignore",
    )
