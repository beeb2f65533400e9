"""NVIDIA's GPUs as `nvidia-smi` sees them, and whether one may take another encode. No Django.

Not tried on hardware: recorded answers of `nvidia-smi` are what the tests have.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transcode.encoders.hardware import NVENC

if TYPE_CHECKING:
    from collections.abc import Callable

    from transcode.encoders.model import VideoEncoder

QUERY_TIMEOUT_S = 10
LOOK_AGAIN_S = 5.0
_FIELDS = (
    "index",
    "name",
    "driver_version",
    "temperature.gpu",
    "memory.total",
    "memory.used",
    "encoder.stats.sessionCount",
    "utilization.encoder",
)
_MIB = 1024**2
MAX_TEMPERATURE_C = 87  # most chips slow down from here on
MIN_FREE_BYTES = 512 * _MIB  # one 4K session of ten bits with lookahead
SESSIONS_PER_UNIT = 2  # keep one encoding unit busy
# Encoding units per GPU where there is more than one; the first name that fits.
_UNITS = (("L40", 3), ("RTX 6000 Ada", 3), ("L4", 2), ("RTX 4090", 2), ("RTX 4080", 2))


@dataclass(frozen=True, slots=True)
class GpuState:
    """None: the GPU does not say."""

    index: str
    name: str
    driver: str
    temperature_c: int | None = None
    memory_bytes: int | None = None
    used_bytes: int | None = None
    sessions: int | None = None
    encoder_pct: int | None = None

    @property
    def default_sessions(self) -> int:
        units = next((count for part, count in _UNITS if part in self.name), 1)
        return SESSIONS_PER_UNIT * units


def gpu_states() -> tuple[GpuState, ...]:
    """() where there is no `nvidia-smi`, or where it does not answer."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    argv = [command, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=QUERY_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_gpu_states(done.stdout) if done.returncode == 0 else ()


def parse_gpu_states(text: str) -> tuple[GpuState, ...]:
    """Lines of `nvidia-smi --format=csv,noheader,nounits`; others are passed over."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != len(_FIELDS) or not cells[0].isdigit():
            continue
        total, used = _number(cells[4]), _number(cells[5])
        found.append(
            GpuState(
                index=cells[0],
                name=cells[1],
                driver=cells[2],
                temperature_c=_number(cells[3]),
                memory_bytes=None if total is None else total * _MIB,
                used_bytes=None if used is None else used * _MIB,
                sessions=_number(cells[6]),
                encoder_pct=_number(cells[7]),
            )
        )
    return tuple(found)


def _number(text: str) -> int | None:
    """ "[N/A]" and "[Not Supported]" are None."""
    return int(text) if text.isdigit() else None


def why_not_now(state: GpuState, *, max_sessions: int = 0) -> str:
    """Why this GPU should take no further encode now; "" when it may.

    `max_sessions` 0: two for each encoding unit. What the GPU does not say holds nothing up.
    """
    limit = max_sessions or state.default_sessions
    if state.sessions is not None and state.sessions >= limit:
        return f"{state.name} runs {state.sessions} encodes; {limit} at once are wanted."
    if state.temperature_c is not None and state.temperature_c >= MAX_TEMPERATURE_C:
        return f"{state.name} is at {state.temperature_c} °C; it waits below {MAX_TEMPERATURE_C}."
    if state.memory_bytes is not None and state.used_bytes is not None:
        free = state.memory_bytes - state.used_bytes
        if free < MIN_FREE_BYTES:
            return f"{state.name} has only {free // _MIB} MiB of memory free."
    return ""


class GpuGuard:
    """Asked before each encode on a GPU. `nvidia-smi` is run at most every few seconds."""

    def __init__(
        self,
        encoder: VideoEncoder | None,
        *,
        max_sessions: int = 0,
        look: Callable[[], tuple[GpuState, ...]] = gpu_states,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_needed = encoder is not None and encoder.api == NVENC
        self._max_sessions = max_sessions
        self._look = look
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._reason = ""

    def why_wait(self) -> str:
        """Why no further encode should start now; "" when one GPU may take it, or none is known."""
        if self._is_needed and self._monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self._looked_at = self._monotonic()
            reasons = [
                why_not_now(state, max_sessions=self._max_sessions) for state in self._look()
            ]
            self._reason = reasons[0] if reasons and all(reasons) else ""
        return self._reason
