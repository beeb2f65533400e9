"""The insights pages: what they show, who may decide, and what a decision or a click leads to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.analysis import sums
from library.analysis.analysers.batch import group_key
from library.models import AnalysisRun, Library, MediaFile, Recommendation
from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.operations import run_operation_here
from mediaflow.insights import bulk, listing, views
from mediaflow.insights.rows import make_rows
from tests.library.analysis.recommendation_rows import (
    GB,
    kept_sums,
    make_recommendation,
    plain_sums,
)
from tests.library.file_rows import make_file, make_library
from transcode.models import Job

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


@pytest.fixture
def library() -> Library:
    return make_library("Films", file_count=3, total_bytes=24 * GB)


@pytest.fixture
def looked(library: Library) -> AnalysisRun:
    """Somebody has looked: two films in old codecs, one of them far too good as well."""
    one, two = make_file(library, "Amber Road"), make_file(library, "Basalt")
    make_recommendation(one, "codec", 4 * GB, priority=90, confidence_pct=80)
    make_recommendation(two, "codec", 2 * GB, priority=10, severity=1)
    make_recommendation(one, "overkill", 5 * GB)
    run = AnalysisRun.objects.create(
        finished_at=timezone.now(), item_count=2, seconds=0.1,
        by_kind={"codec": {"open": 2, "new": 12, "gone": 3, "savings_bytes": 6 * GB}},
    )  # fmt: skip
    sums.recount()
    return run


def text_of(client: Client, path: str, **kwargs: Any) -> str:
    page = client.get(path, **kwargs)
    assert page.status_code == 200
    return page.text.replace("\N{NO-BREAK SPACE}", " ")


def rec(title: str, kind: str = "codec") -> Recommendation:
    return Recommendation.objects.get(file__title=title, kind=kind)


# The page


def test_without_a_library_it_says_what_to_do(as_admin: Client, as_viewer: Client) -> None:
    assert "Add a folder" in text_of(as_admin, "/insights/")
    assert "An admin has to add a library first" in text_of(as_viewer, "/insights/")


def test_before_the_first_look_it_says_so(library: Library, as_operator: Client) -> None:
    page = text_of(as_operator, "/insights/")
    assert "Nobody has looked yet" in page
    assert "Look again" in page


def test_after_a_look_that_found_nothing_it_says_so(library: Library, as_operator: Client) -> None:
    AnalysisRun.objects.create(finished_at=timezone.now(), item_count=3)
    assert "Nothing to recommend" in text_of(as_operator, "/insights/")


def test_a_film_counts_once_and_each_kind_stands_with_its_sum(
    looked: AnalysisRun, as_operator: Client
) -> None:
    page = text_of(as_operator, "/insights/")
    assert "2 films · could save <b>7.0 GB</b>" in page  # 5 of Amber Road, 2 of Basalt
    assert "Old or wasteful codecs" in page
    assert "Queue all 2…" in page
    assert page.index("Old or wasteful codecs") < page.index("More quality than is watched")


def test_only_the_sure_ones_are_shown_on_demand(looked: AnalysisRun, as_operator: Client) -> None:
    page = text_of(as_operator, "/insights/?show=high")
    assert "Amber Road" in page
    assert "Basalt" not in page
    assert "More quality than is watched" not in page


def test_one_library_shows_its_own_sums(looked: AnalysisRun, as_operator: Client) -> None:
    shows = make_library("Shows")
    make_recommendation(make_file(shows, "Pilot"), "codec", 9 * GB)
    sums.recount()
    page = text_of(as_operator, f"/insights/?library={shows.pk}")
    assert "1 film · could save <b>9.0 GB</b>" in page
    assert "Amber Road" not in page


def test_a_viewer_sees_it_all_and_may_do_nothing(looked: AnalysisRun, as_viewer: Client) -> None:
    page = text_of(as_viewer, "/insights/") + text_of(as_viewer, "/insights/list/")
    assert "Amber Road" in page
    for words in ("Queue all", "Dismiss this kind", "Look again", 'name="ids"'):
        assert words not in page


def test_the_fragment_is_the_part_that_changes(looked: AnalysisRun, as_operator: Client) -> None:
    fragment = as_operator.get("/insights/", headers={"HX-Request": "true"}).text
    assert 'id="insights-live"' in fragment
    assert "<html" not in fragment


def test_it_asks_again_by_itself_only_while_an_analysis_runs(
    looked: AnalysisRun, as_operator: Client
) -> None:
    assert "every 5s" not in text_of(as_operator, "/insights/")
    Operation.objects.create(kind="analyze", title="Analyse all libraries")
    page = text_of(as_operator, "/insights/")
    assert "every 5s" in page
    assert "Analyse all libraries" in page


def test_more_recommendations_cost_no_more_statements(
    library: Library,
    looked: AnalysisRun,
    as_operator: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    as_operator.get("/insights/")
    for number in range(60):
        make_recommendation(make_file(library, f"Film {number}"), "codec")
    sums.recount()
    with django_assert_max_num_queries(40):
        as_operator.get("/insights/")
    with django_assert_max_num_queries(20):
        as_operator.get("/insights/list/?recommendation=codec")


@pytest.mark.parametrize(
    "path", ["/insights/", "/insights/list/", "/insights/runs/", "/insights/dismiss/"]
)
def test_the_wrong_method_and_strangers_are_refused(
    path: str, client: Client, as_operator: Client
) -> None:
    is_post = path.endswith("dismiss/")
    assert (as_operator.get(path) if is_post else as_operator.post(path)).status_code == 405
    assert client.get(path).headers["Location"].startswith("/login/")


# Lists


def test_a_list_is_filtered_sorted_and_paged_by_its_address(
    library: Library, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_ROWS", 2)
    for number in range(5):
        make_recommendation(
            make_file(library, f"Film {number}", size_bytes=(number + 1) * GB), "codec",
            (5 - number) * GB, priority=50, confidence_pct=number * 20,
        )  # fmt: skip
    for sort, first in (("savings", 0), ("size", 4), ("confidence", 4), ("new", 4)):
        seen, address = [], f"/insights/list/?sort={sort}"
        while address:
            page = as_operator.get(address).context["page"]
            seen += [row.title for row in page.rows]
            address = f"/insights/list/?sort={sort}&after={page.next_cursor}" * bool(
                page.next_cursor
            )
        order = range(5) if first == 0 else reversed(range(5))
        assert seen == [f"Film {number}" for number in order], sort


def test_groups_stand_among_films_by_what_they_take_together(
    library: Library, looked: AnalysisRun, as_operator: Client
) -> None:
    """Amber Road and Basalt take 8 GB each."""
    for title, size in (("Large", 40 * GB), ("Small", 3 * GB)):
        Recommendation.objects.create(
            kind="batch", library=library, group_key=title, size_bytes=size,
            figures={"show": title, "bytes": size, "codec": "h264", "resolution": 1080,
                     "container": "mkv"},
        )  # fmt: skip
    page = as_operator.get("/insights/list/?sort=size").context["page"]
    titles = [row.title for row in page.rows]
    assert (titles[0], titles[-1]) == ("Large", "Small")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("recommendation=codec", ["Amber Road", "Basalt"]),
        ("recommendation=overkill", ["Amber Road"]),
        ("confidence=high", ["Amber Road"]),
        ("severity=medium&recommendation=codec", ["Amber Road"]),
        ("q=basalt", ["Basalt"]),
        ("q=bas+b", ["Basalt"]),
        ("q=amber&recommendation=codec", ["Amber Road"]),
        ("q=asalt", []),
        ("q=%E6%9D%B1", []),
        ("q=!&recommendation=codec", ["Amber Road", "Basalt"]),
        ("state=dismissed", []),
    ],
)
def test_each_filter_lets_through_what_it_says(
    query: str, titles: list[str], looked: AnalysisRun, as_operator: Client
) -> None:
    page = as_operator.get(f"/insights/list/?{query}").context["page"]
    assert [row.title for row in page.rows] == titles


@pytest.mark.parametrize("exact_up_to", [0, 1, 10_000])
@pytest.mark.parametrize(("words", "count"), [("road", 2), ("b", 1), ("東", 1), ("東京", 0)])
def test_words_find_the_same_whether_few_or_many_films_have_them(
    words: str, count: int, exact_up_to: int, library: Library, looked: AnalysisRun,
    as_operator: Client, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    make_recommendation(make_file(library, "東"), "codec")
    monkeypatch.setattr(listing, "EXACT_UP_TO", exact_up_to)
    monkeypatch.setattr(listing, "FEW_FILES", exact_up_to)
    page = as_operator.get("/insights/list/", {"q": words}).context["page"]
    assert len(page.rows) == count
    assert page.count == (count if count <= exact_up_to else None)


@pytest.mark.parametrize("query", ["state=lost", "sort=luck", "recommendation=magic", "library=99"])
def test_a_filter_that_cannot_be_used_is_one_sentence(query: str, as_operator: Client) -> None:
    answer = as_operator.get(f"/insights/list/?{query}")
    assert answer.status_code == 422
    assert "This list cannot be shown." in answer.text


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "9" * 30, "-1.2", "1.2.3"])
def test_a_cursor_that_nobody_made_is_no_error(
    cursor: str, looked: AnalysisRun, as_operator: Client
) -> None:
    assert as_operator.get(f"/insights/list/?after={cursor}").status_code == 200


def test_the_library_finds_films_by_their_recommendation(
    looked: AnalysisRun, as_operator: Client
) -> None:
    assert "Basalt" in text_of(as_operator, "/library/?recommendation=codec")
    page = text_of(as_operator, "/library/?recommendation=overkill&sort=size")
    assert "Amber Road" in page
    assert "Basalt" not in page
    assert "Recommendation" in page


# Decisions


def test_a_dismissal_asks_why_and_remembers_it(looked: AnalysisRun, as_operator: Client) -> None:
    row = rec("Basalt")
    question = as_operator.get(f"/insights/dismiss/ask/?ids={row.pk}").text
    assert "Dismiss this recommendation?" in question
    assert 'name="reason"' in question
    row.refresh_from_db()
    assert row.state == "open"
    values = {"ids": [row.pk], "reason": "A gift", "next": "/insights/list/"}
    answer = as_operator.post("/insights/dismiss/", values)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/insights/list/")
    page = text_of(as_operator, "/insights/list/?state=dismissed")
    assert "Dismissed: A gift" in page
    assert kept_sums() == plain_sums()


def test_everything_that_a_list_shows_is_dismissed_and_nothing_else(
    looked: AnalysisRun, as_operator: Client
) -> None:
    as_operator.post("/insights/dismiss/", {"select": "all", "q": "recommendation=codec"})
    assert rec("Basalt").state == rec("Amber Road").state == "dismissed"
    assert rec("Amber Road", "overkill").state == "open"


def test_a_snooze_takes_a_span_or_a_date(looked: AnalysisRun, as_operator: Client) -> None:
    row = rec("Basalt")
    as_operator.post("/insights/snooze/", {"ids": [row.pk], "span": "7"})
    row.refresh_from_db()
    assert row.state == "snoozed"
    assert row.snoozed_until is not None
    assert timedelta(days=6) < row.snoozed_until - timezone.now() <= timedelta(days=7)
    day = timezone.localdate() + timedelta(days=40)
    as_operator.post("/insights/snooze/", {"ids": [row.pk], "span": "date", "until": str(day)})
    row.refresh_from_db()
    assert timezone.localtime(row.snoozed_until).date() == day


@pytest.mark.parametrize("until", ["", "2001-01-01", "soon", "9999-12-31"])
def test_a_date_that_cannot_be_is_a_form_error(
    until: str, looked: AnalysisRun, as_operator: Client
) -> None:
    row = rec("Basalt")
    values = {"ids": [row.pk], "span": "date", "until": until}
    answer = as_operator.post("/insights/snooze/", values)
    assert answer.status_code == 422
    row.refresh_from_db()
    assert row.state == "open"


def test_the_end_of_a_snooze_is_a_day_of_the_zone_of_the_site(looked: AnalysisRun) -> None:
    row = rec("Basalt")
    row.state, row.created_at = "snoozed", datetime(2001, 1, 1, tzinfo=UTC)
    row.snoozed_until = datetime(timezone.now().year, 6, 9, 23, 30, tzinfo=UTC)
    with timezone.override("Asia/Tokyo"):
        shown = make_rows([row])[0].state_text
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == "Snoozed until 10 Jun"  # of this year


def test_a_decision_can_be_taken_back(looked: AnalysisRun, as_operator: Client) -> None:
    row = rec("Basalt")
    as_operator.post("/insights/accept/", {"ids": [row.pk]})
    row.refresh_from_db()
    assert row.state == "accepted"
    as_operator.post("/insights/reopen/", {"ids": [row.pk]})
    row.refresh_from_db()
    assert row.state == "open"


def test_what_changes_nothing_says_so(looked: AnalysisRun, as_operator: Client) -> None:
    row = rec("Basalt")
    answer = as_operator.post(
        "/insights/reopen/", {"ids": [row.pk]}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.headers["HX-Trigger"]
    assert (
        as_operator.post("/insights/dismiss/", {}, headers={"HX-Request": "true"}).status_code
        == 409
    )
    assert not AuditEvent.objects.filter(action__startswith="recommendation").exists()


@pytest.mark.parametrize("path", ["/insights/dismiss/", "/insights/look/", "/insights/queue/"])
def test_a_viewer_may_not_decide(path: str, looked: AnalysisRun, as_viewer: Client) -> None:
    assert as_viewer.post(path, {"ids": [rec("Basalt").pk]}).status_code == 403
    assert rec("Basalt").state == "open"


def test_very_many_are_decided_by_an_operation(
    looked: AnalysisRun, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "EXACT_UP_TO", 1)
    answer = as_operator.post(
        "/insights/dismiss/", {"select": "all", "q": "recommendation=codec", "reason": "Enough"}
    )
    operation = Operation.objects.get(kind=bulk.DECIDE_KIND)
    assert answer.headers["Location"] == f"/operations/{operation.pk}/"
    assert rec("Basalt").state == "open"
    done = run_operation_here(operation)
    assert (done.status, done.result) == ("completed", {"changed": 2})
    assert rec("Basalt").dismissed_reason == "Enough"
    assert kept_sums() == plain_sums()


# Queueing


def test_queueing_a_kind_leads_through_the_preview_and_names_the_cause(
    looked: AnalysisRun, as_operator: Client
) -> None:
    fields = {
        "select": "all", "q": "recommendation=codec", "preset": "balanced", "cause": "codec",
    }  # fmt: skip
    preview = as_operator.post("/queue/add/", fields)
    assert preview.status_code == 200
    assert "Follows the recommendation: Old or wasteful codecs" in preview.text
    assert not Job.objects.exists()
    as_operator.post("/queue/add/confirm/", fields)
    jobs = list(Job.objects.order_by("pk"))
    assert {job.origin for job in jobs} == {"recommendation: Old or wasteful codecs"}
    assert {job.recommendation_id for job in jobs} == {rec("Amber Road").pk, rec("Basalt").pk}
    assert rec("Amber Road").state == rec("Basalt").state == "accepted"
    assert rec("Amber Road", "overkill").state == "open"
    assert kept_sums() == plain_sums()


def test_a_film_that_is_left_out_keeps_its_recommendation_open(
    looked: AnalysisRun, as_operator: Client
) -> None:
    MediaFile.objects.filter(title="Basalt").update(availability="missing")
    as_operator.post(
        "/queue/add/confirm/",
        {"select": "all", "q": "recommendation=codec", "preset": "balanced"},
    )
    assert Job.objects.count() == 1
    assert rec("Basalt").state == "open"
    assert rec("Amber Road").state == "accepted"


def test_ticked_rows_lead_to_the_preview_of_their_films(
    looked: AnalysisRun, as_operator: Client
) -> None:
    row = rec("Basalt")
    answer = as_operator.post("/insights/queue/", {"ids": [row.pk]})
    target = answer.headers["Location"]
    assert target.startswith("/queue/add/?")
    assert f"ids={row.file_id}" in target
    assert "cause=codec" in target
    assert as_operator.get(target).status_code == 200


def test_all_of_a_list_lead_to_the_preview_of_its_filter(
    looked: AnalysisRun, as_operator: Client
) -> None:
    answer = as_operator.post(
        "/insights/queue/", {"select": "all", "q": "confidence=high&sort=new"}
    )
    target = answer.headers["Location"]
    assert "select=all" in target
    assert "cause" not in target
    preview = as_operator.get(target)
    assert preview.context["preview"].count == 1


def test_an_invented_cause_is_no_cause(looked: AnalysisRun, as_operator: Client) -> None:
    file = MediaFile.objects.get(title="Basalt")
    as_operator.post(
        "/queue/add/confirm/", {"ids": [file.pk], "preset": "balanced", "cause": "magic"}
    )
    job = Job.objects.get()
    assert (job.origin, job.recommendation_id) == ("by hand", None)


# Looking again, runs, groups


def test_looking_again_starts_one_analysis(library: Library, as_operator: Client) -> None:
    answer = as_operator.post("/insights/look/", {"library": library.pk})
    assert answer.headers["Location"] == f"/insights/?library={library.pk}"
    as_operator.post("/insights/look/", {"library": library.pk})
    assert Operation.objects.get(kind="analyze").args["library"] == library.pk


@pytest.mark.parametrize("wanted", ["99", "x", "9" * 40])
def test_looking_at_a_library_that_is_not_there_starts_nothing(
    wanted: str, as_operator: Client
) -> None:
    assert as_operator.post("/insights/look/", {"library": wanted}).status_code == 302
    assert not Operation.objects.exists()


def test_the_runs_say_what_changed(looked: AnalysisRun, as_viewer: Client) -> None:
    page = text_of(as_viewer, "/insights/runs/")
    assert "<b>12</b> new, <b>3</b> gone" in page
    assert "Old or wasteful codecs" in page


def test_a_group_shows_its_films(library: Library, as_operator: Client) -> None:
    files = [make_file(library, "Twice", path=f"{n}.mkv") for n in range(2)]
    figures = {
        "files": 2, "bytes": 16 * GB, "best_bytes": 8 * GB, "title": "Twice",
        "best_codec": "h264", "best_resolution": 1080, "best_kbps": 9000, "best_hdr": "sdr",
    }  # fmt: skip
    group = Recommendation.objects.create(
        kind="duplicates", library=library, group_key="twice", member_count=2, figures=figures,
        savings_bytes=8 * GB,
    )  # fmt: skip
    for number, file in enumerate(files):
        group.members.create(file=file, is_best=number == 0)
    page = text_of(as_operator, f"/insights/group/{group.pk}/")
    assert "0.mkv" in page
    assert "best version" in page
    assert as_operator.get(f"/insights/group/{rec_of_nothing()}/").status_code == 404


@pytest.fixture
def batch(library: Library) -> Recommendation:
    """Three films alike."""
    for number in range(3):
        make_recommendation(make_file(library, f"Alike {number}"), "codec")
    key = MediaFile.objects.annotate(key=group_key()).values_list("key", flat=True)[0]
    figures = {"codec": "h264", "resolution": 1080, "container": "mkv", "bytes": 24 * GB}
    return Recommendation.objects.create(
        kind="batch", library=library, group_key=key, member_count=3, figures=figures,
        savings_bytes=9 * GB,
    )  # fmt: skip


def test_a_large_group_counts_all_its_films_and_shows_the_first(
    batch: Recommendation, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "GROUP_FILES", 2)
    page = text_of(as_operator, f"/insights/group/{batch.pk}/")
    assert "Queue 3 films…" in page
    assert '<h2 id="h-files">3 films</h2>' in page
    assert page.count(".mkv</a>") == 2
    assert "… and 1 more" in page


def test_more_films_than_can_be_queued_at_once_are_refused_not_cut(
    batch: Recommendation, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_IDS", 3)
    answer = as_operator.post("/insights/queue/", {"ids": [batch.pk]})
    assert answer.headers["Location"].count("ids=") == 3
    monkeypatch.setattr(views, "MAX_IDS", 2)
    refused = as_operator.post(
        "/insights/queue/", {"ids": [batch.pk]}, headers={"HX-Request": "true"}
    )
    assert refused.status_code == 409
    assert "These are 3 films, and 2 can be queued at once" in refused.headers["HX-Trigger"]


def rec_of_nothing() -> int:
    return 1 + max(Recommendation.objects.values_list("pk", flat=True), default=0)


# Film page and home


def test_the_film_page_says_what_is_worth_doing_and_what_was_put_off(
    looked: AnalysisRun, as_operator: Client, as_viewer: Client
) -> None:
    film = f"/library/{rec('Amber Road').file_id}/"
    as_operator.post(
        "/insights/dismiss/", {"ids": [rec("Amber Road", "overkill").pk], "reason": "Keep"}
    )
    page = text_of(as_operator, film)
    assert "Worth doing" in page
    assert "Old or wasteful codecs" in page
    assert "Dismissed: Keep" in page
    assert "Recommended: old or wasteful codecs" in page
    assert "/insights/dismiss/ask/" in page
    assert "/insights/dismiss/ask/" not in text_of(as_viewer, film)


def test_a_film_without_recommendations_has_no_such_card(
    library: Library, as_operator: Client
) -> None:
    assert "Worth doing" not in text_of(as_operator, f"/library/{make_file(library, 'Fine').pk}/")


def test_after_an_analysis_home_says_what_it_found(
    looked: AnalysisRun, as_operator: Client
) -> None:
    page = text_of(as_operator, "/")
    assert "Every film was looked at" in page
    assert "2 films: old or wasteful codecs" in page
    assert "Queue the first 2" in page
    assert as_operator.get("/").context["home"].potential.total.expected == 7 * GB


def test_home_offers_nothing_when_everything_was_decided(
    looked: AnalysisRun, as_operator: Client
) -> None:
    as_operator.post("/insights/dismiss/", {"select": "all", "q": ""})
    assert "You can save about" not in text_of(as_operator, "/")
