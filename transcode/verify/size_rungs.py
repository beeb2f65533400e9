"""Rungs 10 and 11: is it worth it, and is the source still what was planned on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mediaflow.base.fs import fs
from transcode.replacing.snapshot import SourceChange, compare_snapshots, take_source_snapshot
from transcode.verify.evidence import Verdict
from transcode.verify.results import NOT_WORTH_IT, SOURCE_CHANGED, TINY

if TYPE_CHECKING:
    from transcode.replacing.snapshot import SourceSnapshot
    from transcode.verify.evidence import Evidence
    from transcode.verify.results import RungResult

SIZE = Verdict(10, "size", NOT_WORTH_IT)
SOURCE = Verdict(11, "source same", SOURCE_CHANGED)

# Below these shares of the source nobody would believe it without looking. Uncompressed and
# lossless sources shrink a hundredfold and more as a matter of course.
TINY_SHARE = 0.01
TINY_SHARE_LOSSLESS = 0.001
_LOSSLESS = frozenset(
    ("rawvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "prores", "dnxhd", "mjpeg", "png")
)


def check_size(evidence: Evidence) -> RungResult:
    """Rung 10: at least the policy's saving, and not so small that something must be missing."""
    before = evidence.run.snapshot.size_bytes
    after = evidence.output.stat().st_size
    share = after / before if before else 1.0
    need = evidence.plan.min_saving_pct  # negative: a remux may cost a little
    most = before * (100 - need) // 100
    tiny = _tiny_share(evidence)
    measured = f"{100 * share:.1f} % of the source ({after:,} of {before:,} bytes)"
    limit = f"at most {most:,} bytes, at least {100 * tiny:g} %"
    if after > most:
        change = "larger" if share > 1 else "smaller"
        wish = f"at least {need} % smaller" if need > 0 else f"at most {-need} % larger"
        return SIZE.failed(
            measured,
            limit,
            f"Not worth it: the result is {abs(100 - 100 * share):.1f} % {change} than the"
            f" original, and the preset asks for {wish}.",
        )
    if share < tiny:
        return SIZE.failed(
            measured,
            limit,
            f"The result is only {100 * share:.2f} % of the original. That is too good to be"
            " believed: look at it before it replaces anything.",
            code=TINY,
        )
    change = "larger, as the preset allows" if share > 1 else "smaller"
    text = f"The result is {abs(100 - 100 * share):.1f} % {change}."
    return SIZE.passed(measured, limit, text)


def _tiny_share(evidence: Evidence) -> float:
    video = evidence.video_before
    is_lossless = video is not None and video.codec in _LOSSLESS
    return TINY_SHARE_LOSSLESS if is_lossless else TINY_SHARE


def check_source(evidence: Evidence) -> RungResult:
    """Rung 11: S0 again (trust.md). Only a moved ctime lets the content decide."""
    was = evidence.run.snapshot
    limit = "inode, size, mtime as at the start"
    try:
        now = take_source_snapshot(evidence.run.source)
    except FileNotFoundError:
        return SOURCE.failed(
            "gone", limit, "The original vanished while it was being encoded; nothing was replaced."
        )
    change = compare_snapshots(was, now)
    if change is SourceChange.CHANGED:
        fields = ", ".join(changed_fields(was, now))
        return SOURCE.failed(
            fields,
            limit,
            f"The original changed while it was being encoded ({fields}); nothing was replaced.",
        )
    if change is SourceChange.SAME:
        return SOURCE.passed("unchanged", limit, "The original is what it was at the start.")
    digest = fs.sha256(evidence.run.source, tick=evidence.side.checkpoint).sha256
    if digest != evidence.source_sha256:
        return SOURCE.failed(
            "other content", limit, "The original's content changed; nothing was replaced."
        )
    return SOURCE.passed(
        "ctime moved, same content", limit, "The original's content is what it was at the start."
    )


def changed_fields(was: SourceSnapshot, now: SourceSnapshot) -> list[str]:
    """Names of what differs, for people. A moved ctime alone is none of them."""
    return [
        name
        for name, left, right in (
            ("another file", (was.inode, was.is_regular), (now.inode, now.is_regular)),
            ("size", was.size_bytes, now.size_bytes),
            ("modification time", was.mtime_ns, now.mtime_ns),
        )
        if left != right
    ]
