"""The sound in a plan."""

from __future__ import annotations

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
from transcode.presets.spec import AudioRule, PresetSpec


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


def test_commentary_goes_where_the_preset_says_so() -> None:
    comment = Disposition(is_commentary=True)
    info = film(audio=(audio(1), audio(2, disposition=comment)))
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


def test_surround_for_opus_gets_a_layout_that_it_takes() -> None:
    info = film(audio=(audio(codec="dts", channels=6),))
    options = plan_for(info, PresetSpec(audio=AudioRule(codec="opus"))).output_options
    assert options[options.index("-filter:1") + 1].startswith("aresample=async=1,aformat=")


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
