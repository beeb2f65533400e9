"""Each analyser: what it finds, what it leaves alone, and where exactly it begins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from library.analysis.kinds import KINDS, sentence_of
from library.models import Library, LibraryKind, Recommendation
from mediaflow.base.settings_store import set_setting
from tests.library.analysis.films import GB, film, found, idle, link, mpeg2
from tests.library.file_rows import make_library
from transcode.models import Preset

pytestmark = pytest.mark.django_db
FOUR_K: dict[str, Any] = {"width": 3840, "height": 2160, "resolution": 2160}
WASTEFUL: dict[str, Any] = {"video_codec": "h264", "bit_rate_kbps": 12_000, "size_bytes": 9 * GB}
HUGE: dict[str, Any] = {"size_bytes": 30 * GB, "bit_rate_kbps": 24_000}
PLAYING: dict[str, Any] = {
    "video_codec": "h264", "video_profile": "High", "bit_depth": 8, "audio_codec": "aac",
    "audio_channels": 2, "bit_rate_kbps": 3_000, "size_bytes": 2 * GB,
}  # fmt: skip


def titles(kind: str) -> list[str]:
    return [row.file.title for row in found(kind) if row.file is not None]


def test_a_fine_film_is_left_alone(library: Library) -> None:
    film(library)
    assert [row.kind for kind in KINDS for row in found(kind)] == []


@pytest.mark.parametrize("codec", ["mpeg2video", "vc1", "mpeg4", "wmv3"])
def test_old_codecs_are_found_with_codec_rate_and_gain(library: Library, codec: str) -> None:
    film(library, **mpeg2(video_codec=codec))
    (row,) = found("codec")
    assert 2 * GB < row.savings_low_bytes < row.savings_bytes < row.savings_high_bytes < 8 * GB
    assert (row.basis, row.confidence_pct) == ("rule", 65)
    text = sentence_of(row).replace("\N{NO-BREAK SPACE}", " ")
    assert "at 1080p with 10.0 Mb/s" in text
    assert "of 8.0 GB" in text
    assert "65 % sure" in text


@pytest.mark.parametrize(("kbps", "count"), [(6_000, 0), (6_001, 1)])
def test_h264_is_wasteful_above_the_set_rate(library: Library, kbps: int, count: int) -> None:
    film(library, **{**WASTEFUL, "bit_rate_kbps": kbps})
    assert len(found("codec")) == count


def test_the_rate_that_is_enough_goes_with_the_size_of_the_picture(library: Library) -> None:
    film(library, "4K", **{**WASTEFUL, **FOUR_K, "bit_rate_kbps": 17_000, "size_bytes": 13 * GB})
    film(library, "720p", **{**WASTEFUL, "width": 1280, "height": 720, "resolution": 720})
    assert titles("codec") == ["720p"]


@pytest.mark.parametrize(
    "values",
    [
        {"state": "queued"}, {"state": "processing"}, {"state": "completed"}, {"state": "ignored"},
        {"mediaflow_tag": "x;balanced"}, {"availability": "missing"}, {"kind": "extra"},
        {"removed_from_list_at": timezone.now()},
    ],
    ids=lambda values: next(iter(values)) + str(next(iter(values.values())))[:10],
)  # fmt: skip
def test_what_waits_or_is_done_or_gone_is_not_to_be_encoded(
    library: Library, values: dict[str, Any]
) -> None:
    film(library, **mpeg2(**values))
    assert found("codec") == []


def test_what_only_plex_knows_is_not_to_be_encoded() -> None:
    film(make_library("Plex", kind=LibraryKind.PLEX, root="plex:a/1"), **mpeg2())
    assert found("codec") == []


@pytest.mark.parametrize(("megabytes", "count"), [(5_000, 0), (100, 1)])
def test_a_saving_below_the_set_size_is_not_worth_a_sentence(
    library: Library, megabytes: int, count: int
) -> None:
    set_setting("insights_min_saving_mb", megabytes, None)
    film(library, **mpeg2(size_bytes=4 * GB, bit_rate_kbps=5_300))
    assert len(found("codec")) == count


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, 1),
        ({"play_count": 1, "last_played_at": timezone.now() - timedelta(days=366)}, 1),
        ({"play_count": 1, "last_played_at": timezone.now() - timedelta(days=364)}, 0),
        ({"play_count": 2, "last_played_at": timezone.now() - timedelta(days=700)}, 0),
        ({"added_at": timezone.now() - timedelta(days=30)}, 0),
        ({"is_in_plex": False}, 0),
    ],
)
def test_4k_that_is_hardly_played_is_overkill_only_where_plays_are_known(
    library: Library, values: dict[str, Any], count: int
) -> None:
    film(library, **idle(**{**FOUR_K, **HUGE, "hdr": "hdr10", **values}))
    assert len(found("overkill")) == count


@pytest.mark.parametrize(("kbps", "count"), [(24_999, 0), (25_000, 1)])
def test_a_high_bit_rate_is_overkill_from_the_set_one(
    library: Library, kbps: int, count: int
) -> None:
    film(library, **idle(**{**HUGE, "bit_rate_kbps": kbps, "size_bytes": 19 * GB}))
    rows = found("overkill")
    assert len(rows) == count
    assert all("Never played since it was added" in sentence_of(row) for row in rows)


@pytest.mark.parametrize(("size", "count"), [(20 * GB, 1), (20 * GB - 1, 0)])
def test_large_films_that_nobody_plays_are_found_from_the_set_size(
    library: Library, size: int, count: int
) -> None:
    film(library, **idle(**HUGE | {"size_bytes": size}, play_count=7, last_played_at=None))
    assert len(found("storage")) == count


def test_what_is_more_quality_than_watched_is_not_called_large_besides(library: Library) -> None:
    film(library, **idle(**FOUR_K, **HUGE))
    assert (len(found("overkill")), found("storage")) == (1, [])


def test_quality_gaps_are_seen_against_the_library_and_never_to_be_encoded(
    library: Library,
) -> None:
    for number in range(30):
        film(library, f"Usual {number}", bit_rate_kbps=5_000)
    film(library, "Edge", bit_rate_kbps=2_050)
    film(library, "Poor", bit_rate_kbps=1_800)
    film(library, "Poorest", bit_rate_kbps=400)
    rows = {row.file.title: row for row in found("quality_gap") if row.file}
    assert {name: row.severity for name, row in rows.items()} == {"Poor": 1, "Poorest": 3}
    assert not KINDS["quality_gap"].can_queue
    assert "better to download it again" in sentence_of(rows["Poor"])


def test_few_films_say_nothing_about_what_is_usual(library: Library) -> None:
    for number in range(18):
        film(library, f"Usual {number}", bit_rate_kbps=5_000)
    film(library, "Poor", bit_rate_kbps=300)
    assert found("quality_gap") == []


def test_lossless_sound_is_found_with_its_usual_rate(library: Library) -> None:
    film(library, "Lossless", audio_codec="truehd", audio_label="Atmos", audio_channels=8)
    film(library, "DTS", audio_codec="dts", audio_channels=6)
    film(library, "DTS-HD", audio_codec="dts", audio_label="DTS-HD", audio_channels=8)
    rows = {row.file.title: row for row in found("audio") if row.file}
    assert list(rows) == ["Lossless", "DTS-HD"]
    # (4,000 - 640) kb/s for 6,000 s, but never more than half of the film.
    assert rows["Lossless"].savings_bytes == 1_500_000_000
    assert "usually takes 4.0" in sentence_of(rows["Lossless"])


@pytest.mark.parametrize(("megabytes", "count"), [(672, 1), (673, 0)])
def test_unwanted_languages_count_from_the_set_saving(
    library: Library, megabytes: int, count: int
) -> None:
    set_setting("insights_audio_languages", "ger", None)
    set_setting("insights_sound_mb", megabytes, None)
    film(library, "Dubs", audio_languages=",deu,fra,spa,")
    film(library, "Other", audio_languages=",fra,spa,ita,")
    rows = found("audio")
    assert [row.savings_bytes for row in rows] == [2 * 448 * 6_000_000 // 8] * count


def test_old_containers_are_to_be_copied_where_no_encode_brings_a_new_one(
    library: Library,
) -> None:
    film(library, "AVI", container="avi")
    film(library, "TS", container="ts")
    film(library, "MP4", container="mp4")
    film(library, "Both", **mpeg2(container="ts"))
    rows = {row.file.title: row.savings_bytes for row in found("container") if row.file}
    assert rows == {"AVI": 0, "TS": 105_000_000}


def test_hdr_films_are_offered_an_sdr_copy_except_for_dolby_vision_without_base(
    library: Library,
) -> None:
    film(library, "HDR10", hdr="hdr10")
    film(library, "DV 8", hdr="dolby_vision", dolby_vision_profile="8.1")
    film(library, "DV 5", hdr="dolby_vision", dolby_vision_profile="5")
    with_copy, copy = film(library, "Has", hdr="hlg"), film(library, "Has", path="Has/sdr.mkv")
    link(with_copy, "movie|has|2001")
    link(copy, "movie|has|2001")
    rows = found("hdr_to_sdr")
    assert [row.file.title for row in rows if row.file] == ["HDR10", "DV 8"]
    assert all((row.severity, row.confidence_pct) == (1, 25) for row in rows)
    assert all(row.priority <= 20 for row in rows)


@pytest.mark.parametrize(("films", "count"), [(9, 0), (10, 1)])
def test_films_alike_are_a_batch_from_the_set_number(
    library: Library, films: int, count: int
) -> None:
    for number in range(films):
        film(library, f"Film {number}", **mpeg2(container="mpg"))
    rows = found("batch")
    assert len(rows) == count
    alone = Recommendation.objects.filter(kind="codec").values_list("savings_bytes", flat=True)
    assert [(row.member_count, row.savings_bytes) for row in rows] == [(films, sum(alone))] * count


def test_seasons_are_batches_of_their_own(library: Library) -> None:
    set_setting("insights_batch_films", 2, None)
    for number in range(5):
        season = 1 + number // 3
        film(library, f"E{number}", **mpeg2(show_title="A Show", season=season, episode=number))
    texts = sorted(sentence_of(row) for row in found("batch"))
    assert [text.partition(",")[0] for text in texts] == [
        "2 episodes of “A Show” season 2", "3 episodes of “A Show” season 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"availability": "missing"}, "missing"),
        ({"availability": "unreadable"}, "unreadable"),
        ({"size_bytes": 0}, "empty"),
        ({"video_codec": ""}, "no_picture"),
        ({"duration_ms": 0}, "no_length"),
        ({"availability": "growing"}, None),
        ({"duration_ms": 0, "probed_at": None}, None),
    ],
)
def test_files_out_of_reach_or_damaged_say_why(
    library: Library, values: dict[str, Any], why: str | None
) -> None:
    film(library, **values)
    rows = found("inaccessible")
    assert [row.figures["why"] for row in rows] == ([why] if why else [])
    assert all(sentence_of(row).endswith(".") for row in rows)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("container", ["MKV"]),
        ("sound", ["MKV", "Surround"]),
        ("all", ["MKV", "Surround", "HEVC", "60p", "10 bit"]),
    ],
)
def test_chromecast_lacks_as_much_as_the_settings_look_for(
    library: Library, scope: str, expected: list[str]
) -> None:
    set_setting("insights_chromecast_scope", scope, None)
    film(library, "MP4", **PLAYING, container="mp4")
    film(library, "MKV", **PLAYING)
    film(library, "Surround", **{**PLAYING, "audio_channels": 6})
    film(library, "HEVC", container="mp4")
    film(library, "60p", **PLAYING, frame_rate_milli=60_000)
    film(library, "10 bit", **{**PLAYING, "bit_depth": 10})
    assert titles("chromecast") == expected


def test_languages_are_missed_only_where_they_are_wanted(library: Library) -> None:
    film(library, "Japanese", audio_languages=",jpn,", subtitle_languages=",eng,")
    film(library, "German", audio_languages=",ger,")
    film(library, "Unknown", audio_languages="")
    assert found("languages") == []
    set_setting("insights_audio_languages", "deu", None)
    assert titles("languages") == ["Japanese"]
    set_setting("insights_subtitle_languages", "eng", None)
    rows = {row.file.title: row for row in found("languages") if row.file}
    assert {name: row.severity for name, row in rows.items()} == {
        "Japanese": 2, "German": 1, "Unknown": 1,
    }  # fmt: skip
    assert sentence_of(rows["Japanese"]).startswith("Its sound is in jpn, not in deu.")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("bitrate", 2_080, 5_200, 7_800)),
        ({"size_bytes": 4 * GB}, ("bitrate", 550, 1_375, 2_062.5)),  # only what is above enough
        ({"bit_rate_kbps": 0}, ("fallback", 2_080, 5_200, 7_800)),
        ({"size_bytes": 2 * GB}, None),  # as small as a film of today
    ],
)
def test_without_a_preset_that_can_be_read_a_saving_is_guessed_by_bit_rate_and_says_so(
    library: Library, values: dict[str, Any], expected: tuple[str, float, float, float] | None
) -> None:
    Preset.objects.filter(slug="balanced").update(spec={"of": "another version"})
    film(library, **mpeg2(**values))
    figures = [
        (row.basis, *(n / 10**6 for n in (
            row.savings_low_bytes, row.savings_bytes, row.savings_high_bytes
        ))) for row in found("codec")
    ]  # fmt: skip
    assert figures == ([expected] if expected else [])


def test_a_kind_that_is_switched_off_finds_nothing_and_ends_what_it_found(
    library: Library,
) -> None:
    film(library, **mpeg2())
    assert len(found("codec")) == 1
    set_setting("insights_codec", False, None)
    assert found("codec") == []
