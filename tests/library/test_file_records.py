"""What a probe and a swap write onto a file's row."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from library.file_records import (
    FileFacts,
    apply_name,
    apply_probe,
    audio_label,
    read_facts,
    record_swapped,
    restore_record,
)
from library.media_info import (
    AudioStream,
    Disposition,
    HdrKind,
    MediaInfo,
    SubtitleStream,
    TimingKind,
    VideoStream,
)
from library.models import Availability, FileState, MediaFile
from library.scanning.identity import path_digest
from library.scanning.names import ParsedName
from tests.library.file_rows import path_columns
from tests.library.scanning import file_at, make_library, scan
from tests.media import make_clip

if TYPE_CHECKING:
    from pathlib import Path

INFO = MediaInfo(
    container="mkv",
    format_name="matroska,webm",
    size_bytes=10,
    duration_s=5400.5,
    start_s=0.0,
    bit_rate_kbps=8000,
    video=(
        VideoStream(
            0, "hevc", profile="Main 10", width=1920, height=800, bit_depth=10,
            hdr=HdrKind.DOLBY_VISION, dolby_vision_profile="8.1", frame_rate="24000/1001",
            timing=TimingKind.VARIABLE, is_interlaced=True,
        ),
    ),
    audio=(
        AudioStream(1, "ac3", channels=6, language="eng"),
        AudioStream(2, "truehd", channels=8, is_lossless=True, object_audio="Atmos",
                    language="deu"),
        AudioStream(3, "flac", channels=8, is_lossless=True, language="eng",
                    disposition=Disposition(is_commentary=True)),
    ),
    subtitles=(SubtitleStream(4, "subrip", language="fra"),),
    tags={"MEDIAFLOW": "uuid;balanced"},
)  # fmt: skip


def test_the_columns_of_a_list_row() -> None:
    file = MediaFile()
    apply_probe(file, INFO)
    assert (file.video_codec, file.hdr, file.dolby_vision_profile) == (
        "hevc", "dolby_vision", "8.1",
    )  # fmt: skip
    assert (file.resolution, file.frame_rate_milli, file.duration_ms) == (1080, 23976, 5400500)
    assert (file.is_variable_frame_rate, file.is_interlaced, file.bit_depth) == (True, True, 10)
    assert (file.audio_codec, file.audio_label, file.audio_channels) == ("truehd", "Atmos", 8)
    assert (file.audio_languages, file.subtitle_languages) == (",eng,deu,", ",fra,")
    assert (file.stream_count, file.mediaflow_tag) == (5, "uuid;balanced")


def test_a_film_without_tracks_leaves_every_column_filled() -> None:
    file = MediaFile()
    apply_probe(file, replace(INFO, video=(), audio=(), subtitles=(), tags={}, duration_s=None))
    values = (file.video_codec, file.audio_codec, file.audio_languages, file.mediaflow_tag)
    assert values == ("", "", "", "")
    assert (file.duration_ms, file.resolution, file.frame_rate_milli) == (0, 0, 0)


@pytest.mark.parametrize(
    ("stream", "label"),
    [
        (AudioStream(0, "eac3", object_audio="Atmos"), "Atmos"),
        (AudioStream(0, "dts", object_audio="DTS:X", profile="DTS-HD MA + DTS:X"), "DTS:X"),
        (AudioStream(0, "dts", profile="DTS-HD MA"), "DTS-HD"),
        (AudioStream(0, "truehd"), "TrueHD"),
        (AudioStream(0, "aac"), ""),
    ],
)
def test_badge_of_a_track(stream: AudioStream, label: str) -> None:
    assert audio_label(stream) == label


def test_many_languages_stay_within_the_column() -> None:
    tracks = tuple(AudioStream(n, "aac", language=f"l{n:02d}") for n in range(99))
    file = MediaFile()
    apply_probe(file, replace(INFO, audio=tracks))
    assert len(file.audio_languages) <= 200
    assert file.audio_languages.endswith(",")


def test_numbers_that_no_film_has_fit_the_columns() -> None:
    video = replace(INFO.video[0], width=2**40, height=2**40, frame_rate="9999999999/1")
    file = MediaFile()
    apply_probe(file, replace(INFO, video=(video,)))
    assert max(file.width, file.height, file.frame_rate_milli) < 2**31
    apply_name(file, ParsedName("episode", "x", 99_999, "y", 99_999, (99_999,)))
    assert file.year < 2**15


def test_episodes_sort_by_show_season_and_number() -> None:
    keys = []
    for season, episode in ((1, 2), (1, 10), (2, 1)):
        file = MediaFile()
        apply_name(file, ParsedName("episode", "T", None, "The Show", season, (episode,)))
        keys.append(file.sort_key)
    assert keys == sorted(keys)
    assert keys[0].startswith("show ")


@pytest.fixture
def swapped_film(tmp_path: Path) -> MediaFile:
    """A scanned AVI beside which its replacement lies."""
    make_clip("mpeg4_avi", tmp_path / "f" / "Film (2001).avi")
    library = make_library(tmp_path / "f")
    scan(library)
    make_clip("hevc", tmp_path / "f" / "Film (2001).mkv")
    return file_at(library, "Film (2001).avi")


@pytest.mark.django_db
@pytest.mark.ffmpeg
def test_a_swap_updates_the_same_row_and_undo_restores_it(swapped_film: MediaFile) -> None:
    before = MediaFile.objects.values().get()
    previous = record_swapped(
        swapped_film.pk, path_rel=b"Film (2001).mkv", info=INFO, state=FileState.COMPLETED
    )
    json.dumps(previous)  # it is kept in the journal
    after = MediaFile.objects.get()
    assert (after.pk, after.path, after.video_codec) == (swapped_film.pk, "Film (2001).mkv", "hevc")
    assert (after.path_digest, after.state) == (path_digest(b"Film (2001).mkv"), "completed")
    assert after.content_fingerprint != swapped_film.content_fingerprint
    assert after.probe.detail["video"][0]["codec"] == "hevc"
    restore_record(after.pk, json.loads(json.dumps(previous)), state=FileState.IGNORED)
    restored = MediaFile.objects.values().get()
    computed = {"state": "new", "place_group": before["place_group"]}
    assert {**restored, **computed} == before
    assert restored["state"] == "ignored"
    assert MediaFile.objects.get().probe.detail["video"][0]["codec"] == "mpeg4"


@pytest.mark.django_db
@pytest.mark.ffmpeg
def test_a_row_that_a_scan_made_for_the_new_name_gives_way(swapped_film: MediaFile) -> None:
    MediaFile.objects.create(library=swapped_film.library, **path_columns(b"Film (2001).mkv"))
    record_swapped(
        swapped_film.pk, path_rel=b"Film (2001).mkv", info=INFO, state=FileState.COMPLETED
    )
    assert MediaFile.objects.get().pk == swapped_film.pk


@pytest.mark.django_db
@pytest.mark.ffmpeg
def test_given_facts_are_not_read_again(swapped_film: MediaFile) -> None:
    facts = FileFacts(size_bytes=77, mtime_ns=5, fingerprint="f" * 64)
    record_swapped(
        swapped_film.pk, path_rel=b"gone.mkv", info=INFO, state=FileState.COMPLETED, facts=facts
    )
    after = MediaFile.objects.get()
    assert (after.size_bytes, after.content_fingerprint) == (77, "f" * 64)
    assert after.availability == Availability.PRESENT


def test_facts_of_a_link_are_those_of_its_film(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"film")
    (tmp_path / "b.mkv").symlink_to("a.mkv")
    facts = read_facts(bytes(tmp_path / "b.mkv"))
    assert (facts.size_bytes, facts.is_symlink) == (4, True)
    assert facts.fingerprint == read_facts(bytes(tmp_path / "a.mkv")).fingerprint
