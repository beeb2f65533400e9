from __future__ import annotations

from dataclasses import replace

from tests.transcode.encode.films import X265, audio, film, index_of, plan_for
from transcode.planning.packet_index import StreamSpan
from transcode.prediction.other_tracks import OVERHEAD_BYTES, bytes_beside_picture
from transcode.presets.spec import AudioRule, PresetSpec

SOUND_BYTES = 5_000_000
HOUR_S = 3600.0
FILM = film(duration_s=HOUR_S, audio=(audio(codec="dts", channels=6, bit_rate_kbps=1500),))


def beside(spec: PresetSpec) -> int:
    spans = {
        0: StreamSpan("video", 0.0, HOUR_S, 90_000, 900_000_000),
        1: StreamSpan("audio", 0.0, HOUR_S, 300_000, SOUND_BYTES),
    }
    return bytes_beside_picture(plan_for(FILM, spec, spans=spans), index_of(FILM, spans=spans))


def test_copied_sound_is_known_to_the_byte_and_the_picture_is_not_counted() -> None:
    headers = 10 * (25 + 300_000)  # the index of this film holds 25 pictures
    assert beside(X265) == SOUND_BYTES + headers + OVERHEAD_BYTES


def test_converted_sound_is_its_bit_rate() -> None:
    spec = replace(X265, audio=AudioRule(codec="aac", bit_rate_kbps_per_channel=64))
    expected = 6 * 64 * 125 * HOUR_S
    assert expected < beside(spec) < 1.1 * expected
