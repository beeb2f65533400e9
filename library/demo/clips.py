"""Sample films made on the spot with ffmpeg's own test sources: for `demo_media` and for the tests.

Nothing here reads a user's file, so these are the only ffmpeg inputs without the guard.
No Django import: tests and benchmarks use it on its own.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from library.demo.parts import caption_mpeg2, font_file, pgs_subtitles, srt_text

if TYPE_CHECKING:
    from collections.abc import Callable

CLIP_TIMEOUT_S = 900


class ClipProblem(Exception):
    """ffmpeg could not make a sample clip. The text ends with what it printed."""


@dataclass(frozen=True, slots=True)
class ClipSize:
    seconds: float = 1.0
    width: int = 320
    height: int = 180
    rate: str = "25"
    crf: int = 23


@dataclass(frozen=True, slots=True)
class Bench:
    """One clip in the making: the ffmpeg to use, a folder for side files, the wanted size."""

    ffmpeg: str
    folder: Path
    size: ClipSize

    def run(self, *args: str) -> None:
        """Run ffmpeg to its end. Raises ClipProblem."""
        argv = [self.ffmpeg, "-nostdin", "-hide_banner", "-v", "error", "-y", *args]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CLIP_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            last = done.stderr.decode("utf-8", "replace").strip()[-600:]
            raise ClipProblem(f"ffmpeg could not make the clip: {last}")

    def side_file(self, name: str, content: bytes | str) -> str:
        raw = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(raw)
        return name

    def picture(self, *, source: str = "testsrc2", rate: str = "") -> list[str]:
        s = self.size
        return [
            *("-f", "lavfi"),
            "-i",
            f"{source}=size={s.width}x{s.height}:rate={rate or s.rate},trim=duration={s.seconds}",
        ]

    def tone(self, hz: int = 440, *, layout: str = "stereo") -> list[str]:
        tone = f"sine=frequency={hz}:sample_rate=48000:duration={self.size.seconds}"
        return ["-f", "lavfi", "-i", f"{tone},aformat=channel_layouts={layout}"]

    def h264(self) -> list[str]:
        gop = ["-g", "25", "-pix_fmt", "yuv420p"]
        return ["-c:v", "libx264", "-preset", "ultrafast", "-crf", str(self.size.crf), *gop]

    def hevc(self, *params: str, pix_fmt: str = "yuv420p") -> list[str]:
        joined = ":".join(["log-level=none", "keyint=25", *params])
        speed = ["-c:v", "libx265", "-preset", "ultrafast", "-crf", str(self.size.crf)]
        return [*speed, "-pix_fmt", pix_fmt, "-x265-params", joined]


def _h264_mkv(bench: Bench, out: str) -> None:
    aac = ["-c:a", "aac", "-b:a", "96k"]
    bench.run(*bench.picture(), *bench.tone(), *bench.h264(), *aac, "-f", "matroska", out)


def _h264_mp4(bench: Bench, out: str) -> None:
    aac = ["-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart"]
    bench.run(*bench.picture(), *bench.tone(), *bench.h264(), *aac, "-f", "mp4", out)


def _mpeg4_avi(bench: Bench, out: str) -> None:
    codecs = ["-c:v", "mpeg4", "-vtag", "XVID", "-q:v", "4", "-bf", "2", "-c:a", "libmp3lame"]
    bench.run(*bench.picture(), *bench.tone(), *codecs, "-f", "avi", out)


def _hevc(bench: Bench, out: str) -> None:
    bench.run(*bench.picture(), *bench.tone(), *bench.hevc(), "-c:a", "aac", "-f", "matroska", out)


def _hevc_hdr10(bench: Bench, out: str) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    encoder = bench.hevc(
        *("hdr10=1", "repeat-headers=1", "max-cll=1000,400", f"master-display={display}"),
        pix_fmt="yuv420p10le",
    )
    audio = ["-c:a", "eac3", "-b:a", "192k"]
    bench.run(
        *bench.picture(), *bench.tone(layout="5.1"), "-vf", tags, *encoder, *audio,
        *("-f", "matroska", out),
    )  # fmt: skip


def _hlg(bench: Bench, out: str) -> None:
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    encoder = bench.hevc(pix_fmt="yuv420p10le")
    bench.run(
        *bench.picture(), *bench.tone(), "-vf", tags, *encoder, "-tag:v", "hvc1", "-c:a", "aac",
        *("-f", "mp4", out),
    )  # fmt: skip


def _av1(bench: Bench, out: str) -> None:
    codecs = ["-c:v", "libsvtav1", "-preset", "12", "-crf", "40", "-pix_fmt", "yuv420p"]
    bench.run(*bench.picture(), *bench.tone(), *codecs, "-c:a", "libopus", "-f", "webm", out)


def _interlaced(bench: Bench, out: str) -> None:
    fields = ["-vf", "tinterlace=interleave_top,fieldorder=tff", "-flags", "+ilme+ildct"]
    source = bench.picture(rate=f"{bench.size.rate}*2")
    x264 = bench.h264()
    bench.run(*source, *bench.tone(), *fields, *x264, "-c:a", "ac3", "-f", "matroska", out)


def _mpeg2_ts(bench: Bench, out: str) -> None:
    codecs = ["-c:v", "mpeg2video", "-q:v", "4", "-bf", "2", "-g", "12", "-c:a", "mp2"]
    bench.run(*bench.picture(), *bench.tone(), *codecs, "-f", "mpegts", out)


def _h264_ts(bench: Bench, out: str) -> None:
    x264 = [*bench.h264(), "-bf", "2", "-c:a", "mp2"]
    bench.run(*bench.picture(), *bench.tone(), *x264, "-f", "mpegts", out)


def _vfr(bench: Bench, out: str) -> None:
    uneven = ["-vf", "select='not(eq(mod(n,5),3))'", "-fps_mode", "passthrough"]
    bench.run(
        *bench.picture(), *bench.tone(), *uneven, *bench.h264(), "-c:a", "aac", "-f", "matroska",
        out,
    )  # fmt: skip


def _two_audio(bench: Bench, out: str) -> None:
    tracks = [
        *("-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:a:0", "ac3", "-c:a:1", "aac"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=Surround"),
        *("-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Kommentar der Regie"),
        *("-disposition:a:0", "default", "-disposition:a:1", "comment"),
    ]
    bench.run(
        *bench.picture(), *bench.tone(440, layout="5.1"), *bench.tone(880), *tracks,
        *bench.h264(), "-f", "matroska", out,
    )  # fmt: skip


def _subtitles(bench: Bench, out: str) -> None:
    english = bench.side_file("eng.srt", srt_text(bench.size.seconds, "Hello"))
    german = bench.side_file("deu.srt", srt_text(bench.size.seconds, "Guten Tag"))
    tracks = [
        *("-map", "0:v", "-map", "1:a", "-map", "2:s", "-map", "3:s", "-c:s:0", "srt"),
        *("-c:s:1", "ass", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=deu"),
        *("-metadata:s:s:1", "title=Forced", "-disposition:s:0", "default"),
        *("-disposition:s:1", "forced"),
    ]
    bench.run(
        *bench.picture(), *bench.tone(), "-i", english, "-i", german, *tracks, *bench.h264(),
        *("-c:a", "aac", "-f", "matroska", out),
    )  # fmt: skip


def _bitmap_subs(bench: Bench, out: str) -> None:
    size = bench.size
    raw = pgs_subtitles(size.seconds, width=size.width, height=size.height)
    pgs = ["-fix_sub_duration", "-i", bench.side_file("eng.sup", raw)]
    tracks = [
        *("-map", "0:v", "-map", "1:a", "-map", "2:s", "-map", "2:s", "-c:s:0", "copy"),
        *("-c:s:1", "dvdsub", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=fra"),
    ]
    bench.run(
        *bench.picture(), *bench.tone(), *pgs, *tracks, *bench.h264(), "-c:a", "aac",
        *("-f", "matroska", out),
    )  # fmt: skip


def _chapters(bench: Bench, out: str) -> None:
    half = round(bench.size.seconds * 500)
    parts = [(0, half, "Opening"), (half, half * 2, "Ending")]
    text = ";FFMETADATA1\ntitle=Two chapters\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}\n"
        for start, end, title in parts
    )
    meta = bench.side_file("chapters.txt", text)
    bench.run(
        *bench.picture(), *bench.tone(), "-i", meta, "-map_metadata", "2", "-map_chapters", "2",
        *bench.h264(), "-c:a", "aac", "-f", "matroska", out,
    )  # fmt: skip


def _fonts(bench: Bench, out: str) -> None:
    font = bench.side_file("Sample Sans.ttf", font_file())
    text = bench.side_file("eng.srt", srt_text(bench.size.seconds, "In a font of its own"))
    attach = ["-attach", font, "-metadata:s:t:0", "mimetype=application/x-truetype-font"]
    bench.run(
        *bench.picture(), *bench.tone(), "-i", text, "-map", "0", "-map", "1", "-map", "2",
        *attach, *bench.h264(), "-c:a", "aac", "-c:s", "ass", "-f", "matroska", out,
    )  # fmt: skip


def _cover_art(bench: Bench, out: str) -> None:
    bench.run("-f", "lavfi", "-i", "testsrc=size=100x150", "-frames:v", "1", "cover.png")
    bench.run(
        *bench.picture(), *bench.tone(), "-i", "cover.png", "-map", "0", "-map", "1", "-map", "2",
        *bench.h264(), "-c:v:1", "png", "-disposition:v:1", "attached_pic", "-c:a", "aac",
        *("-f", "mp4", out),
    )  # fmt: skip


def _odd_size(bench: Bench, out: str) -> None:
    odd = f"scale={bench.size.width + 1}:{bench.size.height + 1}"
    codecs = ["-vf", odd, "-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame"]
    bench.run(*bench.picture(), *bench.tone(), *codecs, "-f", "matroska", out)


def _rotated(bench: Bench, out: str) -> None:
    _h264_mp4(bench, "upright.mp4")
    bench.run("-display_rotation", "-90", "-i", "upright.mp4", "-c", "copy", "-f", "mp4", out)


def _edit_list(bench: Bench, out: str) -> None:
    """An MP4 whose edit list hides the frames before the cut, which lies between two keyframes."""
    _h264_mp4(bench, "whole.mp4")
    bench.run(
        "-ss", str(bench.size.seconds * 0.4), "-i", "whole.mp4", "-c", "copy", "-f", "mp4", out
    )


def _late_start(bench: Bench, out: str) -> None:
    """Video starts 0.7 s after the audio."""
    late = ["-itsoffset", "0.7", *bench.picture()]
    bench.run(*late, *bench.tone(), *bench.h264(), "-c:a", "aac", "-f", "matroska", out)


def _captions(bench: Bench, out: str) -> None:
    codecs = ["-c:v", "mpeg2video", "-q:v", "4", "-g", "12", "-bf", "0"]
    bench.run(*bench.picture(), *codecs, "-f", "mpeg2video", "plain.m2v")
    plain = (bench.folder / "plain.m2v").read_bytes()
    name = bench.side_file("captioned.m2v", caption_mpeg2(plain))
    video = ["-fflags", "+genpts", "-f", "mpegvideo", "-i", name]
    bench.run(*video, *bench.tone(), "-c:v", "copy", "-c:a", "mp2", "-f", "mpegts", out)


RECIPES: dict[str, tuple[str, Callable[[Bench, str], None]]] = {
    "h264_mkv": (".mkv", _h264_mkv),
    "h264_mp4": (".mp4", _h264_mp4),
    "mpeg4_avi": (".avi", _mpeg4_avi),
    "hevc": (".mkv", _hevc),
    "hevc_hdr10": (".mkv", _hevc_hdr10),
    "hlg": (".mp4", _hlg),
    "av1": (".webm", _av1),
    "interlaced": (".mkv", _interlaced),
    "mpeg2_ts": (".ts", _mpeg2_ts),
    "ts": (".ts", _h264_ts),
    "vfr": (".mkv", _vfr),
    "two_audio": (".mkv", _two_audio),
    "subtitles": (".mkv", _subtitles),
    "bitmap_subs": (".mkv", _bitmap_subs),
    "chapters": (".mkv", _chapters),
    "fonts": (".mkv", _fonts),
    "cover_art": (".mp4", _cover_art),
    "odd_size": (".mkv", _odd_size),
    "rotated": (".mp4", _rotated),
    "edit_list": (".mp4", _edit_list),
    "late_start": (".mkv", _late_start),
    "captions": (".ts", _captions),
}


def make_sample(kind: str, path: Path, *, ffmpeg: str, size: ClipSize | None = None) -> None:
    """Make one clip at `path`, replacing it. Raises KeyError for an unknown kind, ClipProblem."""
    _suffix, recipe = RECIPES[kind]
    with tempfile.TemporaryDirectory(prefix="mediaflow-clip-") as folder:
        bench = Bench(ffmpeg=ffmpeg, folder=Path(folder), size=size or ClipSize())
        recipe(bench, "file:" + str(path.absolute()))
