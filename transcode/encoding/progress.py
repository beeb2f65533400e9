"""Reads what `ffmpeg -progress` prints: `key=value` lines, a block ends with `progress=`. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FfmpegProgress:
    """One block. None is unknown (ffmpeg prints `N/A`), never 0."""

    frame: int | None = None
    fps: float | None = None
    out_time_us: int | None = None
    total_size: int | None = None
    speed: float | None = None  # times real time
    dup_frames: int | None = None
    drop_frames: int | None = None
    is_end: bool = False

    @property
    def out_time_s(self) -> float | None:
        return None if self.out_time_us is None else self.out_time_us / 1_000_000


@dataclass(slots=True)
class ProgressParser:
    """Give it line after line; it returns a block when one is complete."""

    _values: dict[str, str] = field(default_factory=dict)

    def feed(self, line: str) -> FfmpegProgress | None:
        """Unknown keys and broken lines are ignored."""
        key, separator, value = line.strip().partition("=")
        if not separator:
            return None
        if key != "progress":
            self._values[key] = value.strip()
            return None
        values, self._values = self._values, {}
        return FfmpegProgress(
            frame=_whole(values.get("frame")),
            fps=_number(values.get("fps")),
            # `out_time_ms` holds microseconds as well, so it is not read.
            out_time_us=_whole(values.get("out_time_us")),
            total_size=_whole(values.get("total_size")),
            speed=_number(values.get("speed", "").removesuffix("x")),
            dup_frames=_whole(values.get("dup_frames")),
            drop_frames=_whole(values.get("drop_frames")),
            is_end=value.strip() == "end",
        )


def _whole(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None
