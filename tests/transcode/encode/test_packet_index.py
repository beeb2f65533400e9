"""What lies in a film, counted from its packets."""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import av
import pytest

from library.probing.probe import ProbeProblem
from tests.media import ffmpeg_path, make_clip
from transcode.outcomes import JobCancelled
from transcode.planning import packet_index
from transcode.planning.file_hasher import FileHasher
from transcode.planning.opening_frames import OpeningFrames
from transcode.planning.packet_index import PacketIndex, index_in_worker, read_packet_index

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ffmpeg


def read(path: Path, *, with_sha256: bool = False) -> PacketIndex:
    return read_packet_index(os.fsencode(path), with_sha256=with_sha256)


def decoded_frames(path: Path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def make(path: Path, *options: str) -> Path:
    source = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4"]
    argv = [ffmpeg_path(), "-nostdin", "-v", "error", "-y", *source, *options, str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return path


def remux(clip: Path, target: Path, *options: str) -> None:
    argv = [ffmpeg_path(), "-nostdin", "-v", "error", "-y", "-i", f"file:{clip}", *options]
    argv += ["-c", "copy", f"file:{target}"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=60)


@pytest.mark.parametrize(
    "kind", ["h264_mkv", "h264_mp4", "mpeg4_avi", "mpeg2_ts", "ts", "vfr", "interlaced", "av1"]
)
def test_as_many_pictures_are_counted_as_decoding_gives(tmp_path: Path, kind: str) -> None:
    clip = make_clip(kind, tmp_path / "clip", seconds=2)
    index = read(clip)
    assert index.frames == decoded_frames(clip)
    assert list(index.video_pts) == sorted(set(index.video_pts))
    assert not index.is_truncated
    assert len(index.video_sizes) == index.frames
    span = index.video_span
    assert span is not None
    assert index.undecodable_packets or sum(index.video_sizes) == span.size_bytes


def test_pictures_that_an_edit_list_hides_are_not_counted(tmp_path: Path) -> None:
    clip = make_clip("edit_list", tmp_path / "clip.mp4", seconds=2)
    index = read(clip)
    assert index.hidden_packets > 0
    assert index.frames == decoded_frames(clip)
    assert index.spans[1].hidden_s > 0.5


@pytest.mark.parametrize(
    "options",
    [
        ("-c:v", "libx264", "-preset", "fast", "-x264-params", "open-gop=1:keyint=24"),
        ("-c:v", "mpeg2video", "-bf", "2", "-g", "24"),
        ("-c:v", "libx265", "-x265-params", "log-level=none:open-gop=1:keyint=24"),
    ],
    ids=["h264", "mpeg2", "hevc"],
)
def test_a_recording_that_starts_within_a_group_counts_what_can_be_decoded(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    raw = make(tmp_path / "whole.ts", *options).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(raw[: 188 * 3] + raw[len(raw) // 188 // 3 * 188 :])
    index = read(cut)
    assert index.undecodable_packets > 0
    assert index.frames == decoded_frames(cut)


def test_counting_by_decoding_agrees_with_counting_packets(tmp_path: Path) -> None:
    """The way for films whose fields are packets of their own, on a film where both ways work."""
    clip = make_clip("ts", tmp_path / "clip.ts", seconds=2)
    whole = packet_index._read_once(os.fsencode(clip), None, lambda: None, decodes_all=True)
    assert whole is not None
    assert whole.video_pts == read(clip).video_pts


def test_pictures_in_fields_of_their_own_are_counted_by_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No encoder here makes such films: the first pass is told that two packets are one picture."""
    clip = make_clip("ts", tmp_path / "clip.ts", seconds=2)
    by_packets = read(clip, with_sha256=True)
    monkeypatch.setattr(
        OpeningFrames, "has_field_packets", property(lambda self: not self._decodes_all)
    )
    assert read(clip, with_sha256=True) == by_packets


def test_a_recording_without_any_keyframe_has_no_picture_to_count(tmp_path: Path) -> None:
    options = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "500")
    raw = make(tmp_path / "whole.ts", *options).read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(raw[: 188 * 3] + raw[len(raw) // 188 // 2 * 188 :])
    index = packet_index._read_once(os.fsencode(cut), None, lambda: None, decodes_all=True)
    assert index is not None
    assert index.video_span is not None
    assert index.video_span.packets > 40
    assert (index.frames, list(index.video_sizes)) == (0, [])


def test_a_bare_stream_has_packets_without_times_and_no_pictures_that_could_be_placed(
    tmp_path: Path,
) -> None:
    index = read(make(tmp_path / "clip.h264", "-c:v", "libx264", "-preset", "ultrafast"))
    span = index.video_span
    assert span is not None
    assert (span.packets, span.start_s, span.end_s) == (100, None, None)
    assert (index.frames, index.has_exact_pts) == (0, False)


def test_sound_alone_has_spans_and_no_pictures(tmp_path: Path) -> None:
    clip = make_clip("two_audio", tmp_path / "clip.mkv")
    sound = tmp_path / "sound.mkv"
    remux(clip, sound, "-vn", "-map", "0:a")
    index = read(sound, with_sha256=True)
    assert (index.video_index, index.video_span, index.frames) == (None, None, 0)
    assert [span.kind for span in index.spans.values()] == ["audio", "audio"]
    assert not index.is_truncated
    assert index.sha256 == hashlib.sha256(sound.read_bytes()).hexdigest()


def test_packets_that_must_not_be_decoded_are_counted_all_the_same(tmp_path: Path) -> None:
    index = read(make_clip("magicyuv", tmp_path / "clip.mkv"))
    assert index.frames > 0
    assert index.video_span is not None
    assert index.video_span.packets == index.frames


def test_a_film_whose_reading_stops_in_its_middle_is_truncated(tmp_path: Path) -> None:
    bare = tmp_path / "clip.obu"
    remux(make_clip("av1", tmp_path / "clip.webm"), bare, "-an", "-f", "obu")
    whole = read(bare).frames
    raw = bare.read_bytes()
    bare.write_bytes(raw[: len(raw) // 2] + b"\xff" * (len(raw) // 2))
    index = read(bare)
    assert 0 < index.frames < whole
    assert index.is_truncated
    assert any(problem.startswith("reading stopped: ") for problem in index.problems)


def test_a_file_that_breaks_off_is_truncated(tmp_path: Path) -> None:
    index = read(make_clip("truncated", tmp_path / "clip.mkv", seconds=3))
    assert index.is_truncated
    assert any("header says" in problem for problem in index.problems)


def test_the_hash_of_the_same_pass_is_the_hash_of_the_file(tmp_path: Path) -> None:
    clip = make_clip("two_audio", tmp_path / "clip.mkv", seconds=2)
    assert read(clip, with_sha256=True).sha256 == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert read(clip).sha256 == ""


def test_ends_of_streams_are_those_of_the_last_packets(tmp_path: Path) -> None:
    spans = read(make_clip("late_start", tmp_path / "clip.mkv", seconds=2)).spans
    assert spans[0].kind == "video"
    assert spans[0].start_s == pytest.approx(0.7, abs=0.03)
    assert spans[0].end_s == pytest.approx(2.7, abs=0.06)
    assert spans[1].end_s == pytest.approx(2.0, abs=0.06)


def test_the_run_in_of_a_decoder_is_no_sound(tmp_path: Path) -> None:
    """AAC in Matroska begins with 1024 samples that nobody hears."""
    span = read(make_clip("h264_mkv", tmp_path / "clip.mkv")).spans[1]
    assert span.start_s == pytest.approx(0.0, abs=0.002)


def test_the_worker_gives_the_same_as_this_process(tmp_path: Path) -> None:
    clip = make_clip("h264_mkv", tmp_path / "clip.mkv")
    assert index_in_worker(os.fsencode(clip), with_sha256=True) == read(clip, with_sha256=True)


@pytest.mark.parametrize(
    ("content", "kind"), [(b"no film at all" * 100, "unreadable"), (None, "vanished")]
)
def test_the_worker_says_why_there_is_no_index(
    tmp_path: Path, content: bytes | None, kind: str
) -> None:
    path = tmp_path / "film.mkv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ProbeProblem) as caught:
        index_in_worker(os.fsencode(path))
    assert caught.value.kind == kind


def test_the_worker_takes_no_path_that_is_not_absolute() -> None:
    with pytest.raises(ProbeProblem, match="not an absolute path") as caught:
        index_in_worker(b"film.mkv")
    assert caught.value.kind == "unreadable"


def test_a_file_that_shrinks_while_it_is_hashed_ends_the_hashing(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(b"all that is left")
    hasher = FileHasher(os.fsencode(path))
    hasher.advance(1 << 30, lambda: None)  # the demuxer saw more of it
    assert hasher.finish(lambda: None) == hashlib.sha256(b"all that is left").hexdigest()
    hasher.close()


def test_a_cancel_ends_the_worker(tmp_path: Path) -> None:
    def checkpoint() -> None:
        raise JobCancelled("cancelled", "Cancelled.")

    fifo = tmp_path / "film.mkv"
    os.mkfifo(fifo)  # opening it blocks for ever
    with pytest.raises(JobCancelled):
        index_in_worker(os.fsencode(fifo), checkpoint=checkpoint)


def test_the_checkpoint_is_called_while_hashing(tmp_path: Path) -> None:
    clip = make_clip("h264_mkv", tmp_path / "clip.mkv")
    calls = []
    read_packet_index(os.fsencode(clip), with_sha256=True, checkpoint=lambda: calls.append(1))
    assert calls
