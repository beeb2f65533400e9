"""Two passes: the first one only counts, the second one spends the bit rate accordingly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.transcode.encode.world import X265, clip_world, run_phases
from transcode.presets.spec import VideoRule

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


@pytest.mark.parametrize("encoder", ["x264", "x265", "svtav1"])
def test_both_passes_run_and_the_film_comes_out_whole(tmp_path: Path, encoder: str) -> None:
    rule = VideoRule(encoder=encoder, crf=None, bit_rate_kbps=200, two_pass=True, speed="fastest")
    world = clip_world(tmp_path, "h264_mkv", replace(X265, video=rule, min_saving_pct=-1000))
    result = run_phases(world)
    assert result.prepared.plan.video is not None
    assert result.prepared.plan.video.two_pass
    assert "two passes" in result.prepared.plan.whole_reason
    commands = [line for line in world.log if line.startswith("$ ") and "-pass:v:0" in line]
    assert ["-pass:v:0 1" in line for line in commands] == [True, False]
    assert "-f null" in commands[0]
    assert result.index.frames == result.prepared.index.frames
