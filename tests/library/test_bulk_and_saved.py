"""Selections, bulk tags and ignoring, saved filters, tags: preview first, by role."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from unittest import mock
from urllib.parse import quote

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

import mediaflow.urls  # noqa: F401 - all pages are loaded before a test patches a limit
from library.listing import bulk, exact_count, selection
from library.listing.exact_count import COUNT_KIND
from library.listing.selection import FileSelection, SelectionProblem, read_selection
from library.models import FileTag, Library, MediaFile, SavedFilter, Tag
from mediaflow.base.models import Operation
from mediaflow.base.operations import request_cancel, run_operation_here
from tests.library.file_rows import make_file

if TYPE_CHECKING:
    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


def test_ticked_ids_are_read_once_each_and_unlisted_files_left_out(
    library: Library, operator: User
) -> None:
    one, gone = make_file(library, "One"), make_file(library, "Gone")
    MediaFile.objects.filter(pk=gone.pk).update(removed_from_list_at=gone.added_at)
    found = read_selection(QueryDict(f"ids={one.pk}&ids={one.pk}&ids={gone.pk}"), operator)
    assert [file.pk for file in found.queryset] == [one.pk]
    assert found.count == 1
    assert found.describe() == "1 film"


def test_everything_that_matches_follows_the_filter(library: Library, operator: User) -> None:
    make_file(library, "One", video_codec="av1")
    make_file(library, "Two")
    found = read_selection(QueryDict("select=all&q=codec%3Dav1&ids=999"), operator)
    assert [file.title for file in found.queryset] == ["One"]
    assert found.describe() == "1 film that matches codec=av1"
    assert found.as_fields() == [
        {"name": "select", "value": "all"},
        {"name": "q", "value": "codec=av1"},
    ]


@pytest.mark.parametrize(
    "data", ["ids=x", "ids=-1", "ids=9" * 10 + "9" * 30, "select=all&q=colour%3Dred"]
)
def test_a_selection_that_cannot_be_used_is_one_sentence(data: str, operator: User) -> None:
    with pytest.raises(SelectionProblem):
        read_selection(QueryDict(data), operator)


def test_more_than_the_limit_is_not_counted_exactly(library: Library) -> None:
    for number in range(3):
        make_file(library, f"Film {number}")
    with mock.patch.object(selection, "EXACT_UP_TO", 2):
        everything = FileSelection(is_all=True)
        assert everything.count is None
        assert everything.describe() == "2+ films"


def test_a_preview_says_how_many_and_how_large_and_changes_nothing(
    as_operator: Client, library: Library
) -> None:
    file = make_file(library, "Film", size_bytes=5_000_000_000)
    for name in ("bulk_tag", "bulk_ignore"):
        answer = as_operator.post(reverse(f"library:{name}"), {"ids": [file.pk]})
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "Do it for 1 film" in page
        assert "5.0" in page
    file.refresh_from_db()
    assert file.state == "new"
    assert not Tag.objects.exists()


def test_tagging_makes_the_tag_and_repeating_it_changes_nothing(
    as_operator: Client, library: Library
) -> None:
    ids = [make_file(library, title).pk for title in ("One", "Two")]
    url = reverse("library:bulk_tag_apply")
    for _ in range(2):
        answer = as_operator.post(url, {"ids": ids, "verb": "tag", "name": "Keep"})
        assert answer["Location"] == "/library/"
    assert FileTag.objects.count() == 2
    as_operator.post(url, {"ids": ids[:1], "verb": "untag", "name": "KEEP"})
    assert FileTag.objects.count() == 1


def test_taking_off_a_tag_that_is_not_there_names_the_field(
    as_operator: Client, library: Library
) -> None:
    data = {"ids": [make_file(library, "One").pk], "verb": "untag", "name": "none"}
    answer = as_operator.post(reverse("library:bulk_tag_apply"), data)
    assert answer.status_code == 422
    assert "There is no tag of that name" in answer.content.decode()


def test_ignoring_leaves_queued_films_alone_and_can_be_taken_back(
    as_operator: Client, library: Library
) -> None:
    ready, queued = make_file(library, "Ready"), make_file(library, "Queued", state="queued")
    url = reverse("library:bulk_ignore_apply")
    as_operator.post(url, {"select": "all", "q": "", "verb": "ignore"})
    states = dict(MediaFile.objects.values_list("pk", "state"))
    assert states == {ready.pk: "ignored", queued.pk: "queued"}
    as_operator.post(url, {"ids": [ready.pk], "verb": "unignore"})
    ready.refresh_from_db()
    assert ready.state == "new"


def begin_count(client: Client, q: str = "") -> int:
    """Open the preview of everything that matches; the number of the count that it began."""
    page = client.post(reverse("library:bulk_ignore"), {"select": "all", "q": q})
    counting = page.context["counting"]
    assert counting.is_active
    return int(counting.operation.pk)


def test_more_than_the_limit_is_confirmed_only_with_exact_figures(
    as_operator: Client, library: Library
) -> None:
    for number in range(5):
        make_file(library, f"Film {number}", size_bytes=2_000_000_000)
    make_file(library, "Other", video_codec="av1")
    with (
        mock.patch.object(selection, "EXACT_UP_TO", 3),
        mock.patch.object(exact_count, "WINDOW_IDS", 2),
    ):
        number = begin_count(as_operator, "codec=h264")
        here = f"/library/ignore/?select=all&q=codec%3Dh264&counted={number}"
        early = as_operator.get(here).content.decode()
        assert "Counting…" in early
        assert "Do it for" not in early
        assert "hx-get" in early[early.index('id="bulk-figures"') :]
        assert here.replace("&", "&amp;") in early  # the way on without JavaScript
        run_operation_here(Operation.objects.get(pk=number))
        fragment = as_operator.get(here, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "hx-get" not in fragment
    assert "Do it for 5 films" in fragment
    assert "<b>10.0</b>" in fragment
    assert f'name="counted" value="{number}"' in fragment


@pytest.mark.parametrize("counted", ["", "x", "999999", "9" * 40, "other", "old"])
def test_without_the_count_of_exactly_this_nothing_is_changed(
    as_operator: Client, library: Library, counted: str
) -> None:
    for number in range(4):
        make_file(library, f"Film {number}")
    with mock.patch.object(selection, "EXACT_UP_TO", 3):
        if counted in {"other", "old"}:
            number = begin_count(as_operator, "q=film" if counted == "other" else "")
            run_operation_here(Operation.objects.get(pk=number))
            if counted == "old":
                long_ago = timezone.now() - timedelta(hours=1)
                Operation.objects.filter(pk=number).update(finished_at=long_ago)
            counted = str(number)
        data = {"select": "all", "q": "", "verb": "ignore", "counted": counted}
        answer = as_operator.post(reverse("library:bulk_ignore_apply"), data)
    assert answer.status_code == 200
    assert "Counting…" in answer.content.decode()
    assert not Operation.objects.filter(kind=bulk.OPERATION_KIND).exists()
    assert not MediaFile.objects.filter(state="ignored").exists()


def test_a_count_that_was_stopped_can_be_begun_again(
    as_operator: Client, library: Library, operator: User
) -> None:
    for number in range(4):
        make_file(library, f"Film {number}")
    with mock.patch.object(selection, "EXACT_UP_TO", 3):
        number = begin_count(as_operator)
        request_cancel(number, operator)
        page = as_operator.get(f"/library/ignore/?select=all&q=&counted={number}")
        text = page.content.decode()
        assert "Not counted" in text
        assert 'href="/library/ignore/?select=all&amp;q="' in text
        assert begin_count(as_operator) != number


def test_a_very_large_selection_becomes_an_operation(as_operator: Client, library: Library) -> None:
    for number in range(5):
        make_file(library, f"Film {number}")
    with mock.patch.object(selection, "EXACT_UP_TO", 3), mock.patch.object(bulk, "BATCH_FILES", 2):
        run_operation_here(Operation.objects.get(pk=begin_count(as_operator)))
        counted = Operation.objects.get(kind=COUNT_KIND)
        data = {"select": "all", "q": "", "verb": "ignore", "counted": counted.pk}
        answer = as_operator.post(reverse("library:bulk_ignore_apply"), data)
        operation = Operation.objects.get(kind=bulk.OPERATION_KIND)
        assert answer["Location"] == f"/operations/{operation.pk}/"
        done = run_operation_here(operation)
    assert done.status == "completed"
    assert done.result == {"changed": 5}
    assert not MediaFile.objects.exclude(state="ignored").exists()


@pytest.mark.parametrize("name", ["bulk_tag", "bulk_tag_apply", "bulk_ignore", "bulk_ignore_apply"])
def test_bulk_actions_need_an_operator_a_post_and_a_selection(
    as_viewer: Client, as_operator: Client, library: Library, name: str
) -> None:
    url = reverse(f"library:{name}")
    assert as_viewer.post(url, {"ids": [1]}).status_code == 403
    assert as_operator.get(url).status_code == (405 if name.endswith("apply") else 302)
    if not name.endswith("apply"):
        assert as_operator.post(url, {}).status_code == 302
        assert as_operator.post(url, {"ids": ["x"]}).status_code == 302


def test_a_filter_is_saved_renamed_and_deleted_by_its_owner_alone(
    as_viewer: Client, as_operator: Client
) -> None:
    data = {"name": "Heavy", "query": "size_min=20GB"}
    assert as_viewer.post(reverse("library:saved_filter_add"), data)["Location"].endswith("20GB")
    saved = SavedFilter.objects.get()
    assert "Heavy" in as_viewer.get("/library/filters/").content.decode()
    edit = reverse("library:saved_filter_edit", args=[saved.pk])
    delete = reverse("library:saved_filter_delete", args=[saved.pk])
    assert as_operator.post(edit, {"name": "Mine"}).status_code == 404
    assert as_operator.post(delete).status_code == 404
    assert as_viewer.get(delete).status_code == 405
    as_viewer.post(edit, {"name": "Very heavy"})
    saved.refresh_from_db()
    assert (saved.name, saved.query) == ("Very heavy", "size_min=20GB")
    as_viewer.post(delete)
    assert not SavedFilter.objects.exists()


def test_a_saved_filter_is_shown_in_words(as_viewer: Client, viewer: User) -> None:
    query = "q=amelie&codec=hevc,av1&size_min=20GB"
    SavedFilter.objects.create(owner=viewer, name="Heavy", query=query)
    page = as_viewer.get(f"/library/filters/?query={quote('duration_max=90')}").text
    for shown in ("“amelie”", "HEVC", "AV1", "is any of", "over", "20GB", "90 min"):
        assert shown in page
    assert "<code>" not in page
    assert "Remove filter" not in page


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"name": "", "query": "codec=av1"}, "Fill this in."),
        ({"name": "Taken", "query": "codec=av1"}, "You have a filter of that name"),
        ({"name": "Bad", "query": "codec=zzz"}, "cannot be used"),
        ({"name": "<img src=x>", "query": "colour=red"}, "cannot be used"),
    ],
)
def test_a_wrong_saved_filter_is_a_form_error(
    as_viewer: Client, viewer: User, data: dict[str, str], text: str
) -> None:
    SavedFilter.objects.create(owner=viewer, name="Taken", query="")
    answer = as_viewer.post(reverse("library:saved_filter_add"), data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert text in page
    assert "<img src=x>" not in page


def test_tags_are_added_changed_and_deleted_by_operators(
    as_viewer: Client, as_operator: Client, library: Library
) -> None:
    assert as_viewer.get("/library/tags/").status_code == 200
    assert as_viewer.post("/library/tags/add/", {"name": "a"}).status_code == 403
    as_operator.post("/library/tags/add/", {"name": "Keep", "color": "teal"})
    tag = Tag.objects.get()
    FileTag.objects.create(tag=tag, file=make_file(library, "Film"))
    for data in ({"name": "KEEP", "color": "teal"}, {"name": "x", "color": "red"}):
        assert as_operator.post("/library/tags/add/", data).status_code == 422
    edit = reverse("library:tag_edit", args=[tag.pk])
    assert as_operator.get(edit).status_code == 200
    as_operator.post(edit, {"name": "Keeper", "color": "gold"})
    tag.refresh_from_db()
    assert (tag.name, tag.color) == ("Keeper", "gold")
    delete = reverse("library:tag_delete", args=[tag.pk])
    assert as_operator.get(delete).status_code == 405
    as_operator.post(delete)
    assert not FileTag.objects.exists()


def test_a_tag_made_in_bulk_gets_its_colour_and_an_old_one_keeps_its_own(
    as_operator: Client, library: Library
) -> None:
    file = make_file(library, "Film")
    url = reverse("library:bulk_tag_apply")
    for color in ("violet", "teal"):
        values = {"ids": [file.pk], "verb": "tag", "name": "Keep", "color": color}
        assert as_operator.post(url, values).status_code == 302
    assert Tag.objects.get().color == "violet"
    values = {"ids": [file.pk], "verb": "tag", "name": "Plain"}
    as_operator.post(url, values)
    assert Tag.objects.get(name="Plain").color == "slate"
    values = {"ids": [file.pk], "verb": "tag", "name": "Loud", "color": "mauve"}
    assert as_operator.post(url, values).status_code == 422
