"""How tests break one thing of a good pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.transcode.verify.pairs import X265, Pair, ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.encoding.process import FfmpegResult


def ended(pair: Pair) -> FfmpegResult:
    assert pair.result is not None
    return pair.result


def remuxed(pair: Pair, folder: Path, *options: str, name: str = "broken.mkv") -> Pair:
    """The output copied stream by stream, with one thing done differently."""
    target = folder / name
    ffmpeg("-i", pair.output, "-map", "0", "-c", "copy", *options, target)
    return pair.with_output(target)


def reencoded(pair: Pair, folder: Path, graph: str, *options: str) -> Pair:
    """The source encoded again as the good output was, through another filter graph."""
    target = folder / "broken.mkv"
    ffmpeg(
        *("-i", pair.source, "-map", "0", "-c:a", "copy", "-c:s", "copy", "-c:t", "copy"),
        *(*X265, "-crf", "20", "-vf", graph, "-fps_mode", "passthrough", *options),
        target,
    )
    return pair.with_output(target)


def flip(path: Path, offset: int, count: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset : offset + count] = bytes(byte ^ 0xFF for byte in raw[offset : offset + count])
    path.write_bytes(bytes(raw))
