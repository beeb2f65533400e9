"""The words and the lines of the PDF: what it says with savings, growth and much, and without."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from reportlab.graphics.shapes import PolyLine, String
from reportlab.platypus import Paragraph

from library.models import Library, LibrarySnapshot, MediaFile
from mediaflow.analytics import pdf
from mediaflow.analytics import report as report_module
from mediaflow.analytics.charts import spread, time_ticks
from mediaflow.analytics.report import Report, make_report
from mediaflow.analytics.savings import SavedDay
from mediaflow.base.settings_store import set_setting
from tests.library.file_rows import make_file, make_library
from tests.mediaflow.analytics.test_report import run as run_command

if TYPE_CHECKING:
    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
GB = 1_000_000_000
MONDAY = date(2026, 3, 2)


@pytest.fixture
def library() -> Library:
    found = make_library("Films", file_count=2, total_bytes=16 * GB)
    for title in ("Amber Road", "Basalt"):
        make_file(found, title)
    return found


def made(**values: Any) -> Report:
    found = make_report(None)
    assert found is not None
    return replace(found, **values)


def words_of(report: Report, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paragraphs of the document, in order, with plain spaces."""
    found = []

    class Noted(Paragraph):  # type: ignore[misc]  # reportlab has no types
        def __init__(self, text: str, *rest: Any) -> None:
            found.append(text.replace("\N{NO-BREAK SPACE}", " "))
            super().__init__(text, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pdf, "Paragraph", Noted)
        assert pdf.write_pdf(report).startswith(b"%PDF-")
    return found


def test_before_anything_was_saved_and_on_the_first_day_it_keeps_still_about_both(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = words_of(made(), monkeypatch)
    assert "Storage and quality report" in words
    assert not {"Savings", "Growth"} & set(words)


@pytest.mark.parametrize("days", [1, 3])
def test_what_was_saved_and_freed_is_added_up_over_the_days(
    days: int, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = made()
    each = tuple(
        SavedDay(MONDAY + timedelta(days=n), saved_bytes=4 * GB, freed_bytes=GB, films=1)
        for n in range(days)
    )
    words = words_of(replace(report, savings=replace(report.savings, days=each)), monkeypatch)
    text = words[words.index("Savings") + 1]
    assert text == f"{4 * days}.0 GB saved so far, of it {days}.0 GB freed."


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (6, "10.0 GB on {first}, 16.0 GB now."),
        (30, "10.0 GB on {first}, 16.0 GB now. A month adds about 6.0 GB."),
    ],
)
def test_growth_is_said_by_the_month_once_a_week_is_known(
    days: int, expected: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = timezone.localdate() - timedelta(days=days)
    for day, size in ((first, 10), (timezone.localdate(), 16)):
        LibrarySnapshot.objects.create(
            library=library, library_name="Films", day=day, file_count=2, total_bytes=size * GB
        )
    words = words_of(made(), monkeypatch)
    assert words[words.index("Growth") + 1] == expected.format(first=first)


def test_a_library_that_was_removed_is_no_part_of_the_growth(library: Library) -> None:
    for owner in (library, None):
        LibrarySnapshot.objects.create(
            library=owner, library_name="x", day=MONDAY, file_count=2, total_bytes=16 * GB
        )
    assert [day.bytes for day in made().growth.days] == [16 * GB]


def test_a_line_runs_over_the_days_and_ends_at_its_dates() -> None:
    days = [MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)]
    drawing = pdf._line(days, [0, 2 * GB, 4 * GB], pdf.GREEN)
    (line,) = (part for part in drawing.contents if isinstance(part, PolyLine))
    xs, ys = line.points[::2], line.points[1::2]
    assert (xs[0], xs[-1]) == (34.0, pdf.WIDTH)
    assert xs[1] - xs[0] == pytest.approx((xs[-1] - xs[0]) / 4)
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1])
    texts = [part.text for part in drawing.contents if isinstance(part, String)]
    assert texts[-2:] == ["2026-03-02", "2026-03-06"]
    assert texts[:-2] == ["0", "1.25", "2.5", "3.75", "5 GB"]


def test_the_rest_is_named_where_a_table_is_cut_and_where_letters_are_missing(
    library: Library, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file(make_library("Shows \N{GRINNING FACE}"), "Pilot", size_bytes=90 * GB)
    monkeypatch.setattr(pdf, "MOST_ROWS", 1)
    set_setting("display_capacity_bytes", 100 * GB, admin_user)
    words = words_of(made(), monkeypatch)
    assert "and 1 more, smaller ones" in words
    assert any("stands for letters that the fonts of this document lack" in text for text in words)
    assert "16 % of 100 GB used" in words


def test_nothing_counted_has_neither_health_nor_potential(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    MediaFile.objects.update(video_codec="", resolution=0)
    report = made()
    assert (report.health, report.potential) == (None, None)
    words = words_of(report, monkeypatch)
    assert not any(text.startswith(("Health", "H.264 to HEVC")) for text in words)
    assert not any(line.startswith(("Health", "H.264 as")) for line in run_command().splitlines())


def test_files_without_a_byte_break_neither_page_nor_pdf(
    library: Library, as_viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    MediaFile.objects.update(size_bytes=0)
    assert as_viewer.get("/analytics/").status_code == 200
    assert "By video codec" in words_of(made(), monkeypatch)


def test_a_label_of_months_stands_once() -> None:
    days = [MONDAY + timedelta(days=20 * n) for n in range(7)]
    ticks = time_ticks(days, [float(n) for n in range(7)])
    assert [tick.text for tick in ticks] == ["Mar", "Apr", "May", "Jun"]


@pytest.mark.parametrize(
    ("count", "expected"), [(2, [0, 1]), (4, [0, 1, 2, 3]), (10, [0, 3, 6, 9])]
)
def test_of_many_days_some_are_labelled_evenly_with_the_first_and_the_last(
    count: int, expected: list[int]
) -> None:
    assert spread(count, 4) == expected


@pytest.mark.parametrize(("most_ids", "fewest"), [(9_000, 3), (1_500, 1)])
def test_where_numbers_are_far_apart_more_are_drawn_until_there_are_enough(
    most_ids: int, fewest: int, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Films that were removed leave gaps: most drawn numbers find nothing."""
    MediaFile.objects.all().delete()
    for pk in (1, 12_000, 14_000, 16_000, 18_000):
        make_file(library, f"Film {pk}", pk=pk)
    monkeypatch.setattr(report_module, "SAMPLED_FILMS", 3)
    monkeypatch.setattr(report_module, "SAMPLE_IDS", most_ids)
    drawn = report_module._sample(6, library.pk)
    assert fewest <= len({file.pk for file in drawn}) == len(drawn) <= 3
    assert drawn == report_module._sample(6, library.pk)
