"""The extra options that a preset may give to each encoder. Pure.

None of them opens a file, changes which streams there are, picks threads or touches what the plan
decides (quality, size, colour, keyframes, headers). A test gives every one to the real encoder,
which is how x265's `sao-non-deblock` stayed out: together with others it stands still for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """Values of one option: from `low` to `high` (whole or not), or one of `words`.

    `count`: so many numbers with commas between.
    """

    low: float = 0
    high: float = 0
    is_whole: bool = True
    words: tuple[str, ...] = ()
    count: int = 1

    def takes(self, value: str) -> bool:
        if self.words:
            return value in self.words
        parts = value.split(",")
        return len(parts) == self.count and all(self._takes_number(part) for part in parts)

    def _takes_number(self, text: str) -> bool:
        pattern = r"-?[0-9]{1,6}" if self.is_whole else r"-?[0-9]{1,6}(\.[0-9]{1,4})?"
        return re.fullmatch(pattern, text) is not None and self.low <= float(text) <= self.high

    @property
    def said(self) -> str:
        if self.words:
            return f"one of {', '.join(self.words)}"
        kind = "a whole number" if self.is_whole else "a number"
        span = f"from {self.low:g} to {self.high:g}"
        return f"{kind} {span}" if self.count == 1 else f"{self.count} numbers {span} with a comma"

    @property
    def examples(self) -> tuple[str, ...]:
        """The least and the most, for tests."""
        if self.words:
            return self.words[0], self.words[-1]
        return tuple(",".join([f"{end:g}"] * self.count) for end in (self.low, self.high))


def _read(text: str) -> Allowed:
    """ "0..4": whole; "0.0..3": not whole; "2x -6..6": two of them; "dia|hex": words; "on": 0|1."""
    if text == "on":
        return Allowed(words=("0", "1"))
    if ".." not in text:
        return Allowed(words=tuple(text.split("|")))
    count, _, span = text.rpartition("x ")
    low, high = span.split("..")
    return Allowed(float(low), float(high), "." not in low, count=int(count or 1))


def _table(text: str) -> dict[str, Allowed]:
    """Lines of "name values"."""
    rows = (line.split(maxsplit=1) for line in text.strip().splitlines())
    return {name: _read(values) for name, values in rows}


_X264 = _table("""
8x8dct on
aq-mode 0..3
aq-strength 0.0..3
b-adapt 0..2
b-bias -100..100
b-pyramid none|strict|normal
bframes 0..16
chroma-me on
chroma-qp-offset -12..12
deadzone-inter 0..32
deadzone-intra 0..32
deblock 2x -6..6
direct none|spatial|temporal|auto
fast-pskip on
ipratio 1.0..3
mbtree on
me dia|hex|umh|esa|tesa
merange 4..64
mixed-refs on
nr 0..2000
pbratio 1.0..3
psy-rd 2x 0.0..4
qcomp 0.0..1
qpmax 0..69
qpmin 0..51
qpstep 1..20
rc-lookahead 0..250
ref 1..16
scenecut 0..100
subme 0..11
trellis 0..2
vbv-bufsize 0..900000
vbv-maxrate 0..900000
weightb on
weightp 0..2
""")
_X265 = _table("""
amp on
aq-mode 0..4
aq-motion on
aq-strength 0.0..3
b-adapt 0..2
b-intra on
bframes 0..16
bframe-bias -90..100
cbqpoffs -12..12
crqpoffs -12..12
ctu 16|32|64
cutree on
deblock 2x -6..6
early-skip on
fast-intra on
ipratio 1.0..3
limit-modes on
limit-refs 0..3
limit-sao on
limit-tu 0..4
lookahead-slices 0..16
max-merge 1..5
me dia|hex|umh|star
merange 16..128
min-cu-size 8|16|32
nr-inter 0..2000
nr-intra 0..2000
pbratio 1.0..3
psy-rd 0.0..5
psy-rdoq 0.0..50
qcomp 0.5..1
qg-size 8|16|32|64
qpmax 0..69
qpmin 0..51
qpstep 1..20
rc-lookahead 20..250
rd 1..6
rdoq-level 0..2
rect on
ref 1..8
rskip 0..2
sao on
scenecut 0..100
scenecut-bias 0.0..100
selective-sao 0..4
signhide on
strong-intra-smoothing on
subme 0..7
tskip on
tu-inter-depth 1..4
tu-intra-depth 1..4
vbv-bufsize 0..900000
vbv-maxrate 0..900000
weightb on
weightp on
""")
_SVTAV1 = _table("""
aq-mode 0..2
enable-cdef on
enable-dlf 0..2
enable-mfmv on
enable-overlays on
enable-qm on
enable-restoration on
enable-tf 0..2
enable-variance-boost on
fast-decode 0..2
film-grain 0..50
film-grain-denoise on
hierarchical-levels 2..5
lookahead 0..120
max-qp 1..63
min-qp 1..62
qm-max 0..15
qm-min 0..15
scd on
scm 0..2
sharpness -7..7
tile-columns 0..2
tile-rows 0..2
tune 0..2
variance-boost-strength 1..4
variance-octile 1..8
""")
_NVENC = _table("""
aq-strength 1..15
b_ref_mode disabled|middle
bf 0..4
multipass disabled|qres|fullres
rc-lookahead 0..250
spatial-aq on
temporal-aq on
""")
_QSV = _table("""
adaptive_b on
adaptive_i on
async_depth 1..16
b_strategy on
bf 0..7
extbrc on
look_ahead_depth 0..100
low_power on
""")
_VAAPI = _table("""
async_depth 1..16
b_depth 1..4
bf 0..4
low_power on
""")
_AMF = _table("""
async_depth 1..16
preanalysis on
usage transcoding|high_quality
""")
_VIDEOTOOLBOX = _table("""
bf 0..4
prio_speed on
""")
_BY_API = {
    "nvenc": _NVENC,
    "qsv": _QSV,
    "vaapi": _VAAPI,
    "amf": _AMF,
    "videotoolbox": _VIDEOTOOLBOX,
}
_BY_FAMILY = {"x264": _X264, "x265": _X265, "svtav1": _SVTAV1}


def allowed_options(family: str, api: str) -> dict[str, Allowed]:
    return _BY_FAMILY.get(family) or _BY_API[api]
