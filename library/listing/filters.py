"""The one definition of filters: library page, saved filters, exports, bulk actions, `--filter`.

A filter is a query string people can read and type:

    resolution=4k,1080p & codec=hevc & hdr=dv & audio=atmos & container=mkv
    size_min=20GB & size_max=1.5TB      bitrate_min=8 (Mb/s; 800k)      duration_max=1h30 (or 90)
    added_after=2026-11-01 (or 30d) & added_before=…
    state=new & availability=missing & kind=video & library=Films & tag=keep & q=amelie
    recommendation=codec,overkill (or any) & confidence=high (or fair) & severity=high (or medium)

Several values mean any of them; several filters, tags and words of `q` mean all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from library.analysis.kinds import KINDS
from library.analysis.sums import FAIR_FROM_PCT, HIGH_FROM_PCT
from library.listing import labels, quantities
from library.listing.file_query import FileQuery, Range, Recommended, split_terms
from library.listing.plan import narrow
from library.models import Availability, FileKind, FileState, Library, MediaFile, Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.db.models import QuerySet

MAX_QUERY_LENGTH: Final = 2000
MAX_VALUES: Final = 60
RANGE_PARAMS: Final = {
    "size_min": ("size", "low"),
    "size_max": ("size", "high"),
    "bitrate_min": ("bitrate", "low"),
    "bitrate_max": ("bitrate", "high"),
    "duration_min": ("duration", "low"),
    "duration_max": ("duration", "high"),
    "added_after": ("added", "low"),
    "added_before": ("added", "high"),
}
FACET_PARAMS: Final = (
    *("resolution", "codec", "hdr", "audio", "container"),
    *("state", "availability", "kind", "library"),
)


class FilterProblem(Exception):
    """A filter that cannot be used: which field, and one sentence that says what would do."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


