"""The presets that come with MediaFlow, as data, and how they get into the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from transcode.models import Preset
from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule


@dataclass(frozen=True, slots=True)
class BuiltinPreset:
    slug: str
    name: str
    description: str
    spec: PresetSpec


# Both are about playing anywhere, not about size: a small HEVC film may grow as H.264.
_PLAYS_ANYWHERE_AUDIO = AudioRule(
    codec="aac", bit_rate_kbps_per_channel=80, max_channels=2, keep_lossless=False
)

BUILTIN_PRESETS: tuple[BuiltinPreset, ...] = (
    BuiltinPreset(
        "balanced",
        "Balanced",
        "HEVC that looks like the source at about half the size. Keeps every track.",
        PresetSpec(video=VideoRule(encoder="x265", crf=22, speed="medium")),
    ),
    BuiltinPreset(
        "storage-saver",
        "Storage saver",
        "AV1 with Opus sound: the smallest files, slower to make. Needs players that know AV1.",
        PresetSpec(
            video=VideoRule(encoder="svtav1", crf=34, speed="medium", bit_depth=10),
            audio=AudioRule(codec="opus", bit_rate_kbps_per_channel=64, keep_lossless=False),
            min_saving_pct=20,
            min_vmaf_mean=85,
            min_vmaf_p5=70,
        ),
    ),
    BuiltinPreset(
        "mobile",
        "Mobile",
        "H.264 at 720p with stereo AAC in MP4, beside the original: plays on any phone.",
        PresetSpec(
            container="mp4",
            video=VideoRule(
                encoder="x264",
                crf=23,
                speed="medium",
                max_resolution=720,
                bit_depth=8,
                hdr="tone_map",
                profile="high",
                level="4.0",
            ),
            audio=_PLAYS_ANYWHERE_AUDIO,
            subtitles=SubtitleRule(mode="convert"),
            min_saving_pct=-100,
            output="beside",
            min_vmaf_mean=85,
            min_vmaf_p5=70,
        ),
    ),
    BuiltinPreset(
        "ultra-fidelity",
        "Ultra fidelity",
        "HEVC with hardly a visible difference; keeps the original unless it saves 5 %.",
        PresetSpec(
            video=VideoRule(encoder="x265", crf=16, speed="slow"),
            min_saving_pct=5,
            min_vmaf_mean=94,
            min_vmaf_p5=88,
        ),
    ),
    BuiltinPreset(
        "chromecast",
        "Chromecast",
        "Films for Chromecast generations 2 and 3: skips what plays, copies what only needs MP4.",
        PresetSpec(
            container="mp4",
            video=VideoRule(
                encoder="x264",
                crf=21,
                speed="medium",
                bit_depth=8,
                hdr="tone_map",
                profile="high",
                level="4.1",
            ),
            audio=_PLAYS_ANYWHERE_AUDIO,
            subtitles=SubtitleRule(mode="convert"),
            skip_if_chromecast_ready=True,  # which chooses 1080p or 720p by the frame rate
            min_saving_pct=-100,
            output="beside",
            min_vmaf_mean=85,
            min_vmaf_p5=70,
        ),
    ),
    BuiltinPreset(
        "remux",
        "Remux",
        "Copies every track into Matroska; nothing is encoded.",
        PresetSpec(
            video=VideoRule(encoder="copy", crf=None),
            # Another container's overhead: a little more or less.
            min_saving_pct=-5,
            is_vmaf_checked=False,
        ),
    ),
)
BUILTIN_SLUGS = frozenset(preset.slug for preset in BUILTIN_PRESETS)


def sync_builtin_presets() -> None:
    """Write the built-in presets as this version has them. Safe to run at every start.

    Rows that are already so are not touched: `changed_at` moves only with a change. A person's
    preset of the same name (from before ours existed) keeps it; ours gets an addition.
    """
    with transaction.atomic():
        for position, preset in enumerate(BUILTIN_PRESETS, start=1):
            _sync(preset, position)


def _sync(preset: BuiltinPreset, position: int) -> None:
    row = Preset.objects.filter(slug=preset.slug).first() or Preset(slug=preset.slug)
    taken = Preset.objects.filter(name=preset.name).exclude(slug=preset.slug).exists()
    wanted: dict[str, Any] = {
        "name": f"{preset.name} (built in)" if taken else preset.name,
        "description": preset.description,
        "spec": preset.spec.to_json(),
        "is_builtin": True,
        "position": position,
    }
    if row.pk and all(getattr(row, name) == value for name, value in wanted.items()):
        return
    for name, value in wanted.items():
        setattr(row, name, value)
    row.save()


def sync_after_migrate(**_signal: Any) -> None:
    """Receiver of `post_migrate` for the app `transcode`."""
    sync_builtin_presets()
