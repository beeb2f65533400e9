"""HDR to SDR, measured: greys stay grey, in order, and reference white is not clipped."""

from __future__ import annotations

import itertools
import subprocess
from typing import Any

import pytest

from tests.media import ffmpeg_path
from transcode.planning.colour import TONE_MAP_FILTERS

pytestmark = pytest.mark.ffmpeg


def tone_mapped(levels: list[float], transfer: str) -> list[tuple[int, int, int]]:
    """Red, green, blue (8 bits, full range) that come out for greys of these signal levels."""
    y = bytearray()
    for level in levels:
        code = round(64 + 876 * level)
        y += code.to_bytes(2, "little") * 16
    line = bytes(y)
    chroma = (512).to_bytes(2, "little") * (8 * len(levels))
    raw = line * 16 + chroma * 8 * 2
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    chain = ",".join((tags, *TONE_MAP_FILTERS, "format=yuv420p", "zscale=min=bt709", "format=gbrp"))
    size = f"{16 * len(levels)}x16"
    argv: list[Any] = [
        *(ffmpeg_path(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", size),
        *("-i", "-", "-vf", f"{chain},format=rgb24", "-f", "rawvideo", "-"),
    ]
    done = subprocess.run(argv, input=raw, capture_output=True, check=True, timeout=120)
    row = done.stdout[8 * 3 * 16 * len(levels) :]
    middles = [3 * (16 * n + 8) for n in range(len(levels))]
    return [(row[at], row[at + 1], row[at + 2]) for at in middles]


def pq(nits: float) -> float:
    """SMPTE ST 2084: the signal for this luminance."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    y = (nits / 10_000) ** m1
    return float(((c1 + c2 * y) / (1 + c3 * y)) ** m2)


# Reference white is 203 cd/m² in both (ITU-R BT.2408): 58 % of PQ, 75 % of HLG.
@pytest.mark.parametrize(
    ("transfer", "levels", "white"),
    [
        ("smpte2084", [pq(nits) for nits in (0, 1, 5, 26, 100, 203, 400, 1000)], 5),
        ("arib-std-b67", [0, 0.1, 0.22, 0.38, 0.5, 0.75, 0.85, 1.0], 5),
    ],
)
def test_greys_stay_grey_and_in_order_and_white_is_not_clipped(
    transfer: str, levels: list[float], white: int
) -> None:
    found = tone_mapped(levels, transfer)
    assert all(max(rgb) - min(rgb) <= 1 for rgb in found)
    greys = [rgb[1] for rgb in found]
    assert greys[0] == 0
    assert all(b > a for a, b in itertools.pairwise(greys))
    # Bright, as white should be, with room for the highlights above it.
    assert 170 <= greys[white] <= 225
    assert greys[white + 1] < 250
