"""The live parts of the queue page and the dock: what each shows, its version, its markup."""

from __future__ import annotations

from typing import Any, Final

from django.template.loader import render_to_string
from django.urls import reverse

from transcode.models import JobPhase
from transcode.pages.live import TOKEN_MARK, LivePart, Reading, live_parts, version_of
from transcode.pages.queue_page import (
    DOCK_JOBS,
    dock_jobs,
    queue_count,
    read_done_today,
    read_pause,
    read_running,
    read_waiting_sums,
    recent_counts,
)
from transcode.pages.waiting_list import WaitingCursor, read_held, read_waiting
from transcode.queue.slots import is_switched_off, parallel_limit

# Pages ask every three seconds or more; with many of them open this bounds the renders.
RENDER_KEEP_S: Final = 1.5
SLOT_STEP: Final = 14  # pixels from one slot's box to the next
MOST_SLOT_BOXES: Final = 8


def dock_part(*, is_operator: bool) -> LivePart:
    """The dock of active jobs, the same for everybody of a role."""
    return live_parts.get(("dock", is_operator), lambda: _read_dock(is_operator))


def running_part(*, is_operator: bool) -> LivePart:
    return live_parts.get(
        ("running", is_operator), lambda: _read_running(is_operator), keep_s=RENDER_KEEP_S
    )


def waiting_part(cursor: WaitingCursor | None, *, is_operator: bool) -> LivePart:
    return live_parts.get(
        ("waiting", is_operator, cursor),
        lambda: _read_waiting(cursor, is_operator),
        keep_s=RENDER_KEEP_S,
    )


def side_part() -> LivePart:
    return live_parts.get("side", _read_side, keep_s=RENDER_KEEP_S)


def _read_dock(is_operator: bool) -> Reading:
    counts, pause = recent_counts(), read_pause()
    jobs = dock_jobs(read_running(DOCK_JOBS)) if counts.running else []
    dock: dict[str, Any] = {
        "running": counts.running,
        "waiting": counts.waiting,
        "jobs": [_rounded(job) for job in jobs],
        "is_paused": pause.is_paused,
        "pause_url": reverse("transcode:queue_pause") if is_operator else "",
        "resume_url": reverse("transcode:queue_resume") if is_operator else "",
    }
    nav = {"item": queue_count(counts), "oob": True}
    version = version_of((dock, nav))
    dock["version"] = version
    return Reading(
        version,
        lambda: _render("components/_dock.html", {"dock": dock}),
        lambda: _render("components/_nav_count.html", nav),
    )


def _rounded(job: dict[str, Any]) -> dict[str, Any]:
    """As it is printed: what rounds to the same is the same."""
    percent, eta_s = job["percent"], job["eta_s"]
    return job | {
        "percent": None if percent is None else round(percent),
        "eta_s": None if eta_s is None else round(eta_s / 60) * 60 if eta_s > 90 else round(eta_s),
    }


def _read_running(is_operator: bool) -> Reading:
    counts, pause = recent_counts(), read_pause()
    cards = live_parts.figure("running", read_running)
    held = read_held() if counts.held else ()
    sums = read_waiting_sums(counts)
    version = version_of((counts, pause, cards, held, sums))
    context = {
        "counts": counts,
        "pause": pause,
        "cards": cards,
        "held": held,
        "more_held": counts.held - len(held),
        "sums": sums,
        "is_operator": is_operator,
        "version": version,
        "encode": JobPhase.ENCODE,
    }
    return Reading(
        version,
        lambda: _render("transcode/_queue_running.html", context),
        lambda: _render("transcode/_queue_summary_oob.html", context),
    )


def _read_waiting(cursor: WaitingCursor | None, is_operator: bool) -> Reading:
    counts, page = recent_counts(), read_waiting(cursor)
    sums = read_waiting_sums(counts)
    version = version_of((counts.waiting, page, sums))
    context = {
        "counts": counts,
        "page": page,
        "sums": sums,
        "cursor": str(cursor) if cursor else "",
        "is_operator": is_operator,
        "version": version,
    }
    return Reading(version, lambda: _render("transcode/_queue_waiting.html", context))


def _read_side() -> Reading:
    done, slots = read_done_today(), read_slots(recent_counts().running)
    version = version_of((done, slots))
    context = {"done": done, "slots": slots, "version": version}
    return Reading(version, lambda: _render("transcode/_queue_side.html", context))


def read_slots(running: int) -> list[dict[str, Any]]:
    """Machines with their busy places. So far there is one: this machine, and its films at once."""
    total = max(parallel_limit(), running)
    return [
        {
            "letter": "a",
            "name": "This machine",
            "note": "switched off" if is_switched_off() else f"{parallel_limit()} at once",
            "busy": running,
            "total": total,
            "width": total * SLOT_STEP,
            "boxes": [(n * SLOT_STEP, n < running) for n in range(min(total, MOST_SLOT_BOXES))],
        }
    ]


def _render(template: str, context: dict[str, Any]) -> str:
    return render_to_string(template, {**context, "csrf_token": TOKEN_MARK})
