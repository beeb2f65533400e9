"""A real test encode of a few frames: being listed by ffmpeg proves nothing. No Django."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from transcode.encoders.answers import AnswerKind, next_try, reduced
from transcode.encoders.failures import Failure, FailureKind, classify
from transcode.encoders.hardware import device_options
from transcode.encoders.model import EncodeRequest, HdrMetadata, VideoEncoder
from transcode.encoders.options import video_options
from transcode.encoders.threads import with_threads
from transcode.encoding.ffmpeg import child_environment, find_ffmpeg
from transcode.presets.rules import VideoRule

if TYPE_CHECKING:
    from collections.abc import Sequence

TRIAL_TIMEOUT_S = 60
# NVENC refuses less than about 145×49 pixels.
_SOURCE = "testsrc2=size=320x240:rate=25"
_FRAMES = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """`dropped`: options that the device does not know and that films go without."""

    is_working: bool
    failure: Failure | None = None
    dropped: tuple[str, ...] = ()


def try_encode(encoder: VideoEncoder, device: str, bit_depth: int) -> Trial:
    """Encode with the options that a film would get, then with fewer. Raises FfmpegMissing."""
    options = _film_options(encoder, bit_depth)
    dropped: tuple[str, ...] = ()
    tried: list[AnswerKind] = []
    while True:
        failure = _encode_once(encoder, device, bit_depth, options)
        if failure is None:
            return Trial(is_working=True, dropped=dropped)
        answer = next_try(failure, tried)
        fewer = reduced(options, answer.drop)
        if answer.kind != AnswerKind.REDUCED_OPTIONS or fewer == options:
            return Trial(is_working=False, failure=failure, dropped=dropped)
        tried.append(answer.kind)
        options, dropped = fewer, (*dropped, *answer.drop)


def _film_options(encoder: VideoEncoder, bit_depth: int) -> tuple[str, ...]:
    low, high = encoder.quality_range
    middle = round((low + high) / 2)
    rule = VideoRule(encoder=encoder.family, crf=float(middle), speed="fastest")
    no_hdr = HdrMetadata(None, None, None, is_pq=False)
    request = EncodeRequest(rule, bit_depth, Fraction(25), no_hdr, "mkv")
    return with_threads(encoder, video_options(encoder, request), 1)


def _encode_once(
    encoder: VideoEncoder, device: str, bit_depth: int, options: Sequence[str]
) -> Failure | None:
    where = device_options(encoder, device)
    filters = encoder.upload_filters.get(bit_depth, ())
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-loglevel", "level+warning"]
    argv += [*where.before_input, "-f", "lavfi", "-i", _SOURCE, "-frames:v", str(_FRAMES)]
    argv += ["-filter:v:0", ",".join(filters)] if filters else []
    argv += [*options, *where.output, "-f", "null", "-"]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRIAL_TIMEOUT_S,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired:
        text = f"The test encode did not end within {TRIAL_TIMEOUT_S} s."
        return Failure(FailureKind.OTHER, text)
    if done.returncode == 0:
        return None
    return classify(done.stderr.splitlines(), done.returncode)
