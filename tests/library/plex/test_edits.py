"""Edits in Plex: never without ids, no tag lost in either kind of server, verified, put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from library.listing.selection import FileSelection
from library.models import MediaFile, PlexEdit, PlexEditBatch, PlexItem
from library.plex.client import PlexProblem
from library.plex.edits import EditProblem, active_edit, start_edit, start_rest, start_undo
from library.plex.item_values import (
    ItemChange,
    ItemValues,
    changed,
    differences,
    edit_params,
    undone,
)
from library.plex.writing import CHUNK_IDS, PlexWriter
from mediaflow.base.operations import run_operation_here
from tests.library.plex.rows import make_section, make_server, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from library.models import PlexSection
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from tests.plex_stand_in import PlexStandIn
    from tests.plex_stand_in.world import Item, Section

pytestmark = pytest.mark.django_db
GENRES = ("Drama", "Crime", "Action", "Thriller", "Mystery")


@pytest.fixture(params=["append", "replace"])
def mode(request: pytest.FixtureRequest, plex: PlexStandIn) -> str:
    """What a PUT does to tags that it does not name: servers differ."""
    plex.world.tag_mode = request.param
    return str(request.param)


@pytest.fixture
def films(plex: PlexStandIn) -> Section:
    section = plex.world.add_section("Movies")
    for number in range(6):
        plex.world.add_movie(
            section, f"Film {number}", 1990 + number, genres=GENRES[: number + 1],
            labels=["Kept", f"Own {number}"], collections=["Old"],
        )  # fmt: skip
    return section


@pytest.fixture
def section(plex: PlexStandIn, films: Section) -> PlexSection:
    row = make_section(plex, films)
    sync(row)
    return row


def everything() -> FileSelection:
    return FileSelection(ids=tuple(MediaFile.objects.values_list("pk", flat=True)))


def edit(actor: User, selection: FileSelection | None = None, **change: Any) -> PlexEditBatch:
    (batch,) = start_edit(
        selection=selection or everything(), change=ItemChange(**change), actor=actor
    )
    operation = finish(batch)
    assert operation.status == "completed", operation.message
    batch.refresh_from_db()
    return batch


def finish(batch: PlexEditBatch) -> Operation:
    operation = active_edit(batch)
    assert operation is not None
    return run_operation_here(operation)


def tags(films: Section) -> dict[str, tuple[set[str], ...]]:
    return {
        item.title: tuple(set(item.tags(kind)) for kind in ("Genre", "Label", "Collection"))
        for item in films.of_type("movie")
    }


def states(batch: PlexEditBatch) -> set[str]:
    return set(batch.edits.values_list("state", flat=True))


# The choke point


@pytest.mark.parametrize("keys", [[], [""], ["1,2"], ["x y"], ["1"] * (CHUNK_IDS + 1)])
def test_an_edit_without_good_ids_is_never_sent(plex: PlexStandIn, keys: list[str]) -> None:
    plex.world.add_section("Movies")
    with PlexWriter(make_server(plex)) as writer:
        for call in (
            lambda: writer.edit_items("1", 1, keys, {"title.value": "x"}),
            lambda: writer.create_collection("1", 1, "x", keys),
            lambda: writer.add_to_collection("7", keys),
        ):
            with pytest.raises(ValueError, match=r"ids|key|items"):
                call()
    assert plex.edits == []


@pytest.mark.parametrize("values", [{}, {"id": ""}, {"type": "1", "title.value": "x"}])
def test_values_can_not_bring_ids_of_their_own(plex: PlexStandIn, values: dict[str, str]) -> None:
    plex.world.add_section("Movies")
    with PlexWriter(make_server(plex)) as writer, pytest.raises(ValueError, match="no ids"):
        writer.edit_items("1", 1, ["101"], values)
    assert plex.edits == []


def test_every_edit_names_its_items(
    plex: PlexStandIn, films: Section, section: PlexSection, operator: User
) -> None:
    edit(operator, add={"labels": ("New",)}, year=2000)
    assert plex.edits
    assert all(sent.ids and sent.changed == len(sent.ids) for sent in plex.edits)


def test_a_server_of_somebody_else_is_not_written_to(plex: PlexStandIn) -> None:
    server = make_server(plex, is_owned=False)
    with pytest.raises(PlexProblem, match="only to its owner"):
        PlexWriter(server)


# Tags


def test_adding_a_label_loses_no_other_tag(
    mode: str, films: Section, section: PlexSection, operator: User
) -> None:
    before = tags(films)
    batch = edit(operator, add={"labels": ("New",)})
    assert states(batch) == {"verified"}
    assert tags(films) == {
        title: (genres, labels | {"New"}, collections)
        for title, (genres, labels, collections) in before.items()
    }


def test_removing_takes_only_what_is_named_in_any_case(
    mode: str, films: Section, section: PlexSection, operator: User
) -> None:
    before = tags(films)
    batch = edit(operator, remove={"labels": ("kept",), "genres": ("Crime",)})
    assert states(batch) == {"verified"}
    assert tags(films) == {
        title: (genres - {"Crime"}, labels - {"Kept"}, collections)
        for title, (genres, labels, collections) in before.items()
    }


def test_adding_and_removing_at_once(
    mode: str, films: Section, section: PlexSection, operator: User
) -> None:
    before = tags(films)
    edit(operator, add={"genres": ("Noir", "Drama")}, remove={"genres": ("Action",)})
    assert {title: t[0] for title, t in tags(films).items()} == {
        title: (genres - {"Action"}) | {"Noir", "Drama"} for title, (genres, *_r) in before.items()
    }


def test_undo_puts_everything_back_and_keeps_what_others_did_meanwhile(
    mode: str, plex: PlexStandIn, films: Section, section: PlexSection, operator: User
) -> None:
    before = tags(films)
    fields = {item.title: item.tree.get("Field", []) for item in films.of_type("movie")}
    batch = edit(
        operator, add={"labels": ("New",)}, remove={"labels": ("Kept",)}, year=1950,
        content_rating="R", sort_title="{title} Sorted",
    )  # fmt: skip
    for item in films.of_type("movie"):
        item.own()["Label"] = [*item.tree["Label"], plex.world.tag("Label", "Of others")]
    first = next(iter(films.of_type("movie")))
    first.own()["contentRating"] = "G"
    start_undo(batch, actor=operator)
    finish(batch)
    assert states(batch) == {"undone"}
    assert tags(films) == {
        title: (genres, labels | {"Of others"}, collections)
        for title, (genres, labels, collections) in before.items()
    }
    found = {item.title: item.tree for item in films.of_type("movie")}
    assert {t["year"] for t in found.values()} == set(range(1990, 1996))
    assert sorted({t["contentRating"] for t in found.values()}) == ["G", "PG"]
    kept = {t: [f for f in tree.get("Field", []) if f["name"] != "contentRating"]
            for t, tree in found.items()}  # fmt: skip
    assert kept == fields
    assert "content_rating" in batch.edits.get(item_title=first.title).error
    with pytest.raises(EditProblem, match="undone already"):
        batch.refresh_from_db()
        start_undo(batch, actor=operator)


@pytest.mark.parametrize("how", ["refused", "gone", "not taken"])
def test_an_undo_that_plex_refuses_is_tried_again(
    how: str, plex: PlexStandIn, films: Section, section: PlexSection, operator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    batch = edit(operator, year=1950)
    item = plex.world.find("Film 3")
    if how == "refused":
        plex.fail(f"id={item.rating_key}", times=0, status=400)
    elif how == "gone":
        del films.items[item.rating_key]
    else:
        send = PlexWriter.edit_items

        def send_others(self: PlexWriter, key: str, kind: int, ids: list[str], *rest: Any) -> None:
            if ids != [item.rating_key]:
                send(self, key, kind, ids, *rest)

        monkeypatch.setattr(PlexWriter, "edit_items", send_others)
    start_undo(batch, actor=operator)
    operation = finish(batch)
    assert (operation.status, operation.message.startswith("1 of 6 items are not undone")) == (
        "failed", True,
    )  # fmt: skip
    batch.refresh_from_db()
    row = batch.edits.get(item_title="Film 3")
    assert (batch.undone_at, row.state, bool(row.error)) == (None, "verified", True)
    with pytest.raises(EditProblem, match="undone in part"):
        start_rest(batch, actor=operator)

    plex.faults.clear()
    monkeypatch.undo()
    films.items[item.rating_key] = item
    start_undo(batch, actor=operator)
    assert finish(batch).status == "completed"
    batch.refresh_from_db()
    row.refresh_from_db()
    assert (batch.undone_at is None, states(batch), row.error) == (False, {"undone"}, "")
    assert item.own()["year"] == 1993


def test_a_batch_that_was_undone_on_its_way_does_not_go_on(
    plex: PlexStandIn, section: PlexSection, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any) -> None:
        raise PlexProblem("network", "The line is dead.")

    monkeypatch.setattr(PlexWriter, "edit_items", refuse)
    (batch,) = start_edit(
        selection=everything(), change=ItemChange(title="{title} x"), actor=operator
    )
    finish(batch)
    monkeypatch.undo()
    start_undo(batch, actor=operator)
    with pytest.raises(EditProblem, match="being undone"):
        start_rest(batch, actor=operator)
    assert finish(batch).status == "completed"
    batch.refresh_from_db()
    with pytest.raises(EditProblem, match="was undone"):
        start_rest(batch, actor=operator)
    assert active_edit(batch) is None


# Batches


def test_titles_are_filled_in_and_locked(
    films: Section, section: PlexSection, operator: User
) -> None:
    batch = edit(operator, title="{title} ({year})", locks="lock")
    assert {item.title for item in films.of_type("movie")} == {
        f"Film {n} ({1990 + n})" for n in range(6)
    }
    assert states(batch) == {"verified"}
    assert PlexItem.objects.filter(title__endswith="(1990)").count() == 1
    locked = [f["name"] for item in films.of_type("movie") for f in item.tree["Field"]]
    assert set(locked) == {"title"}


def test_fields_are_locked_and_unlocked_without_changing_them(
    films: Section, section: PlexSection, operator: User
) -> None:
    edit(operator, lock_fields=("genres", "title"))
    edit(operator, unlock_fields=("title",))
    locked = {f["name"] for item in films.of_type("movie") for f in item.tree.get("Field", [])}
    assert locked == {"genre"}


def test_items_with_the_same_tags_go_out_together_in_hundreds(
    plex: PlexStandIn, operator: User
) -> None:
    films = plex.world.add_section("Movies")
    for number in range(250):
        plex.world.add_movie(films, f"Same {number}", 2000, genres=["Drama"])
    sync(make_section(plex, films))
    batch = edit(operator, add={"labels": ("New",)})
    assert [len(sent.ids) for sent in plex.edits] == [100, 100, 50]
    assert batch.edits.filter(state="verified").count() == 250


def test_what_needs_no_change_is_not_sent(
    plex: PlexStandIn, section: PlexSection, operator: User
) -> None:
    batch = edit(operator, add={"labels": ("Kept",)})
    assert (plex.edits, batch.edits.count()) == ([], 0)


def test_the_journal_is_written_before_anything_is_sent(
    plex: PlexStandIn, section: PlexSection, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def refuse(*_args: Any) -> None:
        seen.append(PlexEdit.objects.filter(state="sent").count())
        raise PlexProblem("network", "The line is dead.")

    monkeypatch.setattr(PlexWriter, "edit_items", refuse)
    (batch,) = start_edit(
        selection=everything(), change=ItemChange(title="{title} x"), actor=operator
    )
    assert finish(batch).message == "The line is dead."
    assert seen == [1]
    assert PlexEdit.objects.count() == 6
    monkeypatch.undo()
    batch.refresh_from_db()
    start_rest(batch, actor=operator)
    finish(batch)
    assert states(batch) == {"verified"}


def test_a_batch_that_goes_on_fills_no_title_in_twice(
    plex: PlexStandIn, films: Section, section: PlexSection, operator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It was killed after the PUT and before it was read back."""
    send = PlexWriter.edit_items

    def send_and_die(self: PlexWriter, *args: Any) -> None:
        send(self, *args)
        raise PlexProblem("network", "Cut.")

    monkeypatch.setattr(PlexWriter, "edit_items", send_and_die)
    (batch,) = start_edit(
        selection=everything(), change=ItemChange(title="{title} x"), actor=operator
    )
    finish(batch)
    monkeypatch.undo()
    batch.refresh_from_db()
    start_rest(batch, actor=operator)
    finish(batch)
    assert {item.title for item in films.of_type("movie")} == {f"Film {n} x" for n in range(6)}
    assert states(batch) == {"verified"}


