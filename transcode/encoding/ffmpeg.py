"""Which ffmpeg is used, what it can do, and how its command lines begin. No Django."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION_TIMEOUT_S = 30
TEST_ENCODE_TIMEOUT_S = 60
# What a child gets from our environment: nothing that could be a secret (trust.md, security 16).
_KEPT_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"}
)
_KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "LIBVA_", "VDPAU_", "XDG_RUNTIME_")


class FfmpegMissing(Exception):
    """There is no ffmpeg that runs. The text says which was tried and what would do."""


@dataclass(frozen=True, slots=True)
class FfmpegBinary:
    path: str
    version: str  # "n9.0.2-17-g2a571b6068-20260930"


@dataclass(frozen=True, slots=True)
class EncoderTest:
    """The result of a real test encode; `problem` is the line of ffmpeg that says why not."""

    name: str
    is_working: bool
    problem: str = ""


def find_ffmpeg() -> FfmpegBinary:
    """The binary named by MEDIAFLOW_FFMPEG, else the one that comes with imageio-ffmpeg.

    Raises FfmpegMissing. The version is asked once per binary and process.
    """
    named = os.environ.get("MEDIAFLOW_FFMPEG", "").strip()
    if named:
        return _inspect(named)
    try:
        return _inspect(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegMissing(
            f"The ffmpeg that comes with imageio-ffmpeg is not there ({error});"
            " name another with MEDIAFLOW_FFMPEG."
        ) from error


@cache
def _inspect(path: str) -> FfmpegBinary:
    try:
        result = _run_briefly([path, "-hide_banner", "-version"], VERSION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FfmpegMissing(
            f"{path} cannot be run ({error}); name a working ffmpeg with MEDIAFLOW_FFMPEG."
        ) from error
    match = re.match(r"ffmpeg version (\S+)", result.stdout)
    if result.returncode != 0 or match is None:
        raise FfmpegMissing(
            f"{path} does not answer as ffmpeg does; name a working ffmpeg with MEDIAFLOW_FFMPEG."
        )
    return FfmpegBinary(path, match[1])


def ffmpeg_argv(*, loglevel: str = "level+warning") -> list[str]:
    """How every command line begins: no questions, machine-readable progress on standard output."""
    return [
        find_ffmpeg().path,
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        loglevel,
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.5",
    ]


def shown_command(argv: Sequence[str]) -> str:
    """One line for people and logs, as they could paste it where the names are plain.

    Undecodable bytes and control characters of names are shown as escapes.
    """
    text = shlex.join(argv).encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def child_environment(source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every ffmpeg: an allow-list of ours, and quiet encoders."""
    inherited = os.environ if source is None else source
    kept = {
        name: value
        for name, value in inherited.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
    }
    # SVT-AV1 prints its banner to stderr whatever -loglevel says; 1 leaves errors only.
    return {**kept, "SVT_LOG": "1", "AV_LOG_FORCE_NOCOLOR": "1"}


def list_encoders() -> frozenset[str]:
    """Names of the encoders compiled in. Being listed proves nothing: see `encoder_works`."""
    result = _run_briefly(
        [find_ffmpeg().path, "-hide_banner", "-loglevel", "error", "-encoders"], VERSION_TIMEOUT_S
    )
    return frozenset(re.findall(r"^ [VAS][A-Z.]{5} (\S+)", result.stdout, re.MULTILINE))


def encoder_works(name: str, *, is_audio: bool = False) -> EncoderTest:
    """Encode five frames (or a moment of silence) for real. Raises FfmpegMissing."""
    source = "anullsrc=r=48000:cl=stereo" if is_audio else "color=black:s=320x240:r=25"
    stream = ["-c:a", name, "-t", "0.2"] if is_audio else ["-c:v", name, "-frames:v", "5"]
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-loglevel", "error"]
    argv += ["-f", "lavfi", "-i", source, *stream, "-f", "null", "-"]
    try:
        result = _run_briefly(argv, TEST_ENCODE_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return EncoderTest(name, False, f"did not finish within {TEST_ENCODE_TIMEOUT_S} s")
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    if result.returncode == 0:
        return EncoderTest(name, True)
    return EncoderTest(name, False, (lines or [f"exit code {result.returncode}"])[0][:300])


def _run_briefly(argv: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        cwd=Path("/"),
        check=False,
    )
