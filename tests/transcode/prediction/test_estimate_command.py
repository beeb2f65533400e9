"""`manage.py estimate`: what is typed, what is printed, and that nothing is changed."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from library.models import Library, MediaFile
from library.probing.probe import probe_file
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import run_operation_here
from tests.media import make_clip
from tests.transcode.encode.films import JOB_UUID
from tests.transcode.makers import make_preset
from tests.transcode.prediction.facts import GB, facts
from tests.transcode.web import rows
from transcode.encoding.ffmpeg import find_ffmpeg
from transcode.models import Job, Prediction, QualityProbe
from transcode.outcomes import JobFailed, JobSkipped
from transcode.planning.packet_index import read_packet_index
from transcode.planning.plan import make_plan
from transcode.prediction.estimate import Estimate, estimate_size
from transcode.prediction.estimate_operation import start_estimate
from transcode.prediction.fixed_quality import known_quality
from transcode.prediction.sample_film import SampledFilm
from transcode.prediction.verdict import Verdict, judge, refuse_not_worth_it
from transcode.presets.spec import PresetSpec, VideoRule
from transcode.quality.found import FilmSource

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.quality.found import FoundQuality

KEYS = {
    "predicted_bytes",
    "predicted_bytes_low",
    "predicted_bytes_high",
    "predicted_vmaf",
    "predicted_seconds",
    "crf",
    "encoder",
    "worth_it",
    "reason",
}
SAMPLER = "transcode.console.estimate_report.sample_film"
FOUND = SampledFilm(
    estimate=replace(
        estimate_size(facts(), PresetSpec()),
        bytes=2 * GB,
        low=GB,
        high=3 * GB,
        basis="sampled",
        text="Sampled: 12 samples of it.",
        vmaf=95.2,
        seconds=4321.0,
    ),
    verdict=Verdict(True, True, "About 50 % smaller (25 to 75 %)."),
    source_bytes=4 * GB,
    encoder="libx265",
    crf=23.5,
    p5=91.4,
    fingerprint="f" * 64,
)


def run(*args: str) -> str:
    out = StringIO()
    call_command("estimate", *args, stdout=out, stderr=StringIO())
    return out.getvalue()


def refusal(*args: str) -> str:
    """The sentence of a command that refuses its input with exit code 2."""
    with pytest.raises(CommandError) as caught:
        run(*args)
    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(db: None, tmp_path: Path) -> str:
    """Something that is there; no test that uses it opens it."""
    film = tmp_path / "film.mkv"
    film.write_bytes(b"x")
    return str(film)


def test_the_document_has_every_key_of_the_interface(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[PresetSpec] = []

    def sample(_path: bytes, spec: PresetSpec, **_values: Any) -> SampledFilm:
        asked.append(spec)
        return FOUND

    monkeypatch.setattr(SAMPLER, sample)
    document = json.loads(run(path, "--preset", "balanced", "--target-vmaf", "94.5", "--json"))
    assert set(document) >= KEYS
    assert document["predicted_bytes"] == 2 * GB
    assert document["worth_it"] is True
    assert (asked[0].video.target_vmaf, asked[0].video.crf) == (94.5, None)


def test_people_read_size_quality_time_and_the_reason(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SAMPLER, lambda *_args, **_values: FOUND)
    text = run(path, "--preset", "balanced").replace("\N{NO-BREAK SPACE}", " ")
    for part in ("4.0 GB → about 2.0 GB", "1.0 GB to 3.0 GB", "95.2", "CRF 23.5", "Worth it"):
        assert part in text


def test_a_film_that_the_preset_leaves_alone_is_an_answer(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample(*_args: Any, **_values: Any) -> SampledFilm:
        raise JobSkipped("stereo_3d", "It is a 3D film.")

    monkeypatch.setattr(SAMPLER, sample)
    document = json.loads(run(path, "--preset", "balanced", "--json"))
    assert set(document) >= KEYS
    assert document["worth_it"] is False
    assert document["reason"] == "It is a 3D film."
    assert document["predicted_bytes"] is None
    assert "3D film" in run(path, "--preset", "balanced")


def test_a_film_that_cannot_be_read_fails_with_a_sentence(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample(*_args: Any, **_values: Any) -> SampledFilm:
        raise JobFailed("source_not_media", "It is no film.")

    monkeypatch.setattr(SAMPLER, sample)
    with pytest.raises(CommandError) as caught:
        run(path, "--preset", "balanced")
    assert (caught.value.returncode, str(caught.value)) == (1, "It is no film.")


@pytest.mark.parametrize(
    ("value", "words"),
    [("200", "from 50 to 99"), ("0", "from 50 to 99"), ("high", "a number"), ("nan", "a number")],
)
def test_a_wrong_target_is_refused_with_what_is_allowed(path: str, value: str, words: str) -> None:
    sentence = refusal(path, "--preset", "balanced", "--target-vmaf", value)
    assert "--target-vmaf" in sentence
    assert words in sentence


def test_wrong_presets_and_paths_are_refused(path: str, tmp_path: Path) -> None:
    assert "balanced" in refusal(path, "--preset", "no-such")
    assert "copies the picture" in refusal(path, "--preset", "remux", "--target-vmaf", "95")
    assert "cannot be used" in refusal(str(tmp_path / "gone.mkv"), "--preset", "balanced")
    assert "is a folder" in refusal(str(tmp_path), "--preset", "balanced")


@pytest.mark.ffmpeg
def test_samples_of_a_film_in_no_library_change_no_row_but_the_cache(
    db: None, tmp_path: Path, settings: Any
) -> None:
    settings.WORK_DIR = tmp_path / "work"
    film = tmp_path / "film.mkv"
    make_clip("h264_mkv", film)
    before = film.read_bytes()
    video = {**PresetSpec().to_json()["video"], "speed": "fastest", "crf": 30.0}
    make_preset("quick", video=video)
    document = json.loads(run(str(film), "--preset", "quick", "--json"))
    assert document["basis"] == "sampled"
    assert (document["crf"], document["encoder"]) == (30.0, "libx265")
    assert 0 < document["predicted_bytes_low"] <= document["predicted_bytes"]
    assert document["predicted_bytes"] <= document["predicted_bytes_high"] < 2 * len(before)
    assert 20 < document["predicted_vmaf"] <= 100
    assert film.read_bytes() == before
    assert QualityProbe.objects.count() == 1
    for model in (Job, Prediction, MediaFile, Library, Operation):
        assert not model._default_manager.exists()
    assert not list((tmp_path / "work").iterdir())
    _job_of_the_same_film_uses_the_samples(film, video, document)


def _job_of_the_same_film_uses_the_samples(
    path: Path, video: dict[str, Any], said: dict[str, Any]
) -> None:
    """Another preset's name and job make no difference; another CRF does."""
    raw = os.fsencode(path)
    index = read_packet_index(raw, with_sha256=True)
    source = FilmSource(raw, probe_file(raw), index)

    def known(crf: float) -> FoundQuality | None:
        plan = make_plan(
            source.info,
            index,
            PresetSpec(video=VideoRule(**{**video, "crf": crf})),
            preset_slug="other",
            job_uuid=JOB_UUID,
            fingerprint="",
            ffmpeg_version=find_ffmpeg().version,
        )
        return known_quality(source, plan)

    found = known(30.0)
    assert found is not None
    assert found.predicted_vmaf == said["predicted_vmaf"]
    assert known(31.0) is None


