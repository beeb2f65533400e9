"""What the benchmark of the insights page does inside an instance of its own."""

from __future__ import annotations

import json
import random
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.instance import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from library.models import MediaFile, Recommendation

# Kind: its share of the recommendations, basis, and what its sentence needs to know.
KINDS: Final[dict[str, tuple[int, str, dict[str, Any]]]] = {
    "codec": (34, "learned", {"enough_kbps": 8_000}),
    "overkill": (22, "rule", {}),
    "storage": (12, "rule", {}),
    "audio": (8, "typical", {"before_kbps": 4_000, "after_kbps": 640, "tracks": 1}),
    "container": (8, "counted", {}),
    "chromecast": (8, "rule", {"needs": "video"}),
    "hdr_to_sdr": (3, "rule", {}),
    "languages": (3, "counted", {"audio": "deu", "subtitles": ""}),
    "inaccessible": (2, "counted", {"why": "missing"}),
}
BATCH: Final = 5_000


def fill(files: int, recommendations: int) -> None:
    """A library with that many open recommendations, and people; times the pages."""
    from benchmarks.synthetic import fill_library
    from library.analysis.figures import store_figures

    fill_library(files)
    recommend(recommendations)
    store_figures()
    client = _client()
    sys.stdout.write(MARK + json.dumps(_pages(client)) + "\n")


def recommend(count: int) -> None:
    """Open recommendations over the films there are, as a run would leave them."""
    from django.utils import timezone

    from library.analysis.sums import recount
    from library.models import AnalysisRun, MediaFile, Recommendation

    run = AnalysisRun.objects.create(
        item_count=MediaFile.objects.count(), finished_at=timezone.now(), seconds=1.0
    )
    rows = list(_rows(count, random.Random(7)))
    for row in rows:
        row.first_run_id = row.last_run_id = run.pk
    Recommendation.objects.bulk_create(rows, batch_size=BATCH)
    by_kind: dict[str, dict[str, int]] = {}
    for row in rows:
        entry = by_kind.setdefault(row.kind, {"open": 0, "new": 0, "gone": 0, "savings_bytes": 0})
        entry["open"] += 1
        entry["new"] += 1
        entry["savings_bytes"] += row.savings_bytes
    AnalysisRun.objects.filter(pk=run.pk).update(by_kind=by_kind)
    recount()


def _rows(count: int, numbers: random.Random) -> Iterator[Recommendation]:
    from library.models import MediaFile

    files = list(MediaFile.objects.only("library", "size_bytes").order_by("pk"))
    names, weights = list(KINDS), [share for share, _basis, _figures in KINDS.values()]
    made = 0
    taken: set[tuple[int, str]] = set()
    while made < count:
        file = files[numbers.randrange(len(files))]
        kind = numbers.choices(names, weights)[0]
        if (file.pk, kind) in taken:
            continue
        taken.add((file.pk, kind))
        made += 1
        yield _row(file, kind, numbers)


def _row(file: MediaFile, kind: str, numbers: random.Random) -> Recommendation:
    from library.models import Recommendation

    _share, basis, figures = KINDS[kind]
    saves = 0
    if kind not in {"languages", "inaccessible", "container"}:
        saves = int(file.size_bytes * numbers.uniform(0.1, 0.6))
    return Recommendation(
        kind=kind,
        library_id=file.library_id,
        file=file,
        severity=numbers.randint(1, 3),
        confidence_pct={"learned": 82, "counted": 95, "typical": 78}.get(basis, 58),
        priority=numbers.randint(1, 100),
        savings_bytes=saves,
        savings_low_bytes=saves * 7 // 10,
        savings_high_bytes=saves * 12 // 10,
        size_bytes=file.size_bytes,
        basis=basis,
        figures=figures,
    )


def _client() -> Client:
    from django.test import Client

    from mediaflow.accounts.models import User

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create(username="bench", role="operator"))
    return client


def _pages(client: Client) -> dict[str, dict[str, float]]:
    """The page itself, and lists of it in every order, the first page and one far in."""
    from mediaflow.insights.listing import SORTS

    pages = {"insights page": _time(client, "/insights/")}
    for sort in SORTS:
        path = f"/insights/list/?recommendation=codec&sort={sort}"
        pages[f"list by {sort}"] = _time(client, path)
        pages[f"list by {sort}, 200 pages in"] = _time(client, f"{path}&after={_deep(sort)}")
    pages["list, high confidence, one library"] = _time(
        client, "/insights/list/?confidence=high&library=1"
    )
    pages["list of a word"] = _time(client, "/insights/list/?q=amber")
    return pages


def _deep(sort: str) -> str:
    """Where the 201st page begins."""
    from library.models import Recommendation
    from mediaflow.insights.listing import SORTS

    column = SORTS[sort][0] or "pk"
    rows = Recommendation.objects.filter(state="open", kind="codec")
    ordered = rows.order_by(f"-{column}", "-pk").values_list("pk", column)
    pk, value = ordered[min(10_000, rows.count() // 2)]
    return f"{pk}.{value if SORTS[sort][0] else ''}"


def _time(client: Client, path: str) -> dict[str, float]:
    """The best of five, each with nothing remembered; `cpu_ms` is what the processor worked."""
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from transcode.pages.live import live_parts

    times: list[float] = []
    cpu: list[float] = []
    queries = 0
    for _ in range(6):
        cache.clear()
        live_parts.forget()
        with CaptureQueriesContext(connection) as captured:
            begun, worked = time.perf_counter(), time.process_time()
            answer: Any = client.get(path)
            times.append(1000 * (time.perf_counter() - begun))
            cpu.append(1000 * (time.process_time() - worked))
        assert answer.status_code == 200, (path, answer.status_code)
        queries = len(captured)
    return {"ms": min(times[1:]), "cpu_ms": min(cpu[1:]), "queries": queries}
