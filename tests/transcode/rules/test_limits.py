"""What fits into a day and a week, at the edges: midnight, daylight saving, too large for any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from tests.transcode.rules.makers import make_rule, queued_at
from transcode.rules.limits import Choice, Room, Use, day_start, fit, read_use, room_left

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("room", "chosen", "rest"),
    [
        (Room(), (1, 2, 3), ""),
        (Room(files=2), (1, 2), "limit_day"),
        (Room(files=3), (1, 2, 3), ""),
        (Room(files=0), (), "limit_day"),
        (Room(bytes=30, largest=1000), (1, 2), "limit_week"),
        (Room(bytes=29, largest=1000), (1,), "limit_week"),
        (Room(bytes=60, largest=1000), (1, 2, 3), ""),
        (Room(bytes=0, largest=1000), (), "limit_week"),
        (Room(files=1, bytes=60, largest=1000), (1,), "limit_day"),
        (Room(bytes=60, largest=15), (1,), ""),
    ],
)
def test_the_first_films_that_fit_are_taken(room: Room, chosen: tuple[int, ...], rest: str) -> None:
    assert fit([(1, 10), (2, 20), (3, 30)], room) == Choice(chosen, rest)


def test_a_large_film_waits_and_is_not_passed_by_small_ones_behind_it() -> None:
    assert fit([(1, 10), (2, 90), (3, 1)], Room(bytes=50, largest=100)).ids == (1,)


def test_a_film_that_no_week_has_room_for_keeps_nobody_up() -> None:
    assert fit([(1, 200), (2, 50)], Room(bytes=50, largest=100)) == Choice((2,), "")


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-11-30T00:00:00+01:00", "2026-11-30T00:00:00+01:00"),
        ("2026-11-29T23:59:59+01:00", "2026-11-29T00:00:00+01:00"),
        # The day on which the clocks go back has 25 hours, the one forward 23.
        ("2026-10-25T23:30:00+01:00", "2026-10-25T00:00:00+02:00"),
        ("2026-03-29T23:30:00+02:00", "2026-03-29T00:00:00+01:00"),
    ],
)
def test_a_day_begins_at_midnight_of_the_users_time_zone(now: str, start: str) -> None:
    with timezone.override(BERLIN):
        assert day_start(datetime.fromisoformat(now)) == datetime.fromisoformat(start)


def test_a_week_back_across_the_change_of_clocks_is_seven_calendar_days() -> None:
    with timezone.override(BERLIN):
        now = datetime(2026, 10, 28, 9, tzinfo=BERLIN)
        assert day_start(now, 6) == datetime(2026, 10, 22, tzinfo=BERLIN)


@pytest.mark.django_db
def test_use_counts_today_by_films_and_seven_days_by_bytes() -> None:
    rule, other = make_rule(), make_rule("Other")
    with timezone.override(BERLIN):
        now = datetime(2026, 11, 30, 0, 30, tzinfo=BERLIN)
        queued_at(rule, datetime(2026, 11, 29, 23, 0, tzinfo=UTC), size=7)  # midnight here
        queued_at(rule, datetime(2026, 11, 29, 22, 59, 59, tzinfo=UTC), size=70)
        queued_at(rule, datetime(2026, 11, 24, 0, 0, tzinfo=BERLIN), size=700)
        queued_at(rule, datetime(2026, 11, 23, 23, 59, 59, tzinfo=BERLIN), size=7_000)
        queued_at(other, now, size=9)
        assert read_use(rule, now) == Use(files_today=1, bytes_week=777)


@pytest.mark.django_db
def test_use_beyond_a_limit_that_was_lowered_leaves_no_room_but_no_debt() -> None:
    rule = make_rule(max_files_per_day=2, max_bytes_per_week=100)
    assert room_left(rule, Use(5, 500)) == Room(0, 0, 100)
    assert room_left(make_rule("Free"), Use(5, 500)) == Room(None, None, None)


@pytest.mark.django_db
def test_the_day_on_which_clocks_go_back_counts_its_25_hours_once() -> None:
    rule = make_rule()
    with timezone.override(BERLIN):
        start = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
        for hour in range(25):
            queued_at(rule, start + timedelta(hours=hour, minutes=30), size=1)
        assert read_use(rule, start + timedelta(hours=24, minutes=59)).files_today == 25
        assert read_use(rule, start + timedelta(hours=25)).files_today == 0
