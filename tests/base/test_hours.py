"""Hours in which encoding may run: windows over midnight, days, daylight saving."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mediaflow.base.hours import HoursProblem, is_open, next_change, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")


def at(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    """In November 2026 the second is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN)


def test_no_window_means_always() -> None:
    assert is_open((), at(2, 3))
    assert next_change((), at(2, 3)) is None


@pytest.mark.parametrize(
    ("text", "hour", "expected"),
    [
        ("22:00-06:00", 21, False),
        ("22:00-06:00", 22, True),
        ("22:00-06:00", 5, True),
        ("22:00-06:00", 6, False),
        ("08:00-12:00", 8, True),
        ("08:00-12:00", 12, False),
        ("00:00-24:00", 23, True),
    ],
)
def test_the_start_belongs_to_a_window_and_the_end_does_not(
    text: str, hour: int, expected: bool
) -> None:
    assert is_open(parse_hours([text]), at(3, hour)) is expected


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = parse_hours(["fri 22:00-06:00"])
    assert is_open(friday_night, at(6, 23))
    assert is_open(friday_night, at(7, 5))  # Saturday morning
    assert not is_open(friday_night, at(6, 5))  # Friday morning belongs to Thursday
    assert not is_open(friday_night, at(7, 23))


def test_days_may_run_over_the_weekend_and_be_listed() -> None:
    assert is_open(parse_hours(["sat-mon 10:00-11:00"]), at(8, 10))  # Sunday
    assert is_open(parse_hours(["mon,wed 10:00-11:00"]), at(4, 10))
    assert not is_open(parse_hours(["mon,wed 10:00-11:00"]), at(3, 10))


def test_the_next_change_is_found_to_the_minute() -> None:
    windows = parse_hours(["mon-fri 22:00-06:30"])
    assert next_change(windows, at(3, 12, 15)) == at(3, 22)
    assert next_change(windows, at(3, 23)) == at(4, 6, 30)
    assert next_change(windows, at(7, 7)) == at(9, 22)  # over the weekend


def test_a_night_is_an_hour_longer_when_summer_time_ends() -> None:
    windows = parse_hours(["22:00-06:00"])
    start = at(24, 22, month=10)  # 25 October 2026, 03:00 happens twice
    end = next_change(windows, start)
    assert end is not None
    assert end - start == timedelta(hours=8)  # on the wall
    assert end.timestamp() - start.timestamp() == 9 * 3600  # in truth


@pytest.mark.parametrize(
    "text",
    ["", "late", "22-6", "22:00", "10:00-10:00", "24:00-06:00", "9:75-10:00", "day 9:00-10:00"],
)
def test_what_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(HoursProblem, match=r"write it like|use "):
        parse_hours([text])