class AnyOfField(forms.MultipleChoiceField):
    """Some of several values; repeated or separated by commas, in any case, aliases allowed."""

    def __init__(
        self, *, names: Mapping[Any, str], aliases: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        self.names = names
        self.aliases = {
            **{str(value).lower(): value for value in names},
            **{label.lower(): value for value, label in names.items()},
            **(aliases or {}),
        }
        super().__init__(choices=[(str(v), label) for v, label in names.items()], **kwargs)

    def clean(self, value: Any) -> list[Any]:
        texts = [value] if isinstance(value, str) else list(value or ())
        words = [word.strip().lower() for text in texts for word in str(text).split(",")]
        words = [word for word in dict.fromkeys(words) if word]
        if len(words) > MAX_VALUES:
            raise ValidationError(f"At most {MAX_VALUES} values.")
        unknown = [word for word in words if word not in self.aliases]
        if unknown:
            known = ", ".join(sorted({str(name) for name in self.names}))
            raise ValidationError(f"{unknown[0][:60]!r} is not known here; give {known}.")
        return [self.aliases[word] for word in words]


class LibraryField(forms.MultipleChoiceField):
    """Libraries by id or name."""

    def clean(self, value: Any) -> list[int]:
        texts = [str(text).strip() for text in (value or ()) if str(text).strip()][:MAX_VALUES]
        if not texts:
            return []
        rows = list(Library.objects.values_list("pk", "name"))
        by_text = {name.casefold(): pk for pk, name in rows} | {str(pk): pk for pk, _ in rows}
        for text in texts:
            if text.casefold() not in by_text:
                raise ValidationError(f"There is no library {text[:60]!r}; give the name of one.")
        return [by_text[text.casefold()] for text in texts]


class TagField(forms.MultipleChoiceField):
    """Tags by name."""

    def clean(self, value: Any) -> list[int]:
        texts = [str(text).strip() for text in (value or ()) if str(text).strip()][:MAX_VALUES]
        if not texts:
            return []
        by_name = {name.casefold(): pk for pk, name in Tag.objects.values_list("pk", "name")}
        for text in texts:
            if text.casefold() not in by_name:
                raise ValidationError(f"There is no tag {text[:60]!r}; give the name of one.")
        return [by_name[text.casefold()] for text in dict.fromkeys(texts)]


class QuantityField(forms.CharField):
    """A figure with a unit, through a parser of `library.listing.quantities`."""

    def __init__(self, *, parse: Callable[[str], Any], **kwargs: Any) -> None:
        self.parse = parse
        super().__init__(max_length=40, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self.parse(text)
        except ValueError as problem:
            raise ValidationError(str(problem)) from None


class AnyOfFilter(django_filters.Filter):  # type: ignore[misc]  # has no types
    field_class = AnyOfField


class LibraryFilter(django_filters.Filter):  # type: ignore[misc]  # has no types
    field_class = LibraryField


class TagFilter(django_filters.Filter):  # type: ignore[misc]  # has no types
    field_class = TagField


class QuantityFilter(django_filters.Filter):  # type: ignore[misc]  # has no types
    field_class = QuantityField


ANY_KIND: Final = "any"
RECOMMENDATION_NAMES: Final = {
    **{kind.slug: kind.title for kind in KINDS.values()},
    ANY_KIND: "Any recommendation",
}
CONFIDENCE_FROM_PCT: Final = {"high": HIGH_FROM_PCT, "fair": FAIR_FROM_PCT}
SEVERITY_FROM: Final = {"high": 3, "medium": 2}
AUDIO_NAMES: Final = {**{label: label for label in labels.AUDIO_LABELS}, **labels.AUDIO_CODECS}


class FileFilter(django_filters.FilterSet):  # type: ignore[misc]  # has no types
    """`FileFilter(QueryDict)`: `.form` for the page, `.query` the values, `.qs` the files."""

    q = django_filters.CharFilter(label="Search", max_length=200)
    resolution = AnyOfFilter(
        label="Resolution", names=labels.RESOLUTIONS, aliases={"sd": 480, "uhd": 2160, "hd": 720}
    )
    codec = AnyOfFilter(label="Video codec", names=labels.VIDEO_CODECS, aliases={"h265": "hevc"})
    hdr = AnyOfFilter(label="HDR", names=labels.HDR_KINDS, aliases={"dolbyvision": "dolby_vision"})
    # "truehd" and "dts" are codecs; the labels of the same name are what the codec carries.
    audio = AnyOfFilter(label="Audio", names=AUDIO_NAMES, aliases={"truehd": "truehd"})
    container = AnyOfFilter(
        label="Container", names=labels.CONTAINERS, aliases={"matroska": "mkv", "wmv": "asf"}
    )
    state = AnyOfFilter(label="State", names=dict(FileState.choices))
    availability = AnyOfFilter(label="Availability", names=dict(Availability.choices))
    kind = AnyOfFilter(label="Kind", names=dict(FileKind.choices))
    library = LibraryFilter(label="Library")
    tag = TagFilter(label="Tag")
    recommendation = AnyOfFilter(label="Recommendation", names=RECOMMENDATION_NAMES)
    confidence = AnyOfFilter(label="Confidence", names={"high": "high", "fair": "fair or high"})
    severity = AnyOfFilter(label="Severity", names={"high": "high", "medium": "medium or high"})
    size_min = QuantityFilter(label="Size over", parse=quantities.parse_size)
    size_max = QuantityFilter(label="Size under", parse=quantities.parse_size)
    bitrate_min = QuantityFilter(label="Bit rate over", parse=quantities.parse_rate)
    bitrate_max = QuantityFilter(label="Bit rate under", parse=quantities.parse_rate)
    duration_min = QuantityFilter(label="Longer than", parse=quantities.parse_length)
    duration_max = QuantityFilter(label="Shorter than", parse=quantities.parse_length)
    added_after = QuantityFilter(label="Added after", parse=quantities.parse_moment)
    added_before = QuantityFilter(label="Added before", parse=quantities.parse_moment)

    class Meta:
        model = MediaFile
        fields: list[str] = []

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(QueryDict("") if data is None else data, queryset=MediaFile.objects.all())

    @property
    def query(self) -> FileQuery:
        """The parsed filter. Raises FilterProblem for the first field that cannot be used."""
        if not self.form.is_valid():
            name, problems = next(iter(self.form.errors.items()))
            raise FilterProblem(name, str(problems[0]))
        return read_query(self.form.cleaned_data)

    def filter_queryset(self, queryset: QuerySet[MediaFile]) -> QuerySet[MediaFile]:
        return queryset.filter(self.query.condition())


def read_query(values: Mapping[str, Any]) -> FileQuery:
    """From cleaned form values. Raises FilterProblem when a range is upside down."""
    ends: dict[str, dict[str, Any]] = {}
    for param, (name, end) in RANGE_PARAMS.items():
        if values.get(param) is not None:
            ends.setdefault(name, {})[end] = values[param]
    for name, span in ends.items():
        if "low" in span and "high" in span and span["low"] >= span["high"]:
            param = next(p for p, where in RANGE_PARAMS.items() if where == (name, "high"))
            raise FilterProblem(param, "The upper end must lie above the lower end.")
    return FileQuery(
        facets={name: frozenset(values[name]) for name in FACET_PARAMS if values.get(name)},
        ranges={name: Range(**span) for name, span in ends.items()},
        tag_ids=tuple(values.get("tag") or ()),
        terms=split_terms(values.get("q") or ""),
        recommended=_read_recommended(values),
    )


def _read_recommended(values: Mapping[str, Any]) -> Recommended | None:
    """`confidence` or `severity` alone asks for any recommendation like that."""
    kinds, bands = values.get("recommendation") or [], values.get("confidence") or []
    least = min((CONFIDENCE_FROM_PCT[band] for band in bands), default=0)
    severity = min((SEVERITY_FROM[word] for word in values.get("severity") or []), default=0)
    if not (kinds or least or severity):
        return None
    return Recommended(() if ANY_KIND in kinds else tuple(sorted(kinds)), least, severity)


def parse_query(query: str) -> FileQuery:
    """From a query string. Raises FilterProblem, also for a filter that does not exist."""
    if len(query) > MAX_QUERY_LENGTH:
        raise FilterProblem("filter", f"It is longer than {MAX_QUERY_LENGTH} characters.")
    if "\0" in query:
        raise FilterProblem("filter", "It contains a NUL character.")
    data = QueryDict(query.strip().lstrip("?"))
    for name in data:
        if name not in FileFilter.base_filters:
            known = ", ".join(FileFilter.base_filters)
            raise FilterProblem(name[:60], f"There is no such filter; there are {known}.")
    return FileFilter(data).query


def files_matching(query: str) -> QuerySet[MediaFile]:
    """Files that a query string selects; everything in the list for "". Raises FilterProblem."""
    return find_files(parse_query(query))


def find_files(query: FileQuery) -> QuerySet[MediaFile]:
    """The files of a parsed filter, with what lets the database find them fast."""
    return MediaFile.objects.filter(query.condition() & narrow(query))


def filter_params(data: QueryDict) -> QueryDict:
    """Only the filters of an address: no sort, no page, nothing empty."""
    kept = QueryDict(mutable=True)
    for name in FileFilter.base_filters:
        values = [value for value in data.getlist(name) if value.strip()]
        if values:
            kept.setlist(name, values)
    return kept