def test_a_batch_stopped_while_it_was_journalled_leaves_nobody_out(
    plex: PlexStandIn, films: Section, section: PlexSection, operator: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("library.plex.edit_steps.BATCH_IDS", 2)
    (batch,) = start_edit(
        selection=everything(), change=ItemChange(title="{title} x"), actor=operator
    )
    plex.fail("/library/metadata/", after=2, status=500)
    assert finish(batch).status == "failed"
    assert (batch.edits.count(), plex.edits) == (4, [])
    start_rest(batch, actor=operator)
    finish(batch)
    assert {item.title for item in films.of_type("movie")} == {f"Film {n} x" for n in range(6)}


def test_an_item_that_plex_made_anew_is_put_back_under_its_new_key(
    plex: PlexStandIn, films: Section, section: PlexSection, operator: User
) -> None:
    batch = edit(operator, year=1950)
    old = plex.world.find("Film 3").rating_key
    plex.world.renumber(plex.world.find("Film 3"))
    films.change()
    sync(section)
    assert plex.world.find("Film 3").rating_key != old
    start_undo(batch, actor=operator)
    finish(batch)
    assert states(batch) == {"undone"}
    assert plex.world.find("Film 3").own()["year"] == 1993


def _drop(films: Section) -> Item:
    key, item = next(iter(films.items.items()))
    del films.items[key]
    return item


def test_an_item_that_is_gone_fails_and_the_others_go_on(
    films: Section, section: PlexSection, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    (batch,) = start_edit(selection=everything(), change=ItemChange(year=1999), actor=operator)
    from library.plex import edit_steps

    journal = edit_steps._journal

    def journal_and_lose(work: Any) -> None:
        journal(work)
        _drop(films)

    monkeypatch.setattr(edit_steps, "_journal", journal_and_lose)
    finish(batch)
    assert dict(batch.edits.values_list("item_title", "state"))["Film 0"] == "failed"
    assert batch.edits.filter(state="verified").count() == 5


def test_what_plex_does_not_take_is_said(
    plex: PlexStandIn, section: PlexSection, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlexWriter, "edit_items", lambda *_args: None)
    batch = edit(operator, year=1950)
    row = batch.edits.first()
    assert row is not None
    assert (row.state, row.error) == ("differs", "Plex has something else now: Year, Locks.")


@pytest.mark.parametrize(
    ("change", "words"), [({}, "Say what to change"), ({"year": 1999}, "Plex has none of these")]
)
def test_nothing_to_do_is_refused(operator: User, change: dict[str, Any], words: str) -> None:
    with pytest.raises(EditProblem, match=words):
        start_edit(selection=FileSelection(ids=(1,)), change=ItemChange(**change), actor=operator)


# Pure


def test_parameters_name_the_full_set_and_what_goes() -> None:
    before = ItemValues(labels=("a", "b, c"), locked=("labels",))
    after = changed(before, ItemChange(add={"labels": ("d",)}, remove={"labels": ("B, C",)}))
    assert edit_params(before, after) == {
        "label[0].tag.tag": "a", "label[1].tag.tag": "d", "label[].tag.tag-": "b%2C%20c",
        "label.locked": "1",
    }  # fmt: skip
    assert edit_params(before, before) == {}


def test_undoing_leaves_what_was_there_in_both() -> None:
    before, after = ItemValues(genres=("a", "b")), ItemValues(genres=("b", "c"), year=5)
    now = ItemValues(genres=("b", "c", "x"), year=6)
    target, others = undone(before, after, now)
    assert (set(target.genres), target.year, others) == ({"a", "b", "x"}, 6, ["year"])


def test_undoing_once_more_finds_nobody_else_in_what_is_put_back_already() -> None:
    before = ItemValues(title="a", year=1, locked=("year",))
    after = ItemValues(title="b", year=2, locked=("title", "year"))
    target, others = undone(before, after, before)
    assert (target, others) == (before, [])


def test_order_and_case_of_tags_are_no_difference() -> None:
    one, other = ItemValues(genres=("A", "b")), ItemValues(genres=("B", "a"))
    assert differences(one, other) == []
    assert differences(one, ItemValues(genres=("a",), title="x")) == ["Title", "Genres"]


def test_values_survive_the_journal() -> None:
    values = ItemValues("t", "s", 1999, "R", ("a",), ("b",), (), ("title",))
    assert ItemValues.from_json(values.to_json()) == values
    change = ItemChange(title="x", add={"labels": ("a",)}, lock_fields=("year",))
    assert ItemChange.from_json(change.to_json()) == change
