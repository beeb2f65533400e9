"""Dolby Vision survives being cut and joined, in either container."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.probing.probe import probe_file
from tests.dynamic_hdr import make_dolby_vision, side_data
from tests.transcode.chunks import world as worlds
from transcode.presets.spec import VideoRule

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


def metadata(path: Path) -> list[bytes]:
    """Of each picture."""
    return [beside["DOVI_METADATA"] for beside in side_data(path)]


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_dolby_vision_survives_the_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    spec = replace(worlds.SPEC, video=VideoRule(encoder="x265", crf=28, speed="fastest"))
    monkeypatch.setattr(worlds, "SPEC", spec)
    source = make_dolby_vision(tmp_path / "film.mkv")
    world = worlds.chunk_world(
        tmp_path, source, container=container, chunk_seconds=0.4, lossless=False
    )
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    world.encode()
    joined = world.join()
    video = probe_file(os.fsencode(joined)).main_video
    assert video is not None
    assert video.dolby_vision_profile == "8.1"
    assert metadata(joined) == metadata(source)