# Worth it


def estimate(low: int, expected: int, high: int, basis: str) -> Estimate:
    return replace(
        estimate_size(facts(), PresetSpec()),
        low=low * GB,
        bytes=expected * GB,
        high=high * GB,
        basis=basis,
    )


@pytest.mark.parametrize(
    ("sizes", "basis", "is_worth_it"),
    [
        ((1, 2, 3), "sampled", True),
        ((8, 95, 97), "sampled", False),
        ((80, 85, 97), "sampled", True),
        ((80, 95, 120), "rule", True),  # its range reaches below
        ((80, 95, 120), "learned", True),
        ((92, 95, 120), "rule", False),
        ((92, 95, 120), "learned", False),
    ],
)
def test_samples_decide_and_other_sources_only_with_their_whole_range(
    sizes: tuple[int, int, int], basis: str, is_worth_it: bool
) -> None:
    said = estimate(*sizes, basis)
    verdict = judge(said, 100 * GB, PresetSpec(min_saving_pct=10))
    assert verdict.is_worth_it is is_worth_it
    if is_worth_it:
        refuse_not_worth_it(said, 100 * GB, PresetSpec(min_saving_pct=10))
        return
    with pytest.raises(JobSkipped) as caught:
        refuse_not_worth_it(said, 100 * GB, PresetSpec(min_saving_pct=10))
    assert caught.value.reason_code == "not_worth_it"
    assert "95,000,000,000 bytes" in caught.value.reason
    assert "at least 10 % smaller" in caught.value.reason


def test_a_preset_about_playing_may_make_it_larger() -> None:
    said = estimate(110, 120, 130, "sampled")
    assert judge(said, 100 * GB, PresetSpec(min_saving_pct=-50)).is_worth_it
    verdict = judge(said, 100 * GB, PresetSpec(min_saving_pct=-5))
    assert not verdict.is_worth_it
    assert "20 % larger (10 to 30 %)" in verdict.reason
    assert "at most 5 % larger" in verdict.reason


def test_a_copy_is_always_worth_it() -> None:
    spec = PresetSpec(video=VideoRule(encoder="copy", crf=None))
    assert judge(estimate(99, 100, 101, "rule"), 100 * GB, spec).is_worth_it


# In the background


def operate(monkeypatch: pytest.MonkeyPatch, outcome: SampledFilm | Exception) -> Operation:
    def sample(*_args: Any, **values: Any) -> SampledFilm:
        values["calls"].report("Taking sample 1 of 2", 50.0)
        values["calls"].checkpoint()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr("transcode.prediction.sample_film.sample_film", sample)
    return run_operation_here(start_estimate(rows.make_file("Ray"), rows.balanced()))


def test_the_operation_keeps_what_the_samples_said(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = operate(monkeypatch, FOUND)
    assert row.status == OperationStatus.COMPLETED
    assert row.result["estimate"]["bytes"] == 2 * GB
    assert row.result["url"].endswith("#estimate")
    assert "50 % smaller" in row.message
    assert not Job.objects.exists()


def test_the_operation_says_why_there_is_no_estimate(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = operate(monkeypatch, JobSkipped("stereo_3d", "It is a 3D film."))
    assert skipped.status == OperationStatus.COMPLETED
    assert skipped.result["refusal"] == "It is a 3D film."
    failed = operate(monkeypatch, JobFailed("samples_failed", "A sample broke."))
    assert (failed.status, failed.message) == (OperationStatus.FAILED, "A sample broke.")
