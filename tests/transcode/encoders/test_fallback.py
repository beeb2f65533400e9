from __future__ import annotations

from fractions import Fraction

from transcode.encoders import ENCODERS, EncodeRequest, HdrMetadata, video_options
from transcode.encoders.answers import AnswerKind
from transcode.encoders.fallback import Fallback
from transcode.presets.spec import VideoRule

NVENC = ENCODERS["hevc_nvenc"]
RULE = VideoRule(encoder="hevc_nvenc", crf=24)
REQUEST = EncodeRequest(RULE, 8, Fraction(25), HdrMetadata(None, None, None, is_pq=False), "mkv")
OPTIONS = video_options(NVENC, REQUEST)
LIMIT = ["[x @ 0x56] OpenEncodeSessionEx failed: incompatible client key (21): (no details)"]
PASCAL = ["[hevc_nvenc @ 0x56] Temporal AQ not supported"]
NO_B_REFERENCES = ["[hevc_nvenc @ 0x56] B frames as references are not supported"]
GONE = ["[hevc_nvenc @ 0x56] cuInit(0) failed -> CUDA_ERROR_UNKNOWN: unknown error"]


def test_a_session_limit_halves_what_runs_at_once_and_then_leaves_the_hardware() -> None:
    fallback = Fallback(NVENC, 4)
    assert fallback.react(LIMIT, 187).kind == AnswerKind.FEWER_SESSIONS
    assert fallback.sessions == 2
    assert fallback.react(LIMIT, 187).kind == AnswerKind.FEWER_SESSIONS
    assert fallback.sessions == 1
    assert fallback.react(LIMIT, 187).kind == AnswerKind.SOFTWARE


def test_what_an_old_chip_lacks_is_left_out_one_after_the_other() -> None:
    fallback = Fallback(NVENC, 2)
    assert fallback.options(OPTIONS) == OPTIONS
    assert fallback.react(PASCAL, 187).kind == AnswerKind.REDUCED_OPTIONS
    assert fallback.react(NO_B_REFERENCES, 187).kind == AnswerKind.REDUCED_OPTIONS
    left = fallback.options(OPTIONS)
    assert set(OPTIONS) - set(left) == {"-temporal-aq:v:0", "-b_ref_mode:v:0", "middle"}
    assert len(left) == len(OPTIONS) - 4


def test_options_stay_as_they_are_once_a_chunk_came_out_well() -> None:
    fallback = Fallback(NVENC, 2, has_other_encoder=True)
    fallback.finished_one()
    assert fallback.react(PASCAL, 187).kind == AnswerKind.OTHER_ENCODER
    assert fallback.options(OPTIONS) == OPTIONS


def test_a_driver_that_breaks_in_the_middle_is_answered_with_the_processor() -> None:
    fallback = Fallback(NVENC, 2)
    fallback.finished_one()
    answer = fallback.react(GONE, 171)
    assert answer.kind == AnswerKind.SOFTWARE
    assert answer.text.endswith("The processor encodes instead.")


def test_decoding_on_the_device_is_given_up_first() -> None:
    fallback = Fallback(NVENC, 2)
    lines = ["[dec:h264] Hardware device setup failed for decoder: Operation not permitted"]
    assert fallback.react(lines, 255).kind == AnswerKind.NO_HARDWARE_DECODE
    assert fallback.has_software_decode


def test_a_failure_of_software_is_nothing_that_another_encoder_answers() -> None:
    fallback = Fallback(ENCODERS["x265"], 2)
    assert fallback.react(["Error setting preset/tune bogus/(null)."], 234).kind == "give_up"
    assert fallback.react([], -9).kind == AnswerKind.FEWER_SESSIONS
    assert fallback.sessions == 1
