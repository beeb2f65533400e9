"""One attempt with all its phases in this process, on a very small film."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.real_runs import make_real, run_real
from tests.transcode.replace.world import digest
from transcode.models import Job, JobAttempt, JobStatus, OutputMode, ProofRecord, Replacement

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


@pytest.fixture
def place(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR, settings.WORK_DIR = tmp_path, tmp_path / "work"
    make_real(tmp_path, width=160, height=96)
    return tmp_path


def films(place: Path) -> dict[str, str]:
    """Name to SHA-256 of what lies in the library, without MediaFlow's own folder."""
    root = place / "films"
    return {p.name: digest(p.read_bytes()) for p in root.iterdir() if p.is_file()}


def original(place: Path) -> str:
    return (place / "original.sha256").read_text()


def test_a_film_is_replaced_and_its_original_lies_in_the_trash(place: Path) -> None:
    assert run_real(place) == JobStatus.COMPLETED
    job, proof = Job.objects.get(), ProofRecord.objects.get()
    assert films(place) == {"film.mkv": proof.output_sha256}
    assert proof.is_passed
    trash = os.fsdecode(bytes(Replacement.objects.get().trash_raw or b""))
    with open(trash, "rb") as kept:
        assert digest(kept.read()) == original(place)
    assert (job.output_bytes, job.encoder) == (proof.output_bytes, "libx264")
    phases = set(JobAttempt.objects.get().phase_seconds)
    assert phases == {"plan", "encode", "assemble", "verify", "replace"}
    assert not list((place / "work" / "jobs").iterdir())


def test_a_film_that_goes_into_a_folder_leaves_the_original_where_it_is(place: Path) -> None:
    folder = place / "small"
    folder.mkdir()
    Job.objects.update(output_mode=OutputMode.FOLDER, output_dir_raw=os.fsencode(folder))
    assert run_real(place) == JobStatus.COMPLETED
    assert films(place) == {"film.mkv": original(place)}
    (made,) = folder.iterdir()
    assert digest(made.read_bytes()) == ProofRecord.objects.get().output_sha256


def test_a_film_that_fails_a_check_keeps_its_original_and_its_proof(place: Path) -> None:
    spec = Job.objects.get().preset_spec
    Job.objects.update(preset_spec={**spec, "is_vmaf_checked": True, "min_vmaf_mean": 99.9})
    assert run_real(place) == JobStatus.FAILED
    assert films(place) == {"film.mkv": original(place)}
    proof = ProofRecord.objects.get()
    assert not proof.is_passed
    job = Job.objects.get()
    assert (job.reason_code, job.output_bytes) == ("verify_quality", proof.output_bytes)
    assert job.vmaf_curve
    pictures = [p for pair in job.sample_frames for p in (pair["before"], pair["after"])]
    assert all((place / "frames" / str(job.uuid) / name).is_file() for name in pictures)
    assert not Replacement.objects.exists()
