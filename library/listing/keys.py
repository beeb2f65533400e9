"""What the file list groups and steps by: the expressions behind MediaFile's generated columns.

A filter on one of few values (codec, state, …) with any sort would need one index per pair of
filter and sort. Instead each file carries a few small group keys, computed by the database itself,
so that whoever writes a row keeps them right. A filter selects whole groups, each group is read in
the order of the sort through `(group, sort column, id)`, and the streams are merged: exact for
every value and every sort, with a handful of indexes. Ranges work alike, on steps at the figures
that people type (20 GB, 10 Mb/s).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, F, SmallIntegerField, Value, When
from django.db.models.functions import Cast, Concat

GB = 1_000_000_000
MB = 1_000_000

SIZE_STEPS_BYTES = (
    *(n * MB for n in (100, 250, 500)),
    *(n * GB // 10 for n in (10, 15, 20, 30, 40, 50, 80, 100, 150, 200)),
    *(n * GB for n in (25, 30, 40, 50, 60, 80, 100)),
)
RATE_STEPS_KBPS = (
    *(500, 1_000, 2_000, 3_000, 4_000, 5_000, 8_000, 10_000),
    *(15_000, 20_000, 25_000, 30_000, 40_000, 50_000, 60_000, 80_000, 100_000),
)
LENGTH_STEPS_MS = tuple(
    minutes * 60_000 for minutes in (5, 10, 20, 30, 45, 60, 75, 90, 105, 120, 150, 180)
)

# Offered sorts and their columns; ties are broken by id.
SORT_COLUMNS = {
    "title": "sort_key",
    "size": "size_bytes",
    "bitrate": "bit_rate_kbps",
    "duration": "duration_ms",
    "added": "added_at",
    "year": "year",
}
# Group columns and, for steps, the column they are steps of (that sort needs no groups).
GROUP_COLUMNS = {
    "video_group": "",
    "sound_group": "",
    "place_group": "",
    "size_step": "size_bytes",
    "rate_step": "bit_rate_kbps",
    "length_step": "duration_ms",
}

KIND_CODES = {"video": 0, "disc": 1, "extra": 2, "sample": 3}
STATE_CODES = {
    "new": 0,
    "queued": 1,
    "processing": 2,
    "completed": 3,
    "failed": 4,
    "archived": 5,
    "ignored": 6,
}
AVAILABILITY_CODES = {
    "present": 0,
    "missing": 1,
    "unreachable": 2,
    "unreadable": 3,
    "growing": 4,
}
_LIBRARY_UNIT, _KIND_UNIT, _STATE_UNIT = 1000, 100, 10


@dataclass(frozen=True, slots=True)
class Place:
    """A place key taken apart."""

    library_id: int
    kind: str
    state: str
    availability: str


def read_place(key: int) -> Place:
    """Inverse of `place_expression`."""
    library_id, rest = divmod(key, _LIBRARY_UNIT)
    kind, rest = divmod(rest, _KIND_UNIT)
    state, availability = divmod(rest, _STATE_UNIT)
    return Place(
        library_id, list(KIND_CODES)[kind], list(STATE_CODES)[state],
        list(AVAILABILITY_CODES)[availability],
    )  # fmt: skip


def step_of(value: int, steps: tuple[int, ...]) -> int:
    """Number of the step that holds `value`: step n is `steps[n-1] <= value < steps[n]`."""
    return bisect_right(steps, value)


def video_expression() -> Concat:
    return Concat(
        Cast("resolution", CharField()), Value(":"), F("video_codec"), Value(":"), F("hdr")
    )


def sound_expression() -> Concat:
    return Concat(
        F("container"), Value(":"), F("audio_codec"), Value(":"), F("audio_label")
    )  # fmt: skip


def place_expression() -> Any:
    return (
        F("library") * Value(_LIBRARY_UNIT)
        + _code("kind", KIND_CODES) * Value(_KIND_UNIT)
        + _code("state", STATE_CODES) * Value(_STATE_UNIT)
        + _code("availability", AVAILABILITY_CODES)
    )


def step_expression(column: str, steps: tuple[int, ...]) -> Case:
    whens = [
        When(**{f"{column}__lt": limit}, then=Value(number)) for number, limit in enumerate(steps)
    ]
    return Case(*whens, default=Value(len(steps)), output_field=SmallIntegerField())


def _code(column: str, codes: dict[str, int]) -> Case:
    whens = [When(**{column: name}, then=Value(code)) for name, code in codes.items()]
    return Case(*whens, default=Value(0), output_field=SmallIntegerField())
