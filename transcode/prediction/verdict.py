"""Is it worth the hours? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.outcomes import JobSkipped

if TYPE_CHECKING:
    from transcode.prediction.estimate import Estimate
    from transcode.presets.spec import PresetSpec

NOT_WORTH_IT = "not_worth_it"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`is_certain` False: the range reaches across what the preset asks for."""

    is_worth_it: bool
    is_certain: bool
    reason: str  # one sentence


def judge(estimate: Estimate, source_bytes: int, spec: PresetSpec) -> Verdict:
    """Against the preset's smallest saving. Samples are believed as they are; a learned figure and
    a rule of thumb say no only when even the small end of the range is too large."""
    need = spec.min_saving_pct
    if spec.video.encoder == "copy":
        return Verdict(True, True, "Nothing is encoded: it costs minutes, and the size stays.")
    most = largest_worth_it(source_bytes, need)
    figure = _saving_words(estimate, source_bytes)
    wish = f"at least {need} % smaller" if need > 0 else f"at most {-need} % larger"
    if estimate.high <= most:
        return Verdict(True, True, f"{figure}.")
    if estimate.low > most:
        return Verdict(False, True, f"{figure}; the preset asks for {wish}.")
    if estimate.bytes <= most:
        return Verdict(True, False, f"{figure}; the preset asks for {wish}, so it may fail.")
    is_sampled = estimate.basis == "sampled"
    return Verdict(not is_sampled, False, f"{figure}; the preset asks for {wish}.")


def refuse_not_worth_it(estimate: Estimate, source_bytes: int, spec: PresetSpec) -> None:
    """Before the first frame is encoded. Raises JobSkipped."""
    verdict = judge(estimate, source_bytes, spec)
    if verdict.is_worth_it:
        return
    raise JobSkipped(
        NOT_WORTH_IT,
        f"Not worth it: {verdict.reason[0].lower()}{verdict.reason[1:]} Predicted"
        f" {estimate.bytes:,} bytes ({estimate.low:,} to {estimate.high:,}) of"
        f" {source_bytes:,}.",
    )


def largest_worth_it(source_bytes: int, min_saving_pct: int) -> int:
    """Bytes that the result may have."""
    return source_bytes * (100 - min_saving_pct) // 100


def _saving_words(estimate: Estimate, source_bytes: int) -> str:
    """ "About 42 % smaller (38 to 46 %)"; larger ones say so."""
    if source_bytes <= 0:
        return "Today's size is unknown"
    expected, least, best = (
        100 - 100 * size / source_bytes for size in (estimate.bytes, estimate.high, estimate.low)
    )
    if expected < 0:
        return f"About {-expected:.0f} % larger ({-best:.0f} to {-least:.0f} %)"
    return f"About {expected:.0f} % smaller ({least:.0f} to {best:.0f} %)"
