"""What really lies in a film: one demuxing pass over all packets. No decoding, no Django.

The container's header says what was meant; the packets say what is there. Frame counts, stream ends
and truncation all come from here, and on demand the SHA-256 of the file in the same pass.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import av.logging
from av.stream import Disposition

from library.probing.pool import run_guarded_worker
from library.probing.probe import ProbeProblem
from mediaflow.base.input_guard import InputRefused, is_decoder_allowed, open_guarded
from transcode.planning.file_hasher import FileHasher
from transcode.planning.opening_frames import OpeningFrames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# Containers whose header states the duration, so that packets which end earlier mean lost bytes.
# Others (transport and program streams) have none: FFmpeg guesses from the bit rate.
_FORMATS_WITH_DURATION = frozenset({"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "avi"})
MISSING_END_S = 0.5
MISSING_END_SHARE = 0.001
PACKETS_PER_CHECKPOINT = 2000
MAX_PROBLEMS = 20
# A worker that reads more slowly than a bad network mount hangs.
_MIN_TIMEOUT_S = 300.0
_SLOWEST_BYTES_PER_S = 2_000_000
# Lines of the demuxers that say that bytes are missing.
_TRUNCATION_WORDS = (
    "file ended prematurely",
    "truncat",
    "unexpected eof",
    "stream ends prematurely",
)


@dataclass(frozen=True, slots=True)
class StreamSpan:
    """Presented packets of one stream, in seconds of the container's clock; None: no times."""

    kind: str  # video, audio, subtitle, data, attachment
    start_s: float | None
    end_s: float | None  # end of the packet that ends last
    packets: int
    size_bytes: int = 0
    hidden_s: float = 0.0  # of its packets, by an edit list


@dataclass(frozen=True, slots=True)
class PacketIndex:
    """Presented packets: those that an edit list hides or that cannot be decoded are left out."""

    video_index: int | None  # the film's own stream
    video_pts: array[int]  # sorted, in ticks of time_base
    video_keys: array[int]  # sorted PTS of the keyframes among them
    time_base: Fraction
    spans: dict[int, StreamSpan]
    is_truncated: bool
    problems: tuple[str, ...]  # what the demuxer said, and what does not fit
    sha256: str = ""
    has_exact_pts: bool = True  # False: the container stores decoding times only (AVI)
    hidden_packets: int = 0  # of the video, left out as an edit list says
    undecodable_packets: int = 0  # of the video, before its first usable keyframe
    # Bytes of each picture of `video_pts`; empty where an index was made without them.
    video_sizes: array[int] = field(default_factory=lambda: array("q"))

    @property
    def frames(self) -> int:
        return len(self.video_pts)

    @property
    def video_span(self) -> StreamSpan | None:
        return None if self.video_index is None else self.spans.get(self.video_index)


@dataclass(slots=True)
class _Tally:
    """One stream while packets go by."""

    kind: str
    time_base: Fraction
    packets: int = 0
    size_bytes: int = 0
    start: int | None = None
    end: int | None = None
    end_duration: int = 0
    sample_rate_hz: int = 0  # of sound
    heard_from: int | None = None
    hidden_ticks: int = 0

    def add(self, packet: Packet[Any], ticks: int | None) -> None:
        self.packets += 1
        self.size_bytes += packet.size
        if ticks is None:
            return
        duration = packet.duration or 0
        if self.start is None and self.sample_rate_hz:
            # A decoder's run-in (AAC: 1024 samples) has a time and is never heard.
            run_in_s = Fraction(_skipped_samples(packet), self.sample_rate_hz)
            self.heard_from = ticks + round(run_in_s / self.time_base)
        if self.heard_from is not None and ticks < self.heard_from:
            unheard = self.heard_from - ticks
            ticks, duration = self.heard_from, max(0, duration - unheard)
        self.start = ticks if self.start is None else min(self.start, ticks)
        if self.end is None or ticks + duration >= self.end + self.end_duration:
            self.end, self.end_duration = ticks, duration

    def span(self, fallback_ticks: int) -> StreamSpan:
        """`fallback_ticks`: the length of the last packet where the container does not say it."""
        if self.start is None or self.end is None:
            return StreamSpan(self.kind, None, None, self.packets, self.size_bytes)
        end = self.end + (self.end_duration or fallback_ticks)
        start_s, end_s = float(self.start * self.time_base), float(end * self.time_base)
        hidden_s = float(self.hidden_ticks * self.time_base)
        return StreamSpan(self.kind, start_s, end_s, self.packets, self.size_bytes, hidden_s)


def _skipped_samples(packet: Packet[Any]) -> int:
    """Samples that the decoder throws away at the start of this packet (and maybe beyond it)."""
    for side_data in packet.iter_sidedata():
        if side_data.data_type == "skip_samples":
            return int.from_bytes(bytes(side_data)[:4], "little")
    return 0


