"""Films for the analysers: one that nobody has anything to say of, and random ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from library.analysis.run import run_analysis
from library.models import (
    ItemFile,
    Library,
    LibraryKind,
    MediaFile,
    MediaItem,
    Recommendation,
    RecommendationState,
)
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from library.models import AnalysisRun

GB = 1_000_000_000
LONG_AGO = timedelta(days=800)
PICTURES = (
    *((3840, 1600, 2160), (1920, 1080, 1080), (1920, 800, 1080), (1280, 720, 720)),
    (720, 576, 576),
)
# A film that is as it should be: nobody has anything to say of it.
FINE: dict[str, Any] = {
    "video_codec": "hevc", "video_profile": "Main 10", "width": 1920, "height": 1080,
    "resolution": 1080, "bit_depth": 10, "frame_rate_milli": 24_000, "bit_rate_kbps": 4_000,
    "size_bytes": 3 * GB, "duration_ms": 6_000_000, "audio_codec": "eac3", "audio_channels": 6,
    "audio_languages": ",eng,", "container": "mkv", "hdr": "sdr",
    "probed_at": datetime(2026, 1, 1, tzinfo=UTC),
}  # fmt: skip


def film(library: Library, title: str = "Film", **values: Any) -> MediaFile:
    return make_file(library, title, **{**FINE, **values})


def idle(**values: Any) -> dict[str, Any]:
    """Known to Plex, and not played for long."""
    return {"is_in_plex": True, "added_at": timezone.now() - LONG_AGO, **values}


def mpeg2(**values: Any) -> dict[str, Any]:
    """8 GB, of which more than half can go."""
    return {"video_codec": "mpeg2video", "bit_rate_kbps": 10_000, "size_bytes": 8 * GB, **values}


def link(file: MediaFile, key: str, *, edition: str = "", part: int = 0, guid: str = "") -> None:
    """Make the file a version of the film that is called so in its library."""
    item, _made = MediaItem.objects.get_or_create(
        library=file.library,
        identity_key=key,
        defaults={"title": file.title, "year": file.year or None, "plex_guid": guid},
    )
    ItemFile.objects.create(item=item, file=file, edition=edition, part_index=part)


def open_of(kind: str) -> list[Recommendation]:
    rows = Recommendation.objects.filter(kind=kind, state=RecommendationState.OPEN)
    return list(rows.select_related("file").order_by("pk"))


def found(kind: str) -> list[Recommendation]:
    """What a run now has open of this kind."""
    run_analysis()
    return open_of(kind)


def analyse(**options: Any) -> AnalysisRun:
    return run_analysis(**options)


def make_random_library(count: int, seed: int) -> None:
    """Three libraries, one of them known to Plex alone, with films of all sorts."""
    rng = random.Random(seed)
    folders = [make_library("One"), make_library("Two")]
    libraries = [*folders, *folders, make_library("Plex", kind=LibraryKind.PLEX, root="plex:x/1")]
    rows = [_random_film(rng, rng.choice(libraries), number) for number in range(count)]
    files = MediaFile.objects.bulk_create(rows)
    items: dict[tuple[int, str], MediaItem] = {}
    links = [row for n, file in enumerate(files) for row in _random_links(file, n, items, rng)]
    MediaItem.objects.bulk_create(items.values())
    ItemFile.objects.bulk_create(links)


def _random_links(
    file: MediaFile, number: int, items: dict[tuple[int, str], MediaItem], rng: random.Random
) -> list[ItemFile]:
    """None, one, or seldom two: a file of several episodes."""
    links: list[ItemFile] = []
    for suffix in ("", " two")[: rng.choices((0, 1, 2), (10, 87, 3))[0]]:
        film_number = number - rng.choice((0, 0, 0, 1))
        key = f"movie|film {film_number}{suffix}|{rng.choice((2001, 2001, ''))}"
        item = items.setdefault(
            (file.library_id, key),
            MediaItem(
                library=file.library, identity_key=key, title=file.title, year=file.year or None,
                plex_guid=rng.choice(("", "", f"plex://movie/{film_number}", f"local://{number}")),
            ),
        )  # fmt: skip
        edition, part = rng.choice(("", "", "", "Director's Cut")), rng.choice((0, 0, 0, 0, 1))
        links.append(ItemFile(item=item, file=file, edition=edition, part_index=part))
    return links


def _random_film(rng: random.Random, library: Library, number: int) -> MediaFile:
    width, height, lines = rng.choice(PICTURES)
    kbps = int(300 * 200 ** rng.random())
    minutes = rng.uniform(15, 160)
    added = timezone.now() - timedelta(days=rng.uniform(1, 900))
    played = rng.choice((None, added + timedelta(days=rng.uniform(0, 300))))
    raw = b"%d" % number
    return MediaFile(
        library=library, path=str(number), path_raw=raw, path_digest=sha256(raw).hexdigest(),
        content_fingerprint=rng.choice(("", "", f"bytes {number // 2}")),
        title=f"Film {number}", year=rng.choice((0, 2001)),
        kind=rng.choice(("video",) * 9 + ("extra",)),
        state=rng.choice(("new",) * 8 + ("failed", "completed", "queued", "ignored")),
        availability=rng.choice(("present",) * 9 + ("missing", "unreadable", "growing")),
        mediaflow_tag=rng.choice(("",) * 9 + ("x;balanced",)),
        removed_from_list_at=rng.choice((None,) * 19 + (added,)),
        probed_at=rng.choice((None, added, added)),
        size_bytes=rng.choice((0,) + (int(kbps * minutes * 7_500),) * 30),
        duration_ms=rng.choice((0,) + (int(minutes * 60_000),) * 30), bit_rate_kbps=kbps,
        video_codec=rng.choice(("h264", "h264", "h264", "hevc", "mpeg2video", "vc1", "av1", "")),
        video_profile=rng.choice(("High", "Main", "High 10", "")), width=width, height=height,
        resolution=lines, frame_rate_milli=rng.choice((0, 23_976, 25_000, 50_000)),
        is_interlaced=rng.random() < 0.1, bit_depth=rng.choice((8, 8, 8, 10)),
        hdr=rng.choice(("sdr", "sdr", "sdr", "hdr10", "dolby_vision", "hlg")),
        dolby_vision_profile=rng.choice(("", "5", "7.6", "8.1")),
        container=rng.choice(("mkv", "mkv", "mp4", "ts", "avi", "webm")),
        audio_codec=rng.choice(("", "aac", "ac3", "truehd", "dts", "flac", "pcm_s24le")),
        audio_label=rng.choice(("", "DTS-HD", "Atmos")), audio_channels=rng.choice((1, 2, 6, 8)),
        audio_languages=rng.choice(("", ",eng,", ",jpn,", ",eng,deu,fra,spa,", ",ger,")),
        subtitle_languages=rng.choice(("", ",eng,", ",deu,fra,")),
        show_title=rng.choice(("", "", "A Show")), season=rng.choice((0, 1, 2)),
        is_in_plex=rng.random() < 0.7, play_count=rng.choice((0, 0, 1, 2, 5)),
        last_played_at=played, added_at=added,
    )  # fmt: skip
