"""Words of the preset form: what each value is called, and what each field allows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from transcode.encoders import ENCODERS, H264_LEVELS
from transcode.encoders.allowed import allowed_options
from transcode.encoders.hardware import NOT_TRIED
from transcode.presets import rules, validation

if TYPE_CHECKING:
    from transcode.encoders import VideoEncoder
    from transcode.encoders.allowed import Allowed

LABELS: Final[dict[str, str]] = {
    **{
        e.family: f"{e.title} · {NOT_TRIED}" if e.is_hardware else e.title
        for e in ENCODERS.values()
    },
    "keep": "As the source",
    "mkv": "Matroska (MKV)",
    "mp4": "MP4",
    "webm": "WebM",
    "copy": "Copy, no re-encoding",
    "fastest": "Fastest",
    "fast": "Fast",
    "medium": "Medium",
    "slow": "Slow",
    "slowest": "Slowest",
    "aac": "AAC",
    "opus": "Opus",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "flac": "FLAC",
    "dts": "DTS",
    "mp3": "MP3",
    "drop": "Leave out",
    "convert": "Convert where the container needs it",
    "replace": "Replace the original",
    "beside": "Write beside the original",
    "tone_map": "Tone map to SDR",
    "hdr10": "Dolby Vision and HDR10+ may become HDR10",
    "vmaf": "VMAF",
    "xpsnr": "XPSNR, in dB",
    "never": "Never",
    "allow": "Where it reaches the target",
    "prefer": "Wherever it works",
    "constant": "Make it even",
    "auto": "Where it is safe",
    "srt": "SubRip (SRT)",
    "ass": "ASS",
    "mov_text": "MP4 text",
    "webvtt": "WebVTT",
    "finish": "Finish the film",
    "pause": "Pause it",
    "hand_back": "Stop it and keep its chunks",
}
HDR_LABELS: Final = {"keep": "Keep, or skip the film"}
SUBTITLE_LABELS: Final = {"keep": "Keep", **{k: LABELS[k] for k in ("drop", "convert")}}
LEVELS: Final = ("", *H264_LEVELS)
PROFILES: Final = ("", *rules.H264_PROFILES)
QUALITY_WAYS: Final = (("crf", "CRF"), ("target", "Target quality"), ("bit_rate", "Bit rate"))


def choices(values: tuple[str, ...], labels: dict[str, str] | None = None) -> list[tuple[str, str]]:
    words = LABELS | (labels or {})
    return [(value, words.get(value, value or "–")) for value in values]


def encoder_choices() -> list[tuple[str, Any]]:
    """Copying, then software, then hardware, each group under its name."""
    software = tuple(e.family for e in ENCODERS.values() if not e.is_hardware)
    hardware = tuple(e.family for e in ENCODERS.values() if e.is_hardware)
    return [
        *choices(("copy",)),
        ("Software", choices(software)),
        (f"Hardware, {NOT_TRIED}", choices(hardware)),
    ]


def between(limits: tuple[float, float], unit: str = "") -> str:
    """ "50 to 200,000 kb/s", for the help of a field."""
    low, high = (f"{value:,g}" if value < 1e6 else str(value) for value in limits)
    return f"{low} to {high}{f' {unit}' if unit else ''}"


def crf_help() -> str:
    """What each software encoder takes; the hardware ones stand in a table of their own."""
    by_range: dict[str, list[str]] = {}
    for encoder in ENCODERS.values():
        if not encoder.is_hardware:
            by_range.setdefault(crf_range(encoder), []).append(encoder.title.split(" ")[0])
    parts = [f"{' and '.join(names)}: {allowed}" for allowed, names in by_range.items()]
    return f"Lower is better and larger. {'; '.join(parts)}."


def crf_range(encoder: VideoEncoder) -> str:
    step = "whole steps" if encoder.quality_step >= 1 else f"steps of {encoder.quality_step:g}"
    return f"{between(encoder.quality_range)} in {step}"


def target_help() -> str:
    vmaf, xpsnr = (between(validation.TARGET_RANGES[name]) for name in ("vmaf", "xpsnr"))
    return (
        f"VMAF {vmaf}, 93 to 97 is usual; XPSNR {xpsnr} dB."
        " The CRF that reaches it is searched for on samples of each film."
    )


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """A hardware encoder in the table of ranges."""

    title: str
    allowed: str
    direction: str


def hardware_rows() -> list[EncoderRow]:
    return [
        EncoderRow(
            encoder.title,
            crf_range(encoder),
            "higher is better" if encoder.is_higher_better else "lower is better",
        )
        for encoder in ENCODERS.values()
        if encoder.is_hardware
    ]


@dataclass(frozen=True, slots=True)
class OptionRow:
    """The extra options of the encoders that `title` names."""

    title: str
    options: list[tuple[str, str]]  # name, allowed values


def option_rows() -> list[OptionRow]:
    """One row for each set of options: hardware encoders of one maker share theirs."""
    rows: list[OptionRow] = []
    for encoder in ENCODERS.values():
        allowed = allowed_options(encoder.family, encoder.api)
        options = [(name, _values(values)) for name, values in allowed.items()]
        if not options:
            continue
        same = next((row for row in rows if row.options == options), None)
        if same is None:
            rows.append(OptionRow(encoder.title, options))
        else:
            rows[rows.index(same)] = OptionRow(f"{same.title}, {encoder.title}", options)
    return rows


def _values(allowed: Allowed) -> str:
    if allowed.words == ("0", "1"):
        return "0 or 1"
    if allowed.words:
        return ", ".join(allowed.words)
    text = between((allowed.low, allowed.high))
    return text if allowed.count == 1 else f"{allowed.count} × {text}"
