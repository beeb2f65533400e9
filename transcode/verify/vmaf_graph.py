"""One window of two films as one ffmpeg run: where to seek, what to cut, what to compare. Pure.

Timestamps come from each film's own packets, so both sides show the same frames by number.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mediaflow.base.input_guard import guarded_input
from transcode.encoding.ffmpeg import ffmpeg_argv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

# VMAF's motion feature is 0 on the first frame, which lowers its score: one frame leads in.
LEAD_IN = 1
ALIGN_WIDTH = 320
# How many keyframes before a window's own decoding begins, try after try; None counts all frames.
NEAR, FAR = 0, 2
# ffmpeg seeks 130 ms before the wanted moment where pictures are reordered.
SEEK_PAST_KEY_S = 0.15
# Deinterlacers look at neighbours, so the filtered side needs some frames before the window.
FILTER_LEAD_IN = 3
MODEL_HD = "vmaf_v0.6.1"
MODEL_4K = "vmaf_4k_v0.6.1"
MODEL_4K_FROM_LINES = 1600
_SCORED_FORMATS = re.compile(r"yuv4(20|22|44)p(10le|12le)?$")


@dataclass(frozen=True, slots=True)
class FilmSide:
    """One of the two films. `pts` are presented timestamps in `time_base` ticks, sorted."""

    path: bytes
    stream: int  # index in the container
    pts: Sequence[int]
    keys: Sequence[int]  # PTS of the keyframes
    time_base: Fraction
    start_s: float  # of the container: ffmpeg's -ss counts from it
    input_options: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    # Frames that leave the filters for each that enters: 2 when fields become frames.
    frames_per_source_frame: int = 1
    has_exact_pts: bool = True
    has_exact_seek: bool = True  # False: transport and program streams have no index

    def key_before(self, frame: int, earlier: int = 0) -> int | None:
        """PTS of the keyframe where decoding must begin to show `frame` of this side."""
        lead_in = FILTER_LEAD_IN if self.filters else 0
        pts = self.pts[max(0, min(frame, len(self.pts) - 1) - lead_in)]
        place = bisect_right(self.keys, pts) - 1 - earlier
        return self.keys[place] if place >= 0 else None

    def frames_to_decode(self, frame: int) -> int:
        """How many frames lie between the keyframe and `frame`."""
        key = self.key_before(frame)
        return frame - (bisect_left(self.pts, key) if key is not None else 0)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How both sides are made comparable: the output's own size, format and range."""

    width: int
    height: int
    pix_fmt: str
    color_range: str

    @property
    def model(self) -> str:
        lines = max(min(self.width, self.height), max(self.width, self.height) * 9 // 16)
        return MODEL_4K if lines >= MODEL_4K_FROM_LINES else MODEL_HD

    @property
    def scored_format(self) -> str:
        if _SCORED_FORMATS.match(self.pix_fmt):
            return self.pix_fmt
        plain = self.pix_fmt.replace("yuvj", "yuv")
        return plain if _SCORED_FORMATS.match(plain) else _nearest_format(self.pix_fmt)


def _nearest_format(pix_fmt: str) -> str:
    return "yuv420p10le" if re.search(r"1[0246]|p010|48|64", pix_fmt) else "yuv420p"


@dataclass(frozen=True, slots=True)
class Window:
    """Frame numbers of the output, `[first, first + count)`."""

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Frames `[first, first + count)` of one side. `keys_earlier` None: count from the beginning.

    Frame numbers are those behind the side's filters, which may make two frames of one.
    """

    side: FilmSide
    first: int
    count: int
    keys_earlier: int | None

    def input(self) -> list[str]:
        """ffmpeg's arguments of this input, at the keyframe where decoding must begin."""
        options = [*self.side.input_options, "-copyts"]
        if self.keys_earlier is not None:
            own = self.first // self.side.frames_per_source_frame
            key = self.side.key_before(own, self.keys_earlier)
            # Accurate seeking would cut by a clock of its own; the graph cuts by timestamp.
            options += [] if key is None else ["-noaccurate_seek", "-ss", self._seek(key)]
        return guarded_input(self.side.path, options=options)

    def _seek(self, key: int) -> str:
        """Just past the keyframe but before the next one, by the container's own clock."""
        side = self.side
        place = bisect_right(side.keys, key)
        room = side.keys[place] - key if place < len(side.keys) else 1_000_000
        past = min(SEEK_PAST_KEY_S, float(room * side.time_base) / 2)
        return f"{max(0.0, float(key * side.time_base) - side.start_s + past):.6f}"

    def cut(self, rate: str = "25") -> str:
        """The side's own filters, then exactly these frames, numbered from 0 at that rate.

        `trim` ends the input behind the window, so nothing more is decoded. The reference is cut
        after its filters: a deinterlacer needs the frames around.
        """
        last = self.first + self.count
        if self.keys_earlier is None:
            trim = f"trim=start_frame={self.first}:end_frame={last}"
        else:
            trim = f"trim=start={self._edge(self.first):.6f}:end={self._edge(last):.6f}"
        return ",".join((*self.side.filters, trim, f"settb=1/({rate})", "setpts=N"))

    def _edge(self, frame: int) -> float:
        """Seconds on the container's clock between frame − 1 and frame of the filtered side."""
        side, ratio = self.side, self.side.frames_per_source_frame
        own, rest = divmod(frame, ratio)
        pts = side.pts
        if own >= len(pts):
            return float((pts[-1] + 1_000_000_000) * side.time_base)
        here = pts[own] * side.time_base
        if rest:
            after = pts[own + 1] if own + 1 < len(pts) else 2 * pts[own] - pts[own - 1]
            half_frame = (after - pts[own]) * side.time_base / ratio
            return float(here + rest * half_frame - half_frame / 2)
        before = pts[own - 1] * side.time_base if own else here - 1
        return float(here - (here - before) / (2 * ratio))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One window as one ffmpeg run. `keys_earlier` None: count frames from the beginning."""

    reference: FilmSide
    distorted: FilmSide
    geometry: Geometry
    window: Window
    keys_earlier: int | None
    threads: int

    @property
    def lead_in(self) -> int:
        return LEAD_IN if self.window.first >= LEAD_IN else 0

    @property
    def first(self) -> int:
        return self.window.first - self.lead_in

    @property
    def count(self) -> int:
        return self.window.count + self.lead_in

    @property
    def has_neighbours(self) -> bool:
        return self.count >= 3

    def argv(self) -> list[str]:
        return [
            *ffmpeg_argv(loglevel="level+error"),
            *self._excerpt(self.distorted).input(),
            *self._excerpt(self.reference).input(),
            "-filter_complex",
            self.graph(),
            *self._outputs(),
        ]

    def _outputs(self) -> list[str]:
        names = ["vmaf", *(("s0", "s1", "s2") if self.has_neighbours else ())]
        maps = [part for name in names for part in ("-map", f"[{name}]")]
        return [*maps, "-fps_mode", "passthrough", "-f", "null", "-"]

    def _excerpt(self, side: FilmSide) -> Excerpt:
        return Excerpt(side, self.first, self.count, self.keys_earlier)

    def graph(self) -> str:
        """The filter graph; every log lies in the working directory, so no name needs quoting."""
        chain = f"scale={self.geometry.width}:{self.geometry.height}:flags=bicubic,{self._format()}"
        distorted = self._excerpt(self.distorted).cut()
        reference = self._excerpt(self.reference).cut()
        vmaf = (
            f"libvmaf=model=version={self.geometry.model}:n_threads={self.threads}"
            ":log_fmt=json:log_path=vmaf.json:shortest=1:repeatlast=0[vmaf]"
        )
        if not self.has_neighbours:
            return (
                f"[0:{self.distorted.stream}]{distorted},{chain}[d];"
                f"[1:{self.reference.stream}]{reference},{chain}[r];[d][r]{vmaf}"
            )
        small = f"scale={ALIGN_WIDTH}:-2:flags=area,format=gray"
        return ";".join(
            (
                f"[0:{self.distorted.stream}]{distorted},{chain},split[d][dd]",
                f"[1:{self.reference.stream}]{reference},{chain},split[r][rr]",
                f"[d][r]{vmaf}",
                f"[dd]{small},split=3[d0][d1][d2]",
                f"[rr]{small},split=3[r0][r1][r2]",
                f"[d0][r0]{_ssim(0)}[s0]",
                f"[r1]select='gte(n,1)',setpts=N[rn];[d1][rn]{_ssim(1)}[s1]",
                f"[d2]select='gte(n,1)',setpts=N[dn];[dn][r2]{_ssim(2)}[s2]",
            )
        )

    def _format(self) -> str:
        # One format and range for both, so that nothing is compared across ranges.
        wanted = f"format=pix_fmts={self.geometry.scored_format}"
        known = {"tv": "tv", "pc": "pc"}.get(self.geometry.color_range)
        return f"{wanted}:color_ranges={known}" if known else wanted


def _ssim(number: int) -> str:
    return f"ssim=stats_file=ssim{number}.log:shortest=1:repeatlast=0"
