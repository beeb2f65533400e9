"""HDR to SDR: films that screens without HDR show badly. An offer, not advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, Q

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.wording import picture_words
from library.models import ItemFile

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

# Dolby Vision 5 has no HDR10 picture below it: tone-mapped without its metadata it turns green.
WITH_BASE_PICTURE: Final = Q(dolby_vision_profile__startswith="7") | Q(
    dolby_vision_profile__startswith="8"
)
CONFIDENCE_PCT: Final = 25


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    return (
        f"{picture_words(file)}, and no SDR version of it. If you watch on screens without HDR, a"
        f" smaller SDR copy beside it saves converting it at each play; the original stays. Only an"
        f" offer ({found.confidence_pct} % sure that you need it)."
    )


KIND = AnalysisKind(
    slug="hdr_to_sdr",
    title="HDR without an SDR copy",
    icon="sun",
    blurb="Only where you watch on screens without HDR: a small SDR copy beside the film.",
    order=9,
    sentence=sentence,
    severity_words=("An offer", "An offer", "An offer"),
    preset="mobile",
)


def find(look: Look) -> int:
    has_sdr = ItemFile.objects.filter(
        file_id=OuterRef("pk"),
        item__item_files__file__hdr="sdr",
        item__item_files__file__removed_from_list_at=None,
    )
    films = look.free_films.filter(
        Q(hdr__in=("hdr10", "hdr10plus", "hlg")) | Q(WITH_BASE_PICTURE, hdr="dolby_vision"),
        ~Exists(has_sdr),
    )
    finding = Finding(severity=1, confidence_pct=CONFIDENCE_PCT, weight_pct=30)
    return add_films(KIND, films, finding)
