"""Collections from filters: built once or kept in step, nothing of others taken over or lost."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from library.models import MediaFile, PlexCollection, PlexPart
from library.plex.client import PlexClient, PlexProblem
from library.plex.collections import (
    CollectionProblem,
    after_library_change,
    forget,
    make_collection,
    start_build,
)
from library.plex.linking import unlink_section
from library.plex.writing import PlexWriter
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.library.plex.rows import make_section, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from library.models import PlexSection
    from mediaflow.accounts.models import User
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Item, Section

pytestmark = pytest.mark.django_db


@pytest.fixture
def films(plex: PlexStandIn) -> Section:
    section = plex.world.add_section("Movies")
    for number in range(4):
        plex.world.add_movie(
            section, f"Film {number}", labels=["Kept"], size=(number + 1) * 10**10,
            collections=["By hand"],
        )  # fmt: skip
    return section


@pytest.fixture
def section(plex: PlexStandIn, films: Section) -> PlexSection:
    plex.world.collection(films, "By hand")
    row = make_section(plex, films)
    sync(row)
    return row


def make(section: PlexSection, actor: User, **values: Any) -> PlexCollection:
    given = {"title": "Large", "query": "size_min=25GB", "is_kept_in_step": False, **values}
    row = make_collection(section=section, actor=actor, **given)
    run_waiting()
    row.refresh_from_db()
    return row


def run_waiting() -> list[Operation]:
    waiting = Operation.objects.filter(kind="plex_collections", status="queued").order_by("pk")
    return [run_operation_here(row) for row in list(waiting)]


def members(films: Section, title: str = "Large") -> set[str]:
    return {item.title for item in films.of_type("movie") if title in item.tags("Collection")}


def named(films: Section, title: str) -> Item:
    return next(item for item in films.of_type("collection") if item.title == title)


def test_a_filter_becomes_a_collection_and_takes_no_tag_away(
    films: Section, section: PlexSection, operator: User
) -> None:
    row = make(section, operator)
    assert (row.item_count, row.error) == (2, "")
    assert row.rating_key == named(films, "Large").rating_key
    assert members(films) == {"Film 2", "Film 3"}
    assert members(films, "By hand") == {f"Film {n}" for n in range(4)}
    assert all(item.tags("Label") == ["Kept"] for item in films.of_type("movie"))


def test_one_that_is_kept_gains_and_loses_with_the_library(
    films: Section, section: PlexSection, operator: User
) -> None:
    make(section, operator, is_kept_in_step=True)
    MediaFile.objects.filter(title="Film 3").update(size_bytes=1)
    MediaFile.objects.filter(title="Film 0").update(size_bytes=30 * 10**9)
    after_library_change(0)
    after_library_change(0)
    assert [row.result for row in run_waiting()] == [{"added": 1, "removed": 1}]
    assert members(films) == {"Film 0", "Film 2"}
    after_library_change(0)
    assert run_waiting()[0].result == {"added": 0, "removed": 0}


def test_one_made_once_stays_as_it_was(
    films: Section, section: PlexSection, operator: User
) -> None:
    make(section, operator)
    MediaFile.objects.update(size_bytes=1)
    after_library_change(0)
    assert run_waiting() == []
    assert len(members(films)) == 2


def test_hundreds_are_added_a_hundred_at_a_time(plex: PlexStandIn, operator: User) -> None:
    films = plex.world.add_section("Movies")
    for number in range(230):
        plex.world.add_movie(films, f"Film {number}")
    row = make_section(plex, films)
    sync(row)
    assert make(row, operator, query="").item_count == 230
    assert len(plex.calls("/items", "PUT")) == 2


def test_a_collection_of_somebody_else_is_not_taken_over(
    plex: PlexStandIn, films: Section, section: PlexSection, operator: User
) -> None:
    before = members(films, "By hand")
    row = make(section, operator, title="by hand")
    assert "of that name already" in row.error
    assert members(films, "By hand") == before


@pytest.mark.parametrize("is_as_it_was_made", [True, False])
def test_one_that_was_made_but_not_noted_is_known_again(
    films: Section, section: PlexSection, operator: User, plex: PlexStandIn,
    monkeypatch: pytest.MonkeyPatch, is_as_it_was_made: bool,
) -> None:  # fmt: skip
    create = PlexWriter.create_collection

    def create_and_die(self: PlexWriter, *args: Any) -> str:
        create(self, *args)
        raise PlexProblem("network", "Cut.")

    monkeypatch.setattr(PlexWriter, "create_collection", create_and_die)
    row = make(section, operator)
    monkeypatch.undo()
    assert (row.rating_key, "Build it again" in row.error) == ("", True)
    if not is_as_it_was_made:  # somebody else's hand is in it, or it is somebody else's
        item = plex.world.find("Film 0")
        item.own()["Collection"] = [plex.world.tag("Collection", "Large")]
    start_build(row, actor=operator)
    run_waiting()
    row.refresh_from_db()
    if is_as_it_was_made:
        assert (row.rating_key, row.error) == (named(films, "Large").rating_key, "")
    else:
        assert (row.rating_key, "of that name already" in row.error) == ("", True)
    assert len([one for one in films.of_type("collection") if one.title == "Large"]) == 1


def test_two_operations_make_one_collection(
    films: Section, section: PlexSection, operator: User, plex: PlexStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Somebody asks for it while it is being made to keep it in step."""
    monkeypatch.setattr("library.plex.collection_steps.BUSY_WAIT_S", 0.01)
    row = make_collection(
        section=section, title="Large", query="size_min=25GB", is_kept_in_step=True, actor=operator
    )
    Operation.objects.all().delete()
    create = PlexWriter.create_collection
    by_hand: list[Operation] = []

    def create_meanwhile(self: PlexWriter, *args: Any) -> str:
        monkeypatch.setattr(PlexWriter, "create_collection", create)
        by_hand.append(run_operation_here(start_build(row, actor=operator)))
        return create(self, *args)

    monkeypatch.setattr(PlexWriter, "create_collection", create_meanwhile)
    after_library_change(0)
    run_waiting()
    assert len(plex.calls("/library/collections", "POST")) == 1
    assert (by_hand[0].status, "just now" in by_hand[0].message) == ("failed", True)
    row.refresh_from_db()
    assert (row.error, row.item_count, row.builder) == ("", 2, "")
    assert len(members(films)) == 2


