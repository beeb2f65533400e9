"""Rungs 3, 4 and 7: how long, how many frames and when each is shown, picture against sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from transcode.planning.model import StreamKind
from transcode.verify.evidence import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transcode.planning.model import PlannedStream
    from transcode.planning.packet_index import PacketIndex, StreamSpan
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

DURATION = Verdict(3, "duration", "verify_duration")
FRAMES = Verdict(4, "frames", "verify_frames")
SYNC = Verdict(7, "sync", "verify_sync")

VIDEO_END_LIMIT_S = 0.1  # or two frames, whichever is more
AUDIO_END_LIMIT_S = 0.5
HEADER_LIMIT_S = 1.0  # plus one percent: headers round, and count what players never show
SYNC_LIMIT_S = 0.020
PTS_LIMIT_S = 0.001  # or one tick of the output's clock (Matroska: 1 ms)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One kept stream: where it lies in the source and in the output."""

    planned: PlannedStream
    before: StreamSpan
    after: StreamSpan


def _pairs(evidence: Evidence) -> Iterator[_Pair]:
    """Picture and sound that have timestamps on both sides."""
    for planned in evidence.plan.kept:
        if planned.kind not in (StreamKind.VIDEO, StreamKind.AUDIO):
            continue
        before = evidence.source_index.spans.get(planned.source_index)
        after = evidence.output_index.spans.get(_output_index(planned))
        if before is None or after is None or after.kind != planned.kind.value:
            continue  # the streams rung judges what is not there at all
        if before.end_s is not None and after.end_s is not None:
            yield _Pair(planned, before, after)


def _output_index(planned: PlannedStream) -> int:
    return -1 if planned.output_index is None else planned.output_index


def _frame_s(index: PacketIndex) -> float:
    """Mean length of a frame; 0 when there are fewer than two."""
    pts = index.video_pts
    if len(pts) < 2:
        return 0.0
    return float((pts[-1] - pts[0]) * index.time_base) / (len(pts) - 1)


def check_duration(evidence: Evidence) -> RungResult:
    """Rung 3: where the last packet of each stream ends, relative to where the film begins."""
    header = _header_gap(evidence)
    if header is not None:
        return header
    video_limit = max(VIDEO_END_LIMIT_S, 2 * _frame_s(evidence.source_index))
    limit_text = f"video {video_limit:.3f} s, audio {AUDIO_END_LIMIT_S:.1f} s"
    pairs = list(_pairs(evidence))
    missing = _without_packets(evidence)
    if missing:
        return DURATION.failed(missing, limit_text, f"In the output, {missing} has no packets.")
    base_before = min((p.before.start_s or 0.0 for p in pairs), default=0.0)
    base_after = min((p.after.start_s or 0.0 for p in pairs), default=0.0)
    worst = 0.0
    for pair in pairs:
        ends = (pair.before.end_s or 0.0) - base_before, (pair.after.end_s or 0.0) - base_after
        gap = abs(ends[1] - ends[0])
        limit = video_limit if pair.planned.kind == StreamKind.VIDEO else AUDIO_END_LIMIT_S
        worst = max(worst, gap)
        if gap > limit:
            kind = pair.planned.kind.value
            return DURATION.failed(
                f"{kind} ends {gap:.3f} s off",
                limit_text,
                f"The {kind} of the output ends at {ends[1]:.3f} s, that of the source at"
                f" {ends[0]:.3f} s; at most {limit:.3f} s difference is allowed.",
            )
    return DURATION.passed(
        f"{worst:.3f} s at most", limit_text, "Every stream lasts as long as in the source."
    )


def _without_packets(evidence: Evidence) -> str:
    """A stream that had packets and came out with none; "" when there is none such."""
    for planned in evidence.plan.kept:
        if planned.kind not in (StreamKind.VIDEO, StreamKind.AUDIO):
            continue
        before = evidence.source_index.spans.get(planned.source_index)
        after = evidence.output_index.spans.get(_output_index(planned))
        if before and before.packets and after and not after.packets:
            return f"{planned.kind.value} stream {planned.output_index}"
    return ""


def _header_gap(evidence: Evidence) -> RungResult | None:
    """A source that breaks off (its header promises more than there is) was never a whole film."""
    index = evidence.source_index
    ends = [s.end_s for s in index.spans.values() if s.end_s is not None]
    starts = [s.start_s for s in index.spans.values() if s.start_s is not None]
    header = evidence.before.duration_s
    if index.is_truncated:
        real = max(ends, default=0.0) - min(starts, default=0.0)
        promised = f"{header:.2f} s" if header is not None else "an unknown length"
        return DURATION.failed(
            f"source header {promised}, packets {real:.2f} s",
            "header and packets agree",
            f"The source breaks off: its header says {promised}, its packets end after"
            f" {real:.2f} s.",
        )
    return _output_gap(evidence)


def _output_gap(evidence: Evidence) -> RungResult | None:
    """The same of the output: its own header must not promise more than was written."""
    index, header = evidence.output_index, evidence.after.duration_s
    ends = [s.end_s for s in index.spans.values() if s.end_s is not None]
    end = max(ends, default=0.0)
    # The header's length counts from zero in Matroska and from the start elsewhere: allow both.
    limit = HEADER_LIMIT_S + 0.01 * (header or 0.0)
    if not index.is_truncated and (header is None or not ends or header - end <= limit):
        return None
    promised = f"{header:.2f} s" if header is not None else "an unknown length"
    return DURATION.failed(
        f"output header {promised}, packets {end:.2f} s",
        f"{limit:.2f} s",
        f"The output breaks off: its header says {promised}, its packets end at {end:.2f} s.",
    )