@dataclass(slots=True)
class _VideoTicks:
    pts: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    hidden: int = 0
    without_pts: int = 0

    def add(self, packet: Packet[Any], ticks: int | None) -> None:
        self.without_pts += packet.pts is None
        if ticks is None:
            return
        self.pts.append(ticks)
        self.sizes.append(packet.size)
        if packet.is_keyframe:
            self.keys.append(ticks)

    def in_order(self) -> tuple[list[int], list[int]]:
        """Timestamps and sizes in the order of showing."""
        order = sorted(range(len(self.pts)), key=self.pts.__getitem__)
        return [self.pts[n] for n in order], [self.sizes[n] for n in order]


def read_packet_index(
    path: bytes, *, with_sha256: bool = False, checkpoint: Callable[[], None] | None = None
) -> PacketIndex:
    """Read every packet once. Memory: 24 bytes per video packet. Calls `checkpoint` often.

    Raises InputRefused and av.error.FFmpegError where the file cannot be opened at all; a file that
    breaks off later gives an index with `is_truncated`. Jobs use `index_in_worker`.
    """
    keep_going = checkpoint or _no_checkpoint
    hasher = FileHasher(path) if with_sha256 else None
    try:
        index = _read_once(path, hasher, keep_going, decodes_all=False)
        if index is None:  # separate fields: count pictures instead of packets
            index = _read_once(path, None, keep_going, decodes_all=True)
        assert index is not None
        return replace(index, sha256=hasher.finish(keep_going) if hasher else "")
    finally:
        if hasher:
            hasher.close()


def index_in_worker(
    path: bytes, *, with_sha256: bool = False, checkpoint: Callable[[], None] | None = None
) -> PacketIndex:
    """`read_packet_index` in a limited process of its own; what `checkpoint` raises ends it.

    Raises ProbeProblem: the reader crashed, took too long, or the film cannot be opened.
    """
    timeout_s = _MIN_TIMEOUT_S + _size_bytes(path) / _SLOWEST_BYTES_PER_S
    answer = run_guarded_worker(
        _index_or_problem, path, with_sha256, timeout_s=timeout_s, checkpoint=checkpoint
    )
    if isinstance(answer, PacketIndex):
        return answer
    raise ProbeProblem(*answer)


def _index_or_problem(path: bytes, with_sha256: bool) -> PacketIndex | tuple[str, str]:
    """Runs in the worker. FFmpeg's errors do not all survive pickling, two texts do."""
    try:
        return read_packet_index(path, with_sha256=with_sha256)
    except FileNotFoundError:
        return "vanished", "The file is gone."
    except InputRefused as error:
        return "unreadable", f"It cannot be opened: {error}."
    except (av.error.FFmpegError, OSError) as error:
        return "unreadable", f"It cannot be read: {error.strerror or type(error).__name__}."


def _size_bytes(path: bytes) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0  # the worker says what is wrong


def _read_once(
    path: bytes,
    hasher: FileHasher | None,
    checkpoint: Callable[[], None],
    *,
    decodes_all: bool,
) -> PacketIndex | None:
    """One pass. None when packets are no pictures and the film has to be decoded."""
    with _demuxer_messages() as messages, open_guarded(path) as film:
        pass_ = _Pass(film, decodes_all=decodes_all)
        problems: list[str] = []
        try:
            _demux(film, pass_, hasher, checkpoint)
        except _FieldPackets:
            return None
        except av.error.FFmpegError as error:
            problems.append(f"reading stopped: {error.strerror or type(error).__name__}")
            pass_.is_broken_off = True
        problems += _distinct(line for _level, _name, line in messages)
        return pass_.result(film, problems)


class _FieldPackets(Exception):
    """Two packets make one picture."""


def _demux(
    film: InputContainer,
    pass_: _Pass,
    hasher: FileHasher | None,
    checkpoint: Callable[[], None],
) -> None:
    for number, packet in enumerate(film.demux(), start=1):
        pass_.add(packet)
        if number % PACKETS_PER_CHECKPOINT == 0:
            checkpoint()
        # Hash what was just read, while it is in the page cache: one pass over the disk.
        if hasher is not None and packet.pos is not None:
            hasher.advance(packet.pos, checkpoint)
    pass_.end_of_film()


