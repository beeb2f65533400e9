"""A server that fails in the middle: nothing is wrongly missing, nothing is there twice."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.models import MediaFile, PlexItem, PlexPart, PlexServer
from library.plex.client import PlexProblem, client_for
from library.plex.sections import refresh_sections
from library.plex.sync import SyncProblem
from library.plex.sync_losses import LossesRefused
from library.plex.sync_operation import due_sections, start_due_syncs, start_sync
from mediaflow.base.models import AuditEvent, Operation, OperationStatus
from mediaflow.base.operations import OperationHandedBack, run_operation_here
from tests.library.plex.rows import make_section, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from library.models import PlexSection
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Section

pytestmark = pytest.mark.django_db
FILMS = 25


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of five and batches of three: every failure has a middle."""
    monkeypatch.setattr("library.plex.client.PAGE_ITEMS", 5)
    monkeypatch.setattr("library.plex.client.PlexClient.list_page.__kwdefaults__", {
        "size": 5, "where": None,
    })  # fmt: skip
    monkeypatch.setattr("library.plex.read_ahead.BATCH_IDS", 3)
    monkeypatch.setattr("library.plex.read_ahead._BATCHES_A_WRITE", 1)
    monkeypatch.setattr("library.plex.read_ahead._BATCHES_AHEAD", 2)
    monkeypatch.setattr("library.plex.sync_losses.BATCH_IDS", 3)


@pytest.fixture
def films(plex: PlexStandIn) -> Section:
    section = plex.world.add_section("Movies", location="/data/films")
    for number in range(FILMS):
        plex.world.add_movie(section, f"Film {number:02d}")
    return section


@pytest.fixture
def section(plex: PlexStandIn, films: Section) -> PlexSection:
    return make_section(plex, films)


def all_is_well(section: PlexSection, count: int = FILMS) -> bool:
    """Each film once, with one file, and none missing."""
    titles = list(PlexItem.objects.values_list("title", flat=True))
    return (
        len(titles) == len(set(titles)) == count
        and not PlexItem.objects.exclude(missing_since=None).exists()
        and PlexPart.objects.count() == count
        and MediaFile.objects.filter(is_in_plex=True).count() == count
        and section.item_count == count
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "times": 2},
        {"status": 429, "retry_after": "1", "times": 3},
        {"status": 429, "retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"},
        {"cut": True},
        {"hang_up": True},
    ],
    ids=["503", "429", "429 with a date", "cut in the middle", "no answer"],
)
@pytest.mark.parametrize("where", ["/library/sections/1/all", "/library/metadata/"])
def test_what_passes_is_tried_again(
    plex: PlexStandIn, section: PlexSection, fault: dict[str, Any], where: str
) -> None:
    plex.fail(where, after=2, **fault)
    sync(section)
    assert all_is_well(section)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 500}, "bad_reply"),
        ({"status": 503}, "busy"),
        ({"status": 429}, "busy"),
        ({"cut": True}, "network"),
        ({"hang_up": True}, "network"),
        ({"garbage": True}, "bad_reply"),
        ({"empty": True}, "bad_reply"),
        ({"status": 401}, "auth"),
        ({"status": 403}, "refused"),
    ],
)
@pytest.mark.parametrize("where", ["/library/sections/1/all", "/library/metadata/"])
def test_what_lasts_ends_the_sync_and_loses_nothing(
    plex: PlexStandIn, section: PlexSection, fault: dict[str, Any], kind: str, where: str
) -> None:
    sync(section)
    plex.world.touch(plex.world.find("Film 20"), title="Film twenty")
    plex.fail(where, times=0, **fault)
    with pytest.raises(PlexProblem) as problem:
        sync(section)

    assert problem.value.kind == kind
    assert plex.token not in problem.value.text
    assert not PlexItem.objects.exclude(missing_since=None).exists()
    plex.faults.clear()
    sync(section)
    assert all_is_well(section)
    assert PlexItem.objects.filter(title="Film twenty").exists()


def test_a_first_sync_that_failed_goes_on_where_it_was(
    plex: PlexStandIn, section: PlexSection
) -> None:
    plex.fail("/all", after=3, times=0, status=500)
    with pytest.raises(PlexProblem):
        sync(section)
    begun = PlexItem.objects.count()
    assert 0 < begun < FILMS
    assert section.sync_cursor["start"] > 0
    plex.faults.clear()
    plex.requests.clear()
    sync(section)

    assert all_is_well(section)
    starts = [int(seen.headers["X-Plex-Container-Start"]) for seen in plex.calls("/all")]
    assert min(starts) > 0
    assert section.sync_cursor == {}