def check_frames(evidence: Evidence) -> RungResult:
    """Rung 4: the number of frames shown, and the moment of each."""
    video = evidence.plan.video
    if evidence.planned_video is None:
        return FRAMES.not_applicable("The film has no picture.")
    tolerance = video.frame_tolerance if video else 0
    source = evidence.source_index
    expected = video.expected_frames if video else len(source.video_pts)
    counted = len(evidence.output_index.video_pts)
    limit_text = f"{expected} ± {tolerance}" if tolerance else f"{expected}"
    if abs(counted - expected) > tolerance:
        return FRAMES.failed(
            f"{counted}",
            limit_text,
            f"The output shows {counted} frames where {expected} are expected.",
        )
    # A film in chunks was cut by these times, and each was proven: they are exact enough.
    is_exact = source.has_exact_pts or evidence.is_joined
    if tolerance or not source.video_pts or not is_exact:
        return FRAMES.passed(
            f"{counted}", limit_text, f"The output shows {counted} frames, as expected."
        )
    return _check_moments(evidence, expected, limit_text)


def _check_moments(evidence: Evidence, expected: int, limit_text: str) -> RungResult:
    source, output = evidence.source_index, evidence.output_index
    step = max(1, round(expected / len(source.video_pts)))  # 2: one frame per field
    limit_s = max(PTS_LIMIT_S, float(output.time_base)) + 1e-6
    worst, frame = largest_shift(
        source.video_pts, source.time_base, output.video_pts[::step], output.time_base
    )
    measured = f"{expected} frames, moments within {1000 * worst:.2f} ms"
    limit = f"{limit_text}, {1000 * limit_s:.2f} ms"
    if worst > limit_s:
        return FRAMES.failed(
            measured,
            limit,
            f"The number of frames is right, but frame {frame * step} is shown"
            f" {1000 * worst:.1f} ms off; at most {1000 * limit_s:.1f} ms is allowed.",
        )
    return FRAMES.passed(measured, limit, f"All {expected} frames are there, each at its moment.")


def largest_shift(
    before: Sequence[int], before_base: Fraction, after: Sequence[int], after_base: Fraction
) -> tuple[float, int]:
    """(seconds, frame) where the two lists, each counted from its first entry, differ most."""
    if not before or not after:
        return 0.0, 0
    common = Fraction(1, before_base.denominator * after_base.denominator)
    left, right = int(before_base / common), int(after_base / common)
    first_before, first_after = before[0], after[0]
    gaps = (
        abs((b - first_before) * left - (a - first_after) * right)
        for b, a in zip(before, after, strict=False)
    )
    worst, frame = max((gap, -number) for number, gap in enumerate(gaps))
    return float(worst * common), -frame


def check_sync(evidence: Evidence) -> RungResult:
    """Rung 7: how far the sound moved against the picture, at its start and at its end."""
    pairs = list(_pairs(evidence))
    video = next((p for p in pairs if p.planned.kind == StreamKind.VIDEO), None)
    sounds = [p for p in pairs if p.planned.kind == StreamKind.AUDIO]
    if video is None or not sounds:
        return SYNC.not_applicable("There is no sound beside a picture to compare.")
    before, after = evidence.source_sound_starts, evidence.output_timing.sound_starts_s
    limit_text = f"{1000 * SYNC_LIMIT_S:.0f} ms"
    worst = 0.0
    for pair in sounds:
        number = pair.planned.output_index
        moved = _start_change(video, pair, before, after)
        if abs(moved) > SYNC_LIMIT_S:
            return _out_of_sync(moved, f"sound {number} begins", limit_text)
        gap = _end_change(video, pair)
        allowed = SYNC_LIMIT_S + _codec_frame_s(evidence, pair.planned)
        if abs(gap) > allowed:
            return _out_of_sync(gap, f"sound {number} ends", f"{1000 * allowed:.0f} ms")
        worst = max(worst, abs(moved), abs(gap))
    return SYNC.passed(f"{1000 * worst:.1f} ms", limit_text, "Sound and picture stayed together.")


def _out_of_sync(moved: float, what: str, limit: str) -> RungResult:
    direction = "later" if moved > 0 else "earlier"
    return SYNC.failed(
        f"{what} {1000 * abs(moved):.1f} ms {direction}",
        limit,
        f"Against the picture, {what} {1000 * abs(moved):.1f} ms {direction} than in the source;"
        f" at most {limit} is allowed.",
    )


def _start_change(
    video: _Pair, sound: _Pair, before: dict[int, float], after: dict[int, float]
) -> float:
    """Seconds that the first sound heard moved against the first picture shown."""
    source_start = before.get(sound.planned.source_index, sound.before.start_s or 0.0)
    output_start = after.get(_output_index(sound.planned), sound.after.start_s or 0.0)
    return (output_start - (video.after.start_s or 0.0)) - (
        source_start - (video.before.start_s or 0.0)
    )


def _end_change(video: _Pair, sound: _Pair) -> float:
    """Seconds that the end of the sound moved against the end of the picture."""
    return ((sound.after.end_s or 0.0) - (video.after.end_s or 0.0)) - (
        (sound.before.end_s or 0.0) - (video.before.end_s or 0.0)
    )


def _codec_frame_s(evidence: Evidence, planned: PlannedStream) -> float:
    """What an encoder may add to fill its last frame; nothing for a copied stream.

    AC-3 has 1536 samples, AAC 1024, Opus 960, FLAC up to 4608; where the container says how much of
    the last packet is padding, the measured change is far less.
    """
    if not planned.encoder:
        return 0.0
    samples = {"ac3": 1536, "eac3": 1536, "flac": 4608}.get(planned.output_codec, 1024)
    stream = next((a for a in evidence.after.audio if a.index == planned.output_index), None)
    return samples / ((stream.sample_rate_hz if stream else 0) or 48_000)
