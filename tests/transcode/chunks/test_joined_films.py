"""Faults 27 and 28: what a film says of itself and carries beside the picture survives the join."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.probing.probe import probe_file
from tests.media import make_clip, suffix_of
from tests.transcode.chunks.world import ChunkWorld, chunk_world
from transcode.encoding.encode import encode_film
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import MediaInfo

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
HEVC = PresetSpec(video=VideoRule(speed="fastest", crf=40), is_vmaf_checked=False)
AV1 = PresetSpec(
    video=VideoRule(encoder="svtav1", speed="fastest", crf=55, bit_depth=10), is_vmaf_checked=False
)


def shown(info: MediaInfo) -> MediaInfo:
    """What must be alike: everything but sizes and rates."""
    return replace(
        info,
        size_bytes=0,
        bit_rate_kbps=None,
        duration_s=None,
        tags={},
        video=tuple(replace(v, bit_rate_kbps=None) for v in info.video),
        # MP4 says in milliseconds where the last packet of a sound is cut off.
        audio=tuple(
            replace(a, bit_rate_kbps=None, duration_s=round(a.duration_s or 0, 2))
            for a in info.audio
        ),
    )


def both_ways(world: ChunkWorld) -> tuple[MediaInfo, MediaInfo, Path]:
    """Encoded in chunks, and encoded whole."""
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    world.encode()
    joined = world.join()
    chunked = probe_file(os.fsencode(joined))
    kept = joined.rename(joined.with_name(f"kept{joined.suffix}"))
    whole = encode_film(world.context(), world.plan, source_bytes=1)
    return chunked, probe_file(os.fsencode(whole)), kept


@pytest.mark.parametrize(
    ("kind", "spec", "container"),
    [
        ("hevc_hdr10", HEVC, "mkv"),
        ("hevc_hdr10", HEVC, "mp4"),
        ("hevc_hdr10", AV1, "mkv"),
        ("hlg", HEVC, "mkv"),
        ("two_audio", HEVC, "mkv"),
        ("subtitles", AV1, "mkv"),
        ("chapters", HEVC, "mp4"),
        ("fonts", HEVC, "mkv"),
        ("cover_art", HEVC, "mkv"),
        ("rotated", HEVC, "mkv"),
        ("captions", HEVC, "mkv"),
        ("interlaced", HEVC, "mkv"),
    ],
)
def test_a_joined_film_says_of_itself_what_a_whole_one_says(
    tmp_path: Path, kind: str, spec: PresetSpec, container: str
) -> None:
    source = make_clip(kind, tmp_path / f"clip{suffix_of(kind)}", 3, width=128, height=72)
    sound = AudioRule(codec="aac") if container == "mp4" else AudioRule()
    spec = replace(spec, container=container, audio=sound)
    world = chunk_world(tmp_path, source, spec=spec, lossless=False)
    chunked, whole, _joined = both_ways(world)
    assert shown(chunked) == shown(whole)