def test_a_sync_that_is_handed_back_goes_on_later(plex: PlexStandIn, section: PlexSection) -> None:
    calls = 0

    def stop() -> None:
        nonlocal calls
        calls += 1
        if calls > 8:
            raise OperationHandedBack

    with pytest.raises(OperationHandedBack):
        sync(section, checkpoint=stop)
    assert PlexItem.objects.count() < FILMS
    sync(section)
    assert all_is_well(section)


def test_items_that_vanish_between_pages_take_no_others_with_them(
    plex: PlexStandIn, films: Section, section: PlexSection
) -> None:
    sync(section)
    films.change()

    def remove_the_first_two() -> None:
        for title in ("Film 00", "Film 01"):
            plex.world.remove(plex.world.find(title))

    plex.before("/library/sections/1/all", remove_the_first_two, nth=3)
    sync(section)
    sync(section)

    gone = PlexItem.objects.exclude(missing_since=None).values_list("title", flat=True)
    assert sorted(gone) == ["Film 00", "Film 01"]


def test_items_that_vanish_during_a_first_sync_hide_none(
    plex: PlexStandIn, section: PlexSection
) -> None:
    plex.before(
        "/library/sections/1/all", lambda: plex.world.remove(plex.world.find("Film 01")), nth=3
    )
    sync(section)
    titles = set(PlexItem.objects.filter(missing_since=None).values_list("title", flat=True))
    assert titles >= {f"Film {number:02d}" for number in range(2, FILMS)}


def test_an_item_that_vanishes_before_its_details_are_read_is_not_there(
    plex: PlexStandIn, section: PlexSection
) -> None:
    plex.before("/library/metadata/", lambda: plex.world.remove(plex.world.find("Film 01")))
    sync(section)
    assert not PlexItem.objects.filter(title="Film 01", missing_since=None).exists()
    assert PlexItem.objects.filter(missing_since=None).count() == FILMS - 1


def test_items_that_are_listed_twice_are_there_once(
    plex: PlexStandIn, films: Section, section: PlexSection
) -> None:
    films.overlap = 2
    sync(section)
    sync(section, is_full=True)
    assert PlexItem.objects.count() == len(set(PlexItem.objects.values_list("title", flat=True)))
    assert PlexPart.objects.count() == MediaFile.objects.count() == PlexItem.objects.count()
    assert not PlexItem.objects.exclude(missing_since=None).exists()


