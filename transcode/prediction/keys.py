"""What makes two films alike for a prediction. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.prediction.estimate import output_resolution

if TYPE_CHECKING:
    from transcode.prediction.estimate import FilmFacts
    from transcode.presets.spec import PresetSpec, VideoRule


@dataclass(frozen=True, slots=True)
class PredictionKey:
    """What finished jobs are grouped by; the columns of `transcode.models.Prediction`."""

    encoder: str  # family: x265
    source_codec: str
    resolution_class: int  # lines of the output
    quality_key: str  # crf22, vmaf95, xpsnr42, 4000k
    speed: str

    @property
    def levels(self) -> tuple[tuple[str | int, ...], ...]:
        """Groups that the film is in, the coarsest first: each learns from the one before it."""
        full = (self.encoder, self.source_codec, self.resolution_class, self.quality_key)
        return tuple(full[:depth] for depth in range(1, len(full) + 1))


def key_of(film: FilmFacts, spec: PresetSpec, *, encoder: str = "") -> PredictionKey:
    """`encoder`: the family that really does it, where it is not the preset's own."""
    return PredictionKey(
        encoder=encoder or spec.video.encoder,
        source_codec=film.video_codec,
        resolution_class=output_resolution(film, spec.video),
        quality_key=quality_key(spec.video),
        speed=spec.video.speed,
    )


def quality_key(rule: VideoRule) -> str:
    """At most 20 characters: crf22, vmaf95, xpsnr42, 4000k; "" for a copy."""
    if rule.crf is not None:
        return f"crf{rule.crf:g}"
    if rule.target_vmaf is not None:
        return f"{rule.target_metric}{rule.target_vmaf:g}"
    return f"{rule.bit_rate_kbps}k" if rule.bit_rate_kbps is not None else ""
