"""Pictures before and after, and the scores over time."""

from __future__ import annotations

import os
from array import array
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import av
import pytest

from library.probing.probe import probe_file
from tests.transcode.verify.pairs import X265, ffmpeg
from transcode.encoding.process import FfmpegResult
from transcode.models import Job
from transcode.planning.packet_index import read_packet_index
from transcode.quality import pictures
from transcode.quality.pictures import (
    MAX_CURVE_POINTS,
    ScoredFrame,
    choose_frames,
    frames_folder,
    keep_pictures,
    scored_frames,
    sweep_pictures,
    vmaf_curve,
)
from transcode.verify.film_sides import Compared, output_side
from transcode.verify.vmaf import WindowScore
from transcode.verify.vmaf_graph import FilmSide, Window

if TYPE_CHECKING:
    from pathlib import Path


def window(first: int, *scores: float, count: int | None = None) -> WindowScore:
    return WindowScore(Window(first, count or len(scores)), scores, 1.0, None, None, True)


def side(path: bytes = b"/film.mkv", frames: int = 4000) -> FilmSide:
    ticks = array("q", range(0, 40 * frames, 40))
    return FilmSide(path, 0, ticks, array("q", [0]), Fraction(1, 1000), 0.0)


def test_scores_are_numbered_by_picture_and_the_first_of_a_film_has_none() -> None:
    frames = scored_frames([window(0, 95.0, 94.0, count=3), window(10, 90.0)])
    assert frames == [ScoredFrame(1, 95.0), ScoredFrame(2, 94.0), ScoredFrame(10, 90.0)]


def test_the_worst_the_middle_and_the_best_are_chosen() -> None:
    chosen = choose_frames(
        [ScoredFrame(n, v) for n, v in enumerate([95.0, 80.0, 99.0, 93.0, 94.0])]
    )
    assert {kind: scored.frame for kind, scored in chosen.items()} == {
        "worst": 1,
        "median": 4,
        "best": 2,
    }


def test_one_picture_is_shown_once_and_none_is_no_error() -> None:
    assert list(choose_frames([ScoredFrame(5, 90.0)])) == ["worst"]
    assert choose_frames([]) == {}


def test_the_curve_is_in_seconds_of_the_film_and_never_too_long() -> None:
    compared = Compared(side(), side(), (window(100, 95.0, 93.0),), is_hdr=False)
    assert vmaf_curve(compared) == [[4.0, 95.0], [4.04, 93.0]]
    long = Compared(side(), side(), (window(0, *([90.0] * 2000)),), is_hdr=False)
    curve = vmaf_curve(long)
    assert len(curve) <= MAX_CURVE_POINTS
    assert all(vmaf == 90.0 for _seconds, vmaf in curve)


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


@pytest.mark.ffmpeg
def test_pairs_show_the_same_picture_of_both_films(tmp_path: Path, data_dir: Path) -> None:
    """The brightness of each picture tells its number."""
    ramp = "color=black:s=64x64:r=25:d=1,geq=lum='16+8*N':cb=128:cr=128"
    source, output = tmp_path / "source.mkv", tmp_path / "output.mkv"
    ffmpeg("-f", "lavfi", "-i", ramp, "-c:v", "libx264", "-qp", "1", source)
    ffmpeg("-i", source, *X265, "-crf", "10", output)
    sides = [_side(path) for path in (source, output)]
    compared = Compared(sides[0], sides[1], (window(3, 95.0, 80.0, 99.0),), is_hdr=False)
    job = uuid4()
    pairs = keep_pictures(job, compared)
    assert [(p["kind"], p["frame"], p["vmaf"]) for p in pairs] == [
        ("worst", 4, 80.0),
        ("median", 3, 95.0),
        ("best", 5, 99.0),
    ]
    for pair in pairs:
        folder = frames_folder(job)
        before, after = (_brightness(folder / str(pair[key])) for key in ("before", "after"))
        assert before == pytest.approx(after, abs=4)
        # Eight steps of video levels are 9.3 of a JPEG's.
        assert before == pytest.approx(9.3 * int(str(pair["frame"])), abs=4)


def _side(path: Path) -> FilmSide:
    raw = os.fsencode(path)
    return output_side(raw, 0, probe_file(raw), read_packet_index(raw))


def _brightness(path: Path) -> float:
    with av.open(str(path)) as picture:
        frame = next(picture.decode(video=0))
        plane = bytes(frame.reformat(format="gray").planes[0])
        return sum(plane) / len(plane)


@pytest.mark.parametrize("is_logged", [True, False])
def test_pictures_that_have_no_folder_are_left_out_and_logged(
    data_dir: Path, is_logged: bool
) -> None:
    data_dir.mkdir()
    (data_dir / "frames").write_text("a file where the folder should be")
    compared = Compared(side(), side(), (window(3, 95.0),), is_hdr=False)
    log: list[str] = []
    assert keep_pictures(uuid4(), compared, log=log.append if is_logged else None) == []
    assert log == (["no pictures are kept: Not a directory"] if is_logged else [])


@pytest.mark.parametrize(
    ("changes", "tries"),
    [({}, 2), ({"has_exact_seek": False}, 2), ({"has_exact_pts": False}, 1)],
    ids=["seeking", "seeking far back", "counting"],
)
def test_a_picture_that_cannot_be_taken_is_left_out_and_no_half_of_a_pair_stays(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, bool], tries: int
) -> None:
    """The source's disk went away: ffmpeg writes the one side and ends badly."""
    runs: list[Path] = []

    def run(_argv: object, *, cwd: Path, checkpoint: object) -> FfmpegResult:
        runs.append(cwd)
        (cwd / "worst-after.jpg").write_bytes(b"half")
        return FfmpegResult((), 1, ("Input/output error",), False, 0.0, None)

    monkeypatch.setattr(pictures, "run_ffmpeg", run)
    source = replace(side(), **changes)  # type: ignore[arg-type]
    job, log = uuid4(), list[str]()
    compared = Compared(source, side(), (window(3, 95.0),), is_hdr=True)
    assert keep_pictures(job, compared) == []
    assert keep_pictures(job, compared, log=log.append) == []
    assert log == ["the worst picture (number 3) could not be taken"]
    assert len(runs) == 2 * tries
    assert list(frames_folder(job).iterdir()) == []


def test_where_no_picture_was_ever_kept_none_is_swept(data_dir: Path) -> None:
    assert sweep_pictures() == 0


@pytest.mark.django_db
def test_pictures_go_with_their_job(data_dir: Path) -> None:
    job = Job.objects.create(file_path="film", preset_slug="x", preset_spec={})
    for uuid in (job.uuid, uuid4()):
        frames_folder(uuid).mkdir(parents=True)
    (data_dir / "frames" / "no job").mkdir()
    assert sweep_pictures() == 1
    assert frames_folder(job.uuid).is_dir()
    assert (data_dir / "frames" / "no job").is_dir()
