"""The home page through the first five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.cache import cache
from django.utils import timezone

from library.analysis import sums
from library.models import AnalysisRun, FileState, Library, MediaFile
from mediaflow.base.models import Operation
from tests.library.analysis.recommendation_rows import GB, make_recommendation
from tests.library.file_rows import make_file, make_library
from transcode.models import Job, JobStatus

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


@pytest.fixture
def library() -> Library:
    return make_library(file_count=12)


def add_film(library: Library, number: int, *, codec: str = "h264", size: int = 8 * 10**9) -> None:
    MediaFile.objects.create(
        library=library, path_raw=b"%d" % number, path_digest=str(number), path=f"{number}.mkv",
        title=f"Film {number}", size_bytes=size, duration_ms=7_200_000, video_codec=codec,
        width=1920, height=1080, resolution=1080, frame_rate_milli=24_000,
        audio_codec="ac3", audio_channels=6, container="matroska",
    )  # fmt: skip


def test_without_a_library_an_admin_is_led_to_add_a_folder(as_admin: Client) -> None:
    page = as_admin.get("/").text
    assert "Point MediaFlow at your films" in page
    assert 'href="/library/folders/add/"' in page


def test_without_a_library_a_viewer_is_told_who_can_change_that(as_viewer: Client) -> None:
    page = as_viewer.get("/").text
    assert "An admin has to add a folder first" in page
    assert "folders/add" not in page


def test_says_what_can_be_saved_why_and_offers_the_first_ten(
    as_operator: Client, library: Library
) -> None:
    for number in range(11):
        add_film(library, number, codec="mpeg2video" if number < 3 else "h264")
    page = as_operator.get("/").text.replace("\N{NO-BREAK SPACE}", " ")
    assert "You can save about" in page
    assert "3 films in old codecs" in page
    assert "8 films in H.264" in page
    assert "Queue the first 10" in page
    assert page.count('name="ids"') == 10


@pytest.mark.parametrize(
    ("best", "preset", "films"),
    [("codec", "balanced", ["A", "B"]), ("storage", "storage-saver", ["A", "E"])],
)
def test_after_an_analysis_the_first_are_those_that_one_preset_makes_smaller(
    as_operator: Client, library: Library, best: str, preset: str, films: list[str]
) -> None:
    """What saves nothing is not among them, and nothing is queued with another preset than said."""
    for title, kind, saves in (
        ("A", best, 9), ("B", "codec", 5), ("C", "container", 0), ("D", "container", 2),
        ("E", "storage", 4), ("F", "chromecast", 0),
    ):  # fmt: skip
        make_recommendation(make_file(library, title), kind, saves * GB)
    sums.recount()
    AnalysisRun.objects.create(finished_at=timezone.now(), item_count=6)
    answer = as_operator.get("/")
    potential = answer.context["home"].potential
    assert [film.title for film in potential.shown] == films
    assert f'name="preset" value="{preset}"' in answer.text
    assert answer.text.count('name="ids"') == len(films)


def test_where_all_that_saves_is_queued_already_nothing_is_offered(
    as_operator: Client, library: Library
) -> None:
    make_recommendation(make_file(library, "A", state=FileState.QUEUED), "codec", GB)
    sums.recount()
    AnalysisRun.objects.create(finished_at=timezone.now(), item_count=1)
    page = as_operator.get("/").text
    assert "You can save about" in page
    assert 'name="ids"' not in page


def test_a_viewer_sees_the_figure_but_no_button_to_queue(
    as_viewer: Client, library: Library
) -> None:
    add_film(library, 1)
    page = as_viewer.get("/").text
    assert "You can save about" in page
    assert "Queue it" not in page


def test_the_offer_leads_to_a_preview_that_changes_nothing(
    as_operator: Client, library: Library
) -> None:
    add_film(library, 1)
    ids = list(MediaFile.objects.values_list("id", flat=True))
    response = as_operator.post("/queue/add/", {"ids": ids, "preset": "balanced"})
    assert response.status_code == 200
    assert not Job.objects.exists()


def test_when_everything_is_done_it_says_so(as_operator: Client, library: Library) -> None:
    add_film(library, 1)
    MediaFile.objects.update(state=FileState.COMPLETED)
    assert "Nothing here would get much smaller" in as_operator.get("/").text


def test_results_show_saved_against_predicted(as_viewer: Client, library: Library) -> None:
    add_film(library, 1)
    Job.objects.create(
        file=MediaFile.objects.get(), file_path="/films/1.mkv", preset_slug="balanced",
        preset_spec={}, status=JobStatus.COMPLETED, source_bytes=8_000_000_000,
        output_bytes=3_000_000_000, predicted_bytes=4_000_000_000, vmaf_mean=95.61,
        finished_at=timezone.now(),
    )  # fmt: skip
    page = as_viewer.get("/").text
    assert "Film 1" in page
    assert "95.6" in page


def test_asks_again_by_itself_only_while_something_runs(
    as_viewer: Client, library: Library
) -> None:
    assert "every 5s" not in as_viewer.get("/").text
    Operation.objects.create(kind="scan", title="Scan of Films")
    fragment = as_viewer.get("/", headers={"HX-Request": "true"}).text
    assert "every 5s" in fragment
    assert "<html" not in fragment


def test_costs_the_same_number_of_queries_with_more_films(
    as_operator: Client, library: Library, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        add_film(library, number)
    as_operator.get("/")
    cache.clear()
    with django_assert_max_num_queries(26):
        as_operator.get("/")
