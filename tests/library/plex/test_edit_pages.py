"""Pages of edits and collections: preview first, then sent; roles; problems at their field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from library.models import MediaFile, PlexCollection, PlexEditBatch, SavedFilter
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from tests.library.plex.rows import make_section, sync
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from library.models import PlexSection
    from mediaflow.accounts.models import User
    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def section(plex: PlexStandIn) -> PlexSection:
    films = plex.world.add_section("Movies")
    for title in ("Heat", "Big"):
        plex.world.add_movie(films, title, 1990, genres=["Drama"], labels=["Kept"])
    row = make_section(plex, films)
    sync(row)
    return row


def url(name: str, *args: object) -> str:
    return reverse(f"library:{name}", args=args)


def chosen(**fields: Any) -> dict[str, Any]:
    ids = list(MediaFile.objects.values_list("pk", flat=True))
    return {"ids": ids, "preview": "1", "locks": "lock", **fields}


def run_waiting() -> None:
    for row in list(Operation.objects.filter(status="queued").order_by("pk")):
        run_operation_here(row)


def test_an_edit_is_seen_first_sent_then_and_undone(
    as_operator: Client, plex: PlexStandIn, section: PlexSection
) -> None:
    empty = as_operator.post(url("plex_edit"), {"ids": chosen()["ids"]}).content.decode()
    assert "Heat" in empty
    seen = as_operator.post(
        url("plex_edit"), chosen(labels_add="New, Newer", genres_remove="drama")
    )
    content = seen.content.decode()
    for words in ("What would change", "Newer", "Drama", "add labels New, Newer"):
        assert words in content
    assert (plex.edits, PlexEditBatch.objects.count()) == ([], 0)
    sent = as_operator.post(url("plex_edit_apply"), chosen(labels_add="New"))
    batch = PlexEditBatch.objects.get()
    assert sent.headers["Location"] == url("plex_edit_batch", batch.pk)
    run_waiting()
    shown = as_operator.get(url("plex_edit_batch", batch.pk)).content.decode()
    assert "2 done" in shown
    assert "2 done" in as_operator.get(url("plex_edit_list")).content.decode()
    as_operator.post(url("plex_edit_undo", batch.pk))
    run_waiting()
    assert "2 undone" in as_operator.get(url("plex_edit_batch", batch.pk)).content.decode()


def test_more_edits_cost_no_more_statements(
    as_operator: Client, section: PlexSection, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def edit(*states: str) -> None:
        batch = PlexEditBatch.objects.create(section=section, title="Edit")
        for number, state in enumerate(states):
            batch.edits.create(rating_key=str(number), item_title="Heat", state=state)

    edit("verified")
    with CaptureQueriesContext(connection) as of_one:
        as_operator.get(url("plex_edit_list"))
    edit("failed", "verified", "failed")
    edit()
    with django_assert_max_num_queries(len(of_one)):
        shown = as_operator.get(url("plex_edit_list"))
    counts = [
        [(count["word"], count["count"]) for count in batch["counts"]]
        for batch in shown.context["batches"]
    ]
    assert counts == [[], [("Done", 1), ("Failed", 2)], [("Done", 1)]]


def test_a_batch_that_was_undone_offers_no_way_on(
    as_operator: Client, plex: PlexStandIn, section: PlexSection
) -> None:
    plex.fail("PUT /library/sections/", status=500)
    as_operator.post(url("plex_edit_apply"), chosen(year="1999"))
    run_waiting()
    batch = PlexEditBatch.objects.get()
    shown = as_operator.get(url("plex_edit_batch", batch.pk)).content.decode()
    assert "It stopped on the way" in shown and "Go on" in shown
    as_operator.post(url("plex_edit_undo", batch.pk))
    run_waiting()
    shown = as_operator.get(url("plex_edit_batch", batch.pk)).content.decode()
    assert "stopped on the way" not in shown and "Go on" not in shown
    refused = as_operator.post(url("plex_edit_rest", batch.pk), follow=True).content.decode()
    assert "It was undone; edit the films anew instead." in refused
    assert not Operation.objects.filter(status="queued").exists()


def test_a_batch_that_is_undone_in_part_offers_to_undo_the_rest(
    as_operator: Client, plex: PlexStandIn, section: PlexSection
) -> None:
    as_operator.post(url("plex_edit_apply"), chosen(title="{title} x"))
    run_waiting()
    plex.fail("PUT /library/sections/", status=400)
    batch = PlexEditBatch.objects.get()
    as_operator.post(url("plex_edit_undo", batch.pk))
    run_waiting()
    shown = as_operator.get(url("plex_edit_batch", batch.pk)).content.decode()
    assert "It is undone in part" in shown and "refused the request" in shown
    assert url("plex_edit_undo", batch.pk) in shown and "Go on" not in shown


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"year": "12"}, "year"),
        ({"year": "9" * 30}, "year"),
        ({"year": "soon"}, "year"),
        ({"labels_add": "a", "labels_remove": "A"}, "labels_remove"),
        ({"labels_add": "x" * 101}, "labels_add"),
        ({"genres_add": ",".join(str(n) for n in range(51))}, "genres_add"),
        ({"title": "{name}"}, "title"),
        ({"lock_fields": "year", "unlock_fields": "year"}, "unlock_fields"),
        ({"lock_fields": "poster"}, "lock_fields"),
        ({"locks": "maybe"}, "locks"),
        ({}, "__all__"),
    ],
)
def test_wrong_values_stand_at_their_field_and_nothing_is_sent(
    as_operator: Client, section: PlexSection, fields: dict[str, str], field: str
) -> None:
    response = as_operator.post(url("plex_edit"), chosen(**fields))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    as_operator.post(url("plex_edit_apply"), chosen(**fields))
    assert not PlexEditBatch.objects.exists()


def test_a_viewer_sees_what_was_done_and_does_nothing(
    as_viewer: Client, section: PlexSection
) -> None:
    for name in ("plex_edit_list", "plex_collections"):
        assert as_viewer.get(url(name)).status_code == 200
    for name in ("plex_edit", "plex_edit_apply", "plex_collection_new"):
        assert as_viewer.post(url(name), chosen(year="1999")).status_code == 403


def test_the_library_offers_to_edit_only_where_plex_is(
    as_operator: Client, plex: PlexStandIn, operator: User
) -> None:
    assert "Edit in Plex" not in as_operator.get(reverse("library:file_list")).content.decode()
    films = plex.world.add_section("Movies")
    plex.world.add_movie(films, "Heat")
    sync(make_section(plex, films))
    content = as_operator.get(reverse("library:file_list"), {"q": "heat"}).content.decode()
    assert "Edit in Plex" in content
    assert "Collection in Plex" in content


def test_a_filter_becomes_a_collection(
    as_operator: Client, plex: PlexStandIn, section: PlexSection, operator: User
) -> None:
    assert "Make the first one" in as_operator.get(url("plex_collections")).content.decode()
    form = as_operator.get(url("plex_collection_new"), {"query": "q=heat"}).content.decode()
    assert "“heat”" in form
    values = {"title": "Crime", "section": section.pk, "query": "q=heat", "is_kept_in_step": "on"}
    as_operator.post(url("plex_collection_new"), values)
    run_waiting()
    row = PlexCollection.objects.get()
    assert (row.item_count, row.is_kept_in_step) == (1, True)
    shown = as_operator.get(url("plex_collections")).content.decode()
    assert "In step" in shown
    as_operator.post(url("plex_collection_keep", row.pk), {"is_kept": "0"})
    assert "Built once" in as_operator.get(url("plex_collections")).content.decode()
    assert (
        "Forget Crime?" in as_operator.get(url("plex_collection_forget", row.pk)).content.decode()
    )
    as_operator.post(url("plex_collection_forget", row.pk))
    assert not PlexCollection.objects.exists()


def test_without_a_library_in_plex_the_page_says_where_to_switch_one_on(
    as_operator: Client,
) -> None:
    content = as_operator.get(url("plex_collection_new")).content.decode()
    assert "No library of Plex is synced" in content
    assert f'href="{url("plex")}"' in content
    assert 'name="title"' not in content


def test_a_saved_filter_becomes_a_collection(
    as_operator: Client, section: PlexSection, operator: User
) -> None:
    saved = SavedFilter.objects.create(owner=operator, name="Big", query="q=big")
    values = {"title": "Large", "section": section.pk, "saved": saved.pk}
    as_operator.post(url("plex_collection_new"), values)
    assert PlexCollection.objects.get().query == "q=big"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"section": "99"}, "section"),
        ({"query": "codec=magic"}, "query"),
        ({"saved": "99"}, "saved"),
    ],
)
def test_a_wrong_collection_names_its_field(
    as_operator: Client, section: PlexSection, changes: dict[str, str], field: str
) -> None:
    values = {"title": "Crime", "section": section.pk, "query": "q=heat", **changes}
    response = as_operator.post(url("plex_collection_new"), values)
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
