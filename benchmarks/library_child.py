"""One step of the library benchmarks, in a process with its own database (`library_database`)."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import django

from benchmarks import analysis_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

ORDERS: Final = tuple(
    sign + name
    for name in ("title", "size", "bitrate", "duration", "added", "year")
    for sign in ("", "-")
)
ONE_FILTER: Final = (
    *("", "resolution=4k", "resolution=480p", "codec=hevc", "codec=mpeg4", "hdr=dv", "hdr=sdr"),
    *("audio=atmos", "audio=aac", "container=avi", "container=mkv", "state=failed", "state=new"),
    *("availability=missing", "kind=extra", "library=1", "library=4", "tag=keep"),
    *("size_min=20GB", "size_max=1GB", "size_min=18.3GB", "bitrate_min=40", "bitrate_max=2"),
    *("duration_min=1h30", "duration_max=20", "added_after=2026-01-01", "added_before=2019-06-01"),
)
MIXTURES: Final = (
    *("q=up", "q=amelie", "q=東京", "q=乱", "q=amber", "q=glass moon", "q=zzzz", "q=2160p"),
    *("resolution=4k&audio=atmos", "codec=av1&audio=atmos", "hdr=dv&size_max=3GB&library=4"),
    *("codec=h264&size_min=10GB&q=river", "audio=dts&state=failed&bitrate_min=30"),
    *("resolution=480p&bitrate_min=2&library=2&q=amber", "kind=video&state=new&q=the"),
    *("tag=keep&resolution=1080p&duration_max=45", "container=mkv&added_after=2025-01-01&q=sea"),
)
# 10,000 pages of 50; in the small library the same share of it.
DEEP_PAGES: Final = 10_000
FOUND: Final = (("Up", "Up"), ("amelie", "Amélie"), ("東京", "東京"), ("乱", "乱"))


def main() -> None:
    django.setup()
    logging.disable(logging.WARNING)
    step, files = sys.argv[1], int(sys.argv[2])
    steps: dict[str, Callable[[int], Any]] = {
        "fill": fill,
        "pages": pages,
        "search": search,
        "multiply-for-analysis": analysis_child.multiply,
        "enrich-for-analysis": analysis_child.enrich,
        "forget-analysis": analysis_child.forget,
        "analyze": analysis_child.analyze,
        "analyze-busy": analysis_child.analyze_busy,
    }
    json.dump(steps[step](files), sys.stdout)


def fill(files: int) -> dict[str, float]:
    """Migrate and fill; the list indexes are made afterwards: a fraction of the time."""
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.synthetic import fill_library
    from library.models import FileTag, MediaFile, Tag

    call_command("migrate", verbosity=0)
    indexes = [index for index in MediaFile._meta.indexes if index.name.startswith("list_")]
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(MediaFile, index)
    fill_library(files)
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(MediaFile, index)
    tag = Tag.objects.create(name="keep")
    ids = MediaFile.objects.filter(pk__lte=files // 5).values_list("pk", flat=True)
    FileTag.objects.bulk_create((FileTag(tag=tag, file_id=pk) for pk in ids), batch_size=5_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {}


def _client() -> Client:
    from django.test import Client

    from mediaflow.accounts.models import User

    user, _ = User.objects.get_or_create(username="bench", defaults={"role": "operator"})
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def _cursors(files: int) -> dict[str, str]:
    """Per order the place 10,000 pages in, as an address carries it."""
    from library.listing.paging import PAGE_ROWS, read_sort, write_key
    from library.listing.streams import Source, read_keys

    rows = min(DEEP_PAGES * PAGE_ROWS, files // 2)
    found = {}
    for order in ORDERS:
        sort = read_sort(order)
        keys = read_keys(Source(sort.column), None, is_up=sort.is_up, limit=rows)
        found[order] = write_key(keys[-1])
    return found


def pages(files: int) -> list[dict[str, Any]]:
    """Server time of each page, the better of two, and its number of queries where nothing is
    remembered from the page before (for a second and a half): so it is the same each time."""
    client, cursors = _client(), _cursors(files)
    found = []
    for one_filter in ONE_FILTER:
        for order in ORDERS:
            for place in ("first", "deep"):
                extra = {"sort": order}
                if place == "deep":
                    extra |= {"after": cursors[order], "at": str(files // 2)}
                url = f"/library/?{one_filter}&{urlencode(extra)}"
                found.append(
                    {"filter": one_filter, "order": order, "place": place, **_timed(client, url)}
                )
    return found


def search(files: int) -> dict[str, Any]:
    """Server time of the first page of mixtures, and whether searches find their film."""
    client = _client()
    found = [
        {"filter": mixture, "order": order, **_timed(client, f"/library/?{mixture}&sort={order}")}
        for mixture in MIXTURES
        for order in ORDERS
    ]
    texts = {}
    for words, title in FOUND:
        answer = client.get("/library/", {"q": words})
        texts[words] = f">{title}</a>" in answer.content.decode()
    return {"pages": found, "texts": texts}


def _timed(client: Client, url: str) -> dict[str, Any]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from transcode.pages.live import live_parts

    live_parts.clear()
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
    query_count = len(queries)  # now: the next request empties the log
    if answer.status_code != 200:
        raise SystemExit(f"{url} answered {answer.status_code}")
    times = []
    for _ in range(2):
        begun = time.perf_counter()
        answer = client.get(url)
        times.append((time.perf_counter() - begun) * 1000)
    text = answer.content.decode()
    return {
        "ms": min(times),
        "queries": query_count,
        "is_searching": "lib-searching" in text,
    }


if __name__ == "__main__":
    main()
