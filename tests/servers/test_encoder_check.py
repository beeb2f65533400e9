from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import run_operation_here
from mediaflow.diagnostics import checks
from servers.encoder_check import QUIET_START_S, StartCheck, start_encoder_check
from servers.slots import LOCAL_NAME
from transcode.encoders import ENCODERS, availability
from transcode.encoders.availability import (
    THIS_SERVER,
    check_encoders,
    working_encoders,
    working_for,
)
from transcode.encoders.failures import Failure, FailureKind
from transcode.encoders.registry import hardware_for
from transcode.encoders.trial import Trial
from transcode.models import EncoderCheck
from transcode.presets.rules import VideoRule

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

    from transcode.encoders import VideoEncoder

pytestmark = pytest.mark.django_db
NO_DRIVER = Failure(FailureKind.NO_DRIVER, "There is no driver.", "Cannot load libcuda.so.1")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str, int], Trial]:
    """What each (family, device, depth) answers; the software works, the rest has no driver."""
    answers: dict[tuple[str, str, int], Trial] = {}

    def try_encode(encoder: VideoEncoder, device: str, depth: int) -> Trial:
        default = Trial(not encoder.is_hardware, NO_DRIVER if encoder.is_hardware else None)
        return answers.get((encoder.family, device, depth), default)

    monkeypatch.setattr(availability, "try_encode", try_encode)
    return answers


def test_the_local_server_has_one_name() -> None:
    assert THIS_SERVER == LOCAL_NAME


@pytest.mark.usefixtures("trials")
def test_every_encoder_gets_a_row_with_its_reason() -> None:
    check_encoders()
    assert set(EncoderCheck.objects.values_list("encoder", flat=True)) == set(ENCODERS)
    x265 = EncoderCheck.objects.get(encoder="x265")
    assert (x265.is_working, x265.depths, x265.reason) == (True, [8, 10, 12], "")
    nvenc = EncoderCheck.objects.get(encoder="hevc_nvenc")
    assert (nvenc.is_working, nvenc.reason_code) == (False, "no_driver")
    assert nvenc.reason == "There is no driver. ffmpeg: “Cannot load libcuda.so.1”"
    apple = EncoderCheck.objects.get(encoder="hevc_videotoolbox")
    assert apple.reason_code == "not_built"
    assert apple.ffmpeg_version


@pytest.mark.usefixtures("trials")
def test_a_second_check_changes_the_rows_and_adds_none() -> None:
    check_encoders()
    check_encoders()
    assert EncoderCheck.objects.count() == len(ENCODERS)


