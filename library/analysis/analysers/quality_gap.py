"""Quality gaps: films far below the bit rate that their library usually has at that size."""

from __future__ import annotations

from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, Count, F, Value, When
from django.db.models.functions import Least
from django.db.models.lookups import LessThan

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import picture_words, rate
from library.listing.labels import resolution_label, video_codec_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.db.models import QuerySet
    from django.db.models.expressions import Combinable

    from library.analysis.findings import Look
    from library.models import AnalysisFact, MediaFile, Recommendation

# What a bit of each codec is worth in H.264, in per cent: films of all codecs are compared.
WORTH_PCT: Final = {
    "av1": 200, "vvc": 220, "hevc": 160, "vp9": 150, "h264": 100, "vc1": 85, "mpeg4": 70,
    "mpeg2video": 50, "mpeg1video": 40,
}  # fmt: skip
WORTH_OTHERWISE_PCT: Final = 80
# Fewer films say nothing about what is usual.
MIN_FILMS: Final = 20
# Rates are counted in steps, so that a library is a few hundred rows.
STEP_KBPS: Final = 100
MIN_LINES: Final = 480
# More lines, or more steps, than any film has.
_LINES: Final = 100_000
_STEPS: Final = 1_000_000
CONFIDENCE_PCT: Final = 60


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    usual = rate(int(found.figures["usual_kbps"]))
    films = f"{resolution_label(file.resolution)} films of this library"
    codec = video_codec_label(file.video_codec)
    return (
        f"{picture_words(file)}; {films} usually have {usual}, counted in {codec}. Encoding cannot"
        f" bring back what is missing: better to download it again ({found.confidence_pct} % sure)."
    )


KIND = AnalysisKind(
    slug="quality_gap",
    title="Far below the usual quality",
    icon="grain",
    blurb="A better copy would look better; encoding these again would only make them worse.",
    order=4,
    sentence=sentence,
    severity_words=("A little poor", "Poor", "Very poor"),
)


def find(look: Look) -> int:
    """Films of one library and size are compared; what MediaFlow made is no gap of the source."""
    films = look.films.filter(bit_rate_kbps__gt=0, resolution__gte=MIN_LINES)
    usual = _usual_rates(films.order_by().alias(rate=worth_kbps()))
    if not usual:
        return 0
    middle = _by_group(usual)
    limit_pct = look.settings["insights_gap_pct"]
    poor = films.filter(is_free=True).filter(
        LessThan(worth_kbps() * Value(100), middle * Value(limit_pct))
    )
    is_half = LessThan(worth_kbps() * Value(200), middle * Value(limit_pct))
    is_quarter = LessThan(worth_kbps() * Value(400), middle * Value(limit_pct))
    severity = Case(
        When(is_quarter, then=Value(3)),
        When(is_half, then=Value(2)),
        default=Value(1),
        output_field=BigIntegerField(),
    )
    figures = {"usual_kbps": middle * Value(100) / _worth()}
    finding = Finding(
        severity=severity, confidence_pct=CONFIDENCE_PCT, weight_pct=70, figures=figures
    )
    return add_films(KIND, poor, finding)


def worth_kbps() -> Combinable:
    """A film's bit rate in H.264."""
    return F("bit_rate_kbps") * _worth() / Value(100)


def median_steps(rows: Iterable[tuple[int, int, int, int]]) -> dict[tuple[int, int], int]:
    """By library and lines the rate of the middle film, of rows `(library, lines, step, films)`."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for library_id, lines, step, films in rows:
        groups[(library_id, lines)].append((step, films))
    found = {}
    for key, steps in groups.items():
        total = sum(films for _step, films in steps)
        if total < MIN_FILMS:
            continue
        steps.sort()
        seen = accumulate(films for _step, films in steps)
        until = zip(steps, seen, strict=True)
        middle = next(step for (step, _films), films in until if films * 2 >= total)
        found[key] = middle * STEP_KBPS + STEP_KBPS // 2
    return found


def _usual_rates(films: QuerySet[AnalysisFact]) -> dict[tuple[int, int], int]:
    """Grouped by one number, which is sorted in half the time that three take."""
    step = Least(F("rate") / Value(STEP_KBPS), Value(_STEPS - 1))
    place = F("library_id") * Value(_LINES) + Least(F("resolution"), Value(_LINES - 1))
    rows = films.annotate(group=place * Value(_STEPS) + step).values_list("group")
    return median_steps(
        (group // _STEPS // _LINES, group // _STEPS % _LINES, group % _STEPS, count)
        for group, count in rows.annotate(films=Count("pk"))
    )


def _worth() -> Case:
    whens = [When(video_codec=codec, then=Value(pct)) for codec, pct in WORTH_PCT.items()]
    return Case(*whens, default=Value(WORTH_OTHERWISE_PCT), output_field=BigIntegerField())


def _by_group(usual: Mapping[tuple[int, int], int]) -> Case:
    """Library first, then lines; 0 where nothing is usual."""
    by_library: dict[int, list[When]] = defaultdict(list)
    for (library_id, lines), kbps in usual.items():
        by_library[library_id].append(When(resolution=lines, then=Value(kbps)))
    whens = [
        When(library_id=library_id, then=_case(*sizes)) for library_id, sizes in by_library.items()
    ]
    return _case(*whens)


def _case(*whens: When) -> Case:
    return Case(*whens, default=Value(0), output_field=BigIntegerField())
