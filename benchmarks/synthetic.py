"""Libraries of any size made of plausible rows, for benchmarks: seeded, nothing on disk.

Technical columns hang together as in real libraries (4K is large, HEVC and HDR; old films are in
AVI), because a list that is fast on independent columns may be slow on these.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from library.folding import search_text, sort_key
from library.models import Library, MediaFile

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH_ROWS = 5_000
SEED = 20_261_121
START = datetime(2019, 1, 1, tzinfo=UTC)
WORD_TEXT = (
    "amber anchor arcade ash autumn basalt beacon birch bitter blue border brass bridge candle "
    "canyon cedar cinder circle clock cobalt copper coral crown dawn delta desert dream dust echo "
    "eleven ember empire engine evening fable falcon ferry field fire forest fox garden glass "
    "gold granite grey harbor harvest heron hollow honey horizon house iron island ivory jade "
    "juniper kestrel key kingdom lake lantern last ledger light lion little long maple marble "
    "meadow midnight mirror moon morning mountain night north ocean old opal orchard paper pearl "
    "pier pilgrim pine planet quiet rain raven red ridge river road rose salt sand scarlet sea "
    "second secret seven shadow silent silver sister sky smoke snow song south sparrow spring star "
    "station stone storm street summer sun swan tide tiger tin tower train umber valley velvet "
    "vesper violet voyage wall water west white wild willow wind winter wolf wood yellow zero"
)
WORDS = WORD_TEXT.split()
# Found by the search benchmark: a title of two letters, an accent, titles of two characters.
FAMOUS = (("Up", 2009), ("Amélie", 2001), ("乱", 1985), ("東京", 2019), ("Léon", 1994))


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of file: share of the library and the columns that follow from it."""

    weight: int
    resolution: int
    codec: str
    hdr: str
    container: str
    kbps: tuple[int, int]
    sounds: tuple[tuple[str, str, int], ...]
    years: tuple[int, int]


_LOSSY = (("ac3", "", 6), ("aac", "", 2), ("eac3", "", 6))
_DISC = (("dts", "DTS-HD", 6), ("truehd", "TrueHD", 8), ("ac3", "", 6), ("dts", "", 6))
_ATMOS = (("truehd", "Atmos", 8), ("eac3", "Atmos", 6), ("dts", "DTS:X", 8))
_OLD = (("mp3", "", 2), ("ac3", "", 2), ("mp2", "", 2))
SHAPES = (
    Shape(60, 2160, "hevc", "hdr10", "mkv", (14_000, 70_000), _ATMOS + _DISC, (1960, 2026)),
    Shape(20, 2160, "hevc", "dolby_vision", "mkv", (15_000, 90_000), _ATMOS, (1975, 2026)),
    Shape(8, 2160, "hevc", "hdr10plus", "mp4", (12_000, 40_000), _ATMOS, (2016, 2026)),
    Shape(6, 2160, "hevc", "hlg", "ts", (12_000, 30_000), _LOSSY, (2016, 2026)),
    Shape(10, 2160, "av1", "hdr10", "mkv", (6_000, 20_000), _LOSSY, (2018, 2026)),
    Shape(16, 2160, "h264", "sdr", "mp4", (20_000, 60_000), _LOSSY, (2012, 2026)),
    Shape(300, 1080, "h264", "sdr", "mkv", (3_000, 38_000), _DISC + _LOSSY, (1930, 2026)),
    Shape(120, 1080, "hevc", "sdr", "mkv", (1_500, 9_000), _LOSSY, (1940, 2026)),
    Shape(60, 1080, "h264", "sdr", "mp4", (2_000, 9_000), _LOSSY, (1990, 2026)),
    Shape(20, 1080, "vc1", "sdr", "mkv", (15_000, 35_000), _DISC, (1950, 2012)),
    Shape(14, 1080, "mpeg2video", "sdr", "ts", (8_000, 20_000), _LOSSY, (1980, 2015)),
    Shape(12, 1080, "av1", "sdr", "webm", (900, 4_000), (("opus", "", 2),), (2015, 2026)),
    Shape(130, 720, "h264", "sdr", "mkv", (1_500, 6_000), _LOSSY, (1950, 2022)),
    Shape(20, 720, "h264", "sdr", "mp4", (1_000, 4_000), _LOSSY, (2005, 2022)),
    Shape(50, 576, "mpeg2video", "sdr", "mpg", (3_000, 8_000), _OLD, (1950, 2008)),
    Shape(40, 480, "mpeg4", "sdr", "avi", (700, 2_500), _OLD, (1950, 2010)),
    Shape(50, 480, "h264", "sdr", "mp4", (500, 2_500), _LOSSY, (1960, 2020)),
    Shape(10, 480, "wmv3", "sdr", "asf", (500, 2_000), (("wmav2", "", 2),), (1998, 2010)),
    Shape(4, 360, "mpeg4", "sdr", "avi", (300, 900), _OLD, (1980, 2008)),
)
SIZES = {2160: (3840, 1600), 1080: (1920, 1040), 720: (1280, 692), 576: (720, 576)}
STATES = (("new", 860), ("completed", 90), ("ignored", 20), ("failed", 10), ("queued", 19))
AVAILABILITIES = (("present", 985), ("missing", 8), ("unreadable", 4), ("growing", 1))
KINDS = (("video", 960), ("extra", 25), ("sample", 10), ("disc", 5))