def test_each_render_node_is_tried_and_one_that_left_is_forgotten(
    trials: dict[tuple[str, str, int], Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "RENDER_NODES", tmp_path)
    nodes = [str(tmp_path / name) for name in ("renderD128", "renderD129")]
    for node in nodes:
        (tmp_path / node).touch()
    trials["hevc_vaapi", nodes[1], 8] = Trial(is_working=True)
    check_encoders([ENCODERS["hevc_vaapi"]])
    rows = EncoderCheck.objects.order_by("device")
    assert [(r.device, r.is_working) for r in rows] == [(nodes[0], False), (nodes[1], True)]
    assert working_encoders()["hevc_vaapi"].devices == (nodes[1],)
    assert working_encoders()["hevc_vaapi"].depths == (8,)
    (tmp_path / nodes[1]).unlink()
    check_encoders([ENCODERS["hevc_vaapi"]])
    assert [r.device for r in EncoderCheck.objects.all()] == [nodes[0]]


def test_options_that_the_device_does_not_know_are_said(
    trials: dict[tuple[str, str, int], Trial],
) -> None:
    trials["hevc_nvenc", "", 8] = Trial(is_working=True, dropped=("temporal-aq",))
    check_encoders([ENCODERS["hevc_nvenc"]])
    assert "does not know temporal-aq" in EncoderCheck.objects.get().reason


def test_a_film_that_may_go_to_hardware_tries_that_of_its_codec_once(
    trials: dict[tuple[str, str, int], Trial],
) -> None:
    """Not all encoders: a person waits for the first film."""
    trials["hevc_qsv", "", 8] = Trial(is_working=True)
    rule = VideoRule(encoder="x265", crf=None, target_vmaf=95, hardware="allow")
    assert set(working_for(rule)) == {"hevc_qsv"}
    tried = set(EncoderCheck.objects.values_list("encoder", flat=True))
    assert tried == {encoder.family for encoder in hardware_for("hevc")}
    EncoderCheck.objects.update(is_working=False)
    assert working_for(rule) == {}  # known, so not tried again


@pytest.mark.usefixtures("trials")
@pytest.mark.parametrize(
    "rule",
    [
        VideoRule(encoder="x265", crf=None, target_vmaf=95),
        VideoRule(crf=None, target_vmaf=95, hardware="allow", speed="slow"),
        VideoRule(encoder="x265", hardware="allow"),
        VideoRule(encoder="hevc_nvenc", crf=None, target_vmaf=95, hardware="allow"),
    ],
    ids=["never", "for small files", "no target", "named"],
)
def test_a_film_whose_preset_decides_alone_tries_nothing(rule: VideoRule) -> None:
    assert working_for(rule) == {}
    assert not EncoderCheck.objects.exists()


@pytest.mark.usefixtures("trials")
def test_another_ffmpeg_is_checked_anew() -> None:
    check_encoders()
    assert not availability.is_check_due()
    EncoderCheck.objects.filter(encoder="x264").update(ffmpeg_version="n7.1")
    assert availability.is_check_due()


@pytest.mark.usefixtures("trials")
def test_the_consumer_checks_once_after_its_start_and_not_at_once() -> None:
    now = [100.0]
    start_check = StartCheck(monotonic=lambda: now[0])
    start_check()
    assert not Operation.objects.exists()
    now[0] += QUIET_START_S
    start_check()
    operation = run_operation_here(Operation.objects.get())
    assert operation.status == OperationStatus.COMPLETED
    assert EncoderCheck.objects.count() == len(ENCODERS)
    start_check()
    assert Operation.objects.count() == 1


def test_two_who_ask_get_one_check() -> None:
    assert start_encoder_check().pk == start_encoder_check().pk


@pytest.mark.usefixtures("trials")
def test_the_page_shows_what_was_found_and_that_nobody_tried_the_hardware(
    as_operator: Client,
) -> None:
    empty = as_operator.get("/servers/encoders/").text
    assert "Not checked yet" in empty
    check_encoders()
    page = as_operator.get("/servers/encoders/").text
    assert "Not checked yet" not in page
    assert "There is no driver." in page
    assert "Not tried on hardware" in page
    assert "NVENC HEVC" in page and "8, 10, 12" in page


def test_a_check_from_the_page_runs_in_the_background(
    as_operator: Client, as_viewer: Client
) -> None:
    answer = as_operator.post("/servers/encoders/check/")
    operation = Operation.objects.get()
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/operations/{operation.pk}/"
    assert "Check of the encoders" in as_operator.get("/servers/encoders/").text
    assert as_viewer.get("/servers/encoders/").status_code == 403


def test_the_page_asks_few_questions(
    as_operator: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12):
        as_operator.get("/servers/encoders/")


def test_doctor_fails_for_a_broken_software_encoder_and_not_for_absent_hardware(
    trials: dict[tuple[str, str, int], Trial],
) -> None:
    broken = Trial(False, Failure(FailureKind.OTHER, "It crashed."))
    trials.update({("svtav1", "", depth): broken for depth in (8, 10)})
    found = {check.name: check for check in checks.check_encoders()}
    assert not found["encoder libsvtav1"].ok
    assert found["encoder libsvtav1"].detail == "It crashed."
    assert found["encoder libx264"].detail == "encodes, 8 and 10 bits"
    absent = found["encoder hevc_nvenc"]
    assert absent.ok and absent.detail.startswith("not here: There is no driver.")
