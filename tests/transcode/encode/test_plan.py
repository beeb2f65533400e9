"""Plans of films that exist only as a probe: whole argument lists, and what is refused."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from library.media_info import (
    Attachment,
    Chapter,
    HdrKind,
)
from tests.transcode.encode.films import (
    AV1,
    COPY,
    MP4,
    TAG,
    X265,
    audio,
    film,
    hdr_video,
    plan_for,
    refusal,
    subtitle,
    video,
)
from transcode.outcomes import JobFailed
from transcode.planning.model import Action, Plan
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule


def test_the_whole_command_of_a_plain_film_to_hevc() -> None:
    assert plan_for(film(), X265).output_options == (
        *("-map", "0:0", "-map", "0:1"),
        *("-map_metadata", "0", "-map_metadata:s", "-1"),
        *("-map_chapters", "-1"),
        *("-c:v:0", "libx265", "-preset:v:0", "medium", "-crf:v:0", "22"),
        *("-pix_fmt:v:0", "yuv420p", "-g:v:0", "250", "-a53cc:v:0", "1"),
        *("-x265-params:v:0", "log-level=error:info=0:wpp=1:repeat-headers=0:aud=0:hrd=0"),
        "-filter:v:0",
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
        *("-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", "demux"),
        *("-disposition:0", "default"),
        *("-c:1", "copy", "-disposition:1", "0"),
        *("-max_muxing_queue_size", "4096", "-metadata", TAG),
        *("-f", "matroska"),
    )


def test_the_whole_command_of_an_hdr10_film_to_av1() -> None:
    options = plan_for(film(hdr_video(), audio=()), AV1).output_options
    assert options[6:] == (
        *("-map_chapters", "-1"),
        *("-c:v:0", "libsvtav1", "-preset:v:0", "8", "-crf:v:0", "32"),
        *("-pix_fmt:v:0", "yuv420p10le", "-g:v:0", "250"),
        "-svtav1-params:v:0",
        "tune=0:mastering-display=G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)"
        "WP(0.31270,0.32900)L(1000.0000,0.0050):content-light=1000,400",
        "-filter:v:0",
        "setparams=range=tv:color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc",
        *("-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", "demux"),
        *("-disposition:0", "default"),
        *("-max_muxing_queue_size", "4096", "-metadata", TAG),
        *("-f", "matroska"),
    )


def test_the_whole_command_of_a_film_for_a_chromecast() -> None:
    spec = PresetSpec(
        container="mp4",
        video=VideoRule(
            encoder="x264", crf=21, max_resolution=720, bit_depth=8, profile="high", level="4.1"
        ),
        audio=AudioRule(codec="aac", bit_rate_kbps_per_channel=80, max_channels=2),
    )
    info = film(audio=(audio(codec="ac3", channels=6, language="eng", title="Main"),))
    assert plan_for(info, spec).output_options == (
        *("-map", "0:0", "-map", "0:1"),
        *("-map_metadata", "0", "-map_metadata:s", "-1", "-map_chapters", "-1"),
        *("-c:v:0", "libx264", "-preset:v:0", "medium", "-crf:v:0", "21"),
        *("-pix_fmt:v:0", "yuv420p", "-g:v:0", "250", "-a53cc:v:0", "1"),
        *("-profile:v:0", "high", "-level:v:0", "4.1"),
        *("-maxrate:v:0", "62500k", "-bufsize:v:0", "62500k"),
        "-filter:v:0",
        "scale=1280:720:flags=lanczos,setsar=1/1,"
        "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
        *("-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", "demux"),
        *("-disposition:0", "default"),
        *("-c:1", "aac", "-b:1", "160k"),
        "-filter:1",
        "aresample=async=1,aformat=sample_fmts=fltp:channel_layouts=stereo,"
        "alimiter=limit=0.97:level=disabled:latency=enabled",
        *("-metadata:s:1", "language=eng", "-metadata:s:1", "title=Main", "-disposition:1", "0"),
        *("-max_muxing_queue_size", "4096", "-metadata", TAG),
        *("-movflags", "+faststart+use_metadata_tags", "-f", "mp4"),
    )


def test_the_whole_command_of_a_remux() -> None:
    options = plan_for(film(container="mp4"), COPY).output_options
    assert options == (
        *("-map", "0:0", "-map", "0:1"),
        *("-map_metadata", "0", "-map_metadata:s", "-1", "-map_chapters", "-1"),
        *("-c:v:0", "copy", "-disposition:0", "default"),
        *("-c:1", "copy", "-disposition:1", "0"),
        *("-max_muxing_queue_size", "4096", "-metadata", TAG, "-f", "matroska"),
    )


def test_a_plan_survives_json_and_its_hash_knows_every_change() -> None:
    plan = plan_for(film(hdr_video(), subtitles=(subtitle(),)), X265)
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json()).digest() == plan.digest()
    assert replace(plan, source_fingerprint="0" * 64).digest() != plan.digest()


def test_every_track_is_kept_when_the_preset_says_nothing() -> None:
    info = film(
        audio=(audio(1), audio(2, codec="truehd", channels=8, is_lossless=True)),
        subtitles=(subtitle(3), subtitle(4, "hdmv_pgs_subtitle"), subtitle(5, "ass")),
        attachments=(Attachment(6, "a.ttf", "font/ttf"),),
        chapters=(Chapter(0, 1, "One"),),
    )
    plan = plan_for(info, X265)
    assert [s.action for s in plan.streams] == [Action.ENCODE] + 6 * [Action.COPY]
    assert [s.output_index for s in plan.kept] == list(range(7))
    assert (plan.losses, plan.chapters) == ((), 1)
    assert "-map_chapters" in plan.output_options


def test_frames_come_from_the_packets_and_not_from_the_header() -> None:
    plan = plan_for(film(video(frames=99)), X265)
    assert plan.video is not None
    assert (plan.video.expected_frames, plan.video.frame_tolerance) == (25, 0)


def test_several_films_in_one_file_are_left_alone() -> None:
    info = film(video=(video(), video(index=3)))
    assert refusal(info, X265) == "several_videos"


def test_a_file_without_picture_is_skipped() -> None:
    assert refusal(film(video=()), X265) == "no_video"


def test_three_d_films_are_left_alone() -> None:
    assert refusal(film(video(profile="Stereo High")), X265) == "stereo_3d"


def test_a_codec_that_the_container_cannot_hold_is_not_copied_into_it() -> None:
    assert refusal(film(video(codec="theora")), replace(COPY, container="mp4")) == (
        "container_cannot_hold"
    )


def test_a_film_without_a_picture_to_show_fails() -> None:
    with pytest.raises(JobFailed):
        plan_for(film(), X265, video_pts=array("q"))


def test_a_prober_and_a_reader_that_disagree_stop_the_job() -> None:
    with pytest.raises(JobFailed):
        plan_for(film(), X265, video_index=4)


def test_an_encrypted_film_is_skipped() -> None:
    assert refusal(film(warnings=("encrypted",)), X265) == "encrypted"


def test_a_film_without_a_size_fails() -> None:
    assert refusal(film(video(width=0)), X265) == "size_unknown"


def test_without_times_of_the_picture_the_header_says_the_length() -> None:
    assert plan_for(film(duration_s=7.0), X265, spans={}).duration_s == 7.0


def test_a_bit_rate_replaces_the_quality() -> None:
    options = plan_for(
        film(), PresetSpec(video=VideoRule(crf=None, bit_rate_kbps=3000))
    ).output_options
    assert "-crf:v:0" not in options
    assert options[options.index("-b:v:0") + 1] == "3000k"


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        ("x264", ("-tune:v:0", "grain")),
        ("x265", ("-tune:v:0", "grain")),
        ("svtav1", ("-svtav1-params:v:0", "tune=0:film-grain=10:film-grain-denoise=0")),
    ],
)
def test_grain_is_kept_in_each_encoder_s_own_way(encoder: str, expected: tuple[str, str]) -> None:
    rule = VideoRule(encoder=encoder, crf=30, tune_grain=True)
    options = plan_for(film(), PresetSpec(video=rule)).output_options
    assert options[options.index(expected[0]) + 1] == expected[1]


def test_hevc_in_mp4_has_the_tag_that_apple_takes() -> None:
    for spec, source in ((MP4, video()), (replace(COPY, container="mp4"), video(codec="hevc"))):
        options = plan_for(film(source), spec).output_options
        assert options[options.index("-tag:v:0") + 1] == "hvc1"


def test_dolby_vision_is_copied_into_mp4_with_its_box() -> None:
    picture = hdr_video(HdrKind.DOLBY_VISION, dolby_vision_profile="8.1")
    options = plan_for(film(picture), replace(COPY, container="mp4")).output_options
    # Not "-strict:v:0": that does not reach the muxer, and the box would be missing (measured).
    assert options[options.index("-strict") :][:2] == ("-strict", "unofficial")
