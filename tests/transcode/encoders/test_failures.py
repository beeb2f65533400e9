from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcode.encoders.ffmpeg_help import encoder_help
from transcode.encoders import ENCODERS
from transcode.encoders.answers import AnswerKind, left_out, next_try, reduced
from transcode.encoders.failures import Failure, FailureKind, classify
from transcode.encoders.hardware import HARDWARE_ENCODERS

RECORDED = Path(__file__).with_name("recorded") / "failures.txt"


def recorded_failures() -> list[tuple[str, str, list[str]]]:
    """(kind and options to drop, what it is, lines)"""
    found = []
    for block in RECORDED.read_text(encoding="utf-8").split("## ")[1:]:
        head, *lines = block.splitlines()
        expected, _, name = head.partition("  ")
        found.append((expected, name, lines))
    return found


@pytest.mark.parametrize(
    ("expected", "lines"), [pytest.param(e, lines, id=n) for e, n, lines in recorded_failures()]
)
def test_every_row_of_the_error_table_is_classified(expected: str, lines: list[str]) -> None:
    kind, _, drop = expected.partition(" ")
    failure = classify(lines)
    assert failure.kind == kind
    assert failure.drop == tuple(drop.split(",") if drop else ())
    assert failure.text.endswith(".")
    assert failure.line and "@ 0x" not in failure.line


def test_every_kind_that_comes_from_a_text_is_recorded() -> None:
    kinds = {expected.partition(" ")[0] for expected, _, _ in recorded_failures()}
    assert kinds == set(FailureKind) - {FailureKind.CRASHED}


def test_a_signal_without_a_word_is_told_from_a_failure() -> None:
    assert classify([], -9).kind == FailureKind.OUT_OF_MEMORY
    assert classify(["frame= 12"], -11).kind == FailureKind.CRASHED
    assert classify([], 1) == Failure(FailureKind.OTHER, classify([], 1).text)


def failure_of(kind: FailureKind, *drop: str) -> Failure:
    return Failure(kind, "So it was.", "line", drop)


def answers(failure: Failure, **conditions: bool | int) -> list[str]:
    """All answers in turn until it is given up."""
    tried: list[AnswerKind] = []
    while True:
        answer = next_try(failure, tried, **conditions)  # type: ignore[arg-type]
        tried.append(answer.kind)
        if answer.kind == AnswerKind.GIVE_UP:
            return [str(kind) for kind in tried]


def test_a_machine_without_driver_goes_on_with_the_processor() -> None:
    assert answers(failure_of(FailureKind.NO_DRIVER)) == ["software", "give_up"]
    both = answers(failure_of(FailureKind.OLD_DRIVER), has_other_encoder=True)
    assert both == ["other_encoder", "software", "give_up"]


def test_a_session_limit_asks_for_fewer_encodes_at_once_first() -> None:
    failure = failure_of(FailureKind.SESSION_LIMIT)
    assert answers(failure) == ["fewer_sessions", "fewer_sessions", "software", "give_up"]
    assert answers(failure, sessions=1) == ["software", "give_up"]


def test_a_missing_capability_is_left_out_before_the_encoder_is_changed() -> None:
    failure = failure_of(FailureKind.CAPABILITY, "temporal-aq")
    assert answers(failure)[:2] == ["reduced_options", "reduced_options"]
    assert answers(failure)[-2:] == ["software", "give_up"]
    assert next_try(failure, []).drop == ("temporal-aq",)
    assert next_try(failure, []).text == "So it was. It is tried without temporal-aq."
    assert answers(failure_of(FailureKind.CAPABILITY)) == ["software", "give_up"]


def test_decoding_falls_back_before_encoding_does() -> None:
    failure = failure_of(FailureKind.DECODE_DEVICE)
    assert answers(failure) == ["no_hardware_decode", "software", "give_up"]
    assert answers(failure, is_hardware=False) == ["no_hardware_decode", "give_up"]


def test_software_has_no_other_encoder_to_go_to() -> None:
    memory = answers(failure_of(FailureKind.OUT_OF_MEMORY), is_hardware=False)
    assert memory == ["fewer_sessions", "fewer_sessions", "give_up"]
    assert answers(failure_of(FailureKind.OTHER), is_hardware=False) == ["give_up"]


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_ends_with_the_processor_and_then_with_nothing(kind: FailureKind) -> None:
    assert answers(failure_of(kind), has_other_encoder=True)[-2:] == ["software", "give_up"]


def test_options_are_left_out_with_their_values() -> None:
    options = ("-c:v:0", "hevc_nvenc", "-temporal-aq:v:0", "1", "-bf:v:0", "4", "-cq:v:0", "24")
    assert reduced(options, ("temporal-aq",)) == (*options[:2], *options[4:])
    assert reduced(options, ("bf",)) == (*options[:4], "-bf:v:0", "0", *options[6:])
    assert reduced(options, ("*",)) == ("-c:v:0", "hevc_nvenc", "-bf:v:0", "0", "-cq:v:0", "24")
    assert left_out(options, ("ffmpeg", *options, "out.mkv")) == ()
    assert left_out(options, ("ffmpeg", *reduced(options, ("*",)))) == ("temporal-aq", "bf")


def test_what_makes_the_quality_is_never_left_out() -> None:
    options = ("-cq:v:0", "24", "-pix_fmt:v:0", "p010le", "-profile:v:0", "main10")
    assert reduced(options, ("cq", "pix_fmt", "profile", "no-such")) == options


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    "family", ["hevc_nvenc", "hevc_vaapi", "av1_qsv", "h264_amf", "hevc_videotoolbox"]
)
def test_the_bundled_ffmpeg_fails_without_a_device_as_recorded(family: str) -> None:
    """Real: each API is compiled in (VideoToolbox is not) and finds nothing on this machine."""
    from transcode.encoders.trial import try_encode

    trial = try_encode(ENCODERS[family], "", 8)
    if trial.is_working:
        pytest.skip("this machine has the hardware")
    assert trial.failure is not None
    wanted = FailureKind.NO_DRIVER if encoder_help(family) else FailureKind.NOT_BUILT
    assert trial.failure.kind in {wanted, FailureKind.UNSUPPORTED}
    assert next_try(trial.failure, []).kind == AnswerKind.SOFTWARE


def test_no_extra_of_a_hardware_encoder_is_needed_for_its_quality() -> None:
    assert all(e.quality_option not in {"-bf", "-tune"} for e in HARDWARE_ENCODERS)