def test_what_is_asked_for_is_left_to_the_operation_that_was_asked(
    section: PlexSection, operator: User, plex: PlexStandIn
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    start_build(row, actor=operator)
    asked = Operation.objects.get(status="queued")
    MediaFile.objects.filter(title="Film 0").update(size_bytes=30 * 10**9)
    after_library_change(0)
    kept = Operation.objects.filter(status="queued").exclude(pk=asked.pk).get()
    assert run_operation_here(kept).result == {"added": 0, "removed": 0}
    assert run_operation_here(asked).result == {"added": 1, "removed": 0}


def test_one_built_by_hand_meanwhile_is_no_stranger(
    films: Section, section: PlexSection, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operation that keeps all in step began before the second one was made."""
    make(section, operator, title="First", is_kept_in_step=True)
    second = make_collection(
        section=section, title="Large", query="size_min=25GB", is_kept_in_step=True, actor=operator
    )
    Operation.objects.filter(status="queued").delete()
    MediaFile.objects.filter(title="Film 0").update(size_bytes=30 * 10**9)
    add = PlexWriter.add_to_collection

    def build_the_second(self: PlexWriter, *args: Any) -> None:
        monkeypatch.setattr(PlexWriter, "add_to_collection", add)
        assert run_operation_here(start_build(second, actor=operator)).status == "completed"
        add(self, *args)

    monkeypatch.setattr(PlexWriter, "add_to_collection", build_the_second)
    after_library_change(0)
    run_waiting()
    second.refresh_from_db()
    assert (second.error, second.item_count) == ("", 3)
    assert members(films) == {"Film 0", "Film 2", "Film 3"}


def test_one_left_by_a_dead_operation_is_built_by_the_next(
    section: PlexSection, operator: User
) -> None:
    row = make(section, operator)
    PlexCollection.objects.update(builder="of-a-process-that-died")
    MediaFile.objects.filter(title="Film 0").update(size_bytes=30 * 10**9)
    start_build(row, actor=operator)
    assert run_waiting()[0].result == {"added": 1, "removed": 0}


def test_one_that_plex_refuses_does_not_stop_the_others(
    films: Section, section: PlexSection, operator: User, plex: PlexStandIn
) -> None:
    first = make(section, operator, title="First", is_kept_in_step=True)
    second = make(section, operator, title="Second", is_kept_in_step=True)
    MediaFile.objects.filter(title="Film 0").update(size_bytes=30 * 10**9)
    plex.fail(f"/library/collections/{first.rating_key}", times=0, status=403)
    after_library_change(0)
    assert [row.status for row in run_waiting()] == ["completed"]
    first.refresh_from_db()
    second.refresh_from_db()
    assert "only to its owner" in first.error
    assert (second.error, second.item_count) == ("", 3)
    section.server.refresh_from_db()
    assert section.server.error == ""


def test_a_server_that_ignores_the_paging_is_read_to_its_end(
    section: PlexSection, operator: User, plex: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library.plex.collection_steps.PAGE_ITEMS", 2)
    monkeypatch.setattr("library.plex.collection_steps.MAX_PAGES", 5)
    get = PlexClient.get

    def get_all(self: PlexClient, path: str, **how: Any) -> dict[str, Any]:
        assert len(plex.requests) < 50
        return get(self, path, **{name: value for name, value in how.items() if name != "headers"})

    monkeypatch.setattr(PlexClient, "get", get_all)
    row = make(section, operator)
    assert (row.error, row.item_count) == ("", 2)


def test_a_collection_without_end_is_left(
    section: PlexSection, operator: User, plex: PlexStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make(section, operator)
    monkeypatch.setattr("library.plex.collection_steps.PAGE_ITEMS", 1)
    monkeypatch.setattr("library.plex.collection_steps.MAX_PAGES", 5)
    get, calls = PlexClient.get, itertools.count(1000)

    def get_more(self: PlexClient, path: str, **how: Any) -> dict[str, Any]:
        if path.endswith("/children"):
            return {"Metadata": [{"ratingKey": str(next(calls))}]}
        return get(self, path, **how)

    monkeypatch.setattr(PlexClient, "get", get_more)
    start_build(row, actor=operator)
    assert "does not end" in run_waiting()[0].message
    assert next(calls) == 1005


def test_a_new_name_in_plex_is_taken_over(
    films: Section, section: PlexSection, operator: User, plex: PlexStandIn
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    for item in films.of_type("movie"):
        tags = ["Giants" if tag == "Large" else tag for tag in item.tags("Collection")]
        item.own()["Collection"] = [plex.world.tag("Collection", tag) for tag in tags]
    named(films, "Large").own()["title"] = "Giants"
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (row.title, row.error, row.item_count) == ("Giants", "", 2)


def test_one_deleted_in_plex_is_not_made_again_unasked(
    films: Section, section: PlexSection, operator: User
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    del films.items[row.rating_key]
    for item in films.of_type("movie"):
        item.own()["Collection"] = []
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (members(films), row.error) == (
        set(), "It was deleted in Plex. Build it again, or forget it here.",
    )  # fmt: skip
    after_library_change(0)
    assert run_waiting() == []
    start_build(row, actor=operator)
    run_waiting()
    row.refresh_from_db()
    assert (len(members(films)), row.error) == (2, "")


def test_one_that_a_person_lets_run_empty_comes_back_when_something_matches(
    films: Section, section: PlexSection, operator: User
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    MediaFile.objects.update(size_bytes=1)
    start_build(row, actor=operator)
    run_waiting()
    row.refresh_from_db()
    assert (row.item_count, "keeps no empty collection" in row.error) == (0, True)
    MediaFile.objects.filter(title="Film 1").update(size_bytes=30 * 10**9)
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (members(films), row.error, row.item_count) == ({"Film 1"}, "", 1)


def test_none_is_emptied_without_a_person(
    films: Section, section: PlexSection, operator: User
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    MediaFile.objects.update(size_bytes=1)
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (len(members(films)), row.item_count) == (2, 2)
    assert row.error.startswith("2 of 2 items match no more")


def test_many_are_not_taken_out_without_a_person(plex: PlexStandIn, operator: User) -> None:
    films = plex.world.add_section("Movies")
    for number in range(12):
        plex.world.add_movie(films, f"Film {number:02d}", size=30 * 10**9)
    section = make_section(plex, films)
    sync(section)
    row = make(section, operator, is_kept_in_step=True)
    MediaFile.objects.filter(title__lt="Film 05").update(size_bytes=1)
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (len(members(films)), "5 of 12 items" in row.error) == (12, True)
    start_build(row, actor=operator)
    run_waiting()
    row.refresh_from_db()
    assert (len(members(films)), row.error) == (7, "")


@pytest.mark.parametrize("is_unlinked", [True, False])
def test_one_of_a_library_that_is_not_read_whole_stays_as_it_is(
    films: Section, section: PlexSection, operator: User, is_unlinked: bool
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    if is_unlinked:
        unlink_section(section)
    else:
        PlexPart.objects.filter(file__title="Film 3").update(file=None)
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert (len(members(films)), row.item_count) == (2, 2)
    assert "synced whole first" in row.error


def test_a_filter_that_broke_is_said_and_plex_is_left_alone(
    films: Section, section: PlexSection, operator: User
) -> None:
    row = make(section, operator, is_kept_in_step=True)
    PlexCollection.objects.update(query="tag=gone")
    after_library_change(0)
    run_waiting()
    row.refresh_from_db()
    assert "no tag 'gone'" in row.error
    assert len(members(films)) == 2


def test_forgetting_leaves_it_in_plex(films: Section, section: PlexSection, operator: User) -> None:
    forget(make(section, operator), actor=operator)
    assert (PlexCollection.objects.count(), len(members(films))) == (0, 2)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"query": "codec=magic"}, "query"),
        ({"query": "nothing=1"}, "query"),
    ],
)
def test_wrong_values_name_their_field(
    section: PlexSection, operator: User, values: dict[str, str], field: str
) -> None:
    with pytest.raises(CollectionProblem) as caught:
        make(section, operator, **values)
    assert caught.value.field == field
    assert not PlexCollection.objects.exists()


def test_only_the_owner_of_a_server_makes_collections(section: PlexSection, operator: User) -> None:
    section.server.is_owned = False
    with pytest.raises(CollectionProblem, match="only its owner"):
        make(section, operator)
