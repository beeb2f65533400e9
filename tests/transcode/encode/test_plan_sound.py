"""The sound in a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from library.media_info import (
    Disposition,
)
from tests.transcode.encode.films import (
    MP4,
    X265,
    audio,
    film,
    plan_for,
    refusal,
)
from transcode.planning.model import Action, StreamKind
from transcode.planning.packet_index import StreamSpan
from transcode.presets.spec import AudioRule, PresetSpec, VideoRule

COMMENT = Disposition(is_commentary=True)


def test_languages_drop_tracks_with_a_reason_and_a_listed_loss() -> None:
    info = film(audio=(audio(1, language="eng"), audio(2, language="deu"), audio(3)))
    plan = plan_for(info, PresetSpec(audio=AudioRule(languages=("eng",))))
    dropped = [s for s in plan.streams if s.action == Action.DROP]
    assert [s.source_index for s in dropped] == [2]
    assert dropped[0].reason == "The preset keeps these languages: eng."
    assert plan.losses == ("audio track 2 (deu), aac",)


def test_a_language_rule_never_leaves_a_film_without_sound() -> None:
    info = film(audio=(audio(1, language="jpn"),))
    plan = plan_for(info, PresetSpec(audio=AudioRule(languages=("eng",))))
    assert [s.kind for s in plan.kept] == [StreamKind.VIDEO, StreamKind.AUDIO]


def test_when_no_track_matches_one_stays_and_the_plan_says_so() -> None:
    info = film(
        audio=(
            audio(1, language="jpn", title="Commentary", disposition=COMMENT),
            audio(2, language="jpn"),
            audio(3, language="fra"),
        )
    )
    plan = plan_for(info, PresetSpec(audio=AudioRule(languages=("eng",))))
    assert [s.source_index for s in plan.kept] == [0, 2]
    assert any("track 2 (jpn) stays" in note for note in plan.notes)
    assert len(plan.losses) == 2


def test_titles_drop_tracks_in_any_case() -> None:
    info = film(audio=(audio(1, title="Main"), audio(2, title="AUDIO description")))
    plan = plan_for(info, PresetSpec(audio=AudioRule(drop_titles=("Description",))))
    assert [s.source_index for s in plan.kept] == [0, 1]
    assert "“Description”" in next(s.reason for s in plan.streams if s.action == Action.DROP)


def test_tracks_are_sorted_by_the_presets_languages_with_commentaries_behind() -> None:
    info = film(
        audio=(
            audio(1, language="jpn"),
            audio(2, language="eng", disposition=COMMENT),
            audio(3, language="eng"),
            audio(4, language="deu"),
            audio(5),
        )
    )
    rule = AudioRule(languages=("deu", "eng", "jpn"), sort_by_language=True)
    plan = plan_for(info, PresetSpec(audio=rule))
    assert [s.source_index for s in plan.kept] == [0, 4, 3, 2, 1, 5]


def test_the_default_language_moves_the_default_mark() -> None:
    info = film(
        audio=(
            audio(1, language="jpn", disposition=Disposition(is_default=True)),
            audio(2, language="eng", disposition=COMMENT),
            audio(3, language="eng"),
        )
    )
    plan = plan_for(info, PresetSpec(audio=AudioRule(default_language="eng")))
    assert [s.source_index for s in plan.kept[1:] if s.disposition.is_default] == [3]
    other = plan_for(info, PresetSpec(audio=AudioRule(default_language="fra")))
    assert [s.source_index for s in other.kept[1:] if s.disposition.is_default] == [1]
    assert any("“fra”" in note for note in other.notes)


def test_a_stereo_track_is_added_where_there_is_none() -> None:
    surround = audio(1, codec="truehd", channels=8, channel_layout="7.1", language="eng")
    plan = plan_for(film(audio=(surround,)), PresetSpec(audio=AudioRule(add_stereo=True)))
    first, added = plan.kept[1:]
    assert (first.action, first.channels) == (Action.COPY, 8)
    assert (added.source_index, added.output_index) == (1, 2)
    assert (added.output_codec, added.channels, added.title) == ("aac", 2, "Stereo")
    assert added.language == "eng"
    assert not added.disposition.is_default
    assert plan.losses == ()


@pytest.mark.parametrize("channels", [1, 2])
def test_no_stereo_track_is_added_where_there_is_one(channels: int) -> None:
    tracks = (
        audio(1, codec="ac3", channels=6, channel_layout="5.1(side)"),
        audio(2, channels=channels),
    )
    plan = plan_for(film(audio=tracks), PresetSpec(audio=AudioRule(add_stereo=True)))
    assert len(plan.kept) == 3
    only_comment = (tracks[0], audio(2, channels=channels, disposition=COMMENT))
    plan = plan_for(film(audio=only_comment), PresetSpec(audio=AudioRule(add_stereo=True)))
    assert len(plan.kept) == 4


def test_object_audio_is_copied_unless_the_preset_says_otherwise() -> None:
    track = audio(codec="eac3", channels=6, channel_layout="5.1(side)", object_audio="Atmos")
    rule = AudioRule(codec="aac", copy_codecs=())
    info = film(audio=(track,))
    assert plan_for(info, PresetSpec(audio=rule)).kept[1].action == Action.COPY
    plan = plan_for(info, PresetSpec(audio=replace(rule, keep_lossless=False)))
    assert plan.kept[1].action == Action.ENCODE
    assert "audio track 1: Atmos" in plan.losses


def test_commentary_goes_where_the_preset_says_so() -> None:
    info = film(audio=(audio(1), audio(2, disposition=COMMENT)))
    plan = plan_for(info, PresetSpec(audio=AudioRule(keep_commentary=False)))
    assert [s.source_index for s in plan.kept] == [0, 1]


def test_the_next_track_becomes_default_when_the_default_one_is_dropped() -> None:
    info = film(
        audio=(
            audio(1, language="deu", disposition=Disposition(is_default=True)),
            audio(2, language="eng"),
        )
    )
    plan = plan_for(info, PresetSpec(audio=AudioRule(languages=("eng",))))
    assert plan.kept[1].disposition.is_default


def test_one_track_only_keeps_the_default_one() -> None:
    info = film(audio=(audio(1), audio(2, disposition=Disposition(is_default=True))))
    plan = plan_for(info, PresetSpec(audio=AudioRule(first_track_only=True)))
    assert [s.source_index for s in plan.kept] == [0, 2]


@pytest.mark.parametrize(
    ("codec", "channels", "rule", "expected"),
    [
        ("aac", 2, AudioRule(codec="aac"), ("aac", Action.COPY, 2, None)),
        ("aac", 6, AudioRule(codec="aac", max_channels=2), ("aac", Action.ENCODE, 2, 128)),
        ("dts", 6, AudioRule(codec="ac3"), ("ac3", Action.ENCODE, 6, 384)),
        ("dts", 8, AudioRule(codec="eac3"), ("eac3", Action.ENCODE, 6, 384)),
        ("dts", 6, AudioRule(codec="opus"), ("opus", Action.ENCODE, 6, 384)),
        ("ac3", 6, AudioRule(codec="aac"), ("ac3", Action.COPY, 6, None)),
        ("flac", 2, AudioRule(codec="aac"), ("flac", Action.COPY, 2, None)),
        ("flac", 2, AudioRule(codec="aac", keep_lossless=False), ("aac", Action.ENCODE, 2, 128)),
        ("pcm_bluray", 2, AudioRule(codec="copy"), ("flac", Action.ENCODE, 2, None)),
        ("amr_nb", 1, AudioRule(codec="copy"), ("aac", Action.ENCODE, 1, 64)),
    ],
)
def test_each_kind_of_sound_is_treated_as_the_rule_says(
    codec: str, channels: int, rule: AudioRule, expected: tuple[object, ...]
) -> None:
    info = film(audio=(audio(codec=codec, channels=channels, is_lossless=codec == "flac"),))
    stream = plan_for(info, PresetSpec(audio=rule)).kept[1]
    found = (stream.output_codec, stream.action, stream.channels, stream.bit_rate_kbps)
    assert found == expected


def filter_of(codec: str, channels: int, layout: str, max_channels: int = 0) -> str:
    track = audio(codec="dts", channels=channels, channel_layout=layout)
    rule = AudioRule(codec=codec, max_channels=max_channels)
    options = plan_for(film(audio=(track,)), PresetSpec(audio=rule)).output_options
    return options[options.index("-filter:1") + 1].removeprefix("aresample=async=1").lstrip(",")


def moved(layout: str) -> str:
    """Each channel gets a place of its own."""
    return f"aformat=channel_layouts={layout}"


def mixed(layout: str) -> str:
    limiter = "alimiter=limit=0.97:level=disabled:latency=enabled"
    return f"aformat=sample_fmts=fltp:channel_layouts={layout},{limiter}"


@pytest.mark.parametrize(
    ("codec", "channels", "layout", "max_channels", "filtered"),
    [
        ("opus", 6, "5.1(side)", 0, moved("5.1")),
        ("opus", 6, "5.1", 0, ""),
        ("opus", 3, "2.1", 0, moved("5.1")),
        ("opus", 4, "4.0", 0, moved("5.0")),
        ("flac", 3, "2.1", 2, mixed("stereo")),
        ("aac", 3, "3.0", 0, ""),
        ("aac", 6, "5.1(side)", 0, ""),
        ("aac", 8, "7.1", 6, mixed("5.1")),
        ("aac", 6, "5.1(side)", 2, mixed("stereo")),
        ("aac", 2, "downmix", 0, moved("stereo")),
        ("eac3", 8, "7.1", 0, mixed("5.1")),
        ("ac3", 6, "hexagonal", 0, mixed("5.1")),
        ("opus", 6, "6.0(front)", 0, mixed("5.1")),
        ("opus", 7, "6.1(back)", 0, mixed("5.1")),
        ("flac", 8, "7.1(wide)", 0, mixed("7.1")),
        ("aac", 3, "3 channels (FL+FR+TC)", 0, mixed("3.0")),
        ("opus", 12, "12 channels", 0, mixed("7.1")),
        ("opus", 6, "6 channels", 0, moved("5.1")),
        ("opus", 6, "", 0, moved("5.1")),
    ],
)
def test_speakers_stay_as_they_are_where_the_codec_has_them(
    codec: str, channels: int, layout: str, max_channels: int, filtered: str
) -> None:
    assert filter_of(codec, channels, layout, max_channels) == filtered


@pytest.mark.parametrize(
    ("codec", "channels", "layout", "loss"),
    [
        ("ac3", 6, "hexagonal", "hexagonal speakers become 5.1"),
        ("opus", 6, "6.0(front)", "6.0(front) speakers become 5.1"),
        ("opus", 8, "7.1(wide)", "7.1(wide) speakers become 7.1"),
        ("opus", 7, "6.1(back)", "7 channels become 6"),
    ],
)
def test_speakers_that_the_codec_does_not_have_are_a_loss_among_as_many_channels(
    codec: str, channels: int, layout: str, loss: str
) -> None:
    track = audio(codec="dts", channels=channels, channel_layout=layout)
    plan = plan_for(film(audio=(track,)), PresetSpec(audio=AudioRule(codec=codec)))
    assert plan.losses == (f"audio track 1: {loss}",)
    assert any("is mixed down from" in note for note in plan.notes)


def test_mixing_down_is_a_loss_and_says_what_becomes_of_each_speaker() -> None:
    track = audio(codec="ac3", channels=6, channel_layout="5.1(side)")
    plan = plan_for(film(audio=(track,)), PresetSpec(audio=AudioRule(codec="aac", max_channels=2)))
    assert plan.losses == ("audio track 1: 6 channels become 2",)
    assert any("LFE channel is left out" in note for note in plan.notes)


def test_a_bass_channel_without_a_place_among_as_many_channels_is_a_loss() -> None:
    """2.1 would need Opus in 5.1, which the preset does not allow: 3.0 has no LFE."""
    track = audio(codec="dts", channels=3, channel_layout="2.1")
    spec = PresetSpec(audio=AudioRule(codec="opus", max_channels=3))
    plan = plan_for(film(audio=(track,)), spec)
    assert plan.kept[1].channels == 3
    assert plan.losses == ("audio track 1: 2.1 speakers become 3.0",)
    assert any("mixed down from 2.1 speakers to 3.0" in note for note in plan.notes)
    assert "alimiter" in plan.output_options[plan.output_options.index("-filter:1") + 1]


def test_a_stereo_track_is_added_in_a_codec_that_the_container_takes() -> None:
    spec = PresetSpec(
        container="keep",
        video=VideoRule(encoder="svtav1", crf=30),
        audio=AudioRule(codec="aac", copy_codecs=("opus",), add_stereo=True),
    )
    surround = audio(1, codec="opus", channels=6, channel_layout="5.1")
    first, added = plan_for(film(container="webm", audio=(surround,)), spec).kept[1:]
    assert (first.action, first.channels) == (Action.COPY, 6)
    assert (added.output_codec, added.channels) == ("opus", 2)


def test_what_a_conversion_of_sound_loses_is_listed() -> None:
    track = audio(codec="truehd", channels=8, is_lossless=True, object_audio="Atmos")
    rule = AudioRule(codec="aac", max_channels=6, keep_lossless=False)
    plan = plan_for(film(audio=(track,)), PresetSpec(audio=rule))
    assert plan.losses == (
        "audio track 1: 8 channels become 6",
        "audio track 1: Atmos",
        "audio track 1: lossless truehd becomes aac",
    )


def test_sound_that_can_be_neither_copied_nor_converted_skips_the_film() -> None:
    assert refusal(film(audio=(audio(codec="ac4", channels=0),)), X265) == "audio_would_be_lost"


def test_sound_with_a_hidden_start_is_not_copied_into_matroska() -> None:
    spans = {0: StreamSpan("video", 0.0, 1.0, 25), 1: StreamSpan("audio", 0.0, 1.0, 40, 0, 0.8)}
    plan = plan_for(film(), X265, spans=spans)
    assert (plan.kept[1].action, plan.kept[1].output_codec) == (Action.ENCODE, "aac")
    assert plan.losses == ("audio track 1: encoded again as aac",)
    assert plan_for(film(), MP4, spans=spans).kept[1].action == Action.COPY


def test_a_codec_that_the_container_cannot_hold_is_replaced_and_the_reason_says_so() -> None:
    spec = PresetSpec(
        container="keep",
        video=VideoRule(encoder="svtav1", crf=30),
        audio=AudioRule(codec="ac3", copy_codecs=()),
    )
    stream = plan_for(film(container="webm"), spec).kept[1]
    assert stream.output_codec == "opus"
    assert stream.reason == (
        "Converted to opus because WebM cannot hold ac3 audio, which the preset asks for."
    )
