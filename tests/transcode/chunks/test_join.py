"""What the join refuses, and what it leaves to the ladder. No ffmpeg."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.transcode.chunks.fakes import OK, fake_world
from transcode.chunks.commands import first_tracks_read, join_options
from transcode.chunks.joining import join_chunks, whole_result
from transcode.outcomes import JobFailed
from transcode.planning.packet_index import StreamSpan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.django_db
def test_a_chunk_whose_bytes_changed_after_its_proof_is_not_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = fake_world(tmp_path, monkeypatch)
    changed = world.encode()[1]
    path = world.folder / f"{changed.key}.mkv"
    path.write_bytes(b"x" * changed.size_bytes)
    with pytest.raises(JobFailed) as caught:
        join_chunks(world.world.context(), world.film)
    assert caught.value.reason_code == "chunk_lost"
    assert caught.value.is_retryable
    world.stub.encoded.clear()
    world.encode()  # the next attempt
    assert world.stub.encoded == [1]


@pytest.mark.django_db
def test_a_title_that_looks_like_an_option_of_the_picture_stays_a_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = fake_world(tmp_path, monkeypatch)
    given = ("-metadata:s:1", "title=Commentary:v:0", "-c:1", "copy", "-f", "matroska")
    options = join_options(replace(world.plan, output_options=given))
    assert options[:4] == given[:4]


def test_times_that_the_muxer_changed_are_told_of_sound_but_not_of_the_picture() -> None:
    picture, sound = (
        f"[{kind}#0:{n}/copy @ 0x562938454080] [warning] Non-monotonic DTS; previous: 9, current: 6"
        for n, kind in enumerate(("vost", "aost"))
    )
    result = whole_result(replace(OK, stderr_lines=(picture, sound)), [OK])
    assert result.stderr_lines == (sound,)


def spans(**starts: float | None) -> dict[int, StreamSpan]:
    return {int(n[1:]): StreamSpan("audio", at, at, 1) for n, at in starts.items()}


@pytest.mark.django_db
def test_the_clock_of_a_transport_stream_begins_with_the_picture_or_a_dropped_track_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = fake_world(tmp_path, monkeypatch)
    assert {stream.source_index for stream in world.plan.kept} == {0, 1}
    # 2 and 3 were dropped, 4 has no packet.
    index = replace(world.film.index, spans=spans(s0=1.4, s1=1.8, s2=1.0, s3=1.5, s4=None))
    options = first_tracks_read(world.plan, index, "mpegts")
    maps = [value for name, value in pairwise(options) if name == "-map"]
    assert maps == ["0:0", "0:2"]
    assert first_tracks_read(world.plan, index, "matroska,webm") == ()
