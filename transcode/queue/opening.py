"""Whether encoding may run now: the hours of the queue and those of each job's preset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import timezone

from mediaflow.base.hours import HoursProblem, is_open, next_change, parse_hours, split_hours
from mediaflow.base.settings_store import get_setting, get_settings
from transcode.models import Job, JobStatus

if TYPE_CHECKING:
    from datetime import datetime

FINISH: Final = "finish"
PAUSE: Final = "pause"
HAND_BACK: Final = "hand_back"


def queue_is_open(now: datetime) -> bool:
    """By the setting of the whole queue, in MEDIAFLOW_TIME_ZONE."""
    return text_is_open(get_setting("queue_hours"), now)


def text_is_open(text: str, now: datetime) -> bool:
    """By the windows of one text. What cannot be read closes nothing: it was refused when set."""
    if not text:
        return True
    try:
        return is_open(parse_hours(split_hours(text)), timezone.localtime(now))
    except HoursProblem:
        return True


def opens_at(text: str, now: datetime) -> datetime | None:
    """When closed hours open again; None where they are open or never change."""
    if text_is_open(text, now):
        return None
    return next_change(parse_hours(split_hours(text)), timezone.localtime(now))


def closed_hours(now: datetime) -> list[str]:
    """The texts of waiting jobs that are closed now; there are as many as presets with hours."""
    texts = Job.objects.filter(status=JobStatus.QUEUED).exclude(hours="").order_by()
    return [
        text
        for text in texts.values_list("hours", flat=True).distinct()
        if not text_is_open(text, now)
    ]


def end_of_hours(job_hours: str, job_policy: str, now: datetime) -> tuple[str, str]:
    """What a running job has to do now, and why in one sentence; ("", "") while it is open.

    The stricter of queue and preset wins: a hand back over a pause over finishing.
    """
    queue = get_settings("queue_hours", "queue_at_hours_end")
    closed = [
        (policy, text)
        for text, policy in (
            (queue["queue_hours"], queue["queue_at_hours_end"]),
            (job_hours, job_policy),
        )
        if policy != FINISH and not text_is_open(text, now)
    ]
    if not closed:
        return "", ""
    policy, text = min(closed, key=lambda entry: (HAND_BACK, PAUSE).index(entry[0]))
    again = opens_at(text, now)
    until = f" until {again:%a %H:%M}" if again else ""
    return policy, f"Outside its hours ({text}){until}."
