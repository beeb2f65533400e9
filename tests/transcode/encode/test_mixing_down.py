"""Surround to stereo, measured: speech keeps its loudness, nothing clips, nothing moves."""

from __future__ import annotations

import subprocess
from array import array

import pytest

from tests.media import ffmpeg_path
from transcode.planning.audio import sound_filters
from transcode.planning.audio_layout import layout_for

pytestmark = pytest.mark.ffmpeg
RATE_HZ = 48_000
STEREO = sound_filters(layout_for("aac", "5.1", 6, 2))


def mixed(speakers: str, sample_format: str) -> array[float]:
    """Both channels of a second in which these speakers begin to sound at full scale halfway."""
    tone = f"aevalsrc=if(gte(t\\,0.5)\\,sin(2*PI*500*t)\\,0):s={RATE_HZ}:d=1"
    pan = "|".join(f"{name}=c0" for name in speakers.split())
    chain = f"{tone},pan=5.1|{pan},aformat=sample_fmts={sample_format},{STEREO}"
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", chain, "-f", "f32le", "-"]
    return array("f", subprocess.run(argv, capture_output=True, check=True, timeout=120).stdout)


# 16-bit sources would come out 8 dB quieter than others if ffmpeg mixed them in whole numbers.
@pytest.mark.parametrize("sample_format", ["fltp", "s16"])
def test_speech_from_the_centre_comes_out_3_db_down_at_its_moment(sample_format: str) -> None:
    samples = mixed("FC", sample_format)
    assert len(samples) == 2 * RATE_HZ
    assert max(samples) == pytest.approx(0.707, abs=0.01)
    first = next(n for n, value in enumerate(samples) if abs(value) > 0.01)
    assert first // 2 == pytest.approx(RATE_HZ // 2, abs=5)


def test_loud_scenes_do_not_clip() -> None:
    assert 0.8 <= max(mixed("FL FR FC BL BR LFE", "fltp")) <= 0.98


def test_the_lfe_channel_is_left_out() -> None:
    assert max(mixed("LFE", "fltp")) == 0.0
