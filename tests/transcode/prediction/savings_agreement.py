"""Random films, and what Python and the database say that presets would save of them."""

from __future__ import annotations

import random
from typing import Any

from django.db.models import F, Value

from library.analysis.scratch import fill, scratch_tables
from library.models import AnalysisFact, MediaFile
from tests.library.file_rows import make_library
from tests.transcode.prediction.facts import GB, past
from transcode.models import Prediction
from transcode.prediction import lessons as lessons_module
from transcode.prediction.savings_hook import estimate_for_files
from transcode.prediction.savings_sql import savings_for_preset
from transcode.presets.builtin import sync_builtin_presets

PRESETS = ("balanced", "storage-saver", "mobile", "ultra-fidelity", "remux")
CODECS = ("h264", "hevc", "av1", "mpeg2video", "mpeg4", "vc1", "prores", "")
SIZES = ((3840, 1600, 2160), (1920, 1040, 1080), (1280, 692, 720), (720, 576, 576), (0, 0, 0))
BASES = {"fallback": "rule"}  # Python has one word for both
# Bytes that rounding may differ by, and the share of a film that floating point may.
SLACK, SHARE = 3, 1e-6


def make_films(count: int, seed: int) -> None:
    rng = random.Random(seed)
    library = make_library("Random")
    MediaFile.objects.bulk_create(
        MediaFile(library=library, path_digest=str(n), path_raw=b"x", path=str(n), **_film(rng))
        for n in range(count)
    )


def _film(rng: random.Random) -> dict[str, Any]:
    width, height, lines = rng.choice(SIZES)
    languages = rng.choice(("", ",eng,", ",eng,deu,", ",jpn,eng,fra,"))
    return {
        "size_bytes": rng.choice(
            (0, rng.randrange(1000, 50_000_000), rng.randrange(1000, 60 * GB))
        ),
        "duration_ms": rng.choice((0, *(rng.randrange(1, 10_000_000) for _ in range(9)))),
        "video_codec": rng.choice(CODECS),
        "width": width,
        "height": height,
        "resolution": lines,
        "frame_rate_milli": rng.choice((0, 23_976, 25_000, 59_940)),
        "audio_codec": rng.choice(("", "ac3", "truehd")),
        "audio_channels": rng.choice((0, 2, 6, 8)),
        "audio_languages": languages,
        "mediaflow_tag": "x;balanced" if rng.random() < 0.1 else "",
    }


def make_lessons(seed: int) -> None:
    """Finished jobs of some groups: enough of one to learn and to correct, too few of another."""
    rng = random.Random(seed)
    for codec, lines, jobs in (("h264", 1080, 12), ("mpeg2video", 576, 4), ("vc1", 1080, 1)):
        for _ in range(jobs):
            past(rng.uniform(0.4, 1.4), source_codec=codec, resolution_class=lines)
    for _ in range(11):
        past(rng.uniform(0.5, 1.5), basis="learned", source_codec="hevc", resolution_class=2160)


def forget_lessons() -> None:
    Prediction.objects.all().delete()
    lessons_module._known = (None, lessons_module.NO_LESSONS)


def disagreements() -> tuple[list[str], int]:
    """What differs, in words, and how many films were found to get smaller."""
    sync_builtin_presets()
    found, savings = [], 0
    files = list(MediaFile.objects.order_by("pk"))
    for slug in PRESETS:
        said = estimate_for_files(files, slug)
        for pk, *row in _by_database(slug):
            one = said.get(pk)
            if one is None:
                if row[0]:
                    found.append(f"{slug} {pk}: the database says {row}, Python nothing")
                continue
            savings += 1
            expected = [one.expected, one.low, one.high]
            size = next(file.size_bytes for file in files if file.pk == pk)
            is_near = all(
                abs(a - b) <= SLACK + SHARE * size for a, b in zip(row, expected, strict=False)
            )
            if not is_near or BASES.get(row[3], row[3]) != one.basis:
                found.append(f"{slug} {pk}: {row} is not {expected} {one.basis}")
    return found, savings


def _by_database(slug: str) -> list[Any]:
    """By way of a run's facts, as the analysers ask: SQLite takes no statement as deep as both
    halves of the expression in one."""
    expression = savings_for_preset(slug)
    assert expression is not None
    fields = {f.name: f for f in AnalysisFact._meta.concrete_fields}
    own = {f.name for f in MediaFile._meta.concrete_fields}
    columns: dict[str, Any] = {
        name: F(name) if name in own else Value(field.get_default(), output_field=field)
        for name, field in fields.items()
    }
    columns |= {"idle_since": F("added_at"), "library_id": F("library_id")}
    columns |= {f"saver_{name}": part for name, part in expression.parts.items()}
    columns |= {name: Value(False) for name in ("is_free", "is_probed")}
    saved = expression.finish("saver_")
    shown = {
        "expected": saved.expected, "low": saved.low, "high": saved.high, "how": saved.basis
    }  # fmt: skip
    with scratch_tables():
        fill(AnalysisFact, MediaFile.objects.order_by("pk"), columns)
        return list(AnalysisFact.objects.annotate(**shown).values_list("pk", *shown))
