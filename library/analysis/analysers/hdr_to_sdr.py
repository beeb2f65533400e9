"""HDR to SDR: films that screens without HDR show badly. An offer, not advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.analysis.kind import AnalysisKind
from library.analysis.wording import picture_words

if TYPE_CHECKING:
    from library.models import Recommendation


def sentence(found: Recommendation) -> str:
    file = found.file
    if file is None:
        return ""
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
