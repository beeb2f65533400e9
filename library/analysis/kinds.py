"""The kinds of recommendations, in the order in which pages show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.analysis.analysers import (
    audio,
    batch,
    chromecast,
    codec,
    container,
    duplicates,
    hdr_to_sdr,
    inaccessible,
    languages,
    overkill,
    quality_gap,
    storage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.analysis.findings import Look
    from library.analysis.kind import AnalysisKind
    from library.models import Recommendation

_MODULES: Final = (
    *(codec, overkill, duplicates, quality_gap, storage, audio),
    *(container, batch, hdr_to_sdr, inaccessible, chromecast, languages),
)
KINDS: Final[dict[str, AnalysisKind]] = {
    module.KIND.slug: module.KIND for module in sorted(_MODULES, key=lambda m: m.KIND.order)
}
# Who finds them; in an order in which some read what others have found.
ANALYSERS: Final[dict[str, Callable[[Look], int]]] = {
    module.KIND.slug: module.find for module in _MODULES
}


def sentence_of(recommendation: Recommendation) -> str:
    """What a person reads; "" for a kind that this version does not know."""
    kind = KINDS.get(recommendation.kind)
    return kind.sentence(recommendation) if kind else ""
