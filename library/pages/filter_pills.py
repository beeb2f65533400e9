"""The filters in force, as pills: field, operator, value, and the address without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.http import QueryDict

from library.listing.filters import FACET_PARAMS, RANGE_PARAMS, FileFilter
from library.listing.labels import AUDIO_LABELS
from library.models import Library
from mediaflow.base.ids import read_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECOMMENDED_PARAMS: Final = ("recommendation", "confidence", "severity")
BADGED: Final = frozenset({"resolution", "codec", "hdr"})


@dataclass(frozen=True, slots=True)
class Pill:
    field: str
    operator: str
    value: str
    badges: tuple[str, ...]
    remove_url: str = ""


def make_pills(params: QueryDict, path: str, carried: Mapping[str, str]) -> list[Pill]:
    """One per filter of the address; the search has its own field and none. `carried`: what else
    the address keeps, such as the sort."""
    pills = []
    for name, texts in _texts_by_name(params):
        rest = params.copy()
        del rest[name]
        for key, value in carried.items():
            rest[key] = value
        pills.append(_pill(name, texts, f"{path}?{rest.urlencode()}"))
    return pills


def describe_query(query: str) -> list[Pill]:
    """A saved filter in words, the search first. Nothing can be removed from these."""
    params = QueryDict(query)
    words = params.get("q", "").strip()
    found = [Pill("Search", "for", f"“{words}”", ())] if words else []
    return found + [_pill(name, texts, "") for name, texts in _texts_by_name(params)]


def _texts_by_name(params: QueryDict) -> Iterator[tuple[str, list[str]]]:
    for name in (*FACET_PARAMS, "tag", *RECOMMENDED_PARAMS, *RANGE_PARAMS):
        texts = [text for value in params.getlist(name) for text in value.split(",") if text]
        if texts:
            yield name, texts


def _pill(name: str, texts: list[str], remove_url: str) -> Pill:
    if name in RANGE_PARAMS:
        kind, end = RANGE_PARAMS[name]
        label = {"size": "Size", "bitrate": "Bit rate", "duration": "Length", "added": "Added"}[
            kind
        ]
        words = ("after", "before") if kind == "added" else ("over", "under")
        operator = words[0] if end == "low" else words[1]
        return Pill(label, operator, _range_value(kind, texts[0]), (), remove_url)
    label = str(FileFilter.base_filters[name].label)
    operator = "is" if len(texts) == 1 else "is any of"
    if name == "tag":
        operator = "is" if len(texts) == 1 else "are all of"
    shown = tuple(_value_label(name, text) for text in texts)
    if name in BADGED or (name == "audio" and set(shown) <= set(AUDIO_LABELS)):
        return Pill(label, operator, "", shown, remove_url)
    return Pill(label, operator, ", ".join(shown), (), remove_url)


def _range_value(kind: str, text: str) -> str:
    units = {"size": " GB", "bitrate": " Mb/s", "duration": " min"}
    return text + units.get(kind, "") if text.replace(".", "").isdigit() else text


def _value_label(name: str, text: str) -> str:
    if name == "library" and (pk := read_id(text)) is not None:
        return Library.objects.filter(pk=pk).values_list("name", flat=True).first() or text
    field = FileFilter.base_filters[name].field
    value = getattr(field, "aliases", {}).get(text.strip().lower(), text)
    return str(getattr(field, "names", {}).get(value, text))
