"""Which speakers a converted sound track has: as in the source where the codec can. Pure.

A number of channels alone is not enough: ffmpeg takes "3 channels" for left, right and LFE, so a
film with a centre would lose it, and Opus refuses layouts that it does not know (measured).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHANNELS = {"aac": 8, "opus": 8, "ac3": 6, "eac3": 6, "flac": 8}
_BY_COUNT = {
    1: "mono",
    2: "stereo",
    3: "3.0",
    4: "quad",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
_COUNTS = {name: count for count, name in _BY_COUNT.items()}
_DOLBY = frozenset(
    {"mono", "stereo", "2.1", "3.0", "3.0(back)", "3.1", "4.0", "quad", "quad(side)", "4.1"}
    | {"5.0", "5.0(side)", "5.1", "5.1(side)"}
)
# Layouts that need nothing done (tried with every layout that ffmpeg names).
_TAKES = {
    "aac": _DOLBY | {"6.0", "6.1", "6.1(back)", "7.0", "7.1", "7.1(wide)", "hexagonal"},
    "ac3": _DOLBY,
    "eac3": _DOLBY,
    "opus": frozenset(_COUNTS),
    "flac": frozenset((*_COUNTS, "5.0(side)", "5.1(side)", "quad(side)")),
}
# The next layout that has a place for each of their channels (measured).
_WIDER = {
    "downmix": "stereo",
    "2.1": "5.1",
    "3.1": "5.1",
    "4.1": "5.1",
    "4.0": "5.0",
    "3.0(back)": "5.0",
    "quad(side)": "quad",
    "5.0(side)": "5.0",
    "5.1(side)": "5.1",
    "6.0": "6.1",
    "7.0": "7.1",
}
# Where as many channels would be the worse mix: in 6.1 both of the back become one.
_FOLDED = {"6.1(back)": "5.1"}
_IS_COUNT = re.compile(r"\d+ channels")  # ffmpeg's name where nobody said which speakers they are


@dataclass(frozen=True, slots=True)
class SpeakerLayout:
    channels: int
    name: str  # "": as the source has it
    is_mix: bool = False  # some channel of the source gets no place of its own


def layout_for(codec: str, source: str, channels: int, max_channels: int) -> SpeakerLayout:
    """`max_channels` 0: as many as the codec takes. `source` is ffmpeg's name of the layout."""
    cap = min(MAX_CHANNELS[codec], max_channels or MAX_CHANNELS[codec])
    if channels <= cap and source in _TAKES[codec]:
        return SpeakerLayout(channels, "")
    wider = _WIDER.get(source, "")
    if wider and _COUNTS[wider] <= cap:
        return SpeakerLayout(_COUNTS[wider], wider)
    folded = _FOLDED.get(source, "")
    count = min(cap, _COUNTS.get(folded, channels), max(_BY_COUNT))
    is_named = bool(source) and not _IS_COUNT.fullmatch(source)
    return SpeakerLayout(count, _BY_COUNT[count], is_mix=is_named or count < channels)
