"""What a probe says about real clips of many kinds, and about files that are none."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.media_info import HdrKind, MasteringDisplay, MediaInfo, TimingKind, VideoStream
from library.probing import probe
from library.probing.probe import ProbeProblem, probe_file
from tests.media import HOSTILE_NAMES, RECIPES, make_clip, suffix_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.ffmpeg


def probe_clip(kind: str, folder: Path, seconds: float = 2) -> MediaInfo:
    return probe_file(bytes(make_clip(kind, folder / f"clip{suffix_of(kind)}", seconds)))


def video_of(kind: str, folder: Path) -> VideoStream:
    video = probe_clip(kind, folder).main_video
    assert video is not None
    return video


def test_an_h264_film_is_described(tmp_path: Path) -> None:
    info = probe_clip("h264_mkv", tmp_path)
    video = info.video[0]
    assert (info.container, info.format_name) == ("mkv", "matroska,webm")
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert (video.codec, video.profile) == ("h264", "Constrained Baseline")
    assert (video.width, video.height, video.pix_fmt) == (320, 180, "yuv420p")
    assert (video.frame_rate, video.timing) == ("25", TimingKind.CONSTANT)
    assert (video.hdr, video.bit_depth, video.is_interlaced) == (HdrKind.SDR, 8, False)
    assert len(video.extradata_sha256) == 64
    audio = info.audio[0]
    assert (audio.codec, audio.channels, audio.sample_rate_hz) == ("aac", 2, 48000)
    assert info.size_bytes == (tmp_path / "clip.mkv").stat().st_size


@pytest.mark.parametrize(
    ("kind", "container", "codec"),
    [
        ("h264_mp4", "mp4", "h264"),
        ("mpeg4_avi", "avi", "mpeg4"),
        ("hevc", "mkv", "hevc"),
        ("av1", "webm", "av1"),  # not libdav1d, its decoder
        ("mpeg2_ts", "ts", "mpeg2video"),
        ("ts", "ts", "h264"),
    ],
)
def test_container_and_codec_have_their_short_names(
    kind: str, container: str, codec: str, tmp_path: Path
) -> None:
    info = probe_clip(kind, tmp_path)
    assert (info.container, info.video[0].codec) == (container, codec)


def test_hdr10_has_its_mastering_display_and_light_levels(tmp_path: Path) -> None:
    video = video_of("hevc_hdr10", tmp_path)
    assert (video.hdr, video.bit_depth) == (HdrKind.HDR10, 10)
    assert (video.color_primaries, video.color_transfer) == ("bt2020", "smpte2084")
    assert video.color_space == "bt2020nc"
    assert (video.max_cll_nits, video.max_fall_nits) == (1000, 400)
    assert video.mastering_display == MasteringDisplay(
        34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10_000_000, 50
    )


def test_hlg_is_told_from_hdr10(tmp_path: Path) -> None:
    video = video_of("hlg", tmp_path)
    assert (video.hdr, video.color_transfer) == (HdrKind.HLG, "arib-std-b67")


def test_interlaced_film_is_known(tmp_path: Path) -> None:
    video = video_of("interlaced", tmp_path)
    assert video.is_interlaced
    assert video.frame_rate == "25"


def test_variable_frame_rate_shows_in_the_spacing(tmp_path: Path) -> None:
    video = video_of("vfr", tmp_path)
    assert video.timing is TimingKind.VARIABLE
    assert 19 < eval_rate(video.frame_rate) < 21  # 25 per second without each fifth


def eval_rate(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return int(numerator) / int(denominator or 1)


def test_audio_tracks_have_language_title_and_role(tmp_path: Path) -> None:
    first, second = probe_clip("two_audio", tmp_path).audio
    assert (first.codec, first.language, first.channels) == ("ac3", "eng", 6)
    assert (first.title, first.disposition.is_default) == ("Surround", True)
    assert (second.codec, second.language) == ("aac", "deu")
    assert second.disposition.is_commentary
    assert not first.disposition.is_commentary


def test_text_subtitles_have_language_and_forced_mark(tmp_path: Path) -> None:
    english, german = probe_clip("subtitles", tmp_path).subtitles
    assert (english.codec, english.language, english.is_text) == ("subrip", "eng", True)
    assert english.disposition.is_default
    assert (german.codec, german.disposition.is_forced) == ("ass", True)


def test_bitmap_subtitles_are_no_text(tmp_path: Path) -> None:
    pgs, dvd = probe_clip("bitmap_subs", tmp_path).subtitles
    assert (pgs.codec, pgs.is_text) == ("hdmv_pgs_subtitle", False)
    assert (dvd.codec, dvd.language, dvd.is_text) == ("dvd_subtitle", "fra", False)


def test_chapters_have_times_and_titles(tmp_path: Path) -> None:
    info = probe_clip("chapters", tmp_path)
    assert [chapter.title for chapter in info.chapters] == ["Opening", "Ending"]
    assert info.chapters[1].start_s == pytest.approx(1.0)
    assert info.tags["TITLE"] == "Two chapters"


def test_fonts_are_attachments_not_streams_of_the_film(tmp_path: Path) -> None:
    info = probe_clip("fonts", tmp_path)
    (font,) = info.attachments
    assert (font.file_name, font.mime_type) == ("Sample Sans.ttf", "application/x-truetype-font")
    assert font.size_bytes > 100
    assert not info.data_streams


def test_cover_art_is_never_the_film(tmp_path: Path) -> None:
    info = probe_clip("cover_art", tmp_path)
    assert len(info.video) == 1
    assert (info.cover_art[0].codec, info.cover_art[0].width) == ("png", 100)


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    video = video_of("odd_size", tmp_path)
    assert (video.width, video.height) == (321, 181)


def test_rotation_is_read_clockwise(tmp_path: Path) -> None:
    assert video_of("rotated", tmp_path).rotation_deg == 90


def test_late_video_keeps_its_start(tmp_path: Path) -> None:
    info = probe_clip("late_start", tmp_path)
    assert info.video[0].start_s == pytest.approx(0.7, abs=0.05)
    assert info.audio[0].start_s == pytest.approx(0.0, abs=0.05)


def test_transport_stream_start_is_not_zero(tmp_path: Path) -> None:
    assert (probe_clip("ts", tmp_path).start_s or 0) > 1


def test_closed_captions_are_found(tmp_path: Path) -> None:
    assert video_of("captions", tmp_path).has_closed_captions
    assert not video_of("mpeg2_ts", tmp_path).has_closed_captions


def test_our_own_tag_is_read(tmp_path: Path) -> None:
    info = replace(probe_clip("h264_mkv", tmp_path), tags={"MEDIAFLOW": "uuid;balanced"})
    assert info.mediaflow_tag == "uuid;balanced"


@pytest.mark.parametrize("kind", sorted(RECIPES))
def test_the_quick_look_finds_what_a_full_look_finds(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = bytes(make_clip(kind, tmp_path / f"clip{suffix_of(kind)}", 2))
    quick = probe_file(clip)
    monkeypatch.setattr(probe, "_QUICK_SUFFIXES", frozenset())
    assert quick == probe_file(clip)


@pytest.mark.parametrize("kind", sorted(RECIPES))
def test_every_probe_survives_json(kind: str, tmp_path: Path) -> None:
    info = probe_clip(kind, tmp_path, 1)
    assert MediaInfo.from_json(info.to_json()) == info


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("zero_length", "empty"),
        ("broken", "damaged or not a film"),
        ("hls_as_mkv", "damaged or not a film"),
        ("ffconcat_as_mkv", "not a film in a container"),
    ],
)
def test_what_is_no_film_is_said_in_words(kind: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(ProbeProblem, match=text) as caught:
        probe_file(bytes(make_clip(kind, tmp_path / "clip.mkv")))
    assert caught.value.kind == "not_media"


def test_audio_alone_is_no_film(tmp_path: Path) -> None:
    from library.demo.clips import Bench, ClipSize
    from tests.media import ffmpeg_path

    bench = Bench(ffmpeg=ffmpeg_path(), folder=tmp_path, size=ClipSize())
    bench.run(*bench.tone(), "-c:a", "aac", "sound.mp4")
    with pytest.raises(ProbeProblem, match="no video track"):
        probe_file(bytes(tmp_path / "sound.mp4"))


def test_a_file_that_is_gone_vanished(tmp_path: Path) -> None:
    with pytest.raises(ProbeProblem) as caught:
        probe_file(bytes(tmp_path / "nothing.mkv"))
    assert caught.value.kind == "vanished"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mkv")
    with pytest.raises(ProbeProblem, match="not a plain file"):
        probe_file(bytes(tmp_path / "pipe.mkv"))


def test_an_encrypted_film_is_called_encrypted(tmp_path: Path) -> None:
    from library.demo.clips import Bench, ClipSize
    from tests.media import ffmpeg_path

    make_clip("h264_mp4", tmp_path / "clear.mp4")
    key = "00112233445566778899aabbccddeeff"
    cenc = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key]
    Bench(ffmpeg=ffmpeg_path(), folder=tmp_path, size=ClipSize()).run(
        "-i", "clear.mp4", "-c", "copy", *cenc, "locked.mp4"
    )
    with pytest.raises(ProbeProblem) as caught:
        probe_file(bytes(tmp_path / "locked.mp4"))
    assert caught.value.kind == "encrypted"


def test_a_decoder_off_the_list_is_a_warning_not_a_lost_file(tmp_path: Path) -> None:
    info = probe_file(bytes(make_clip("magicyuv", tmp_path / "clip.mkv")))
    assert info.video[0].codec == "magicyuv"
    assert any("not decoded" in warning for warning in info.warnings)


def test_an_endless_duration_is_unknown(tmp_path: Path) -> None:
    info = probe_file(bytes(make_clip("endless", tmp_path / "clip.mkv")))
    assert info.duration_s is None
    assert any("impossible" in warning for warning in info.warnings)


def test_huge_dimensions_are_not_believed(tmp_path: Path) -> None:
    info = probe_file(bytes(make_clip("huge_dimensions", tmp_path / "clip.avi")))
    assert info.video[0].pix_fmt == ""


@pytest.mark.parametrize("kind", ["truncated", "corrupt_middle", "sparse"])
def test_damage_further_back_is_left_to_the_ladder(kind: str, tmp_path: Path) -> None:
    info = probe_file(bytes(make_clip(kind, tmp_path / "clip.mkv", 2)))
    assert info.video[0].codec == "h264"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_read_like_others(name: bytes, tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/100%d $(x)/" + name
    make_clip("h264_mkv", path)
    assert probe_file(path).video[0].width == 320
