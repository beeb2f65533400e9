"""What is ticked or listed and cannot be decided or queued as it stands: each says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from library.analysis import sums
from library.models import AnalysisRun, Library, MediaFile, Recommendation
from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.operations import run_operation_here
from mediaflow.insights import bulk, listing, views
from tests.library.analysis.recommendation_rows import GB, make_recommendation
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def library() -> Library:
    return make_library("Films", file_count=2, total_bytes=16 * GB)


@pytest.fixture
def row(library: Library) -> Recommendation:
    found = make_recommendation(make_file(library, "Amber Road"))
    sums.recount()
    return found


def toast(answer: Any) -> str:
    assert answer.status_code == 409
    return str(json.loads(answer.headers["HX-Trigger"])["mf:toast"]["text"])


def asked_of_queue(answer: Any) -> dict[str, list[str]]:
    """The questions of the preview that an answer leads to."""
    url = urlsplit(answer.headers["Location"])
    assert url.path == "/queue/add/"
    return parse_qs(url.query)


def is_untouched(row: Recommendation) -> bool:
    row.refresh_from_db()
    return row.state == "open" and not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ids": ["1", "x"]}, "The selection holds something else; tick again."),
        ({"ids": ["1", "2", "3"]}, "Tick at most 2, or choose all that match."),
        ({"select": "all", "q": "state=lost"}, "There is no such state"),
        ({}, "first"),
    ],
    ids=["no id", "too many", "no state", "nothing"],
)
@pytest.mark.parametrize("path", ["dismiss/ask/", "dismiss/", "queue/"])
def test_a_selection_that_is_none_changes_nothing_and_says_why(
    path: str, values: dict[str, Any], words: str, row: Recommendation, as_operator: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(listing, "MAX_IDS", 2)
    assert words in toast(as_operator.post(f"/insights/{path}", values, headers=HTMX))
    assert is_untouched(row)


@pytest.mark.parametrize("path", ["/insights/forget/ask/", "/insights/forget/"])
def test_a_decision_that_there_is_not_is_not_found(
    path: str, row: Recommendation, as_operator: Client
) -> None:
    assert as_operator.post(path, {"ids": [row.pk]}).status_code == 404
    assert is_untouched(row)


def test_the_question_about_all_of_a_list_carries_the_list(
    library: Library, row: Recommendation, as_operator: Client
) -> None:
    make_recommendation(make_file(library, "Basalt"))
    page = as_operator.get("/insights/dismiss/ask/", {"select": "all", "q": "recommendation=codec"})
    assert "Dismiss 2 recommendations?" in page.text
    fields = {field["name"]: field["value"] for field in page.context["hidden"]}
    as_operator.post("/insights/dismiss/", fields)
    assert set(Recommendation.objects.values_list("state", flat=True)) == {"dismissed"}


def test_a_list_of_several_kinds_shows_all_of_them(
    library: Library, row: Recommendation, as_operator: Client
) -> None:
    make_recommendation(make_file(library, "Basalt"), "overkill")
    make_recommendation(make_file(library, "Cinder"), "languages")
    page = as_operator.get("/insights/list/?recommendation=codec,overkill").context["page"]
    assert {found.title for found in page.rows} == {"Amber Road", "Basalt"}


def test_very_many_of_a_library_that_was_removed_meanwhile_fail_in_words(
    library: Library, row: Recommendation, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "EXACT_UP_TO", 0)
    as_operator.post("/insights/dismiss/", {"select": "all", "q": f"library={library.pk}"})
    library.delete()
    done = run_operation_here(Operation.objects.get(kind=bulk.DECIDE_KIND))
    assert done.status == "failed"
    assert done.message.startswith("The filter cannot be used any more:")


# Queueing


def test_a_kind_without_a_preset_names_its_cause_alone(
    library: Library, as_operator: Client
) -> None:
    row = make_recommendation(make_file(library, "Amber Road"), "audio")
    asked = asked_of_queue(as_operator.post("/insights/queue/", {"ids": [row.pk]}))
    assert asked == {"ids": [str(row.file_id)], "cause": ["audio"]}


def test_several_groups_name_no_cause(library: Library, as_operator: Client) -> None:
    files = [make_file(library, f"Film {number}") for number in range(4)]
    groups = []
    for number in (0, 2):
        group = Recommendation.objects.create(
            kind="duplicates", library=library, group_key=f"{number}", member_count=2
        )
        for file in files[number : number + 2]:
            group.members.create(file=file)
        groups.append(group.pk)
    alone = asked_of_queue(as_operator.post("/insights/queue/", {"ids": groups[:1]}))
    assert alone["cause"] == [str(groups[0])]
    both = asked_of_queue(as_operator.post("/insights/queue/", {"ids": groups}))
    assert sorted(both["ids"]) == sorted(str(file.pk) for file in files)
    assert "cause" not in both


def test_a_film_that_left_the_list_is_not_queued(
    library: Library, row: Recommendation, as_operator: Client
) -> None:
    MediaFile.objects.update(removed_from_list_at=timezone.now())
    answer = as_operator.post("/insights/queue/", {"ids": [row.pk]}, headers=HTMX)
    assert toast(answer) == "There is no film to queue in that."


def test_more_films_than_an_address_holds_are_previewed_at_once(
    library: Library, row: Recommendation, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_IN_ADDRESS", 1)
    other = make_recommendation(make_file(library, "Basalt"))
    preview = as_operator.post("/insights/queue/", {"ids": [row.pk, other.pk]})
    assert preview.status_code == 200
    assert preview.context["preview"].count == 2
    assert "Follows the recommendation: Old or wasteful codecs" in preview.text


# Pages


def test_all_libraries_are_looked_at_unless_one_is_named(
    library: Library, as_operator: Client
) -> None:
    make_library("Shows")
    assert as_operator.post("/insights/look/").headers["Location"] == "/insights/"
    assert Operation.objects.get().args.get("library") is None


def test_several_libraries_are_graded_one_by_one(
    library: Library, row: Recommendation, as_operator: Client
) -> None:
    AnalysisRun.objects.create(finished_at=timezone.now(), item_count=1)
    assert as_operator.get("/insights/").context["page"].grades == ()
    shows = make_library("Shows", file_count=1)
    make_file(shows, "Pilot", video_codec="hevc", bit_rate_kbps=4_000, audio_codec="aac")
    make_library("Unread")
    grades = as_operator.get("/insights/").context["page"].grades
    assert [(found.name, found.grade) for found in grades] == [("Films", "B"), ("Shows", "A")]
    assert grades[1].url == f"/insights/?library={shows.pk}"


def test_the_film_page_names_the_group_that_the_film_is_in(
    library: Library, row: Recommendation, as_operator: Client
) -> None:
    figures = {
        "files": 2, "bytes": 16 * GB, "best_bytes": 8 * GB, "title": "Amber Road",
        "best_codec": "hevc", "best_resolution": 2160, "best_kbps": 9_000, "best_hdr": "hdr10",
    }  # fmt: skip
    group = Recommendation.objects.create(
        kind="duplicates", library=library, group_key="amber", member_count=2, figures=figures
    )
    assert row.file is not None
    for file in (row.file, make_file(library, "Amber Road", path="other.mkv")):
        group.members.create(file=file)
    page = as_operator.get(f"/library/{row.file_id}/").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "2 versions of “Amber Road” take 16.0 GB. The best is 4K HEVC HDR10" in page
    assert "Old or wasteful codecs" in page
