"""Queueing 100,000 films by filter, on the embedded database."""

from __future__ import annotations

from benchmarks.instance import MARK, bench_instance
from benchmarks.result import Row

FILES = 100_000
AT_MOST_S = 10.0
_CODE = f"""
import json, time
from benchmarks.synthetic import fill_library
from library.listing.filters import files_matching
from library.models import MediaFile
from transcode.queue import job_queue
from transcode.models import Preset
from transcode.services import enqueue_files
fill_library({FILES})
MediaFile.objects.update(state="new", availability="present", mediaflow_tag="", kind="video")
preset = Preset.objects.get(slug="balanced")
begun = time.monotonic()
result = enqueue_files(files=files_matching("state=new"), preset=preset, actor=None)
seconds = time.monotonic() - begun
claims = []
for _ in range(50):
    begun = time.monotonic()
    assert job_queue.claim_next("benchmark")
    claims.append(time.monotonic() - begun)
document = {{"seconds": seconds, "jobs": len(result.jobs), "skipped": len(result.skipped),
            "claim_ms": 1000 * sorted(claims)[25]}}
print("{MARK}" + json.dumps(document))
"""


def run() -> list[Row]:
    with bench_instance() as instance:
        found = instance.measure(_CODE)
    note = f"{found['jobs']:,} queued, {found['skipped']:,} skipped"
    is_ok = found["seconds"] <= AT_MOST_S and found["jobs"] > 0.9 * FILES
    return [
        Row("queue 100,000 films by filter", found["seconds"], "at most 10", "s", is_ok, note),
        Row("claim of one of 100,000 jobs, median", found["claim_ms"], "", "ms"),
    ]
