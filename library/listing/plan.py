"""Decides how the file list is read for a filter and a sort: which index, and what is left to do.

- Everything, or a range of the sorted column: the sort's own index.
- Filters of one family (codec, resolution and HDR; audio and container; library, state, kind …; a
  range at round figures): its groups, merged in order. Exact, whatever the sort.
- Any mixture: if one part of the filter is rare, its few files are fetched and sorted. Else the
  list is walked in order and each row checked, within a budget (`library.listing.paging`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q

from library.listing import keys as list_keys
from library.listing import streams as list_streams
from library.listing import text_index
from library.listing.file_query import RANGE_COLUMNS, FileQuery, Range, Recommended
from library.listing.labels import AUDIO_LABELS
from library.listing.streams import MAX_STREAMS, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A part of the filter with at most so many files is fetched whole and sorted.
RARE: Final = 5_000
TEXT_WINDOW_ROWS: Final = 60_000
TEXT_BUDGET_S: Final = 0.12

FAMILIES: Final = {
    "video_group": ("resolution", "codec", "hdr"),
    "sound_group": ("container", "audio"),
    "place_group": ("library", "kind", "state", "availability"),
}
STEPS: Final = {
    "size": ("size_step", list_keys.SIZE_STEPS_BYTES),
    "bitrate": ("rate_step", list_keys.RATE_STEPS_KBPS),
    "duration": ("length_step", list_keys.LENGTH_STEPS_MS),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """Either `ids`, all that can match; or a `source` to read. `is_exact`: nothing to check."""

    source: Source
    is_exact: bool
    ids: tuple[int, ...] | None = None
    # The ids are not all yet: the budget for looking through texts was spent.
    is_partial: bool = False
    # All that is left to check, if it is ranges of other columns only.
    checks: tuple[tuple[str, Range], ...] = ()


@dataclass(frozen=True, slots=True)
class Grouping:
    column: str
    groups: tuple[Any, ...]
    is_exact: bool
    # Parts of a step at the ends of a range: (column, range) each, with `inner` the whole steps.
    edges: tuple[tuple[str, Range], ...] = ()
    inner: tuple[Any, ...] = ()


def make_plan(query: FileQuery, sort_column: str, *, text_budget_s: float = TEXT_BUDGET_S) -> Plan:
    """Costs a few index seeks; a mixture of filters up to a few reads of RARE ids."""
    own = next((n for n in query.ranges if RANGE_COLUMNS[n] == sort_column), "")
    span = query.ranges.get(own)
    groupings = [*_family_groupings(query), *_step_groupings(query, own)]
    is_loose = bool(
        query.tag_ids
        or query.terms
        or query.recommended
        or ("added" in query.ranges and own != "added")
    )
    if not groupings and not is_loose:
        return Plan(Source(sort_column, span=span), is_exact=True)
    is_common = False
    if len(groupings) == 1 and not is_loose and _is_mergeable(groupings[0]):
        only = groupings[0]
        if only.is_exact:
            return Plan(Source(sort_column, only.column, only.groups, span), is_exact=True)
        edge_ids = _edge_ids(only) if span is None else None
        if edge_ids is not None:
            source = Source(sort_column, only.column, only.inner, extra_ids=tuple(edge_ids))
            return Plan(source, is_exact=True)
        is_common = span is None  # a part of the only range has more than RARE files
    rare = (
        None if is_common else _rare_ids(query, groupings) or _text_ids(query.terms, text_budget_s)
    )
    if rare is not None:
        return Plan(
            Source(sort_column), is_exact=False, ids=tuple(rare.ids), is_partial=rare.is_partial
        )
    if not (groupings or query.tag_ids or query.terms or query.recommended):
        checks = (("added_at", query.ranges["added"]),)
        return Plan(Source(sort_column, span=span), is_exact=False, checks=checks)
    mergeable = [grouping for grouping in groupings if _is_mergeable(grouping)]
    best = min(mergeable, key=lambda grouping: len(grouping.groups), default=None)
    if best is None:
        return Plan(Source(sort_column, span=span), is_exact=False)
    return Plan(Source(sort_column, best.column, best.groups, span), is_exact=False)


def narrow(query: FileQuery) -> Q:
    """A condition that follows from the filter and that an index answers; adds nothing to it.

    Reads the group values that exist now: use the condition soon.
    """
    condition = Q()
    for grouping in (*_family_groupings(query), *_step_groupings(query, "")):
        condition &= Q(**{f"{grouping.column}__in": grouping.groups})
    if query.recommended is not None:
        condition &= Q(pk__in=query.recommended.rows().values("file_id"))
    latin = [term for term in query.terms if term.isascii()]
    if latin:
        ids = text_index.ids_with_words(latin, RARE + 1)
        if len(ids) <= RARE:
            condition &= Q(pk__in=ids)
    return condition


def _is_mergeable(grouping: Grouping) -> bool:
    return len(grouping.groups) <= MAX_STREAMS


def _family_groupings(query: FileQuery) -> Iterator[Grouping]:
    for column, names in FAMILIES.items():
        wanted = {name: query.facets[name] for name in names if name in query.facets}
        if wanted:
            accepts = _ACCEPTS[column]
            values = list_streams.group_values(column)
            groups = tuple(value for value in values if accepts(value, wanted))
            yield Grouping(column, groups, is_exact=True)


def _accepts_video(key: str, wanted: dict[str, frozenset[Any]]) -> bool:
    resolution, codec, hdr = key.split(":", 2)
    found = {"resolution": int(resolution), "codec": codec, "hdr": hdr}
    return all(found[name] in values for name, values in wanted.items())


def _accepts_sound(key: str, wanted: dict[str, frozenset[Any]]) -> bool:
    container, codec, label = key.split(":", 2)
    if "container" in wanted and container not in wanted["container"]:
        return False
    audio = wanted.get("audio")
    return audio is None or label in audio or (codec in audio and codec not in AUDIO_LABELS)


def _accepts_place(key: int, wanted: dict[str, frozenset[Any]]) -> bool:
    place = list_keys.read_place(key)
    found = {
        "library": place.library_id,
        "kind": place.kind,
        "state": place.state,
        "availability": place.availability,
    }
    return all(found[name] in values for name, values in wanted.items())


_ACCEPTS: Final[dict[str, Callable[[Any, dict[str, frozenset[Any]]], bool]]] = {
    "video_group": _accepts_video,
    "sound_group": _accepts_sound,
    "place_group": _accepts_place,
}


def _step_groupings(query: FileQuery, own: str) -> Iterator[Grouping]:
    """Ranges on other columns than the sorted one, as the steps that they touch."""
    for name, (column, steps) in STEPS.items():
        span = query.ranges.get(name)
        if span is None or name == own:
            continue
        yield _step_grouping(RANGE_COLUMNS[name], column, steps, span)


def _step_grouping(value_column: str, column: str, steps: tuple[int, ...], span: Range) -> Grouping:
    first = 0 if span.low is None else list_keys.step_of(span.low, steps)
    last = len(steps) if span.high is None else list_keys.step_of(span.high - 1, steps)
    groups = tuple(range(first, last + 1))
    cuts_low = span.low is not None and span.low not in steps
    cuts_high = span.high is not None and span.high not in steps
    if not (cuts_low or cuts_high):
        return Grouping(column, groups, is_exact=True)
    if first == last:
        return Grouping(column, groups, is_exact=False, edges=((value_column, span),))
    edges: list[tuple[str, Range]] = []
    if cuts_low:
        edges.append((value_column, Range(span.low, steps[first])))
    if cuts_high:
        edges.append((value_column, Range(steps[last - 1], span.high)))
    inner = groups[int(cuts_low) : len(groups) - int(cuts_high)]
    return Grouping(column, groups, is_exact=False, edges=tuple(edges), inner=inner)


def _edge_ids(grouping: Grouping) -> list[int] | None:
    """Files in the parts of steps at the ends of a range; None when they are many."""
    ids: list[int] = []
    for column, span in grouping.edges:
        ids += list_streams.ids_in_range(column, span, RARE + 1)
        if len(ids) > RARE:
            return None
    return ids


@dataclass(frozen=True, slots=True)
class Candidates:
    ids: list[int]
    is_partial: bool = False


def _rare_ids(query: FileQuery, groupings: list[Grouping]) -> Candidates | None:
    """All files that one part of the filter lets through, if few; None if no part is rare."""
    for collect in _collectors(query, groupings):
        ids = collect(RARE + 1)
        if len(ids) <= RARE:
            return Candidates(ids)
    return None


def _text_ids(terms: tuple[str, ...], budget_s: float) -> Candidates | None:
    """Files with the words; words of scripts without spaces are looked for in all texts."""
    latin = [term for term in terms if term.isascii()]
    if latin:
        ids = text_index.ids_with_words(latin, RARE + 1)
        return Candidates(ids) if len(ids) <= RARE else None
    return _scanned_ids(terms, budget_s) if terms else None


def _collectors(
    query: FileQuery, groupings: list[Grouping]
) -> Iterator[Callable[[int], list[int]]]:
    """Ways to fetch candidates, the cheap ones first."""
    for tag_id in query.tag_ids:
        yield partial(list_streams.ids_with_tag, tag_id)
    if query.recommended is not None:
        yield _recommended_collector(query.recommended)
    for name, span in query.ranges.items():
        yield _range_collector(RANGE_COLUMNS[name], span)
    for grouping in groupings:
        if grouping.column in FAMILIES:
            yield _group_collector(grouping)


def _recommended_collector(recommended: Recommended) -> Callable[[int], list[int]]:
    found = recommended.rows().values_list("file_id", flat=True).distinct()
    return lambda limit: [pk for pk in found[:limit] if pk is not None]


def _range_collector(column: str, span: Range) -> Callable[[int], list[int]]:
    return lambda limit: list_streams.ids_in_range(column, span, limit)


def _group_collector(grouping: Grouping) -> Callable[[int], list[int]]:
    return lambda limit: list_streams.ids_in_groups(grouping.column, grouping.groups, limit)


def _scanned_ids(terms: tuple[str, ...], budget_s: float) -> Candidates | None:
    """Files whose text holds all terms; None when they are many."""
    found = text_index.ids_with_words(terms, RARE)
    key = None
    deadline = time.monotonic() + budget_s
    while time.monotonic() < deadline:
        window = list_streams.scan_text(terms, key, rows=TEXT_WINDOW_ROWS)
        found += window.ids
        if len(found) > RARE:
            return None
        if window.last is None:
            return Candidates(list(dict.fromkeys(found)))
        key = window.last
    return Candidates(list(dict.fromkeys(found)), is_partial=True)
