"""Sound stays with the picture when the picture alone is taken out of chunks."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.transcode.chunks.clips import make
from tests.transcode.chunks.world import SPEC, chunk_world
from transcode.encoding.records import RECORD_NAME, read_record
from transcode.planning.packet_index import read_packet_index
from transcode.presets.spec import AudioRule
from transcode.verify.harmless import unknown_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=2"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"]
CODECS = ["-c:v", "libx264", "-preset", "veryfast", "-g", "15", "-bf", "2", "-c:a", "mp2"]


def sound_after_picture_s(path: Path) -> float:
    index = read_packet_index(os.fsencode(path))
    sound = next(s for s in index.spans.values() if s.kind == "audio")
    assert index.video_span is not None
    return (sound.start_s or 0.0) - (index.video_span.start_s or 0.0)


def test_sound_that_begins_after_the_picture_of_a_transport_stream_stays_there(
    tmp_path: Path,
) -> None:
    source = make("late.ts", *PICTURE, "-itsoffset", "0.4", *TONE, *CODECS, "-f", "mpegts")
    world = chunk_world(tmp_path, source)
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    world.encode()
    joined = world.join()
    before_s = sound_after_picture_s(source)
    assert before_s > 0.3
    assert sound_after_picture_s(joined) == pytest.approx(before_s, abs=0.002)
    record = read_record(joined.parent / RECORD_NAME)
    assert record is not None
    assert unknown_lines(record.result.stderr_lines) == []


def test_a_dropped_track_that_begins_first_moves_nothing(tmp_path: Path) -> None:
    early, late = [*TONE], ["-itsoffset", "0.8", *TONE]
    languages = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"]
    tracks = ["-map", "0", "-map", "1", "-map", "2", *languages]
    picture = ["-itsoffset", "0.4", *PICTURE]
    source = make("dropped.ts", *picture, *early, *late, *tracks, *CODECS, "-f", "mpegts")
    spec = replace(SPEC, audio=AudioRule(languages=("deu",)))
    world = chunk_world(tmp_path, source, spec=spec)
    assert len(world.plan.chunks) >= 2, world.plan.whole_reason
    assert len(world.plan.kept) == 2
    world.encode()
    assert sound_after_picture_s(world.join()) == pytest.approx(0.4, abs=0.02)
