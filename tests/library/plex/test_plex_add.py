"""`plex_add`: a server is connected from the command line, its token never on it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from library.models import PathMapping, PlexServer
from library.plex.client import token_of
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def token_file(plex: PlexStandIn, tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(f"{plex.token}\n", encoding="utf-8")
    return str(path)


def add(plex: PlexStandIn, token_file: str, *more: str) -> str:
    out = io.StringIO()
    arguments = [plex.url, "--token-file", token_file, "--on-this-machine", *more]
    call_command("plex_add", *arguments, stdout=out)
    return out.getvalue()


def test_a_server_its_libraries_and_mappings_are_stored(
    plex: PlexStandIn, token_file: str, tmp_path: Path
) -> None:
    plex.world.add_section("Films", location="/data/films")
    plex.world.add_section("Series", kind="show")
    mapping = f"/data/films={tmp_path}"
    found = json.loads(add(plex, token_file, "--section", "films", "--map", mapping, "--json"))[
        "server"
    ]
    server = PlexServer.objects.get(pk=found["id"])
    assert [section["title"] for section in found["sections"]] == ["Films"]
    assert [row.title for row in server.sections.filter(is_enabled=True)] == ["Films"]
    assert token_of(server) == plex.token
    assert plex.token not in server.token_encrypted
    add(plex, token_file, "--map", mapping)  # again: nothing twice, now with all libraries
    assert server.sections.filter(is_enabled=True).count() == 2
    assert PathMapping.objects.count() == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--section", "Music"), "has no library 'Music'; it has Films"),
        (("--map", "/data"), "write it as SOURCE=LOCAL"),
        (("--map", "data=/tank"), "--map source"),
        (("--map", "/data=tank"), "--map local"),
    ],
)
def test_wrong_words_are_one_sentence(
    plex: PlexStandIn, token_file: str, more: tuple[str, ...], words: str
) -> None:
    plex.world.add_section("Films")
    with pytest.raises(CommandError, match=words) as caught:
        add(plex, token_file, *more)
    assert caught.value.returncode == 2


def test_a_wrong_token_stores_nothing(plex: PlexStandIn, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("wrong", encoding="utf-8")
    with pytest.raises(CommandError, match="token: ") as caught:
        add(plex, str(path))
    assert caught.value.returncode == 2
    assert "wrong" not in str(caught.value)
    assert not PlexServer.objects.exists()


def test_this_machine_is_called_only_when_said_so(plex: PlexStandIn, token_file: str) -> None:
    with pytest.raises(CommandError, match="this machine"):
        call_command("plex_add", plex.url, "--token-file", token_file)
    assert plex.requests == []


@pytest.mark.parametrize("text", ["", "two words", "x" * 5000])
def test_a_token_is_one_word(plex: PlexStandIn, tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match="one word"):
        add(plex, str(path))
    with pytest.raises(CommandError, match="No such file"):
        add(plex, str(tmp_path / "none"))
