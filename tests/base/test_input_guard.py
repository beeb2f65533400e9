"""The allow-lists take effect in PyAV and in ffmpeg, and leave real films alone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import av
import av.error
import pytest

from mediaflow.base.input_guard import (
    GUARDED_DECODERS,
    GUARDED_FORMATS,
    InputRefused,
    guard_options,
    guarded_input,
    input_url,
    is_decoder_allowed,
    open_guarded,
)
from tests.media import HOSTILE_NAMES, RECIPES, ffmpeg_path, make_clip, suffix_of

if TYPE_CHECKING:
    from pathlib import Path

FORBIDDEN_FORMATS = {"hls", "concat", "dash", "image2", "image2pipe", "sdp", "rtsp", "lavfi"}
FORBIDDEN_FORMATS |= {
    "tty",
    "vapoursynth",
    "rtp",
    "applehttp",
    "imf",
    "mpjpeg",
    "webm_dash_manifest",
}


def decode_with_ffmpeg(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [ffmpeg_path(), "-nostdin", "-v", "error", *options, *guarded_input(bytes(path))]
    return subprocess.run(
        [*argv, "-map", "0:v?", "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_no_format_that_opens_other_files_or_the_network_is_allowed() -> None:
    assert not GUARDED_FORMATS & FORBIDDEN_FORMATS


def test_the_decoder_with_the_known_hole_is_not_allowed() -> None:
    assert "magicyuv" not in GUARDED_DECODERS


def test_the_decoders_of_real_films_are_allowed_and_exist_in_pyav() -> None:
    names = (
        "h264 hevc libdav1d vp8 vp9 mpeg1video mpeg2video mpeg4 msmpeg4 vc1 wmv3 theora prores"
        " dnxhd ffv1 mjpeg png bmp webp aac ac3 eac3 dca truehd mlp flac alac opus vorbis mp2 mp3"
        " pcm_s16le pcm_s24le pcm_bluray wmav2 subrip ass mov_text webvtt pgssub dvdsub dvbsub"
    )
    needed = set(names.split())
    assert needed <= GUARDED_DECODERS
    assert needed <= set(av.codecs_available)


def test_ffmpeg_arguments_are_guard_then_options_then_the_film() -> None:
    argv = guarded_input(b"/films/a.mkv", options=["-ss", "3"])
    assert argv[:2] == ["-protocol_whitelist", "file"]
    assert argv[-4:] == ["-ss", "3", "-i", "file:/films/a.mkv"]
    assert {"-format_whitelist", "-codec_whitelist", "-max_pixels"} <= set(argv)


def test_undecodable_bytes_of_a_name_survive_the_argument() -> None:
    argv = guarded_input(b"/films/\xff\xfe.mkv")
    assert argv[-1].encode("utf-8", "surrogateescape") == b"file:/films/\xff\xfe.mkv"


@pytest.mark.parametrize("path", [b"film.mkv", b"", b"http://host/film.mkv", b"/films/a\0b.mkv"])
def test_a_path_that_is_not_absolute_or_holds_nul_is_refused(path: bytes) -> None:
    with pytest.raises(InputRefused):
        input_url(path)


def test_extra_options_cannot_lift_the_guard(tmp_path: Path) -> None:
    clip = make_clip("ffconcat_as_mkv", tmp_path / "a.mkv")
    with pytest.raises(av.error.FFmpegError):
        open_guarded(bytes(clip), options={"format_whitelist": "concat", "safe": "0"})


@pytest.mark.ffmpeg
@pytest.mark.parametrize("kind", sorted(RECIPES))
def test_every_kind_of_real_film_opens_and_decodes(kind: str, tmp_path: Path) -> None:
    clip = make_clip(kind, tmp_path / f"clip{suffix_of(kind)}")
    with open_guarded(bytes(clip)) as film:
        assert all(is_decoder_allowed(stream) for stream in film.streams.video)
        assert next(film.decode(video=0)) is not None
    assert decode_with_ffmpeg(clip).returncode == 0


@pytest.mark.ffmpeg
@pytest.mark.parametrize("kind", ["hls_as_mkv", "ffconcat_as_mkv"])
def test_a_playlist_named_as_a_film_is_opened_by_neither(kind: str, tmp_path: Path) -> None:
    clip = make_clip(kind, tmp_path / "film.mkv")
    with pytest.raises(av.error.FFmpegError):
        open_guarded(bytes(clip))
    assert decode_with_ffmpeg(clip).returncode != 0


@pytest.mark.ffmpeg
def test_a_playlist_with_its_own_suffix_reads_no_other_file(tmp_path: Path) -> None:
    make_clip("h264_mkv", tmp_path / "other.mkv")
    playlist = tmp_path / "film.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mkv\n#EXT-X-ENDLIST\n")
    with pytest.raises(av.error.FFmpegError):
        open_guarded(bytes(playlist))
    result = decode_with_ffmpeg(playlist)
    assert result.returncode != 0
    assert "whitelist" in result.stderr


@pytest.mark.ffmpeg
def test_magicyuv_in_matroska_is_decoded_by_neither(tmp_path: Path) -> None:
    clip = make_clip("magicyuv", tmp_path / "film.mkv")
    with open_guarded(bytes(clip)) as film:
        assert not is_decoder_allowed(film.streams.video[0])
        assert film.streams.video[0].codec_context.pix_fmt is None  # nothing was decoded
        with pytest.raises(av.error.ArgumentError):
            next(film.decode(video=0))
    result = decode_with_ffmpeg(clip)
    assert result.returncode != 0
    assert "not on whitelist" in result.stderr


@pytest.mark.ffmpeg
def test_pictures_of_billions_of_pixels_are_not_allocated(tmp_path: Path) -> None:
    clip = make_clip("huge_dimensions", tmp_path / "film.avi")
    with open_guarded(bytes(clip)) as film, pytest.raises((av.error.FFmpegError, StopIteration)):
        next(film.decode(video=0))
    assert decode_with_ffmpeg(clip, "-xerror").returncode != 0


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_only_names(name: bytes, tmp_path: Path) -> None:
    folder = bytes(tmp_path) + b"/100%d"
    clip = make_clip("h264_mkv", folder + b"/" + name)
    with open_guarded(bytes(clip)) as film:
        assert film.streams.video[0].codec_context.width == 320
    assert decode_with_ffmpeg(clip).returncode == 0
    assert [bytes(path) for path in clip.parent.iterdir()] == [folder + b"/" + name]  # no canary


def test_the_guard_names_only_the_file_protocol() -> None:
    assert guard_options()["protocol_whitelist"] == "file"
