"""What the bundled ffmpeg says of an encoder's options (`-h encoder=X`)."""

from __future__ import annotations

import math
import re
import subprocess
from dataclasses import dataclass, field
from functools import cache

from transcode.encoding.ffmpeg import find_ffmpeg

_OPTION = re.compile(r"  -(\S+) +<(\w+)> +[A-Z.]{11} ?(.*)")
_CONSTANT = re.compile(r"     (\S+) +(?:-?\d+ +)?[A-Z.]{11}")
_RANGE = re.compile(r"\(from (\S+) to (\S+)\)")


@dataclass(slots=True)
class Option:
    kind: str
    low: float | None = None
    high: float | None = None
    constants: set[str] = field(default_factory=set)

    def takes(self, value: str) -> bool:
        if value in self.constants:
            return True
        if self.kind == "boolean":
            return value in {"0", "1"}
        if self.kind in {"string", "dictionary"}:
            return True
        try:
            number = float(value)
        except ValueError:
            return False
        return self.low is not None and self.high is not None and self.low <= number <= self.high


@dataclass(frozen=True, slots=True)
class EncoderHelp:
    pix_fmts: frozenset[str]
    options: dict[str, Option]


@cache
def encoder_help(name: str) -> EncoderHelp | None:
    """None: this build does not have the encoder."""
    text = _ask(f"encoder={name}")
    if not text.startswith("Encoder "):
        return None
    formats = re.search(r"Supported pixel formats: (.*)", text)
    return EncoderHelp(frozenset(formats[1].split() if formats else ()), _options(text))


@cache
def general_options() -> dict[str, Option]:
    """The options that every encoder has."""
    text = _ask("full")
    start = text.index("AVCodecContext AVOptions:")
    return _options(text[start : text.index("AVOptions:", start + 30)])


def _ask(topic: str) -> str:
    argv = [find_ffmpeg().path, "-hide_banner", "-h", topic]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120).stdout


def _options(text: str) -> dict[str, Option]:
    found: dict[str, Option] = {}
    newest: Option | None = None
    for line in text.splitlines():
        if match := _OPTION.match(line):
            newest = found[match[1]] = Option(match[2])
            if limits := _RANGE.search(match[3]):
                newest.low, newest.high = (_number(limit) for limit in limits.groups())
        elif newest is not None and (match := _CONSTANT.match(line)):
            newest.constants.add(match[1])
    return found


def _number(text: str) -> float:
    """ "51", "INT_MAX", "-FLT_MAX": the named ones are beyond anything that we ask for."""
    if text.endswith("_MAX"):
        return -math.inf if text.startswith("-") else math.inf
    return -math.inf if text.endswith("_MIN") else float(text)
