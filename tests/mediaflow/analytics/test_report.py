"""The report: its sums against a plain recount, its documents, and who may count."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from library.analysis import figures
from library.models import Library, LibrarySnapshot, MediaFile
from mediaflow.analytics import report as report_module
from mediaflow.analytics.capacity import read_capacity
from mediaflow.analytics.charts import axis, line_chart
from mediaflow.analytics.fonts import BOX, EAST_ASIAN, Setter
from mediaflow.analytics.growth import read_growth
from mediaflow.analytics.pdf import write_pdf
from mediaflow.analytics.report import Report, make_report
from mediaflow.base.film_hooks import estimate_savings
from mediaflow.base.models import Operation
from mediaflow.base.settings_store import set_setting
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
GB = 1_000_000_000


@pytest.fixture
def libraries() -> list[Library]:
    """Two libraries, one with a name that Latin fonts lack, nine films of all sorts."""
    found = [make_library("Amélie & 東京", file_count=5), make_library("Shows", file_count=4)]
    for number in range(9):
        make_file(
            found[number % 2], f"Film {number}", size_bytes=(number + 1) * GB,
            video_codec=("h264", "hevc", "mpeg2video")[number % 3],
            resolution=(1080, 2160)[number % 2], hdr=("sdr", "hdr10")[number % 2],
            container=("mkv", "avi")[number % 2], audio_label=("", "Atmos")[number % 2],
        )  # fmt: skip
    return found


def made(library: Library | None = None) -> Report:
    found = make_report(library)
    assert found is not None
    return found


def rows_of(report: Report, name: str) -> dict[str, tuple[int, int]]:
    dimension = next(d for d in report.dimensions if d.name == name)
    return {row.label: (row.files, row.bytes) for row in dimension.rows}


def test_every_dimension_adds_up_to_a_plain_recount(libraries: list[Library]) -> None:
    report = made()
    files = list(MediaFile.objects.select_related("library"))
    assert (report.files, report.bytes) == (9, sum(file.size_bytes for file in files))
    plain: dict[str, Callable[[MediaFile], str]] = {
        "codec": lambda f: {"h264": "H.264", "hevc": "HEVC", "mpeg2video": "MPEG-2"}[f.video_codec],
        "resolution": lambda f: {1080: "1080p", 2160: "4K"}[f.resolution],
        "hdr": lambda f: {"sdr": "SDR", "hdr10": "HDR10"}[f.hdr],
        "container": lambda f: f.container.upper(),
        "audio": lambda f: f.audio_label or "AC-3",
        "library": lambda f: f.library.name,
    }
    for name, label_of in plain.items():
        count, size = Counter[str](), Counter[str]()
        for file in files:
            count[label_of(file)] += 1
            size[label_of(file)] += file.size_bytes
        assert rows_of(report, name) == {key: (count[key], size[key]) for key in count}, name


def test_the_average_bit_rate_is_bytes_over_time(libraries: list[Library]) -> None:
    report = made()
    row = next(row for row in report.dimensions[0].rows if row.label == "HEVC")
    films = MediaFile.objects.filter(video_codec="hevc")
    bits = 8 * sum(file.size_bytes for file in films)
    assert row.average_kbps == round(bits / sum(file.duration_ms for file in films))


def test_one_library_shows_its_own_and_no_dimension_of_libraries(
    libraries: list[Library],
) -> None:
    report = made(libraries[1])
    assert report.files == 4
    assert "library" not in {dimension.name for dimension in report.dimensions}


def test_the_filters_of_its_rows_find_the_films_they_count(
    libraries: list[Library], as_viewer: Client
) -> None:
    for dimension in made().dimensions:
        for row in (row for row in dimension.rows if row.query):
            page = as_viewer.get(f"/library/?{row.query}").context["page"]
            assert len(page.rows) == row.files, row


def test_the_hevc_potential_is_reckoned_film_by_film_where_they_are_few(
    libraries: list[Library],
) -> None:
    found = made().potential
    films = list(MediaFile.objects.filter(video_codec="h264"))
    savings = estimate_savings(films, "balanced").values()
    assert found is not None
    assert (found.files, found.sampled) == (3, 0)
    assert found.saving.expected == sum(saving.expected for saving in savings)


def test_many_films_are_stood_for_by_some_of_them(
    libraries: list[Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "SAMPLED_FILMS", 2)
    found = made().potential
    assert found is not None
    assert found.sampled == 2
    assert found.saving.low <= found.saving.expected <= found.saving.high
    assert found.saving.expected > 0


def test_the_json_is_the_document_of_the_page(libraries: list[Library], as_viewer: Client) -> None:
    answer = as_viewer.get("/analytics/report.json")
    found = answer.json()
    assert found["files"] == 9
    assert [row["label"] for row in found["by_library"]] == ["Amélie & 東京", "Shows"]
    assert found["health"]["grade"] in "ABCDF"
    assert set(found["h264_to_hevc"]) >= {"saves_bytes", "saves_bytes_low", "saves_bytes_high"}
    one = as_viewer.get(f"/analytics/report.json?library={libraries[1].pk}").json()
    assert (one["library"], one["files"]) == ("Shows", 4)


def test_the_pdf_is_one_and_prints_japanese(libraries: list[Library], as_viewer: Client) -> None:
    answer = as_viewer.get("/analytics/report.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert EAST_ASIAN.encode() in answer.content
    assert write_pdf(made(libraries[1])).startswith(b"%PDF-")


def test_letters_that_no_font_has_become_boxes_and_that_is_said() -> None:
    setter = Setter()
    assert setter.markup("Amélie") == "Amélie"
    assert setter.markup("A<b>東京") == f'A&lt;b&gt;<font name="{EAST_ASIAN}">東京</font>'
    assert not setter.has_replaced
    assert BOX in setter.markup("\N{SNOWMAN WITHOUT SNOW}\N{GRINNING FACE}")
    assert setter.has_replaced


def test_the_page_shows_it_all_to_a_viewer_but_counts_for_operators(
    libraries: list[Library], as_viewer: Client, as_operator: Client
) -> None:
    page = as_viewer.get("/analytics/").text
    for words in ("Video codec", "Dynamic range", "H.264 to HEVC", "Growth"):
        assert words in page
    assert "Count again" not in page
    assert as_viewer.post("/analytics/count/").status_code == 403
    assert as_operator.post("/analytics/count/").status_code == 302
    assert Operation.objects.get().kind == figures.COUNT_KIND


def test_a_fragment_has_no_frame(libraries: list[Library], as_viewer: Client) -> None:
    fragment = as_viewer.get("/analytics/", headers={"HX-Request": "true"}).text
    assert 'id="report"' in fragment
    assert "<html" not in fragment


@pytest.mark.parametrize("path", ["/analytics/", "/analytics/report.json", "/analytics/report.pdf"])
def test_a_library_that_is_not_there_and_a_wrong_method_are_refused(
    path: str, as_viewer: Client, client: Client
) -> None:
    answer = as_viewer.get(f"{path}?library=Nowhere")
    assert answer.status_code == 422
    assert "There is no library" in answer.text
    assert as_viewer.post(path).status_code == 405
    assert client.get(path).status_code == 302


def test_a_large_library_says_that_it_was_not_counted(
    libraries: list[Library], as_viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "LIVE_UP_TO", -1)
    assert "Not counted yet" in as_viewer.get("/analytics/").text
    assert as_viewer.get("/analytics/report.pdf").status_code == 422
    figures.store_figures()
    assert "Video codec" in as_viewer.get("/analytics/").text


def test_more_films_cost_no_more_statements(
    libraries: list[Library],
    as_viewer: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(35):
        as_viewer.get("/analytics/")


# Capacity and growth


def test_a_capacity_set_by_hand_wins(libraries: list[Library], admin_user: User) -> None:
    set_setting("display_capacity_bytes", 40_000 * GB, admin_user)
    found = read_capacity()
    assert (found.total_bytes, found.source) == (40_000 * GB, "set by hand")


def test_a_disk_is_asked_and_counted_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one = read_capacity(make_library("A", root=str(tmp_path / "a")))
    make_library("B", root=str(tmp_path / "b"))
    both = read_capacity()
    assert one.source == both.source == "read from the disk"
    assert both.total_bytes == one.total_bytes > 0


def test_growth_carries_a_library_over_days_without_a_line(libraries: list[Library]) -> None:
    today = timezone.localdate()
    for library, age, size in ((0, 20, 10), (1, 20, 5), (0, 10, 12), (1, 0, 9)):
        LibrarySnapshot.objects.create(
            library=libraries[library], library_name="x", day=today - timedelta(days=age),
            file_count=1, total_bytes=size * GB,
        )  # fmt: skip
    growth = read_growth()
    assert [day.bytes // GB for day in growth.days] == [15, 17, 21]
    assert growth.bytes_per_month == 9 * GB
    assert [day.bytes // GB for day in read_growth(libraries[1].pk).days] == [5, 9]
    chart = line_chart([d.day for d in growth.days], [d.bytes for d in growth.days], "Size")
    assert chart.line.count("L") == 2


@pytest.mark.parametrize(
    ("most", "top", "unit"),
    [(0, 1e9, "GB"), (3 * 10**12, 4e12, "TB"), (95 * 10**9, 1e11, "GB"), (999, 1e9, "GB")],
)
def test_an_axis_ends_above_its_figures_at_a_round_one(most: int, top: float, unit: str) -> None:
    found, found_unit, _factor, ticks = axis(most)
    assert found >= most
    assert found_unit == unit
    assert found <= max(top, 1.0)
    assert ticks[0].place == "100.0%"


# The command


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("report", *args, stdout=out)
    return out.getvalue()


def test_the_command_prints_text_json_and_a_pdf(libraries: list[Library], tmp_path: Path) -> None:
    assert "Video codec" in run()
    found: dict[str, Any] = json.loads(run("--json", "--library", "shows"))
    assert (found["library"], found["files"]) == ("Shows", 4)
    target = tmp_path / "report.pdf"
    assert str(target) in run("--pdf", str(target))
    assert target.read_bytes().startswith(b"%PDF-")


def test_the_command_writes_the_line_of_the_day_with_its_count(libraries: list[Library]) -> None:
    run()
    assert not figures.is_stale()  # so nobody else writes it today
    found = LibrarySnapshot.objects.values_list("library__name", "day", "file_count")
    today = timezone.localdate()
    assert set(found) == {("Amélie & 東京", today, 5), ("Shows", today, 4)}


def test_bad_input_is_one_sentence_and_exit_code_two(
    libraries: list[Library], tmp_path: Path
) -> None:
    for args, words in (
        (("--library", "Nowhere"), "There is no library 'Nowhere'"),
        (("--pdf", str(tmp_path / "no" / "r.pdf")), "cannot be written"),
    ):
        with pytest.raises(CommandError, match=words) as refused:
            run(*args)
        assert refused.value.returncode == 2
