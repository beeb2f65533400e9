"""Broken outputs for rungs 9 to 11: each fails only there."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.probing.probe import probe_file
from tests.transcode.verify.breaking import reencoded
from tests.transcode.verify.conftest import BT709
from tests.transcode.verify.pairs import X265, Pair, encode_pair, ffmpeg
from tests.transcode.verify.walk import failed_rungs, prove

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.ffmpeg


# Rung 9


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ("setparams=color_primaries=unknown:color_trc=bt709:colorspace=bt709:range=tv", "primar"),
        ("setparams=color_primaries=bt709:color_trc=bt470bg:colorspace=bt709:range=tv", "transf"),
        (f"{BT709},setsar=4/3", "shape"),
        (f"{BT709},format=yuv420p10le", "10 bits, not 8"),
    ],
    ids=["primaries", "transfer", "pixel shape", "depth"],
)
def test_another_colour_or_shape_fails_only_the_colour_rung(
    rich: Pair, tmp_path: Path, graph: str, words: str
) -> None:
    failed = failed_rungs(reencoded(rich, tmp_path, graph))
    assert list(failed) == [9]
    assert words in failed[9]


def test_a_lost_mastering_display_fails_only_the_colour_rung(hdr10: Pair, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    # Side data travels with the frames, so it has to be thrown away on purpose.
    ffmpeg(
        *("-i", hdr10.source, "-map", "0", "-c:a", "copy", *X265, "-crf", "20"),
        *("-vf", "sidedata=mode=delete:type=MASTERING_DISPLAY_METADATA", broken),
    )
    after = probe_file(os.fsencode(broken)).main_video
    assert after is not None
    assert after.mastering_display is None
    failed = failed_rungs(hdr10.with_output(broken))
    assert list(failed) == [9]
    assert "mastering display" in failed[9]


def test_a_lost_rotation_fails_only_the_colour_rung(rotated: Pair, tmp_path: Path) -> None:
    upright = tmp_path / "upright.mp4"
    ffmpeg(*("-display_rotation", "0", "-i", rotated.output, "-map", "0", "-c", "copy", upright))
    failed = failed_rungs(rotated.with_output(upright))
    assert list(failed) == [9]
    assert "rotation 0°" in failed[9]


# Rung 10


def test_too_small_a_saving_fails_only_the_size_rung_and_skips(rich: Pair) -> None:
    greedy = rich.with_plan(min_saving_pct=95)
    assert list(failed_rungs(greedy)) == [10]
    proof = prove(greedy)
    assert proof.failed_code == "not_worth_it"
    assert type(proof.failure).__name__ == "JobSkipped"


def test_a_larger_output_is_not_worth_it(rich: Pair, tmp_path: Path) -> None:
    large = tmp_path / "large.mkv"
    ffmpeg(
        *("-i", rich.source, "-map", "0", "-c:a", "copy", "-c:s", "copy", "-c:t", "copy"),
        *(*X265, "-qp", "1", "-vf", BT709, large),
    )
    assert large.stat().st_size > rich.source.stat().st_size
    failed = failed_rungs(rich.with_output(large))
    assert list(failed) == [10]
    assert "larger" in failed[10]


def test_an_output_too_small_to_be_believed_is_held_for_a_person(tmp_path: Path) -> None:
    source = tmp_path / "source.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=gray:size=320x180:rate=25:duration=4"),
        *("-c:v", "rawvideo", "-pix_fmt", "yuv420p", source),
    )
    pair = encode_pair(source, tmp_path, video=(*X265[:-1], "log-level=error", "-crf", "40"))
    assert list(failed_rungs(pair)) == [10]
    proof = prove(pair)
    assert proof.failed_code == "tiny"
    assert type(proof.failure).__name__ == "JobHeld"


# Rung 11


def copied_source(pair: Pair, folder: Path) -> Pair:
    source = folder / "film.mkv"
    shutil.copy2(pair.source, source)
    return replace(pair, source=source)


def test_a_touched_source_fails_only_the_last_rung(rich: Pair, tmp_path: Path) -> None:
    pair = copied_source(rich, tmp_path)
    context = pair.context()
    os.utime(pair.source, ns=(1, 1))
    failed = failed_rungs(pair, context)
    assert list(failed) == [11]
    assert "modification time" in failed[11]
    proof = prove(pair, context)
    assert proof.failed_code == "verify_source_changed"
    assert getattr(proof.failure, "is_retryable", False)


def test_an_edit_that_hides_itself_is_seen_by_its_content(rich: Pair, tmp_path: Path) -> None:
    pair = copied_source(rich, tmp_path)
    context = pair.context()
    before = pair.source.stat()
    with pair.source.open("r+b") as film:
        film.seek(-1, os.SEEK_END)
        film.write(b"?")
    os.utime(pair.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    failed = failed_rungs(pair, context)
    assert list(failed) == [11]
    assert "content" in failed[11]


def test_a_changed_mode_is_no_changed_film(rich: Pair, tmp_path: Path) -> None:
    pair = copied_source(rich, tmp_path)
    context = pair.context()
    pair.source.chmod(0o600)
    assert failed_rungs(pair, context) == {}


def test_a_source_that_vanished_is_told_as_such(rich: Pair, tmp_path: Path) -> None:
    pair = copied_source(rich, tmp_path)
    context = pair.context()
    pair.source.unlink()
    proof = prove(pair, context)
    assert proof.failed_code == "verify_source_changed"
    assert "vanished" in proof.failed_text
