"""A small library as people have one: what `demo_media` makes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.demo.clips import ClipSize, make_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAY_S = 24 * 3600
# Low CRF: discs and old recordings waste bytes, which is what MediaFlow is there for.
_WASTEFUL_CRF = 8


@dataclass(frozen=True, slots=True)
class DemoFilm:
    kind: str  # of library.demo.clips.RECIPES
    path: str  # below the folder
    crf: int = _WASTEFUL_CRF


DEMO_FILMS: tuple[DemoFilm, ...] = (
    DemoFilm("h264_mkv", "Blade Rider (1982)/Blade Rider (1982) 1080p BluRay x264.mkv"),
    DemoFilm("two_audio", "Amélie Poulette (2001)/Amélie.Poulette.2001.BluRay.mkv"),
    DemoFilm("subtitles", "Das Boot fährt (1981)/Das Boot fährt (1981).mkv"),
    DemoFilm("bitmap_subs", "Seven Samurai Sing (1954)/Seven Samurai Sing (1954).mkv"),
    DemoFilm("chapters", "2001 Odd Spaces (1968)/2001 Odd Spaces (1968).mkv"),
    DemoFilm("fonts", "Spirited Hideaway (2001)/[Ghibi] Spirited Hideaway (2001).mkv"),
    DemoFilm("cover_art", "Up and Down (2009)/Up and Down (2009).mp4"),
    DemoFilm("h264_mp4", "The Office Hours/Season 01/The Office Hours - S01E01 - Pilot.mp4"),
    DemoFilm("h264_mp4", "The Office Hours/Season 01/The Office Hours - S01E02-E03 - Two.mp4"),
    DemoFilm("mpeg4_avi", "Run Lola Walk (1998)/Run.Lola.Walk.1998.DVDRip.XviD.avi"),
    DemoFilm("interlaced", "Old Broadcast (1987)/Old Broadcast (1987) HDTV 1080i.mkv"),
    DemoFilm("mpeg2_ts", "Evening News (1999)/Evening News (1999).ts"),
    DemoFilm("hevc", "Arrival Delayed (2016)/Arrival Delayed (2016) HEVC.mkv", crf=30),
    DemoFilm("hevc_hdr10", "Dune Buggy (2021)/Dune Buggy (2021) 2160p HDR10.mkv", crf=14),
    DemoFilm("vfr", "Phone Film (2023)/Phone Film (2023).mkv"),
    DemoFilm("rotated", "Holiday (2022)/Holiday (2022).mp4"),
)


def make_demo_films(folder: Path, *, ffmpeg: str, seconds: float, height: int) -> Iterator[Path]:
    """Make each film that is not there yet; yields its path when it is.

    Their time of change lies days back, as of films that arrived long ago.
    Raises ClipProblem and OSError.
    """
    width = height * 16 // 9 // 2 * 2
    for number, film in enumerate(DEMO_FILMS, start=1):
        target = folder / film.path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            size = ClipSize(seconds=seconds, width=width, height=height, crf=film.crf)
            make_sample(film.kind, part, ffmpeg=ffmpeg, size=size)
            long_ago = time.time() - number * _DAY_S
            os.utime(part, (long_ago, long_ago))
            part.replace(target)
        yield target
