"""Forms of edits and collections in Plex; every wrong value names its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError

from library.models import PlexSection, SavedFilter
from library.plex.item_values import FIELDS, TAGS, WORDS, ItemChange
from mediaflow.base.form_words import PlainWords

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_TAGS: Final = 50
MAX_TAG_LENGTH: Final = 100
LOCKS: Final = (
    ("lock", "Lock what is changed, so that Plex leaves it alone"),
    ("", "Leave the locks as they are"),
    ("unlock", "Unlock what is changed"),
)
_FIELD_CHOICES: Final = [(name, WORDS[name]) for name in FIELDS]


class TagsField(forms.CharField):
    """Tags with commas between them."""

    def clean(self, value: Any) -> tuple[str, ...]:
        names = [" ".join(part.split()) for part in (super().clean(value) or "").split(",")]
        names = [name for name in dict.fromkeys(names) if name]
        if len(names) > MAX_TAGS:
            raise ValidationError(f"At most {MAX_TAGS} at once.")
        if any(len(name) > MAX_TAG_LENGTH or not name.isprintable() for name in names):
            raise ValidationError(f"Use at most {MAX_TAG_LENGTH} printable characters for each.")
        return tuple(names)


def _tags(label: str) -> TagsField:
    return TagsField(label=label, required=False, max_length=2000)


class PlexEditForm(PlainWords, forms.Form):
    """What to change, the same for all selected items. `change()` after validation."""

    labels_add = _tags("Add labels")
    labels_remove = _tags("Remove labels")
    genres_add = _tags("Add genres")
    genres_remove = _tags("Remove genres")
    collections_add = _tags("Add to collections")
    collections_remove = _tags("Take out of collections")
    content_rating = forms.CharField(label="Content rating", required=False, max_length=40)
    year = forms.IntegerField(label="Year", required=False, min_value=1870, max_value=2100)
    title = forms.CharField(
        label="Title",
        required=False,
        max_length=300,
        help_text="{title} and {year} stand for the film's own: {title} (Director's Cut).",
    )
    sort_title = forms.CharField(
        label="Sort title", required=False, max_length=300, help_text="Such as Bond {year}."
    )
    locks = forms.ChoiceField(label="Locks", choices=LOCKS, required=False, initial="lock")
    lock_fields = forms.MultipleChoiceField(
        label="Lock as they are", choices=_FIELD_CHOICES, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    unlock_fields = forms.MultipleChoiceField(
        label="Unlock", choices=_FIELD_CHOICES, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        for name in TAGS:
            added, removed = values.get(f"{name}_add") or (), values.get(f"{name}_remove") or ()
            both = {tag.casefold() for tag in added} & {tag.casefold() for tag in removed}
            if both:
                text = f"{sorted(both)[0]!r} cannot be added and removed at once."
                self.add_error(f"{name}_remove", text)
        if set(values.get("lock_fields") or ()) & set(values.get("unlock_fields") or ()):
            self.add_error("unlock_fields", "A field cannot be locked and unlocked at once.")
        for name in ("title", "sort_title"):
            text = values.get(name) or ""
            if "{" in text.replace("{title}", "").replace("{year}", ""):
                self.add_error(name, "Only {title} and {year} can stand in braces.")
        return values

    def change(self) -> ItemChange:
        given = self.cleaned_data
        return ItemChange(
            title=given["title"],
            sort_title=given["sort_title"],
            year=given["year"],
            content_rating=given["content_rating"],
            add={name: given[f"{name}_add"] for name in TAGS if given[f"{name}_add"]},
            remove={name: given[f"{name}_remove"] for name in TAGS if given[f"{name}_remove"]},
            locks=given["locks"],
            lock_fields=tuple(given["lock_fields"]),
            unlock_fields=tuple(given["unlock_fields"]),
        )

    def tag_fields(self) -> list[forms.BoundField]:
        return [self[f"{name}_{verb}"] for name in ("labels", "genres", "collections")
                for verb in ("add", "remove")]  # fmt: skip

    def value_fields(self) -> Sequence[forms.BoundField]:
        return [self[name] for name in ("title", "sort_title", "year", "content_rating")]


class CollectionForm(PlainWords, forms.Form):
    """A collection from a filter. The service checks the filter itself."""

    title = forms.CharField(label="Name in Plex", max_length=200)
    section = forms.ModelChoiceField(
        label="Library of Plex", queryset=PlexSection.objects.none(), empty_label=None
    )
    saved = forms.ChoiceField(label="Saved filter", required=False)
    query = forms.CharField(
        label="Filter",
        required=False,
        max_length=2000,
        help_text="As in the address of the library page: hdr=dv&resolution=4k. Empty: all.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    is_kept_in_step = forms.BooleanField(
        label="Keep it in step",
        required=False,
        help_text="After each sync and scan films are added and taken out as they match.",
    )

    def __init__(self, *args: Any, owner_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = SavedFilter.objects.filter(owner_id=owner_id)[:200]
        self._saved = {str(row.pk): row for row in rows}
        saved, section = self.fields["saved"], self.fields["section"]
        assert isinstance(saved, forms.ChoiceField)
        assert isinstance(section, forms.ModelChoiceField)
        saved.choices = [("", "As typed"), *((pk, row.name) for pk, row in self._saved.items())]
        section.queryset = PlexSection.objects.filter(
            is_enabled=True, server__is_enabled=True, server__is_owned=True
        ).select_related("server")

    @property
    def has_saved(self) -> bool:
        return bool(self._saved)

    def chosen_query(self) -> str:
        saved = self._saved.get(self.cleaned_data.get("saved") or "")
        return saved.query if saved is not None else str(self.cleaned_data.get("query") or "")
