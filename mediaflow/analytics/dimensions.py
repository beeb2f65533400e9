"""What the library is made of, in shares: by codec, resolution, range, container, sound, library.

Each row names the filter that finds its films, where there is one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from django.http import QueryDict

from library.listing.labels import (
    AUDIO_CODECS,
    AUDIO_LABELS,
    CONTAINERS,
    HDR_KINDS,
    RESOLUTIONS,
    VIDEO_CODECS,
    audio_codec_label,
    container_label,
    resolution_label,
    video_codec_label,
)
from library.models import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from library.analysis.figures import Figures, PictureGroup, SoundGroup

UNKNOWN: Final = "Unknown"

Group = TypeVar("Group", "PictureGroup", "SoundGroup")


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One value of a dimension. `query` finds its files in the library; "" where no filter can."""

    key: str
    label: str
    files: int
    bytes: int
    share_pct: float  # of all bytes
    average_kbps: int | None
    query: str


@dataclass(frozen=True, slots=True)
class Dimension:
    name: str
    title: str
    rows: tuple[ReportRow, ...]


def make_dimensions(figures: Figures, *, with_libraries: bool) -> tuple[Dimension, ...]:
    own = (*_of_pictures(figures.pictures), *_of_sounds(figures.sounds))
    return (*own, _of_libraries(figures.pictures)) if with_libraries else own


def _of_pictures(groups: Sequence[PictureGroup]) -> tuple[Dimension, ...]:
    codecs = _rows(
        groups,
        lambda group: group.codec,
        video_codec_label,
        lambda key: _query("codec", key) if key in VIDEO_CODECS else "",
    )
    resolutions = _rows(
        groups,
        lambda group: str(group.resolution or ""),
        lambda key: resolution_label(int(key or 0)),
        lambda key: _query("resolution", key) if int(key or 0) in RESOLUTIONS else "",
    )
    ranges = _rows(
        groups,
        lambda group: group.hdr,
        lambda key: HDR_KINDS.get(key, key.upper()),
        lambda key: _query("hdr", key) if key in HDR_KINDS else "",
    )
    return (
        Dimension("codec", "Video codec", codecs),
        Dimension("resolution", "Resolution", resolutions),
        Dimension("hdr", "Dynamic range", ranges),
    )


def _of_sounds(groups: Sequence[SoundGroup]) -> tuple[Dimension, ...]:
    # The filter by such a codec finds the films with the label, too, which have a row of their own.
    labelled = {group.audio_codec for group in groups if group.audio_label}
    filters = {*AUDIO_LABELS, *(AUDIO_CODECS.keys() - labelled)}
    containers = _rows(
        groups,
        lambda group: group.container,
        container_label,
        lambda key: _query("container", key) if key in CONTAINERS else "",
    )
    sounds = _rows(
        groups,
        lambda group: group.audio_label or group.audio_codec,
        lambda key: key if key in AUDIO_LABELS else audio_codec_label(key),
        lambda key: _query("audio", key) if key in filters else "",
    )
    return (
        Dimension("container", "Container", containers),
        Dimension("audio", "Best sound", sounds),
    )


def _of_libraries(groups: Iterable[PictureGroup]) -> Dimension:
    names = dict(Library.objects.values_list("pk", "name"))
    rows = _rows(
        groups,
        lambda group: str(group.library_id),
        lambda key: names.get(int(key), UNKNOWN),
        lambda key: _query("library", key),
    )
    return Dimension("library", "Library", rows)


def _rows(
    groups: Iterable[Group],
    key_of: Callable[[Group], str],
    label_of: Callable[[str], str],
    query_of: Callable[[str], str],
) -> tuple[ReportRow, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for group in groups:
        entry = sums[key_of(group)]
        entry[0] += group.files
        entry[1] += group.bytes
        entry[2] += group.duration_ms
    whole = sum(entry[1] for entry in sums.values())
    rows = [
        ReportRow(
            key=key,
            label=(label_of(key) or UNKNOWN) if key else UNKNOWN,
            files=files,
            bytes=size,
            share_pct=round(100 * size / whole, 2) if whole else 0.0,
            average_kbps=average_kbps(size, ms),
            query=query_of(key) if key else "",
        )
        for key, (files, size, ms) in sums.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.bytes, row.label)))


def _query(name: str, value: str) -> str:
    query = QueryDict(mutable=True)
    query[name] = value
    return query.urlencode()


def average_kbps(size: int, ms: int) -> int | None:
    """Bytes times eight per millisecond are kilobits a second."""
    return round(8 * size / ms) if ms else None
