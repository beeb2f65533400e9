"""The walk itself, the proof it makes, its record, and rung 12."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from library.media_info import MasteringDisplay
from mediaflow.base import failpoints
from tests.media import make_clip
from tests.transcode.verify.pairs import JOB_UUID, Pair, encode_pair
from tests.transcode.verify.walk import all_rungs, failed_rungs, prove
from transcode.outcomes import JobCancelled, JobFailed
from transcode.verify import RUNGS, check_swapped, save_proof
from transcode.verify.color_rungs import ratio, same_display
from transcode.verify.timing_rungs import largest_shift

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.verify import Proof
    from transcode.verify.evidence import Evidence

pytestmark = pytest.mark.ffmpeg


@pytest.fixture(scope="session")
def proven(rich: Pair) -> Proof:
    """The proof of the good pair."""
    return prove(rich)


def test_every_rung_of_trust_but_the_last_is_in_the_table() -> None:
    assert sorted(rung.verdict.number for rung in RUNGS) == list(range(12))
    codes = [rung.verdict.code for rung in RUNGS]
    assert len(set(codes)) == len(codes)


def test_every_rung_can_be_died_at() -> None:
    wanted = {f"verify.rung.{number}" for number in range(12)}
    assert wanted | {"verify.started", "verify.passed", "verify.proof_saved"} <= set(
        failpoints.DECLARED
    )


def test_a_good_output_gives_a_whole_proof(rich: Pair, proven: Proof) -> None:
    proof = proven
    assert proof.is_passed, proof.failed_text
    assert proof.failure is None
    assert [r.number for r in proof.rungs] == list(range(12))
    assert proof.frames == 75
    assert proof.vmaf_mean is not None
    assert proof.vmaf_p5 is not None
    assert 80 < proof.vmaf_p5 <= proof.vmaf_mean <= 100
    assert "vmaf_v0.6.1" in proof.vmaf_method
    assert len(proof.source_sha256) == len(proof.output_sha256) == 64
    assert proof.output_bytes == rich.output.stat().st_size
    assert proof.info_after is not None


def test_a_failure_ends_the_walk_and_says_what_was_measured(rich: Pair) -> None:
    proof = prove(rich.with_plan(chapters=5))
    assert not proof.is_passed
    assert proof.failed_code == "verify_streams"
    assert [r.number for r in proof.rungs] == [0, 1, 2, 5]
    assert "2 chapters where 5" in proof.failed_text
    assert isinstance(proof.failure, JobFailed)
    assert not proof.failure.is_retryable


def test_a_failure_ends_the_decoding_that_runs_beside(
    rich: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def decode_for_ever(evidence: Evidence, *_args: object, **_options: object) -> None:
        try:
            while True:
                evidence.side.checkpoint()
        finally:
            ended.set()

    monkeypatch.setattr("transcode.verify.decode_rung._decode", decode_for_ever)
    assert prove(rich.with_plan(chapters=5)).failed_code == "verify_streams"
    assert ended.is_set()


def test_progress_and_log_name_the_rungs(rich: Pair) -> None:
    pair = replace(rich, notes=[], log=[])
    prove(pair)
    notes = [note.note for note in pair.notes]
    assert "rung 6 of 12: decodes every frame" in notes
    assert any(line.startswith("rung 8 quality: passed") for line in pair.log)


def test_a_request_to_stop_ends_the_walk_at_once(rich: Pair) -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 4:
            raise JobCancelled("cancelled", "Somebody asked for it.")

    with pytest.raises(JobCancelled):
        prove(rich, rich.context(checkpoint=stop))


def test_the_hash_of_the_source_is_that_of_planning(rich: Pair, proven: Proof) -> None:
    assert proven.source_sha256 == rich.prepared.index.sha256


def test_a_missing_result_of_the_encode_is_said(rich: Pair) -> None:
    assert all_rungs(replace(rich, result=None))[0].outcome == "not_applicable"


def test_vmaf_is_left_out_where_the_preset_does_not_ask(rich: Pair) -> None:
    rungs = all_rungs(rich.with_plan(is_vmaf_checked=False))
    assert rungs[8].outcome == "not_applicable"


def test_a_message_that_the_source_gives_too_is_let_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip("h264_mkv", tmp_path / "source.mkv", crf=8)
    pair = encode_pair(source, tmp_path)
    assert pair.result is not None
    said = frozenset({"[h264 @ 0x] [warning] an odd stream"})
    monkeypatch.setattr(
        "transcode.verify.process_rungs._lines_of_decoding_the_source", lambda _evidence: said
    )
    lines = ("[h264 @ 0x55aabbcc] [warning] an odd stream",)
    pair = replace(pair, result=replace(pair.result, stderr_lines=lines))
    assert failed_rungs(pair) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("is_good", [True, False])
def test_a_proof_is_written_down_passed_or_not(rich: Pair, is_good: bool) -> None:
    from transcode.models import Job

    job = Job.objects.create(uuid=JOB_UUID, file_path="/f", preset_slug="balanced",
                             preset_spec={}, command="ffmpeg …")  # fmt: skip
    pair = rich if is_good else rich.with_plan(chapters=5)
    record = save_proof(job.pk, pair.prepared.plan, prove(pair))
    record.refresh_from_db()
    assert record.is_passed is is_good
    assert record.command == "ffmpeg …"
    assert record.plan_hash == pair.prepared.plan.digest()
    assert record.rungs[0]["name"] == "process"
    assert record.streams_before["video"][0]["codec"] == "h264"
    assert record.streams_after["video"][0]["codec"] == "hevc"


# Rung 12


def test_the_swapped_file_is_the_proven_one(rich: Pair, proven: Proof, tmp_path: Path) -> None:
    final = tmp_path / "film.mkv"
    shutil.copyfile(rich.output, final)
    check_swapped(os.fsencode(final), proven)


def test_one_flipped_byte_after_the_swap_is_seen(rich: Pair, proven: Proof, tmp_path: Path) -> None:
    final = tmp_path / "film.mkv"
    shutil.copyfile(rich.output, final)
    with final.open("r+b") as film:
        film.seek(1000)
        byte = film.read(1)
        film.seek(1000)
        film.write(bytes([byte[0] ^ 1]))
    with pytest.raises(JobFailed, match="SHA-256") as problem:
        check_swapped(os.fsencode(final), proven)
    assert problem.value.reason_code == "verify_swapped"


def test_a_short_file_after_the_swap_is_seen(rich: Pair, proven: Proof, tmp_path: Path) -> None:
    final = tmp_path / "film.mkv"
    final.write_bytes(rich.output.read_bytes()[:-1])
    with pytest.raises(JobFailed, match="bytes"):
        check_swapped(os.fsencode(final), proven)


def test_a_proof_without_a_hash_proves_nothing(rich: Pair, proven: Proof) -> None:
    proof = replace(proven, output_sha256="")
    with pytest.raises(JobFailed):
        check_swapped(os.fsencode(rich.output), proof)


def test_a_swapped_file_that_no_longer_opens_is_seen(proven: Proof, tmp_path: Path) -> None:
    final = tmp_path / "film.mkv"
    final.write_bytes(b"x" * 1000)
    digest = hashlib.sha256(final.read_bytes()).hexdigest()
    proof = replace(proven, output_sha256=digest, output_bytes=1000)
    with pytest.raises(JobFailed, match="opened"):
        check_swapped(os.fsencode(final), proof)


# Small values


def test_moments_are_compared_across_clocks() -> None:
    mkv, mp4 = Fraction(1, 1000), Fraction(1, 12800)
    worst, frame = largest_shift([0, 33, 67, 100], mkv, [0, 427, 853, 1280], mp4)
    assert worst < 0.001
    worst, frame = largest_shift([0, 40, 80], mkv, [500, 540, 600], mkv)
    assert (round(worst, 6), frame) == (0.02, 2)
    assert largest_shift([], mkv, [1], mkv) == (0.0, 0)


def test_pixel_shapes_are_compared_as_numbers() -> None:
    assert ratio("1:1") == ratio("") == ratio("0:1") == 1
    assert ratio("4:3") == ratio("40:30") == Fraction(4, 3)


def test_the_mastering_display_may_differ_in_its_last_digit_only() -> None:
    display = MasteringDisplay(34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10_000_000, 50)
    assert same_display(display, replace(display, red_x=34001))
    assert not same_display(display, replace(display, red_x=34100))
    assert not same_display(display, None)