def fill_library(files: int, *, libraries: int = 4, seed: int = SEED) -> None:
    """Insert `files` rows in `libraries` new libraries. Deterministic for a seed."""
    roots = [_make_library(number) for number in range(libraries)]
    rows = _rows(files, [library.pk for library in roots], random.Random(seed))
    names = [field.name for field in _columns()]
    columns = [field.column for field in _columns()]
    sql = (
        f"INSERT INTO {MediaFile._meta.db_table} ({', '.join(columns)})"
        f" VALUES ({', '.join(['%s'] * len(columns))})"
    )
    while batch := list(islice(rows, BATCH_ROWS)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(sql, [[_adapted(row[name]) for name in names] for row in batch])
    for library in roots:
        files_here = MediaFile.objects.filter(library=library)
        library.file_count = files_here.count()
        library.total_bytes = sum(files_here.values_list("size_bytes", flat=True).iterator())
        library.save(update_fields=["file_count", "total_bytes"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _columns() -> list[Any]:
    return [f for f in MediaFile._meta.concrete_fields if not f.generated and not f.primary_key]


def _adapted(value: Any) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _make_library(number: int) -> Library:
    root = f"/synthetic/{number}"
    return Library.objects.create(
        name=f"Shelf {number + 1}",
        root=root,
        root_raw=root.encode(),
        root_digest=sha256(root.encode()).hexdigest(),
        marker_seen_at=START,
        last_scan_at=START + timedelta(days=2880),
    )


def _rows(count: int, library_ids: list[int], rng: random.Random) -> Iterator[dict[str, Any]]:
    defaults = {f.name: f.get_default() for f in _columns() if f.has_default()}
    defaults |= {"removed_from_list_at": None, "last_played_at": None, "probed_at": START}
    weights = [shape.weight for shape in SHAPES]
    for number in range(count):
        shape = rng.choices(SHAPES, weights)[0]
        title, year = _title(number, shape, rng)
        path = f"{title} ({year})/{title}.{year}.{shape.resolution}p.{number}.{shape.container}"
        yield {
            **defaults,
            **_names(title, year, path),
            **_technical(shape, rng),
            "library": rng.choices(library_ids, range(len(library_ids), 0, -1))[0],
            "kind": _drawn(KINDS, rng),
            "state": _drawn(STATES, rng),
            "availability": _drawn(AVAILABILITIES, rng),
            "added_at": START + timedelta(seconds=rng.randrange(240_000_000)),
            "content_fingerprint": sha256(b"%d" % number).hexdigest(),
            "mtime_ns": number * 1_000_000_000,
        }


def _drawn(choices: tuple[tuple[str, int], ...], rng: random.Random) -> str:
    return rng.choices([c[0] for c in choices], [c[1] for c in choices])[0]


def _title(number: int, shape: Shape, rng: random.Random) -> tuple[str, int]:
    if number < len(FAMOUS):
        return FAMOUS[number]
    words = [rng.choice(WORDS) for _ in range(rng.randint(1, 4))]
    article = rng.choice(("The ", "", "", "A "))
    return article + " ".join(words).title(), rng.randint(*shape.years)


def _names(title: str, year: int, path: str) -> dict[str, Any]:
    raw = path.encode()
    return {
        "path": path,
        "path_raw": raw,
        "path_digest": sha256(raw).hexdigest(),
        "title": title,
        "year": year,
        "sort_key": sort_key(title),
        "search_text": search_text(title, path),
    }


def _technical(shape: Shape, rng: random.Random) -> dict[str, Any]:
    codec, label, channels = rng.choice(shape.sounds)
    minutes = rng.choice((22, 43, 45, 58, 95, 105, 118, 131)) * rng.uniform(0.85, 1.15)
    low, high = shape.kbps
    kbps = int(low * (high / low) ** rng.random())
    width, height = SIZES.get(shape.resolution, (640, shape.resolution))
    return {
        "container": shape.container,
        "duration_ms": int(minutes * 60_000),
        "bit_rate_kbps": kbps,
        "size_bytes": int(kbps * minutes * 60 * 125),
        "video_codec": shape.codec,
        "video_profile": "Main 10" if shape.hdr != "sdr" else "High",
        "width": width,
        "height": height,
        "resolution": shape.resolution,
        "frame_rate_milli": rng.choice((23_976, 25_000, 29_970)),
        "bit_depth": 8 if shape.hdr == "sdr" else 10,
        "hdr": shape.hdr,
        "audio_codec": codec,
        "audio_label": label,
        "audio_channels": channels,
        "audio_languages": ",eng,",
        "stream_count": rng.randint(2, 9),
    }
