"""Subtitles in another text format: the words and their moments are still there."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.media import ffmpeg_path, make_clip
from tests.transcode.verify.pairs import encode_by_preset
from tests.transcode.verify.walk import failed_rungs
from transcode.presets.spec import AudioRule, PresetSpec, SubtitleRule, VideoRule

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ffmpeg


def texts(path: Path, track: int) -> list[str]:
    """Times and words of one subtitle track, as SRT shows them, without markup."""
    argv = [ffmpeg_path(), "-v", "error", "-i", f"file:{path}", "-map", f"0:s:{track}"]
    raw = subprocess.run([*argv, "-f", "srt", "-"], capture_output=True, check=True, timeout=120)
    lines = raw.stdout.decode().splitlines()
    return [line for line in lines if line and not line.isdigit()]


@pytest.mark.parametrize(
    ("wanted", "container", "codec"),
    [
        ("srt", "mkv", "subrip"),
        ("ass", "mkv", "ass"),
        ("webvtt", "mkv", "webvtt"),
        ("mov_text", "mp4", "mov_text"),
        ("webvtt", "webm", "webvtt"),
    ],
)
def test_words_and_times_survive_every_text_format(
    tmp_path: Path, wanted: str, container: str, codec: str
) -> None:
    source = make_clip("subtitles", tmp_path / "film.mkv", 2, crf=2)
    is_webm = container == "webm"
    video = VideoRule(encoder="copy", crf=None)
    if is_webm:
        video = VideoRule(encoder="svtav1", crf=40, speed="fastest")
    spec = PresetSpec(
        container=container,
        video=video,
        audio=AudioRule(codec="opus" if is_webm else "copy"),
        subtitles=SubtitleRule(mode="convert", convert_to=wanted),
        min_saving_pct=-200,
        is_vmaf_checked=False,
    )
    pair = encode_by_preset(source, tmp_path, spec)
    assert failed_rungs(pair) == {}
    kept = [s for s in pair.prepared.plan.kept if s.kind == "subtitle"]
    assert [s.output_codec for s in kept] == [codec, codec]
    assert [s.language for s in kept] == ["eng", "deu"]
    assert kept[1].disposition.is_forced
    for track in (0, 1):
        before, after = texts(source, track), texts(pair.output, track)
        assert before
        assert after == before
