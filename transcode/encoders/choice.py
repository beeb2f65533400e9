"""Which encoder encodes: the one that the preset names, or the hardware one of its codec. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from transcode.encoders.registry import ENCODERS, hardware_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from transcode.encoders.model import VideoEncoder
    from transcode.presets.rules import VideoRule

# These ask for small files, which hardware does not make as small; "prefer" overrules it.
_FOR_SMALL_FILES = frozenset({"slow", "slowest"})
# Parts of a rule that only the software encoder fulfils.
_SOFTWARE_ONLY = (
    ("profile", "a profile"),
    ("level", "a level"),
    ("tune_grain", "tuning for grain"),
    ("two_pass", "two passes"),
    ("extra_options", "extra options"),
)


@dataclass(frozen=True, slots=True)
class WorkingEncoder:
    """A real test encode worked here. `devices`: where; ("",) where there is one only."""

    family: str
    devices: tuple[str, ...]
    depths: tuple[int, ...]


class Chosen(NamedTuple):
    family: str
    reason: str  # one sentence; "" where there was nothing to decide


def choose_encoder(
    rule: VideoRule,
    working: Mapping[str, WorkingEncoder],
    *,
    bit_depth: int = 8,
    is_hdr: bool = False,
    passed_over: Collection[str] = (),
) -> Chosen:
    """The encoder for one film. `passed_over`: hardware that failed or missed the target.

    Hardware takes the place only where a target is searched for, so that the quality is proved and
    not guessed: the same CRF means another quality there.
    """
    decided = decided_by_rule(rule)
    if decided is not None:
        return decided
    named = ENCODERS[rule.encoder]
    reasons = []
    for encoder in hardware_for(named.codec):
        if encoder.family in passed_over:
            reasons.append(f"{encoder.title} was tried and passed over")
            continue
        if encoder.family not in working:
            continue
        lack = _lack(encoder, working[encoder.family], bit_depth, is_hdr=is_hdr)
        if not lack:
            reason = f"{encoder.title} takes the place of {named.title}, if it reaches the target."
            return Chosen(encoder.family, reason)
        reasons.append(f"{encoder.title} {lack}")
    said = "; ".join(reasons) or f"no hardware encoder for {named.codec} works here"
    return Chosen(rule.encoder, f"{named.title} encodes: {said}.")


def software_for(codec: str) -> str:
    """The software family that answers for a codec: "hevc" → "x265"."""
    return next(e.family for e in ENCODERS.values() if e.codec == codec and not e.is_hardware)


def decided_by_rule(rule: VideoRule) -> Chosen | None:
    """The rule's own encoder where no hardware may take its place, whatever works; else None."""
    named = ENCODERS[rule.encoder]
    if named.is_hardware or rule.hardware == "never":
        return Chosen(rule.encoder, "")
    why = _why_software(rule)
    return Chosen(rule.encoder, f"{named.title} encodes: {why}.") if why else None


def _why_software(rule: VideoRule) -> str:
    """ "" where hardware may take the place."""
    if rule.target_vmaf is None:
        return "hardware takes its place only where a target quality is searched"
    for name, words in _SOFTWARE_ONLY:
        if getattr(rule, name):
            return f"the preset asks for {words}"
    if rule.hardware == "allow" and rule.speed in _FOR_SMALL_FILES:
        return f"the speed “{rule.speed}” asks for small files"
    return ""


def _lack(encoder: VideoEncoder, working: WorkingEncoder, bit_depth: int, *, is_hdr: bool) -> str:
    if bit_depth not in working.depths:
        return f"does not encode {bit_depth} bits here"
    if is_hdr and not encoder.carries_hdr:
        return "does not keep HDR"
    return ""
