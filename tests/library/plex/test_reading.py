"""Plex's words into ours: values in every spelling, streams, HDR, sound, busy servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from library.media_info import HdrKind
from library.plex.client import PlexClient, PlexProblem, pause_s
from library.plex.reading import read_item, read_page, read_sections
from library.plex.stand_ins import stand_in_path
from library.plex.streams import frame_rate, read_media_info
from library.plex.values import flag, moment, number, text
from mediaflow.base.keys import read_or_create_secret
from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.trees import audio_stream, media_tree, part_tree, video_stream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plex_stand_in import PlexStandIn


def info_of(*streams: dict[str, Any], **media: Any) -> Any:
    tree = media_tree(1, [part_tree("/f/film.mkv", part_id=1, streams=list(streams))], **media)
    info = read_media_info(tree, tree["Part"][0])
    assert info is not None
    return info


@pytest.mark.parametrize(
    ("hdr", "kind", "profile"),
    [
        ("", HdrKind.SDR, ""),
        ("hdr10", HdrKind.HDR10, ""),
        ("hdr10plus", HdrKind.HDR10_PLUS, ""),
        ("hlg", HdrKind.HLG, ""),
        ("dv5", HdrKind.DOLBY_VISION, "5"),
        ("dv7", HdrKind.DOLBY_VISION, "7.6"),
        ("dv8", HdrKind.DOLBY_VISION, "8.1"),
    ],
)
def test_every_kind_of_hdr_is_told_apart(hdr: str, kind: HdrKind, profile: str) -> None:
    video = info_of(video_stream("hevc", hdr=hdr)).video[0]
    assert (video.hdr, video.dolby_vision_profile) == (kind, profile)


def test_a_pq_transfer_at_eight_bits_is_no_hdr() -> None:
    video = info_of(video_stream("h264", colorTrc="smpte2084")).video[0]
    assert video.hdr is HdrKind.SDR


@pytest.mark.parametrize(
    ("stream", "codec", "label"),
    [
        (audio_stream("dca", profile="ma"), "dts", ""),
        (audio_stream("truehd", title="TrueHD Atmos 7.1"), "truehd", "Atmos"),
        (audio_stream("eac3", extendedDisplayTitle="Dolby Atmos (EAC3)"), "eac3", "Atmos"),
        (audio_stream("eac3"), "eac3", ""),
        (audio_stream("dca", profile="ma", title="DTS:X 7.1"), "dts", "DTS:X"),
    ],
)
def test_sound_has_our_names(stream: dict[str, Any], codec: str, label: str) -> None:
    audio = info_of(video_stream(), stream).audio[0]
    assert (audio.codec, audio.object_audio) == (codec, label)


def test_dts_hd_ma_is_lossless() -> None:
    audio = info_of(video_stream(), audio_stream("dca", profile="ma")).audio[0]
    assert (audio.profile, audio.is_lossless) == ("DTS-HD MA", True)


def test_subtitles_beside_the_film_and_captions_within_are_no_streams() -> None:
    beside = {"streamType": 3, "codec": "srt", "key": "/library/streams/1", "id": 9}
    within = {"streamType": 3, "codec": "eia_608", "embeddedInVideo": "1", "index": 0}
    info = info_of(video_stream(), beside, within)
    assert info.subtitles == ()
    assert info.video[0].has_closed_captions


def test_without_streams_the_version_says_what_it_can() -> None:
    part = {"id": 1, "file": "/f/film.avi", "size": 1000}
    media = {"videoCodec": "mpeg4", "width": 720, "height": 400, "audioCodec": "mp3",
             "audioChannels": 2, "container": "avi", "duration": 1000}  # fmt: skip
    info = read_media_info(media, part)
    assert info is not None
    assert (info.video[0].codec, info.audio[0].channels, info.container) == ("mpeg4", 2, "avi")
    assert read_media_info({"id": 1, "duration": 5}, part) is None


@pytest.mark.parametrize(
    ("given", "rate"),
    [(23.976, "24000/1001"), ("24p", "24"), ("PAL", "25"), ("NTSC", "30000/1001"), (25.0, "25"),
     (59.94, "60000/1001"), ("", ""), (None, ""), ("odd", ""), (0, ""), ("50i", "50")],
)  # fmt: skip
def test_frame_rates_are_exact(given: object, rate: str) -> None:
    assert frame_rate(given) == rate


def test_values_come_in_every_spelling() -> None:
    numbers: list[object] = [3, "3", 3.0, "3.9", True, None, "x", "", [], 10**30]
    flags: list[object] = [1, "1", True, "true", 0, "0", None, "", []]
    assert [number(value) for value in numbers] == [
        3, 3, 3, 3, 1, None, None, None, None, None,
    ]  # fmt: skip
    assert [flag(value) for value in flags] == [
        True, True, True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert text("a\0b\ud800") == "ab?"
    assert text(None) == text({}) == ""
    assert moment("1700000000") == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert moment(0) is moment("never") is moment(10**15) is None


def test_an_item_of_nonsense_is_read_without_a_fall() -> None:
    media = [{"Part": [{"id": 1, "file": "/x"}, "no"]}, 3]
    tree = {"ratingKey": 7, "type": "movie", "Media": media,
            "Genre": {"tag": "Drama"}, "year": "soon", "viewCount": "-4", "Guid": None}  # fmt: skip
    item = read_item(tree, is_whole=True)
    assert (item.rating_key, item.year, item.view_count, item.genres) == ("7", None, 0, ("Drama",))
    assert [part.path for part in item.parts] == ["/x"]


def test_the_digest_moves_with_the_file_and_not_with_plays() -> None:
    tree: dict[str, Any] = {"ratingKey": "1", "type": "movie", "title": "Heat", "updatedAt": 1}
    part = part_tree("/f/heat.mkv", part_id=4, mtime=100)
    tree["Media"] = [{"id": 1, "Part": [part]}]
    before = read_item(tree, is_whole=False).digest
    assert read_item({**tree, "viewCount": 3, "lastViewedAt": 9}, is_whole=True).digest == before
    part["key"] = "/library/parts/4/200/file.mkv"
    assert read_item(tree, is_whole=False).digest != before


def test_what_is_no_film_is_counted_and_left_out() -> None:
    trees = [{"type": "clip", "ratingKey": "1"}, {"type": "movie", "ratingKey": "2"}]
    page = read_page({"Metadata": trees, "totalSize": "9"})
    assert ([item.rating_key for item in page.items], page.returned, page.total) == (["2"], 2, 9)


def test_sections_are_read() -> None:
    tree = {"Directory": [{"key": 3, "type": "movie", "title": "Films", "refreshing": "1",
                           "Location": [{"path": "/a"}, {"path": "D:\\b"}]}]}  # fmt: skip
    section = read_sections(tree)[0]
    assert (section.key, section.locations, section.is_refreshing) == ("3", ("/a", "D:\\b"), True)


@pytest.mark.parametrize(
    ("path", "locations", "shown"),
    [
        ("/data/films/A/a.mkv", ["/data/films"], b"A/a.mkv"),
        ("/data/films/A/a.mkv", ["/data", "/data/films"], b"films/A/a.mkv"),
        ("/disk1/F/F.mkv", ["/disk1", "/disk2/"], b"disk1/F/F.mkv"),
        ("/disk2/F/F.mkv", ["/disk1", "/disk2/"], b"disk2/F/F.mkv"),
        ("/disk1/Films/F.mkv", ["/disk1/Films", "/disk2/films"], b"disk1/Films/F.mkv"),
        ("D:\\a.mkv", ["D:\\", "E:\\"], b"D:/a.mkv"),
        ("/data/films2/a.mkv", ["/data/films"], b"data/films2/a.mkv"),
        ("D:\\Films\\A\\a.mkv", ["D:\\Films"], b"A/a.mkv"),
        ("D:\\a.mkv", ["D:\\"], b"a.mkv"),
    ],
)
def test_paths_are_shown_below_their_section(path: str, locations: list[str], shown: bytes) -> None:
    assert stand_in_path(path, locations) == shown


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("3", 3.0), ("0", 0.1), ("9999", 60.0), (None, 2.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.1),
     ("nonsense", 2.0)],
)  # fmt: skip
def test_a_busy_server_is_waited_for_as_it_asks_but_not_for_ever(
    asked: str | None, seconds: float
) -> None:
    assert pause_s(asked, 2) == seconds


def test_a_busy_server_that_stays_busy_is_given_up(plex: PlexStandIn) -> None:
    pauses: list[float] = []
    plex.fail("/library/sections", status=503, retry_after="2", times=0)
    with (
        PlexClient(
            url=plex.url, token=plex.token, may_be_this_machine=True, sleep=pauses.append
        ) as client,
        pytest.raises(PlexProblem, match="too busy"),
    ):
        client.sections()
    assert pauses == [2.0] * 4


def test_a_deleted_item_is_none_and_deleted_ones_are_left_out(plex: PlexStandIn) -> None:
    films = plex.world.add_section("Movies")
    keys = [plex.world.add_movie(films, title).rating_key for title in ("Heat", "Ran")]
    with PlexClient(url=plex.url, token=plex.token, may_be_this_machine=True) as client:
        assert client.item("999") is None
        assert client.details(["999"]) == []
        assert [item.title for item in client.details([*keys, "999"])] == ["Heat", "Ran"]
        assert client.item(keys[0], checks_files=True).parts[0].is_there is True  # type: ignore[union-attr]  # it is there
        assert client.item(keys[0]).parts[0].is_there is None  # type: ignore[union-attr]  # it is there


def test_a_rating_key_that_is_none_never_gets_into_an_address(plex: PlexStandIn) -> None:
    with PlexClient(url=plex.url, token=plex.token, may_be_this_machine=True) as client:
        for bad in ("1/../2", "", "1?x=1"):
            with pytest.raises(ValueError, match="rating key"):
                client.item(bad)
            with pytest.raises(ValueError, match="rating key"):
                client.details([bad])


def test_no_more_than_four_calls_are_under_way(plex: PlexStandIn) -> None:
    import threading

    plex.fail("/library/sections", delay_s=0.05, times=0)
    most, now, lock = 0, 0, threading.Lock()
    serve = plex.serve

    def counted(seen: Any) -> Any:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        try:
            return serve(seen)
        finally:
            with lock:
                now -= 1

    plex.serve = counted  # type: ignore[method-assign]
    with PlexClient(url=plex.url, token=plex.token, may_be_this_machine=True) as client:
        threads = [threading.Thread(target=client.sections) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most <= 4
    assert client.request_count == 12


def test_threads_that_ask_first_at_once_agree_on_one_identifier(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _n: read_or_create_secret(tmp_path / "key"), range(40)))
    assert len(found) == 1
