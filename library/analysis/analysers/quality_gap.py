"""Quality gaps: films far below the bit rate that their library usually has at that size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import picture_words, rate
from library.listing.labels import resolution_label, video_codec_label

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
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