def test_a_section_that_is_being_scanned_is_waited_for(
    plex: PlexStandIn, films: Section, section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.sync.REFRESH_POLL_S", 0.01)
    films.refreshing = True
    waits = 0

    def pass_time() -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            films.refreshing = False

    sync(section, checkpoint=pass_time)
    assert waits >= 3
    assert all_is_well(section)


def test_a_section_that_is_scanned_for_ever_is_left_for_later(
    plex: PlexStandIn, films: Section, section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.sync.REFRESH_WAIT_S", 0.0)
    films.refreshing = True
    with pytest.raises(SyncProblem, match="scanning this library"):
        sync(section)
    assert PlexItem.objects.count() == 0


def test_a_scan_of_plex_holds_a_sync_for_seconds_only(
    films: Section, section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    clock = SimpleNamespace(time=time.time, monotonic=lambda: passed, sleep=sleep)
    monkeypatch.setattr("library.plex.sync.time", clock)
    films.refreshing = True
    with pytest.raises(SyncProblem, match="scanning this library"):
        sync(section)
    assert passed <= 10


def test_a_sync_that_found_plex_scanning_is_due_again_in_a_minute_as_it_was_asked_for(
    films: Section, section: PlexSection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.sync.REFRESH_WAIT_S", 0.0)
    PlexServer.objects.update(sync_interval_s=0)  # only by hand
    films.refreshing = True
    asked = start_sync(section=section, is_full=True, accept_losses=True)
    operation = run_operation_here(asked)
    section.refresh_from_db()
    assert (operation.status, section.trouble) == ("completed", "scanning")
    assert "is scanning" in operation.message and "is scanning" in section.error
    assert contact() == (False, "")
    assert due_sections(timezone.now()) == []
    assert due_sections(timezone.now() + timedelta(seconds=61)) == [section]

    Operation.objects.update(finished_at=timezone.now() - timedelta(seconds=61))
    start_due_syncs()
    again = Operation.objects.get(status="queued")
    assert again.args == asked.args
    assert start_sync(section=section).pk == again.pk
    assert AuditEvent.objects.filter(action="plex.accept_losses").count() == 1
    films.refreshing = False
    assert run_operation_here(again).result["mode"] == "sweep"
    section.refresh_from_db()
    assert (section.trouble, section.error) == ("", "")
    assert due_sections(timezone.now() + timedelta(days=1)) == []


def test_too_much_gone_at_once_is_refused_until_a_person_accepts_it(
    plex: PlexStandIn, films: Section, section: PlexSection
) -> None:
    sync(section)
    for item in films.of_type("movie")[:15]:
        plex.world.remove(item)
    with pytest.raises(LossesRefused, match="15 of 25"):
        sync(section)
    assert not PlexItem.objects.exclude(missing_since=None).exists()
    assert MediaFile.objects.filter(is_in_plex=True).count() == FILMS

    assert sync(section, accept_losses=True)["missing"] == 15


def test_an_emptied_section_is_refused(
    plex: PlexStandIn, films: Section, section: PlexSection
) -> None:
    sync(section)
    films.items.clear()
    films.change()
    with pytest.raises(LossesRefused):
        sync(section)
    assert not PlexItem.objects.exclude(missing_since=None).exists()


def test_a_dead_token_is_told_from_a_network_fault(plex: PlexStandIn, section: PlexSection) -> None:
    plex.fail("/library/sections", times=0, hang_up=True)
    operation = run_operation_here(start_sync(section=section))
    assert operation.status == OperationStatus.FAILED
    is_dead, error = contact()
    assert not is_dead
    assert "cannot be reached" in error

    plex.faults.clear()
    plex.world.tokens.clear()
    operation = run_operation_here(start_sync(section=section))
    assert contact()[0]
    assert "Sign in" in operation.message

    plex.world.tokens[plex.token] = True
    operation = run_operation_here(start_sync(section=section))
    assert operation.status == OperationStatus.COMPLETED
    assert contact() == (False, "")
    assert operation.message.startswith("25 items: 25 new")


def contact() -> tuple[bool, str]:
    server = PlexServer.objects.get()
    return server.is_token_dead, server.error


def test_a_section_that_the_server_lost_says_so(
    plex: PlexStandIn, films: Section, section: PlexSection
) -> None:
    sync(section)
    plex.world.sections.clear()
    with pytest.raises(SyncProblem, match="no such library"):
        sync(section)
    assert not PlexItem.objects.exclude(missing_since=None).exists()


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_library_that_comes_back_is_well_again(
    plex: PlexStandIn, films: Section, section: PlexSection, is_enabled: bool
) -> None:
    section.is_enabled = is_enabled
    section.save()
    plex.world.sections.clear()
    look(section)
    assert (section.trouble, "no such library" in section.error) == ("gone", True)
    plex.world.sections[films.key] = films
    look(section)
    assert (section.trouble, section.error) == ("", "")


def look(section: PlexSection) -> None:
    with client_for(section.server) as client:
        refresh_sections(section.server, client)
    section.refresh_from_db()


def test_an_error_of_its_own_outlasts_a_look(section: PlexSection) -> None:
    section.trouble, section.error = "failed", "Cut."
    section.save()
    look(section)
    assert (section.trouble, section.error) == ("failed", "Cut.")


def test_a_server_that_refuses_one_thing_still_answers(
    plex: PlexStandIn, section: PlexSection
) -> None:
    plex.fail("/library/sections/1/all", times=0, status=403)
    operation = run_operation_here(start_sync(section=section))
    section.refresh_from_db()
    assert "only to its owner" in operation.message
    assert (section.trouble, section.error) == ("failed", operation.message)
    assert contact() == (False, "")


def test_two_asks_for_a_sync_are_one(section: PlexSection) -> None:
    assert start_sync(section=section).pk == start_sync(section=section).pk


def test_the_token_is_never_in_an_address(plex: PlexStandIn, section: PlexSection) -> None:
    sync(section)
    assert plex.requests
    assert all(seen.headers["X-Plex-Token"] == plex.token for seen in plex.requests)
    assert not any("Token" in name for seen in plex.requests for name, _value in seen.params)


def test_all_calls_come_from_one_device(plex: PlexStandIn, section: PlexSection) -> None:
    sync(section)
    assert len({seen.headers["X-Plex-Client-Identifier"] for seen in plex.requests}) == 1
