"""What is put into a search for a quality and what comes out. Pure values, JSON in and out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from library.media_info import MediaInfo
    from transcode.planning.packet_index import PacketIndex


@dataclass(frozen=True, slots=True)
class FilmSource:
    """The film that is searched; `index.sha256` names its bytes."""

    path: bytes
    info: MediaInfo
    index: PacketIndex


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One sample at one CRF: pictures `[first, first + count)`, their score and their bytes."""

    first: int
    count: int
    score: float  # mean
    lowest: float  # 5th percentile
    start_bytes: int  # of its first picture: a keyframe that the film may not have there
    rest_bytes: int
    keyframes: int  # among the rest: the encoder saw a cut
    weight: float = 1.0  # the share of the film that is like it


@dataclass(frozen=True, slots=True)
class Probe:
    """One CRF tried on all samples."""

    crf: float
    mean: float
    p5: float
    samples: tuple[SampleScore, ...]
    seconds: float

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Probe:
        return cls(**{**raw, "samples": tuple(SampleScore(**s) for s in raw["samples"])})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class FoundQuality:
    """The CRF that reaches the target, and what the whole film is expected to be with it.

    `bytes_*` are those of the picture alone, the expected and the range of four in five films.
    """

    crf: float
    predicted_vmaf: float  # of the whole output; in dB where `metric` is xpsnr
    predicted_p5: float
    metric: str
    model: str
    samples: tuple[SampleScore, ...]  # of the probe nearest to the CRF
    probes: int
    seconds: float
    is_cached: bool
    bytes_expected: int
    bytes_low: int
    bytes_high: int
    text: str

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> FoundQuality:
        return cls(**{**raw, "samples": tuple(SampleScore(**s) for s in raw["samples"])})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
