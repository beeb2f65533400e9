"""`mediaflow plex_sync` is a shell over the same operation."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from library.plex.sync_operation import start_sync
from mediaflow.base.models import Operation
from mediaflow.base.operations import claim_operation
from tests.library.plex.rows import make_section
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def section(plex: PlexStandIn) -> PlexSection:
    films = plex.world.add_section("Movies")
    plex.world.add_section("Series", kind="show")
    plex.world.add_movie(films, "Heat")
    return make_section(plex, films)


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("plex_sync", *args, stdout=out)
    return out.getvalue()


def test_all_enabled_libraries_are_synced(section: PlexSection) -> None:
    assert run() == "Stand-in/Movies: 1 items: 1 new.\n"
    assert run("--section", "stand-in/movies", "--full") == "Stand-in/Movies: 1 items: 1 changed.\n"


def test_json_is_one_document(section: PlexSection) -> None:
    found: dict[str, Any] = json.loads(run("--json"))
    assert found["sections"][0]["added"] == 1
    assert found["sections"][0]["problem"] == ""


def test_a_failure_is_said_and_ends_with_one(plex: PlexStandIn, section: PlexSection) -> None:
    plex.world.tokens.clear()
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("plex_sync", stdout=out)
    assert ended.value.code == 1
    assert "Sign in to Plex again" in out.getvalue()


def test_what_has_to_wait_for_a_sync_that_runs_is_said(section: PlexSection) -> None:
    start_sync(section=section)
    assert claim_operation("another:1")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("plex_sync", "--full", stdout=out)
    assert ended.value.code == 1
    assert "A sync of Movies runs already" in out.getvalue()


def test_a_library_that_plex_scans_is_no_success(
    plex: PlexStandIn, section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.sync.REFRESH_WAIT_S", 0.0)
    plex.world.sections[section.key].refreshing = True
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("plex_sync", stdout=out)
    assert ended.value.code == 1
    assert "Plex is scanning this library" in out.getvalue()


def test_a_library_that_is_not_there_is_named(section: PlexSection) -> None:
    with pytest.raises(CommandError, match=r"'Cinema'.*Stand-in/Movies") as problem:
        run("--section", "Cinema")
    assert problem.value.returncode == 2
    assert not Operation.objects.exists()


def test_without_any_library_it_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="plex_add"):
        run()