class _Pass:
    """What one pass gathers."""

    def __init__(self, film: InputContainer, *, decodes_all: bool) -> None:
        self.is_broken_off = False
        self.tallies = {
            s.index: _Tally(
                s.type,
                s.time_base or Fraction(1, 1_000_000),
                sample_rate_hz=getattr(s.codec_context, "rate", 0) if s.type == "audio" else 0,
            )
            for s in film.streams
        }
        self.video = _main_video(film)
        self.time_base = (self.video and self.video.time_base) or Fraction(1)
        self.ticks = _VideoTicks()
        self.opening: OpeningFrames | None = None
        self.decodes_all = decodes_all
        if self.video is not None and is_decoder_allowed(self.video):
            self.opening = OpeningFrames(self.video, film.format.name, decodes_all=decodes_all)

    def add(self, packet: Packet[Any]) -> None:
        tally = self.tallies.get(packet.stream_index)
        if packet.size == 0 or tally is None:  # flush packets; streams that appear later
            return
        is_film = self.video is not None and packet.stream_index == self.video.index
        if is_film:
            self._show_opening(packet)
        if packet.is_discard:
            self.ticks.hidden += is_film
            tally.hidden_ticks += packet.duration or 0
            return
        ticks = packet.pts if packet.pts is not None else packet.dts
        tally.add(packet, ticks)
        if is_film:
            self.ticks.add(packet, ticks)

    def _show_opening(self, packet: Packet[Any]) -> None:
        if self.opening is None or self.opening.is_done:
            return
        if self.opening.feed(packet) and self.opening.has_field_packets:
            raise _FieldPackets

    def end_of_film(self) -> None:
        if self.opening is not None:
            self.opening.finish()

    def result(self, film: InputContainer, problems: list[str]) -> PacketIndex:
        (pts, sizes), keys = self.ticks.in_order(), sorted(self.ticks.keys)
        undecodable = 0
        if self.decodes_all and self.opening is not None:
            packets, pts = pts, sorted(self.opening.frame_pts)
            sizes = _dealt(packets, sizes, pts)
        elif self.opening is not None and self.opening.first_frame is not None:
            first = self.opening.first_frame
            undecodable = bisect_left(pts, first)
            pts, keys = pts[undecodable:], keys[bisect_left(keys, first) :]
            sizes = sizes[undecodable:]
        spans = self._spans(pts)
        is_truncated = self.is_broken_off or _says_truncated(problems)
        missing = _missing_end(film, spans)
        if missing:
            is_truncated = True
            problems.append(missing)
        return PacketIndex(
            video_index=None if self.video is None else self.video.index,
            video_pts=array("q", pts),
            video_keys=array("q", keys),
            time_base=self.time_base,
            spans=spans,
            is_truncated=is_truncated,
            problems=tuple(problems[:MAX_PROBLEMS]),
            has_exact_pts=self.ticks.without_pts == 0,
            hidden_packets=self.ticks.hidden,
            undecodable_packets=undecodable,
            video_sizes=array("q", sizes),
        )

    def _spans(self, pts: list[int]) -> dict[int, StreamSpan]:
        step = pts[-1] - pts[-2] if len(pts) > 1 else 0
        spans = {
            index: tally.span(step if self.video and index == self.video.index else 0)
            for index, tally in self.tallies.items()
        }
        if self.video is not None and pts:
            # Pictures that cannot be decoded are no part of the film: it starts with the first one.
            start_s = float(pts[0] * self.time_base)
            spans[self.video.index] = replace(spans[self.video.index], start_s=start_s)
        return spans


def _dealt(packets: list[int], sizes: list[int], pictures: list[int]) -> list[int]:
    """The bytes of each picture that is made of several packets; all lists are sorted."""
    dealt = [0] * len(pictures)
    for ticks, size in zip(packets, sizes, strict=True):
        if pictures:
            dealt[max(0, bisect_right(pictures, ticks) - 1)] += size
    return dealt


def _main_video(film: InputContainer) -> VideoStream | None:
    """The film's own stream: not a picture on the cover; by the rule of MediaInfo.main_video."""
    candidates = [s for s in film.streams.video if not s.disposition & Disposition.attached_pic]
    return max(candidates, key=_video_rank, default=None)


def _video_rank(stream: VideoStream) -> tuple[bool, int, int]:
    context = stream.codec_context
    pixels = 0 if context is None else context.width * context.height
    return bool(stream.disposition & Disposition.default), pixels, -stream.index


def _missing_end(film: InputContainer, spans: dict[int, StreamSpan]) -> str:
    """A sentence when the packets end before the header says so, else ""."""
    if film.format.name not in _FORMATS_WITH_DURATION or not film.duration:
        return ""
    # Matroska's duration counts from zero, wherever the first packet lies; others' from the start.
    is_from_zero = "matroska" in film.format.name
    start_s = 0.0 if is_from_zero else (film.start_time or 0) / av.time_base
    header_end_s = start_s + film.duration / av.time_base
    last_s = max((s.end_s for s in spans.values() if s.end_s is not None), default=0.0)
    if header_end_s - last_s <= max(MISSING_END_S, MISSING_END_SHARE * header_end_s):
        return ""
    return f"the header says {header_end_s:.2f} s, the last packet ends at {last_s:.2f} s"


@contextmanager
def _demuxer_messages() -> Iterator[list[tuple[int, str, str]]]:
    """Errors that FFmpeg's libraries log meanwhile, in this whole process."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as messages:
            yield messages
    finally:
        av.logging.set_level(before)


def _says_truncated(problems: list[str]) -> bool:
    return any(word in line.lower() for line in problems for word in _TRUNCATION_WORDS)


def _distinct(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(line.strip()[:300] for line in lines))[:MAX_PROBLEMS]


def _no_checkpoint() -> None:
    return None
