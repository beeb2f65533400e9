"""`--target-vmaf N`: a quality instead of the preset's own CRF or bit rate."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from django.utils import timezone

from transcode.console.command_input import bad_input
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.presets.validation import validate

if TYPE_CHECKING:
    from transcode.models import Preset

FLOOR_BELOW_TARGET = 1.5
P5_BELOW_TARGET = 20.0


def spec_of(preset: Preset, target_vmaf: str | None = None) -> PresetSpec:
    """The preset's spec, with the target where one was typed. Raises CommandError."""
    try:
        spec = PresetSpec.from_json(preset.spec)
    except PresetProblem as problem:
        raise bad_input(f"The preset {preset.slug!r} cannot be used: {problem}") from None
    if target_vmaf is None:
        return spec
    if spec.video.encoder == "copy":
        raise bad_input(
            f"--target-vmaf: the preset {preset.slug!r} copies the picture; choose another preset."
        )
    target = _number(target_vmaf)
    video = replace(
        spec.video,
        crf=None,
        bit_rate_kbps=None,
        two_pass=False,
        target_vmaf=target,
        target_metric="vmaf",
    )
    # Who asks for less than the preset's floors means it; the target sets a floor of its own.
    wanted = replace(
        spec,
        video=video,
        min_vmaf_mean=min(spec.min_vmaf_mean, max(0.0, target - FLOOR_BELOW_TARGET)),
        min_vmaf_p5=min(spec.min_vmaf_p5, max(0.0, target - P5_BELOW_TARGET)),
    )
    try:
        validate(wanted)
    except PresetProblem as problem:
        if problem.field_name == "video.target_vmaf":
            raise bad_input(f"--target-vmaf {problem.text}") from None
        raise bad_input(f"--target-vmaf with the preset {preset.slug!r}: {problem}") from None
    return wanted


def with_target(preset: Preset, target_vmaf: str | None) -> Preset:
    """The preset for one order, in memory only: with the target, where one was typed.

    Changed now, so that a film that was refused with the preset's own quality is tried again.
    Raises CommandError.
    """
    if target_vmaf is None:
        return preset
    spec = spec_of(preset, target_vmaf)
    changed = copy(preset)
    changed.spec = spec.to_json()
    changed.name = f"{preset.name[:60]}, VMAF {spec.video.target_vmaf:g}"
    changed.changed_at = timezone.now()
    return changed


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value or abs(value) == float("inf"):
        raise bad_input(f"--target-vmaf is {text[:20]!r}; it must be a number such as 95.")
    return value
