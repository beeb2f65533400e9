"""Extra options, threads and passes: what the real software encoders take."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import pytest

from tests.transcode.encoders.ffmpeg_help import encoder_help, general_options
from transcode.encoders import ENCODERS, EncodeRequest, HdrMetadata, extra_options, video_options
from transcode.encoders.allowed import allowed_options
from transcode.encoders.options import pass_options
from transcode.encoders.software import SOFTWARE_ENCODERS
from transcode.encoders.threads import with_threads
from transcode.encoding.ffmpeg import child_environment, find_ffmpeg
from transcode.presets.spec import VideoRule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FAMILIES = [encoder.family for encoder in SOFTWARE_ENCODERS]
NO_HDR = HdrMetadata(None, None, None, is_pq=False)


def options_of(family: str, text: str = "", **rule: float | None) -> tuple[str, ...]:
    values: dict[str, Any] = {"encoder": family, "crf": 40, "speed": "fastest", **rule}
    request = EncodeRequest(VideoRule(extra_options=text, **values), 8, Fraction(25), NO_HDR, "mkv")
    return video_options(ENCODERS[family], request)


def encode(options: Sequence[str], output: str, frames: int = 8) -> str:
    """Standard error, which is empty when the encoder has nothing against any option."""
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-y", "-loglevel", "warning"]
    argv += ["-f", "lavfi", "-i", "testsrc2=size=192x128:rate=25", "-frames:v", str(frames)]
    argv += [*options, *(("-f", "null") if output == "-" else ()), output]
    done = subprocess.run(
        argv, capture_output=True, text=True, env=child_environment(), check=False, timeout=120
    )
    return done.stderr if done.returncode == 0 else f"failed: {done.stderr}"


@pytest.mark.ffmpeg
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("end", [0, 1], ids=["least", "most"])
def test_the_encoder_takes_every_allowed_option(family: str, end: int) -> None:
    allowed = allowed_options(family, "software")
    text = " ".join(
        f"{name}={kind.examples[end]}"
        for name, kind in allowed.items()
        if name not in TOGETHER_IMPOSSIBLE
    )
    assert encode(options_of(family, text), "-") == ""


TOGETHER_IMPOSSIBLE = frozenset({"qpmax", "qpmin", "max-qp", "min-qp", "qm-max", "qm-min"})


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("x264", "qpmin=10 qpmax=51"),
        ("x265", "qpmin=10 qpmax=51"),
        ("svtav1", "min-qp=1 max-qp=63 enable-qm=1 qm-min=0 qm-max=15"),
    ],
)
def test_bounds_are_taken_in_pairs(family: str, text: str) -> None:
    assert encode(options_of(family, text), "-") == ""


@pytest.mark.ffmpeg
@pytest.mark.parametrize("family", FAMILIES)
def test_an_option_that_the_encoder_does_not_know_would_be_seen(family: str) -> None:
    """The proof of the proof above."""
    options = list(options_of(family, "aq-mode=1"))
    at = options.index(f"{ENCODERS[family].params_option}:v:0") + 1
    options[at] += ":no-such-option=1"
    assert encode(options, "-") != ""


def test_hardware_options_are_those_of_the_build() -> None:
    for encoder in ENCODERS.values():
        build = encoder_help(encoder.ffmpeg_name)
        if not encoder.is_hardware or build is None:
            continue
        for name, kind in allowed_options(encoder.family, encoder.api).items():
            option = build.options.get(name) or general_options().get(name)
            assert option is not None, f"{encoder.family} {name}"
            assert all(option.takes(value) for value in kind.examples), f"{encoder.family} {name}"


def test_extra_options_replace_what_was_there_and_stand_beside_the_rest() -> None:
    options = options_of("svtav1", "tune=1 film-grain=8")
    params = options[options.index("-svtav1-params:v:0") + 1]
    assert params == "tune=1:film-grain=8"
    nvenc = options_of("hevc_nvenc", "rc-lookahead=20")
    assert nvenc.count("-rc-lookahead:v:0") == 1
    assert nvenc[-2:] == ("-rc-lookahead:v:0", "20")


FORBIDDEN = """
csv csv-log-level log-level log stats pass input output dither recon qpfile zones zonefile
analysis-load analysis-save analysis-reuse-file dhdr10-info dolby-vision-rpu lambda-file
scaling-list film-grain nalu-file pools frame-threads threads wpp slices cqmfile tcfile-in
opencl-clbin dump-yuv psnr ssim i filter vf map f y passlogfile x265-params crf qp bitrate
level profile keyint open-gop repeat-headers info master-display colorprim pred-struct
fgs-table stat-report roi-map-file recon-file multi-pass-opt-rps lp pin
"""


@pytest.mark.parametrize("family", ENCODERS)
def test_nothing_that_opens_files_or_decides_what_the_plan_decides_is_taken(family: str) -> None:
    kept = {"film-grain"} if family == "svtav1" else set()
    for name in set(FORBIDDEN.split()) - kept:
        with pytest.raises(ValueError, match=f"^{name} is not an option .* allowed are .*\\.$"):
            extra_options.parse(family, f"{name}=1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aq-mode=9", "aq-mode is 9; it must be a whole number from 0 to 4."),
        ("aq-mode=", "aq-mode is empty; it must be a whole number from 0 to 4."),
        ("aq-mode=1.5", "aq-mode is 1.5; it must be a whole number from 0 to 4."),
        ("aq-mode=1:csv", "aq-mode is 1:csv; it must be a whole number from 0 to 4."),
        ("aq-mode=1:csv=/x", "aq-mode is 1:csv=/x; it must be a whole number from 0 to 4."),
        ("me=fast", "me is fast; it must be one of dia, hex, umh, star."),
        ("deblock=1", "deblock is 1; it must be 2 numbers from -6 to 6 with a comma."),
        ("psy-rd=nan", "psy-rd is nan; it must be a number from 0 to 5."),
        ("psy-rd=٢", "psy-rd is ٢; it must be a number from 0 to 5."),
        ("aq-mode", "aq-mode has no value; write name=value with spaces between."),
        ("aq-mode=1 aq-mode=2", "aq-mode is given twice."),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        extra_options.parse("x265", text)
    assert str(caught.value) == said


def test_options_are_read_in_order() -> None:
    assert extra_options.parse("x264", " psy-rd=1.0,0.15  aq-mode=3 ") == (
        ("psy-rd", "1.0,0.15"),
        ("aq-mode", "3"),
    )
    assert extra_options.parse("x264", "") == ()


def extradata_of(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return bytes(container.streams.video[0].codec_context.extradata or b"")


@pytest.mark.ffmpeg
@pytest.mark.parametrize("family", FAMILIES)
def test_threads_do_not_reach_the_parameter_sets(family: str, tmp_path: Path) -> None:
    """Chunks of machines with other cores must join."""
    options = options_of(family)
    seen = set()
    for threads in (0, 1, 2):
        path = tmp_path / f"{threads}.mkv"
        assert encode(with_threads(ENCODERS[family], options, threads), str(path), 4) == ""
        seen.add(extradata_of(path))
    assert len(seen) == 1
    assert seen != {b""}


def test_threads_are_put_where_each_encoder_reads_them() -> None:
    x265 = with_threads(ENCODERS["x265"], options_of("x265"), 2)
    assert x265.count("-x265-params:v:0") == 1
    assert x265[x265.index("-x265-params:v:0") + 1].endswith(":pools=2:frame-threads=2")
    svt = with_threads(ENCODERS["svtav1"], options_of("svtav1"), 1)
    assert svt[svt.index("-svtav1-params:v:0") + 1] == "tune=0:lp=1"
    assert with_threads(ENCODERS["x264"], options_of("x264"), 3)[-2:] == ("-threads:v:0", "3")
    nvenc = options_of("hevc_nvenc")
    assert with_threads(ENCODERS["hevc_nvenc"], nvenc, 3) == nvenc


@pytest.mark.ffmpeg
@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_pass_reads_what_the_first_wrote(family: str, tmp_path: Path) -> None:
    encoder = ENCODERS[family]
    options = options_of(family, crf=None, bit_rate_kbps=200)
    stats = str(tmp_path / "stats")
    second = [*options, *pass_options(encoder, 2, stats)]
    assert encode(second, "-").startswith("failed")
    assert encode([*options, *pass_options(encoder, 1, stats)], "-") == ""
    assert encode(second, "-") == ""


def test_hardware_has_no_two_passes() -> None:
    with pytest.raises(ValueError, match="NVENC HEVC does not encode in two passes"):
        pass_options(ENCODERS["hevc_nvenc"], 1, "stats")
