"""What to try after an encoder's failure, and which options to leave out. Pure.

Finished chunks are kept whatever the answer is; ones that were encoded differently do not join
(other parameter sets), so a change of encoder in the middle starts the film's chunks anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from transcode.encoders.failures import ALL_EXTRAS, Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence


class AnswerKind(StrEnum):
    FEWER_SESSIONS = "fewer_sessions"
    REDUCED_OPTIONS = "reduced_options"
    NO_HARDWARE_DECODE = "no_hardware_decode"
    OTHER_ENCODER = "other_encoder"  # another hardware encoder of the codec
    SOFTWARE = "software"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Answer:
    kind: AnswerKind
    text: str  # one sentence for the job's log and page
    drop: tuple[str, ...] = ()


_FEWER, _REDUCED = AnswerKind.FEWER_SESSIONS, AnswerKind.REDUCED_OPTIONS
_OTHER, _SOFTWARE = AnswerKind.OTHER_ENCODER, AnswerKind.SOFTWARE
_NO_DECODE = AnswerKind.NO_HARDWARE_DECODE
_HARDWARE_ORDER: Final[dict[FailureKind, tuple[AnswerKind, ...]]] = {
    FailureKind.NO_DRIVER: (_OTHER, _SOFTWARE),
    FailureKind.OLD_DRIVER: (_OTHER, _SOFTWARE),
    FailureKind.NOT_BUILT: (_OTHER, _SOFTWARE),
    FailureKind.UNSUPPORTED: (_OTHER, _SOFTWARE),
    FailureKind.SESSION_LIMIT: (_FEWER, _FEWER, _OTHER, _SOFTWARE),
    FailureKind.CAPABILITY: (_REDUCED, _REDUCED, _REDUCED, _OTHER, _SOFTWARE),
    FailureKind.OUT_OF_MEMORY: (_FEWER, _FEWER, _OTHER, _SOFTWARE),
    FailureKind.DECODE_DEVICE: (_NO_DECODE, _OTHER, _SOFTWARE),
    FailureKind.CRASHED: (_OTHER, _SOFTWARE),
    FailureKind.OTHER: (_OTHER, _SOFTWARE),
}
_SOFTWARE_ORDER: Final[dict[FailureKind, tuple[AnswerKind, ...]]] = {
    FailureKind.OUT_OF_MEMORY: (_FEWER, _FEWER),
    FailureKind.DECODE_DEVICE: (_NO_DECODE,),
}
_TEXTS: Final = {
    _FEWER: "Fewer encodes run at once.",
    _REDUCED: "It is tried without",
    _NO_DECODE: "The processor decodes instead.",
    _OTHER: "Another hardware encoder is tried.",
    _SOFTWARE: "The processor encodes instead.",
    AnswerKind.GIVE_UP: "Nothing else is left to try.",
}


def next_try(
    failure: Failure,
    tried: Sequence[AnswerKind],
    *,
    is_hardware: bool = True,
    has_other_encoder: bool = False,
    sessions: int = 2,
) -> Answer:
    """The next answer to `failure`, given those already tried for this job (repeats count).

    `has_other_encoder`: another hardware encoder of the codec works here. `sessions`: encodes that
    ran at once; with one there are no fewer.
    """
    order = (_HARDWARE_ORDER if is_hardware else _SOFTWARE_ORDER).get(failure.kind, ())
    left = list(tried)
    for kind in order:
        if kind in left:
            left.remove(kind)
            continue
        if kind == _FEWER and sessions <= 1:
            continue
        if kind == _OTHER and not has_other_encoder:
            continue
        if kind == _REDUCED and not failure.drop:
            continue
        return _answer(kind, failure)
    return _answer(AnswerKind.GIVE_UP, failure)


def _answer(kind: AnswerKind, failure: Failure) -> Answer:
    text = _TEXTS[kind]
    drop = failure.drop if kind == _REDUCED else ()
    if kind == _REDUCED:
        names = "its extras" if ALL_EXTRAS in drop else ", ".join(drop)
        text = f"{text} {names}."
    return Answer(kind, f"{failure.text} {text}", drop)


# Options that only make the picture better or the encode faster, of all hardware encoders. Rate
# control, picture format, profile, size of the GOP and tags are never dropped.
_EXTRAS: Final = frozenset(
    {"tune", "multipass", "spatial-aq", "aq-strength", "temporal-aq", "rc-lookahead", "bf"}
    | {"b_ref_mode", "b_strategy", "adaptive_i", "adaptive_b", "mbbrc", "b_depth", "usage"}
    | {"aq_mode", "vbaq", "realtime", "allow_sw"}
)


def reduced(video_options: Sequence[str], drop: Sequence[str]) -> tuple[str, ...]:
    """The options (name, value, name, value, …) without those in `drop`, as far as droppable."""
    wanted = _EXTRAS if ALL_EXTRAS in drop else _EXTRAS.intersection(drop)
    result: list[str] = []
    for name, value in zip(video_options[::2], video_options[1::2], strict=True):
        if _bare(name) not in wanted:
            result += [name, value]
        elif _bare(name) == "bf":
            result += [name, "0"]  # leaving it out would let the encoder choose
    return tuple(result)


def left_out(video_options: Sequence[str], argv: Sequence[str]) -> tuple[str, ...]:
    """What `reduced` took away in a command, by name; seen from the options of the plan."""
    names = []
    for name, value in zip(video_options[::2], video_options[1::2], strict=True):
        if _bare(name) not in _EXTRAS:
            continue
        if name not in argv or (_bare(name) == "bf" and argv[argv.index(name) + 1] != value):
            names.append(_bare(name))
    return tuple(names)


def _bare(option: str) -> str:
    return option.removeprefix("-").partition(":")[0]
