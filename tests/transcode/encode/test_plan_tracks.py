"""Subtitles, attachments, cover art, data tracks and chapters in a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from library.media_info import (
    Attachment,
    Chapter,
    CoverArt,
    DataStream,
    Disposition,
)
from tests.transcode.encode.films import (
    MP4,
    TAG,
    X265,
    film,
    plan_for,
    subtitle,
    video,
)
from transcode.outcomes import JobSkipped
from transcode.planning.model import Action, StreamKind
from transcode.presets.spec import PresetSpec, SubtitleRule


@pytest.mark.parametrize(
    ("codec", "container", "expected"),
    [
        ("subrip", "mkv", ("subrip", Action.COPY)),
        ("mov_text", "mkv", ("subrip", Action.CONVERT)),
        ("subrip", "mp4", ("mov_text", Action.CONVERT)),
        ("ass", "mp4", ("mov_text", Action.CONVERT)),
        ("mov_text", "mp4", ("mov_text", Action.COPY)),
        ("hdmv_pgs_subtitle", "mkv", ("hdmv_pgs_subtitle", Action.COPY)),
    ],
)
def test_subtitles_are_copied_or_converted(
    codec: str, container: str, expected: tuple[str, Action]
) -> None:
    info = film(subtitles=(subtitle(2, codec),))
    stream = plan_for(info, PresetSpec(container=container)).kept[2]
    assert (stream.output_codec, stream.action) == expected


def test_picture_subtitles_do_not_vanish_in_mp4_unless_the_preset_may_drop_them() -> None:
    info = film(subtitles=(subtitle(2, "hdmv_pgs_subtitle", language="eng"),))
    with pytest.raises(JobSkipped) as caught:
        plan_for(info, PresetSpec(container="mp4"))
    assert caught.value.reason_code == "subtitles_would_be_lost"
    assert "Matroska" in caught.value.reason
    assert plan_for(info, MP4).losses == ("subtitle track 2 (eng), hdmv_pgs_subtitle",)


def test_subtitles_that_no_container_takes_are_a_listed_loss_in_matroska() -> None:
    plan = plan_for(film(subtitles=(subtitle(2, "dvb_teletext"),)), X265)
    assert plan.losses == ("subtitle track 2, dvb_teletext",)


@pytest.mark.parametrize(
    ("codec", "lost"), [("ass", "styling of ASS"), ("webvtt", "placement of WebVTT")]
)
def test_what_a_conversion_of_subtitles_loses_is_listed(codec: str, lost: str) -> None:
    plan = plan_for(film(subtitles=(subtitle(2, codec, language="eng"),)), MP4)
    assert plan.kept[2].output_codec == "mov_text"
    assert plan.losses == (f"subtitle track 2 (eng): {lost}",)


@pytest.mark.parametrize(
    ("codec", "wanted", "container", "expected"),
    [
        ("ass", "srt", "mkv", ("subrip", Action.CONVERT)),
        ("subrip", "ass", "mkv", ("ass", Action.CONVERT)),
        ("mov_text", "webvtt", "mkv", ("webvtt", Action.CONVERT)),
        ("subrip", "srt", "mkv", ("subrip", Action.COPY)),
        ("ass", "mov_text", "mp4", ("mov_text", Action.CONVERT)),
        ("hdmv_pgs_subtitle", "srt", "mkv", ("hdmv_pgs_subtitle", Action.COPY)),
    ],
)
def test_text_subtitles_become_the_format_that_the_preset_names(
    codec: str, wanted: str, container: str, expected: tuple[str, Action]
) -> None:
    rule = SubtitleRule(mode="convert", convert_to=wanted)
    spec = PresetSpec(container=container, subtitles=rule)
    plan = plan_for(film(subtitles=(subtitle(2, codec),)), spec)
    assert (plan.kept[2].output_codec, plan.kept[2].action) == expected
    assert bool(plan.losses) == (codec == "ass")


def test_a_subtitle_format_that_the_container_cannot_hold_is_refused() -> None:
    rule = SubtitleRule(mode="convert", convert_to="srt")
    spec = PresetSpec(container="mp4", subtitles=rule)
    with pytest.raises(JobSkipped) as caught:
        plan_for(film(subtitles=(subtitle(2, "ass"),)), spec)
    assert caught.value.reason.startswith("MP4 cannot hold subrip subtitles")


def test_picture_subtitles_can_be_dropped_by_rule_and_text_stays() -> None:
    info = film(subtitles=(subtitle(2, "hdmv_pgs_subtitle"), subtitle(3)))
    plan = plan_for(info, PresetSpec(subtitles=SubtitleRule(image_subtitles="drop")))
    assert [s.source_index for s in plan.kept] == [0, 1, 3]
    assert plan.losses == ("subtitle track 2, hdmv_pgs_subtitle",)


def test_subtitles_are_dropped_by_title_and_marked_by_language() -> None:
    info = film(
        subtitles=(
            subtitle(2, language="eng", title="Signs", disposition=Disposition(is_default=True)),
            subtitle(3, language="deu", disposition=Disposition(is_forced=True)),
            subtitle(4, language="deu"),
            subtitle(5, language="eng"),
        )
    )
    rule = SubtitleRule(drop_titles=("signs",), default_language="deu")
    plan = plan_for(info, PresetSpec(subtitles=rule))
    assert [s.source_index for s in plan.kept[2:]] == [3, 4, 5]
    assert [s.source_index for s in plan.kept[2:] if s.disposition.is_default] == [4]
    assert plan.kept[2].disposition.is_forced


def test_forced_subtitles_survive_a_language_rule() -> None:
    info = film(
        subtitles=(
            subtitle(2, language="deu", disposition=Disposition(is_forced=True)),
            subtitle(3, language="deu"),
        )
    )
    spec = PresetSpec(subtitles=SubtitleRule(languages=("eng",)))
    assert [s.source_index for s in plan_for(info, spec).kept] == [0, 1, 2]


def test_dropped_subtitles_say_why() -> None:
    plan = plan_for(film(subtitles=(subtitle(),)), PresetSpec(subtitles=SubtitleRule(mode="drop")))
    assert plan.streams[2].reason == "The preset drops subtitles."


def test_attachments_are_kept_by_matroska_and_a_listed_loss_elsewhere() -> None:
    info = film(attachments=(Attachment(2, "Sans.ttf", "font/ttf"),))
    plan = plan_for(info, X265)
    assert (plan.kept[2].kind, plan.kept[2].file_name) == (StreamKind.ATTACHMENT, "Sans.ttf")
    assert "filename=Sans.ttf" in plan.output_options
    assert plan_for(info, MP4).losses == ("attachment Sans.ttf",)
    without = replace(X265, keep_attachments=False)
    assert plan_for(info, without).streams[2].reason == "The preset drops attachments."


def test_cover_art_is_attached_in_matroska_and_mapped_in_mp4() -> None:
    info = film(cover_art=(CoverArt(2, "mjpeg"),))
    matroska, mp4 = plan_for(info, X265), plan_for(info, MP4)
    assert matroska.kept[2].file_name == "cover.jpg"
    assert matroska.output_options[-9:-7] == ("-attach", "cover.jpg") or (
        "-attach" in matroska.output_options
    )
    assert "0:2" not in matroska.output_options
    assert "0:2" in mp4.output_options
    assert f"keywords={TAG}" in mp4.output_options


def test_cover_art_that_the_container_cannot_hold_is_a_listed_loss() -> None:
    plan = plan_for(film(cover_art=(CoverArt(2, "webp"), CoverArt(3, "png"))), MP4)
    assert [s.source_index for s in plan.kept] == [0, 1, 3]
    assert plan.streams[2].reason == "MP4 cannot hold cover art as webp."
    assert plan.losses == ("cover art",)


def test_data_tracks_are_dropped_with_a_note() -> None:
    info = film(data_streams=(DataStream(2, "mebx"),))
    plan = plan_for(info, X265)
    assert plan.losses == ("data stream mebx",)
    assert plan.streams[2].reason == "Matroska cannot hold data streams (mebx)."


def test_the_chapter_track_of_quicktime_is_no_loss() -> None:
    info = film(data_streams=(DataStream(2, "bin_data"),), chapters=(Chapter(0, 1, "One"),))
    assert plan_for(info, X265).losses == ()


def test_chapters_go_only_where_the_preset_says_so() -> None:
    info = film(chapters=(Chapter(0, 1, "One"),))
    plan = plan_for(info, replace(X265, keep_chapters=False))
    assert (plan.chapters, plan.losses) == (0, ("1 chapters, as the preset says",))


def test_mp4_marks_the_first_track_of_each_kind_as_default() -> None:
    plan = plan_for(film(video(disposition=Disposition())), MP4)
    assert [s.disposition.is_default for s in plan.kept] == [True, True]


def test_brand_tags_of_mp4_do_not_go_into_matroska() -> None:
    plan = plan_for(film(tags={"MAJOR_BRAND": "isom", "TITLE": "Up"}), X265)
    assert "major_brand=" in plan.output_options
    assert "title=" not in plan.output_options


@pytest.mark.parametrize(
    ("wanted", "source", "container"),
    [("keep", "mp4", "mp4"), ("keep", "mov", "mp4"), ("keep", "avi", "mkv"), ("mkv", "mp4", "mkv")],
)
def test_the_container_is_kept_only_where_it_can_be_written(
    wanted: str, source: str, container: str
) -> None:
    assert plan_for(film(container=source), replace(X265, container=wanted)).container == container
