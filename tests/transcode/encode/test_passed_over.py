"""Hardware that fails in the middle of a job: the next attempt goes on without it.

NVENC is compiled into the bundled ffmpeg and fails for real where there is no device.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.settings_store import set_setting
from tests.transcode.encode.world import X265, clip_world
from transcode.encoders.availability import working_for
from transcode.encoding.passed_over import read_passed_over
from transcode.outcomes import JobHandedBack
from transcode.presets.spec import VideoRule
from transcode.running.phases import encode, prepare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


MAY_BE_HARDWARE = VideoRule(encoder="x265", crf=None, target_vmaf=95, hardware="allow")


@pytest.mark.parametrize("chunking", ["never", "auto"])
def test_a_job_goes_on_by_software_where_its_hardware_fails(tmp_path: Path, chunking: str) -> None:
    if "hevc_nvenc" in working_for(MAY_BE_HARDWARE):
        pytest.skip("NVENC works here")
    set_setting("chunk_seconds", 1, None)
    rule = VideoRule(encoder="hevc_nvenc", crf=28, bit_depth=8, chunking=chunking)
    world = clip_world(tmp_path, "h264_mkv", replace(X265, video=rule), seconds=2)
    prepared = prepare(world.context())
    assert bool(prepared.plan.chunks) == (chunking == "auto")
    with pytest.raises(JobHandedBack) as handed_back:
        encode(world.context(), prepared)
    assert handed_back.value.reason_code == "encoder_passed_over"
    assert "NVENC" in handed_back.value.reason
    assert read_passed_over(world.work_dir) == {"hevc_nvenc"}
    again = prepare(world.context())
    assert again.plan.video is not None
    assert again.plan.video.encoder == "libx265"
    assert any("failed before" in line for line in world.log)


def test_a_broken_list_passes_nothing_over(tmp_path: Path) -> None:
    (tmp_path / "passed-over.json").write_text("{")
    assert read_passed_over(tmp_path) == set()
    (tmp_path / "passed-over.json").write_text('["hevc_nvenc", "no such"]')
    assert read_passed_over(tmp_path) == {"hevc_nvenc"}
