"""The filter form of the library page: choices with what is on, ranges with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from library.listing.filters import AnyOfField, FileFilter

if TYPE_CHECKING:
    from django.http import QueryDict

    from library.models import Library, Tag

CHOICE_PARAMS: Final = (
    *("resolution", "codec", "hdr", "audio", "container"),
    *("state", "availability", "kind", "recommendation"),
)
BADGED: Final = frozenset({"resolution", "codec", "hdr"})
# Not offered as boxes, though a typed address may hold them.
RARE_CHOICES: Final = frozenset(
    {"4320", "1440", "240", "vp8", "mpeg1video", "wmv2", "msmpeg4v3", "vvc", "prores", "theora"}
    | {"mjpeg", "ffv1", "vorbis", "mp2", "alac", "pcm_s16le", "pcm_s24le", "wmav2", "ac4"}
    | {"flv", "ogg", "TrueHD"}
)
RANGES: Final = (
    ("Size", (("size_min", "over", "20GB"), ("size_max", "under", "1.5TB"))),
    ("Bit rate, Mb/s", (("bitrate_min", "over", "20"), ("bitrate_max", "under", "8"))),
    ("Length", (("duration_min", "over", "1h30"), ("duration_max", "under", "45"))),
    ("Added", (("added_after", "after", "30d"), ("added_before", "before", "2026-11-01"))),
)


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class FilterGroup:
    name: str
    label: str
    choices: list[Choice]
    is_badged: bool = False


@dataclass(frozen=True, slots=True)
class RangeEnd:
    name: str
    word: str
    value: str
    placeholder: str
    errors: str


@dataclass(frozen=True, slots=True)
class FilterRange:
    label: str
    ends: list[RangeEnd]


def filter_groups(
    params: QueryDict, libraries: list[Library], tags: list[Tag]
) -> list[FilterGroup]:
    groups = [_group(name, params) for name in CHOICE_PARAMS]
    if len(libraries) > 1:
        on = {text.casefold() for text in params.getlist("library")}
        choices = [
            Choice(str(row.pk), row.name, str(row.pk) in on or row.name.casefold() in on)
            for row in libraries
        ]
        groups.append(FilterGroup("library", "Library", choices))
    if tags:
        on = {text.casefold() for text in params.getlist("tag")}
        choices = [Choice(tag.name, tag.name, tag.name.casefold() in on) for tag in tags[:60]]
        groups.append(FilterGroup("tag", "Tags (all of them)", choices))
    return groups


def _group(name: str, params: QueryDict) -> FilterGroup:
    declared = FileFilter.base_filters[name]
    field: AnyOfField = declared.field
    words = [word.strip().lower() for text in params.getlist(name) for word in text.split(",")]
    on = {str(field.aliases[word]) for word in words if word in field.aliases}
    choices = [
        Choice(str(value), label, str(value) in on)
        for value, label in field.names.items()
        if str(value) not in RARE_CHOICES or str(value) in on
    ]
    return FilterGroup(name, str(declared.label), choices, name in BADGED)


def filter_ranges(params: QueryDict, form: Any) -> list[FilterRange]:
    problems = form.errors
    return [
        FilterRange(
            label,
            [
                RangeEnd(name, word, params.get(name, ""), hint, " ".join(problems.get(name, [])))
                for name, word, hint in ends
            ],
        )
        for label, ends in RANGES
    ]
