"""Windows, percentiles, the proof of alignment, and the graph that measures."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from library.probing.probe import probe_file
from tests.transcode.verify.pairs import X265, ffmpeg
from transcode.encoding.process import FfmpegResult
from transcode.planning.packet_index import read_packet_index
from transcode.quality.found import FoundQuality, SampleScore
from transcode.verify.quality_rung import promised_windows
from transcode.verify.vmaf import (
    VmafFailed,
    VmafScore,
    choose_windows,
    is_shifted,
    measure_vmaf,
    percentile,
    weighted_percentile,
)
from transcode.verify.vmaf_graph import FilmSide, Geometry, Window

if TYPE_CHECKING:
    from pathlib import Path


def test_a_short_clip_is_one_window() -> None:
    assert choose_windows(1, 25) == (Window(0, 1),)
    assert choose_windows(150, 25) == (Window(0, 150),)
    assert choose_windows(0, 25) == ()


def test_longer_films_get_three_to_five_windows_inside_the_film() -> None:
    for frames, number in ((1500, 3), (20_000, 4), (200_000, 5)):
        windows = choose_windows(frames, 25)
        assert len(windows) == number
        assert all(w.first >= 0 and w.first + w.count <= frames for w in windows)
        assert all(w.count == 50 for w in windows)


def test_a_film_without_a_rate_still_gets_windows() -> None:
    assert choose_windows(1000, 0)[0].count == 72


def test_a_window_moves_to_where_decoding_costs_least() -> None:
    def since_key(frame: int) -> int:
        return frame % 240

    windows = choose_windows(1500, 25, cost=since_key)
    assert [(w.first - 1) % 240 for w in windows] == [0, 0, 0]


def test_percentile_is_the_nearest_rank() -> None:
    assert percentile([5.0], 5) == 5.0
    assert percentile([float(n) for n in range(1, 101)], 5) == 5.0
    assert percentile([3.0, 1.0, 2.0], 5) == 1.0


def test_still_scenes_tie_and_count_as_aligned() -> None:
    assert not is_shifted([0.99] * 20, [0.99] * 20)
    assert not is_shifted([], [])


def test_a_clear_and_steady_gain_is_a_shift() -> None:
    assert is_shifted([0.90] * 20, [0.98] * 20)


def test_a_gain_on_few_frames_is_no_shift() -> None:
    assert not is_shifted([0.9] * 5 + [0.98] * 15, [0.98] * 5 + [0.97] * 15)


@pytest.mark.parametrize(
    ("width", "height", "model"),
    [(1920, 1080, "vmaf_v0.6.1"), (3840, 1600, "vmaf_4k_v0.6.1"), (1080, 1920, "vmaf_v0.6.1")],
)
def test_the_model_follows_the_resolution(width: int, height: int, model: str) -> None:
    assert Geometry(width, height, "yuv420p", "tv").model == model


@pytest.mark.parametrize(
    ("pix_fmt", "scored"),
    [
        ("yuv420p10le", "yuv420p10le"),
        ("yuvj420p", "yuv420p"),
        ("gbrp", "yuv420p"),
        ("p010le", "yuv420p10le"),
    ],
)
def test_formats_that_libvmaf_does_not_take_are_converted(pix_fmt: str, scored: str) -> None:
    assert Geometry(64, 64, pix_fmt, "tv").scored_format == scored


def side(path: Path, **changes: object) -> FilmSide:
    raw = os.fsencode(path)
    index, info = read_packet_index(raw), probe_file(raw)
    made = FilmSide(
        path=raw,
        stream=0,
        pts=index.video_pts,
        keys=index.video_keys,
        time_base=index.time_base,
        start_s=info.start_s or 0.0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # keyword arguments of a test


def score(reference: FilmSide, distorted: FilmSide, folder: Path, *windows: Window) -> VmafScore:
    geometry = Geometry(320, 180, "yuv420p", "tv")
    return measure_vmaf(reference, distorted, geometry, windows, work_dir=folder, threads=1)


def encode(folder: Path, name: str, source: str, *options: str, seconds: int = 3) -> Path:
    target = folder / name
    ffmpeg(
        *("-f", "lavfi", "-i", f"{source},trim=duration={seconds},format=yuv420p"),
        *options,
        target,
    )
    return target


LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-g", "25", "-bf", "2")


@pytest.mark.ffmpeg
def test_grain_scores_well_although_ssim_is_low(tmp_path: Path) -> None:
    grain = "testsrc2=s=320x180:r=25,noise=alls=40:allf=t+u:all_seed=7"
    source = encode(tmp_path, "source.mkv", grain, *LOSSLESS)
    output = encode(tmp_path, "output.mkv", grain, *X265, "-crf", "22")
    result = score(side(source), side(output), tmp_path, Window(0, 75))
    assert result.is_aligned
    assert result.mean > 80


@pytest.mark.ffmpeg
def test_a_still_film_passes_the_proof_of_alignment(tmp_path: Path) -> None:
    still = "testsrc2=s=320x180:r=25,trim=end_frame=1,loop=74:1,setpts=N/25/TB"
    source = encode(tmp_path, "source.mkv", still, *LOSSLESS)
    output = encode(tmp_path, "output.mkv", still, *X265, "-crf", "35")
    assert score(side(source), side(output), tmp_path, Window(0, 75)).is_aligned


@pytest.mark.ffmpeg
@pytest.mark.parametrize("crf", ["20", "40"])
def test_a_frame_lost_and_another_doubled_is_out_of_step_between(tmp_path: Path, crf: str) -> None:
    film = "testsrc2=s=320x180:r=25"
    source = encode(tmp_path, "source.mkv", film, *LOSSLESS, seconds=6)
    shuffled = f"{film},select='not(eq(n,40))',loop=1:1:110,setpts=N/25/TB"
    output = encode(tmp_path, "output.mkv", shuffled, *X265, "-crf", crf, seconds=6)
    windows = (Window(1, 30), Window(60, 30), Window(119, 30))
    result = score(side(source), side(output), tmp_path, *windows)
    assert [w.is_aligned for w in result.windows] == [True, False, True]


@pytest.mark.ffmpeg
def test_windows_score_alike_by_seeking_and_by_counting(tmp_path: Path) -> None:
    film = "testsrc2=s=320x180:r=25"
    source = encode(tmp_path, "source.ts", film, *LOSSLESS, "-output_ts_offset", "3.2", seconds=6)
    output = encode(tmp_path, "output.mkv", film, *X265, "-crf", "28", seconds=6)
    reference, distorted = side(source, has_exact_seek=False), side(output)
    window = Window(90, 40)
    sought = score(reference, distorted, tmp_path, window)
    counted = score(replace(reference, has_exact_pts=False), distorted, tmp_path, window)
    assert sought.windows[0].frames == counted.windows[0].frames


@pytest.mark.ffmpeg
def test_one_frame_can_be_scored(tmp_path: Path) -> None:
    film = "testsrc2=s=320x180:r=25,trim=end_frame=1"
    source = encode(tmp_path, "source.mkv", film, *LOSSLESS)
    output = encode(tmp_path, "output.mkv", film, *X265, "-crf", "20")
    result = score(side(source), side(output), tmp_path, Window(0, 1))
    assert result.is_aligned
    assert result.mean > 60


@pytest.mark.ffmpeg
def test_a_window_beyond_the_film_cannot_be_scored(tmp_path: Path) -> None:
    film = "testsrc2=s=320x180:r=25"
    source = encode(tmp_path, "source.mkv", film, *LOSSLESS, seconds=1)
    with pytest.raises(VmafFailed, match=r"frames were compared|ended with"):
        score(side(source), side(source), tmp_path, Window(10, 40))


@pytest.mark.ffmpeg
def test_a_file_that_cannot_be_read_gives_no_score(tmp_path: Path) -> None:
    film = encode(tmp_path, "source.mkv", "testsrc2=s=320x180:r=25", *LOSSLESS, seconds=1)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"not a film")
    with pytest.raises(VmafFailed, match="ended with"):
        score(side(film), replace(side(film), path=os.fsencode(broken)), tmp_path, Window(0, 25))


def test_no_windows_give_no_score(tmp_path: Path) -> None:
    nothing = FilmSide(b"/nothing.mkv", 0, [], [], Fraction(1, 1000), 0.0)
    with pytest.raises(VmafFailed, match="no frames"):
        score(nothing, nothing, tmp_path)


@pytest.mark.ffmpeg
def test_one_frame_per_field_is_scored_by_its_own_frame(tmp_path: Path) -> None:
    fields = "testsrc2=s=320x180:r=50,tinterlace=interleave_top,fieldorder=tff"
    source = encode(tmp_path, "source.mkv", fields, *LOSSLESS, "-flags", "+ilme+ildct", seconds=5)
    doubler = "bwdif=mode=send_field:parity=tff:deint=all"
    output = tmp_path / "output.mkv"
    passthrough = ("-fps_mode", "passthrough", "-crf", "20")
    ffmpeg("-i", source, "-vf", doubler, *X265, *passthrough, output)
    reference = side(source, filters=(doubler,), frames_per_source_frame=2)
    result = score(reference, side(output), tmp_path, Window(122, 41))
    assert result.is_aligned
    assert result.windows[0].ssim_after is not None
    assert result.windows[0].ssim > result.windows[0].ssim_after + 0.01
    assert result.mean > 80


@pytest.mark.ffmpeg
@pytest.mark.parametrize("log", ["", "{}", '{"frames": [{"metrics": {}}]}'])
def test_a_log_that_makes_no_sense_gives_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str
) -> None:
    film = encode(tmp_path, "source.mkv", "testsrc2=s=64x64:r=25", *LOSSLESS, seconds=1)

    def run(_argv: object, *, cwd: Path, checkpoint: object) -> FfmpegResult:
        (cwd / "vmaf.json").write_text(log)
        return FfmpegResult((), 0, (), True, 0.0, None)

    monkeypatch.setattr("transcode.verify.vmaf.run_ffmpeg", run)
    with pytest.raises(VmafFailed, match="log of libvmaf"):
        score(side(film), side(film), tmp_path, Window(0, 25))


def test_a_disk_that_is_full_is_no_fault_of_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("[libvmaf @ 0x1] could not write vmaf.json: No space left on device",)
    result = FfmpegResult((), 1, lines, False, 0.0, None)
    monkeypatch.setattr("transcode.verify.vmaf.run_ffmpeg", lambda *_args, **_options: result)
    film = FilmSide(b"/film.mkv", 0, [0, 40, 80], [0], Fraction(1, 1000), 0.0)
    with pytest.raises(OSError, match="disk is full") as caught:
        score(film, film, tmp_path, Window(0, 3))
    assert caught.value.errno == errno.ENOSPC


def test_the_highest_percentile_is_the_highest_score_whatever_weights_add_up_to() -> None:
    scored = [(float(n), 1e9 / 3) for n in range(50)]
    assert weighted_percentile(scored, 100) == 49.0


def test_a_promise_is_measured_where_it_was_made() -> None:
    samples = tuple(SampleScore(n * 100, 50, 95.0, 93.0, 1, 1, 0, weight=0.5) for n in (1, 4))
    found = FoundQuality(
        24, 95.1, 92.0, "vmaf", "vmaf_v0.6.1", samples, 2, 9.0, False, 100, 90, 110, "Found."
    )
    windows, weights = promised_windows(found, 1, 1000, 1000)
    assert windows == (Window(100, 50), Window(400, 50))
    assert weights == (0.5, 0.5)
    assert promised_windows(found, 1, 1200, 1000) == ((), ())
    assert promised_windows(None, 1, 1000, 1000) == ((), ())
