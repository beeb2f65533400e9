"""`scan` and `demo_media` as a user runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from tests.library.scanning import age

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Instance

KEYS = {
    "id", "name", "root", "files", "added", "changed", "moved", "missing", "errors", "seconds",
}  # fmt: skip


@pytest.mark.ffmpeg
def test_scan_adds_a_folder_and_prints_one_document(instance: Instance, films: Path) -> None:
    age(films)
    result = instance.run("scan", str(films), "--json")
    assert result.returncode == 0, result.stderr
    (library,) = json.loads(result.stdout)["libraries"]
    assert library.keys() >= KEYS
    assert (library["name"], library["root"]) == ("films", str(films))
    assert (library["files"], library["added"], library["errors"]) == (4, 4, 1)
    again = json.loads(instance.run("scan", "--json").stdout)["libraries"][0]
    assert (again["added"], again["changed"], again["files"]) == (0, 0, 4)


def test_scan_of_a_frozen_library_fails_with_its_reason(instance: Instance, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    assert instance.run("scan", str(tmp_path / "films")).returncode == 0
    (tmp_path / "films").rename(tmp_path / "away")
    result = instance.run("scan")
    assert result.returncode == 1
    assert "cannot be reached" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("/no/such/folder", "There is no folder"),
        ("/etc/passwd", "is a file"),
        ("/", "whole file system"),
        ("", "path of a folder"),
    ],
)
@pytest.mark.django_db
def test_scan_refuses_what_is_no_film_folder(argument: str, text: str) -> None:
    with pytest.raises(CommandError, match=text) as caught:
        call_command("scan", argument)
    assert caught.value.returncode == 2


def test_bad_input_is_one_sentence_and_code_2(instance: Instance) -> None:
    result = instance.run("scan")
    assert result.returncode == 2
    assert result.stderr.strip().count("\n") == 0
    assert "name a folder" in result.stderr
    assert result.stdout == ""


@pytest.mark.django_db
def test_without_a_library_the_json_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("scan", "--json")
    assert json.loads(capsys.readouterr().out) == {"libraries": []}


@pytest.mark.parametrize(
    "arguments",
    [("/etc/passwd",), ("",), ("x", "--seconds", "0"), ("x", "--seconds", "9" * 30),
     ("x", "--seconds", "-5")],
)  # fmt: skip
def test_demo_media_refuses_bad_input(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError) as caught:
        call_command("demo_media", *arguments)
    assert caught.value.returncode == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.ffmpeg
@pytest.mark.django_db
def test_demo_films_are_of_many_kinds_and_all_readable(tmp_path: Path) -> None:
    import imageio_ffmpeg

    from library.demo.films import DEMO_FILMS, make_demo_films
    from library.models import MediaFile
    from tests.library.scanning import make_library, scan

    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    made = list(make_demo_films(tmp_path / "demo", ffmpeg=ffmpeg, seconds=1, height=180))
    before = {path: path.stat().st_mtime_ns for path in made}
    assert list(make_demo_films(tmp_path / "demo", ffmpeg=ffmpeg, seconds=1, height=180)) == made
    assert before == {path: path.stat().st_mtime_ns for path in made}  # made once
    summary = scan(make_library(tmp_path / "demo"))
    assert (summary.added, summary.errors) == (len(DEMO_FILMS), 0)
    codecs = set(MediaFile.objects.values_list("video_codec", flat=True))
    assert codecs >= {"h264", "hevc", "mpeg4", "mpeg2video"}
    assert MediaFile.objects.filter(hdr="hdr10").exists()
    assert MediaFile.objects.filter(is_interlaced=True).exists()
    assert MediaFile.objects.filter(audio_languages=",eng,deu,").exists()
