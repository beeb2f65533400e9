"""Searches and probes that were made before: a second one of the same film costs nothing.

The key holds everything that decides besides the CRF: the film's bytes, the encoder, ffmpeg's
version, all video options, the filters, and how samples are chosen.
"""

from __future__ import annotations

import hashlib
import json
from statistics import median
from typing import TYPE_CHECKING

from django.db import transaction

from mediaflow.base.db_retry import retry_on_busy
from transcode.models import QualityProbe, QualitySearch
from transcode.quality.found import FoundQuality, Probe
from transcode.quality.sampling import SAMPLING_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transcode.planning.model import Plan
    from transcode.quality.sampling import Sample

LEARNED_FROM = 30  # the latest searches of the same kind
LEARNED_LEAST = 3


def settings_key(plan: Plan, samples: Sequence[Sample], metric: str, quality_option: str) -> str:
    """SHA-256, hex, over the plan's video options without the CRF's value."""
    assert plan.video is not None
    options = list(plan.video_options)
    for place, name in enumerate(options[:-1]):
        if name == f"{quality_option}:v:0":
            options[place + 1] = "CRF"
    decisive = {
        "version": SAMPLING_VERSION,
        "ffmpeg": plan.ffmpeg_version,
        "encoder": plan.video.encoder,
        "options": options,
        "input": list(plan.input_options),
        "filters": list(plan.video.filters),
        "samples": [[sample.first, sample.count] for sample in samples],
        "metric": metric,
    }
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def cached_search(sha256: str, key: str, metric: str, target: float) -> FoundQuality | None:
    row = QualitySearch.objects.filter(
        source_sha256=sha256, settings_key=key, metric=metric, target=target
    ).first()
    if row is None:
        return None
    try:
        return FoundQuality.from_json({**row.result, "is_cached": True})
    except (TypeError, KeyError):
        return None  # of another version


def cached_probes(sha256: str, key: str) -> dict[float, Probe]:
    found = {}
    for row in QualityProbe.objects.filter(source_sha256=sha256, settings_key=key):
        try:
            found[row.crf] = Probe.from_json(row.result)
        except (TypeError, KeyError):
            continue
    return found


def keep_probe(sha256: str, key: str, probe: Probe) -> None:
    _write(
        lambda: QualityProbe.objects.update_or_create(
            source_sha256=sha256,
            settings_key=key,
            crf=probe.crf,
            defaults={"result": probe.to_json()},
        )
    )


def keep_search(sha256: str, key: str, plan: Plan, target: float, found: FoundQuality) -> None:
    assert plan.video is not None
    values = {
        "encoder": plan.video.encoder[:40],
        "ffmpeg_version": plan.ffmpeg_version[:60],
        "result": found.to_json(),
    }
    _write(
        lambda: QualitySearch.objects.update_or_create(
            source_sha256=sha256,
            settings_key=key,
            metric=found.metric,
            target=target,
            defaults=values,
        )
    )


def learned_guess(encoder: str, metric: str, target: float, shift: float) -> float | None:
    """The middle of the CRF that other films needed. `shift`: steps of CRF by unit of target."""
    rows = QualitySearch.objects.filter(encoder=encoder, metric=metric).order_by("-pk")
    results = rows.values_list("target", "result")[:LEARNED_FROM]
    numbers = [_shifted(result, theirs - target, shift) for theirs, result in results]
    known = [number for number in numbers if number is not None]
    return median(known) if len(known) >= LEARNED_LEAST else None


def _shifted(result: Mapping[str, object], difference: float, shift: float) -> float | None:
    crf = result.get("crf")
    return crf + difference * shift if isinstance(crf, (int, float)) else None


def _write(write: Callable[[], object]) -> None:
    def in_transaction() -> None:
        with transaction.atomic():
            write()

    retry_on_busy(in_transaction)
