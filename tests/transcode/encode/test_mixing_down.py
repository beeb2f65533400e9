"""Mixing, measured: speech keeps its loudness, nothing clips, nothing moves or gets lost unsaid."""

from __future__ import annotations

import subprocess
from array import array

import pytest

from tests.media import ffmpeg_path
from transcode.planning.audio import sound_filters
from transcode.planning.audio_layout import MAX_CHANNELS, SpeakerLayout, layout_for

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


def named_layouts() -> dict[str, list[str]]:
    """Every layout that this ffmpeg names, with its channels."""
    argv = [ffmpeg_path(), "-hide_banner", "-layouts"]
    text = subprocess.run(argv, capture_output=True, check=True, timeout=120, text=True).stdout
    lines = text.partition("Standard channel layouts:")[2].splitlines()[2:]
    return {name: channels.split("+") for name, channels in map(str.split, filter(None, lines))}


def heard_in(source: str, count: int, target: SpeakerLayout) -> list[frozenset[int]]:
    """For each channel of the source: the channels of the target in which it is heard.

    The n-th channel sounds alone in the n-th tenth of a second.
    """
    turns = "|".join(f"0.5*between(t,{n / 10},{n / 10 + 0.0999})" for n in range(count))
    chain = f"aevalsrc=exprs='{turns}':c={source}:s=8000:d={count / 10},{sound_filters(target)}"
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", chain, "-f", "f32le", "-"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=120)
    samples, width = array("f", done.stdout), target.channels
    middles = [samples[(n * 800 + 400) * width :][:width] for n in range(count)]
    return [frozenset(i for i, value in enumerate(row) if abs(value) > 0.1) for row in middles]


@pytest.mark.parametrize("codec", sorted(MAX_CHANNELS))
def test_what_counts_as_no_mix_keeps_each_channel_apart(codec: str) -> None:
    tried = 0
    for name, channels in named_layouts().items():
        target = layout_for(codec, name, len(channels), 0)
        if target.is_mix or not target.name:
            continue
        tried += 1
        places = heard_in(name, len(channels), target)
        assert all(places), f"{name}: a channel is lost"
        apart = len(frozenset().union(*places)) == sum(map(len, places))
        assert apart, f"{name}: channels are mixed into one"
    assert tried or codec.endswith("ac3")


def test_the_two_of_the_back_are_not_made_one() -> None:
    """In 6.1, which has as many channels, both would come from one speaker (measured)."""
    target = layout_for("opus", "6.1(back)", 7, 0)
    back_left, back_right = heard_in("6.1(back)", 7, target)[4:6]
    assert back_left
    assert back_right
    assert not back_left & back_right
