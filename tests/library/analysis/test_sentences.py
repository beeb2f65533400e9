"""What each kind of recommendation says to a person, word for word. Nothing in a database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from library.analysis.kinds import KINDS, sentence_of
from library.analysis.wording import listed, picture_words, plays_words
from library.models import Library, MediaFile, Recommendation
from tests.library.analysis.films import FINE, GB
from tests.library.file_rows import unsaved_file

H264 = {"video_codec": "h264", "bit_rate_kbps": 12_000, "size_bytes": 9 * GB}
OF_SEVERAL_FILMS = {"duplicates", "batch"}
LAST_YEAR = datetime(2025, 5, 4, 12, tzinfo=timezone.get_default_timezone())


def film_with(**values: Any) -> MediaFile:
    return unsaved_file(Library(pk=1), "Film", **{**FINE, **values})


def said(kind: str, values: dict[str, Any], figures: dict[str, Any], **row: Any) -> str:
    """The sentence of a recommendation that was never saved, with plain spaces."""
    found = Recommendation(
        kind=kind, file=film_with(**values), figures=figures, confidence_pct=60, **row
    )
    return sentence_of(found).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("kind", "values", "figures", "expected"),
    [
        ("codec", H264, {"enough_kbps": 6_000},
         "H.264 at 1080p with 12.0 Mb/s; 6.0 Mb/s is enough for most."),
        ("codec", {**H264, "video_codec": "vc1"}, {},
         "VC-1 at 1080p with 12.0 Mb/s: newer codecs need about half."),
        ("audio", {"audio_codec": "truehd", "audio_label": "TrueHD", "audio_channels": 8},
         {"before_kbps": 4_000, "after_kbps": 640, "extra_languages": 1},
         "Its best track is TrueHD 7.1; such sound usually takes 4.0 Mb/s, 640 kb/s as E-AC-3."
         " It has 1 more language than you want. The film takes 3.0 GB."),
        ("audio", {"audio_codec": "flac", "audio_channels": 2},
         {"before_kbps": 800, "after_kbps": 192, "extra_languages": 2},
         "Its best track is FLAC stereo; such sound usually takes 800 kb/s, 192 kb/s as E-AC-3."
         " It has 2 more languages than you want. The film takes 3.0 GB."),
        ("audio", {"audio_codec": "ac3"},
         {"before_kbps": 0, "after_kbps": 640, "extra_languages": 2},
         "It has 2 more languages than you want. The film takes 3.0 GB."),
        ("container", {"container": "avi"}, {},
         "HEVC in AVI, which keeps no chapters and no text subtitles, and seeks badly where its"
         " index is lost. Copying its tracks into Matroska takes minutes and loses nothing."),
        ("container", {"container": "rm", "video_codec": "rv40"}, {},
         "RV40 in RM, which is known to few players. Copying its tracks into Matroska takes"
         " minutes and loses nothing."),
        ("hdr_to_sdr", {"hdr": "hdr10"}, {},
         "HDR10 HEVC at 1080p with 4.0 Mb/s, and no SDR version of it. If you watch on screens"
         " without HDR, a smaller SDR copy beside it saves converting it at each play; the"
         " original stays. Only an offer (60 % sure that you need it)."),
        ("inaccessible", {"availability_reason": "Permission denied."}, {"why": "unreadable"},
         "It cannot be read. Permission denied. Look at it, or get it again (3.0 GB)."),
        ("inaccessible", {"size_bytes": 0}, {"why": "of a later version"},
         "It cannot be used. Look at it, or get it again."),
        ("chromecast", {**H264, "container": "mkv"}, {"needs": "container"},
         "Chromecast plays its H.264 picture and its sound, but not MKV files. Copying both into"
         " MP4 takes minutes and loses nothing (60 % sure)."),
        ("chromecast", {**H264, "audio_codec": "dts"}, {"needs": "sound"},
         "Chromecast plays its H.264 picture, but not its sound (DTS, 6 channels). Only the sound"
         " is converted, into MP4 beside it (60 % sure)."),
        ("chromecast", {"hdr": "hdr10", "is_interlaced": True}, {"needs": "picture"},
         "Chromecast does not play its picture (HEVC, 1920×1080, HDR, 10 bit, interlaced). A copy"
         " beside it in H.264 would play; that takes a whole encode (60 % sure)."),
        ("chromecast", {"bit_depth": 8, "video_codec": "mpeg4", "hdr": ""}, {"needs": "picture"},
         "Chromecast does not play its picture (MPEG-4, 1920×1080). A copy beside it in H.264"
         " would play; that takes a whole encode (60 % sure)."),
        ("languages", {"audio_languages": ",jpn,fra,kor,"}, {"audio": "deu,eng"},
         "Its sound is in jpn, fra and kor, not in deu or eng. Subtitles beside the film are not"
         " counted: get what is missing."),
        ("languages", {"subtitle_languages": ",jpn,"}, {"subtitles": "eng"},
         "Its subtitles are in jpn; you want eng. Subtitles beside the film are not counted: get"
         " what is missing."),
        ("languages", {"audio_languages": ",jpn,"}, {"audio": "eng", "subtitles": "eng"},
         "Its sound is in jpn, not in eng. Its file has no subtitles with a language; you want"
         " eng. Subtitles beside the film are not counted: get what is missing."),
        ("storage", {"added_at": LAST_YEAR}, {},
         "3.0 GB in HEVC at 1080p with 4.0 Mb/s. Never played since it was added 4 May 2025."),
        ("quality_gap", {"bit_rate_kbps": 900}, {"usual_kbps": 5_000},
         "HEVC at 1080p with 900 kb/s; 1080p films of this library usually have 5.0 Mb/s, counted"
         " in HEVC. Encoding cannot bring back what is missing: better to download it again (60 %"
         " sure)."),
    ],
)  # fmt: skip
def test_each_kind_says_what_it_found(
    kind: str, values: dict[str, Any], figures: dict[str, Any], expected: str
) -> None:
    assert said(kind, values, figures) == expected


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - OF_SEVERAL_FILMS))
def test_a_row_without_its_film_says_nothing_and_breaks_no_list(kind: str) -> None:
    assert sentence_of(Recommendation(kind=kind, figures={}, savings_bytes=GB)) == ""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"savings_bytes": 0}, ""),
        ({"savings_bytes": 2 * GB, "savings_low_bytes": 2 * GB, "savings_high_bytes": 2 * GB,
          "basis": "counted"}, "It would save about 2.0 GB: counted, 60 % sure."),
        ({"savings_bytes": 2 * GB, "savings_low_bytes": GB, "savings_high_bytes": 3 * GB,
          "basis": "of a later version"}, "It would save about 2.0 GB (1.0–3.0 GB), 60 % sure."),
    ],
)  # fmt: skip
def test_a_gain_is_named_with_its_range_and_what_it_rests_on(
    row: dict[str, Any], expected: str
) -> None:
    assert said("container", {}, {}, **row).partition("nothing.")[2].strip() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"resolution": 0, "bit_rate_kbps": 0}, "HEVC"),
        ({"video_codec": "", "bit_rate_kbps": 0}, "An unknown codec at 1080p"),
        ({"hdr": "", "resolution": 0}, "HEVC with 4.0 Mb/s"),
    ],
)
def test_what_is_not_known_of_a_picture_is_left_out(values: dict[str, Any], expected: str) -> None:
    assert picture_words(film_with(**values)).replace("\N{NO-BREAK SPACE}", " ") == expected


@pytest.mark.parametrize(
    ("count", "last", "expected"),
    [
        (1, LAST_YEAR, "Played once, last 4 May 2025"),
        (2, None, "Played twice"),
        (1_200, None, "Played 1,200 times"),
    ],
)
def test_plays_are_counted_in_words(count: int, last: datetime | None, expected: str) -> None:
    words = plays_words(film_with(play_count=count, last_played_at=last))
    assert words.replace("\N{NO-BREAK SPACE}", " ") == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], ""), (["A"], "A"), (["A", "B"], "A or B"), (["A", "B", "C"], "A, B or C")],
)
def test_several_are_listed(words: list[str], expected: str) -> None:
    assert listed(words, "or") == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("codec", "old or wasteful codecs"),
        ("hdr_to_sdr", "HDR without an SDR copy"),
        ("chromecast", "nearly ready for Chromecast"),
    ],
)
def test_inside_a_sentence_names_and_abbreviations_keep_their_capitals(
    kind: str, expected: str
) -> None:
    assert KINDS[kind].phrase == expected
