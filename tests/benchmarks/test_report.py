"""The table of benchmarks is made by parts: one that is measured anew leaves the others alone."""

from __future__ import annotations

from benchmarks.report import Report, part_of
from benchmarks.result import Row

MACHINE = "2026-11-30, two cores"


def test_what_is_written_is_read_again() -> None:
    report = Report({"queue": "first", "chunks": "| a |\n\nmore text"})
    assert Report.read(report.text()) == report


def test_a_part_that_is_measured_anew_leaves_the_others_as_they_are() -> None:
    report = Report.read(Report({"chunks": "old", "queue": "kept"}).text())
    text = report.with_part("chunks", "new").text()
    assert Report.read(text).parts == {"chunks": "new", "queue": "kept"}


def test_a_part_of_no_benchmark_goes() -> None:
    assert Report({"gone": "x", "queue": "y"}).only(["queue", "chunks"]).parts == {"queue": "y"}


def test_the_parts_stand_in_the_order_of_their_names_whatever_was_measured_first() -> None:
    first = Report().with_part("b", "2").with_part("a", "1")
    assert first.text() == Report().with_part("a", "1").with_part("b", "2").text()


def test_a_part_says_where_it_was_measured_and_which_limits_are_not_met() -> None:
    rows = [
        Row("speed", 1234.5, "at least 12", "×", ok=True, note="of 3"),
        Row("size", 9, "under 8", "%", ok=False),
        Row("other", 1, "for information"),
    ]
    part = part_of(rows, about="About it.", machine=MACHINE, details="More.")
    assert part.startswith("About it.\n\nMeasured on 2026-11-30, two cores.\n\n| what |")
    assert "| speed (of 3) | 1,234.50 × | at least 12 | yes |" in part
    assert "| size | 9.00 % | under 8 | **no** |" in part
    assert "| other | 1.00 × | for information | – |" in part
    assert part.endswith("\n\nMore.")
