"""Extra options of a preset: "aq-mode=3 psy-rd=1.5", read by the encoder's allow-list. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.encoders.allowed import allowed_options
from transcode.encoders.registry import ENCODERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transcode.encoders.allowed import Allowed
    from transcode.encoders.model import VideoEncoder

_MAX_SHOWN = 30


def parse(family: str, text: str) -> tuple[tuple[str, str], ...]:
    """Names and values, in the order given. Raises ValueError with one sentence."""
    encoder = ENCODERS[family]
    allowed = allowed_options(family, encoder.api)
    found: dict[str, str] = {}
    for word in text.split():
        name, sign, value = word.partition("=")
        shown = _shown(name)
        if not sign:
            raise ValueError(f"{_shown(word)} has no value; write name=value with spaces between.")
        if name not in allowed:
            names = ", ".join(allowed)
            raise ValueError(
                f"{shown} is not an option that {encoder.title} takes here; allowed are {names}."
            )
        _check(shown, value, allowed[name])
        if name in found:
            raise ValueError(f"{shown} is given twice.")
        found[name] = value
    return tuple(found.items())


def _check(name: str, value: str, allowed: Allowed) -> None:
    if not allowed.takes(value):
        raise ValueError(f"{name} is {_shown(value) or 'empty'}; it must be {allowed.said}.")


def _shown(text: str) -> str:
    plain = "".join(char if char.isprintable() else "?" for char in text)
    return plain if len(plain) <= _MAX_SHOWN else f"{plain[: _MAX_SHOWN - 1]}…"


def with_extra_options(
    encoder: VideoEncoder, video_options: Sequence[str], extra: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """The options with the extra ones; what is given again replaces what was there."""
    if not extra:
        return tuple(video_options)
    if encoder.params_option:
        return _in_params(video_options, f"{encoder.params_option}:v:0", extra)
    names = {f"-{name}:v:0" for name, _ in extra}
    result: list[str] = []
    for name, value in zip(video_options[::2], video_options[1::2], strict=True):
        if name not in names:
            result += [name, value]
    for name, value in extra:
        result += [f"-{name}:v:0", value]
    return tuple(result)


def _in_params(
    video_options: Sequence[str], option: str, extra: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    result = list(video_options)
    if option not in result:
        result += [option, ""]
    at = result.index(option) + 1
    replaced = {name for name, _ in extra}
    kept = [p for p in result[at].split(":") if p and p.partition("=")[0] not in replaced]
    result[at] = ":".join([*kept, *(f"{name}={value}" for name, value in extra)])
    return tuple(result)
