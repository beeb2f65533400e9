"""Quantities as people type them into filters: `20GB`, `8 Mb/s`, `1h30`, `2026-11-01`, `30d`.

Sizes are decimal, as disks are sold: 20GB is 20,000,000,000 bytes; `20GiB` is binary. A bare number
is GB, Mb/s or minutes. The parsers raise ValueError with the sentence to show.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.utils import timezone

MAX_BIGINT = 2**63 - 1
_SIZE_UNITS = {
    "": 10**9, "b": 1, "kb": 10**3, "k": 10**3, "mb": 10**6, "m": 10**6, "gb": 10**9, "g": 10**9,
    "tb": 10**12, "t": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_RATE_UNITS = {
    **dict.fromkeys(("", "m", "mb/s", "mbit/s", "mbps"), 1000),
    **dict.fromkeys(("k", "kb/s", "kbit/s", "kbps"), 1),
}
_NUMBER = re.compile(r"(\d{1,15}(?:[.,]\d{1,6})?)\s*([a-z/]*)", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,6})\s*h)?\s*(?:(\d{1,7})\s*(?:min|m)?)?", re.ASCII)
_DAYS_AGO = re.compile(r"(\d{1,5})\s*d", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes."""
    return _scaled(text, _SIZE_UNITS, "Give a size such as 20GB, 700MB or 1.5TB.")


def parse_rate(text: str) -> int:
    """Kilobits per second."""
    return _scaled(text, _RATE_UNITS, "Give a bit rate such as 8 (Mb/s), 2.5M or 800k.")


def parse_length(text: str) -> int:
    """Milliseconds."""
    cleaned = text.strip().lower()
    match = _CLOCK.fullmatch(cleaned)
    if not cleaned or not match:
        raise ValueError("Give a duration such as 90 (minutes), 1h30 or 2h.")
    hours, minutes = (int(part or 0) for part in match.groups())
    return (hours * 60 + minutes) * 60_000


def parse_moment(text: str, now: datetime | None = None) -> datetime:
    """The start of a day in the user's time zone, or so many days before now."""
    cleaned = text.strip().lower()
    if days := _DAYS_AGO.fullmatch(cleaned):
        return (now or timezone.now()) - timedelta(days=int(days[1]))
    if _DATE.fullmatch(cleaned):
        try:
            day = date.fromisoformat(cleaned)
            return timezone.make_aware(datetime.combine(day, time.min)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError("Give a day such as 2026-11-01, or 30d for the last 30 days.")


def _scaled(text: str, units: dict[str, int], sentence: str) -> int:
    match = _NUMBER.fullmatch(text.strip().lower())
    if not match or match[2] not in units:
        raise ValueError(sentence)
    value = int(Decimal(match[1].replace(",", ".")) * units[match[2]])
    if value > MAX_BIGINT:
        raise ValueError(f"That is too large; {sentence[0].lower()}{sentence[1:]}")
    return value
