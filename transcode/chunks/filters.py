"""Where in a chain of filters a chunk's range may be cut out, and whether it may at all. Pure.

A filter that looks at neighbouring pictures must see those before the chunk, so the range is cut
out behind it. Only filters known to need one neighbour, or none, are let through.
"""

from __future__ import annotations

import re

# Each picture for itself.
_STATELESS = (
    "scale zscale setsar setdar setparams setrange setfield pad fillborders crop format colorspace"
    " colormatrix tonemap transpose hflip vflip sidedata hwupload hwdownload scale_cuda scale_vaapi"
    " scale_qsv vpp_qsv null settb"
)
STATELESS = frozenset(_STATELESS.split())
# One picture before and after; their clock ticks twice as fast as that of their input (measured).
DEINTERLACERS = frozenset({"bwdif", "yadif"})
_DOUBLED = 2
_NAME = re.compile(r"^(?:\[[^\]]*\])*([a-z0-9_]+)", re.IGNORECASE)


def split_chain(chain: str) -> tuple[str, ...]:
    """`scale=1:2,setsar=1` as its filters; a comma in quotes or behind a backslash ends none."""
    parts, current, is_quoted, is_escaped = [], "", False, False
    for char in chain:
        if is_escaped:
            is_escaped = False
        elif char == "\\" and not is_quoted:
            is_escaped = True
        elif char == "'":
            is_quoted = not is_quoted
        elif char == "," and not is_quoted:
            parts.append(current)
            current = ""
            continue
        current += char
    return tuple(part for part in (*parts, current) if part)


def name_of(filter_text: str) -> str:
    match = _NAME.match(filter_text.strip())
    return match[1] if match else filter_text


def neighbour_problem(chain: str) -> str:
    """The first filter whose result at the start of a chunk might differ; "" when there is none."""
    for filter_text in split_chain(chain):
        name = name_of(filter_text)
        if name in DEINTERLACERS and "send_field" not in filter_text:
            continue
        if name not in STATELESS or ";" in filter_text:
            return name
    return ""


def with_range(chain: str, start_pts: int, end_pts: int) -> str:
    """The chain with the range cut out: behind what needs neighbours, before all the rest.

    `trim` compares ticks, and ends the decoding at the first picture behind the range.
    """
    filters = split_chain(chain)
    needy = [n for n, text in enumerate(filters) if name_of(text) in DEINTERLACERS]
    place = needy[-1] + 1 if needy else 0
    factor = _DOUBLED ** len(needy)
    cut = f"trim=start_pts={start_pts * factor}:end_pts={end_pts * factor}"
    return ",".join((*filters[:place], cut, *filters[place:]))
