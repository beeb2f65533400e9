"""What the benchmark of the queue page does inside an instance of its own."""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.instance import MARK

if TYPE_CHECKING:
    from django.test import Client


def fill(jobs: int, running: int, people: int) -> None:
    """Queue that many films, let some run, time the page; prints figures and sessions."""
    from benchmarks.synthetic import fill_library
    from library.models import MediaFile
    from transcode.models import Job, Preset
    from transcode.services import enqueue_files

    fill_library(jobs)
    MediaFile.objects.update(state="new", availability="present", mediaflow_tag="", kind="video")
    preset = Preset.objects.get(slug="balanced")
    enqueue_files(files=MediaFile.objects.all(), preset=preset, actor=None)
    for pk in list(Job.objects.order_by("position").values_list("pk", flat=True)[:running]):
        Job.objects.filter(pk=pk).update(
            status="running", lease_token=uuid.uuid4().hex, phase="encode", progress_pct=1.0
        )
    clients = [_client(number) for number in range(people)]
    sessions = [client.cookies["mediaflow-session"].value for client in clients]
    document = {"pages": _pages(clients[0]), "sessions": sessions}
    sys.stdout.write(MARK + json.dumps(document) + "\n")


def _client(number: int) -> Client:
    from django.test import Client

    from mediaflow.accounts.models import User

    role = "operator" if number % 2 else "viewer"
    user = User.objects.create(username=f"bench{number}", role=role)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client


def _pages(client: Client) -> dict[str, dict[str, float]]:
    from transcode.models import Job
    from transcode.pages.waiting_list import WaitingCursor

    waiting = Job.objects.filter(status="queued").order_by("-priority", "position", "id")
    middle = waiting[waiting.count() // 2]
    deep = WaitingCursor(middle.priority, middle.position, middle.pk, 50_000)
    return {
        "first page": _time(client, "/queue/"),
        "half way in": _time(client, f"/queue/?after={deep}"),
    }


def _time(client: Client, path: str) -> dict[str, float]:
    """The best of five, each with nothing remembered."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from transcode.pages.live import live_parts

    times, queries = [], 0
    for _ in range(6):
        live_parts.forget()
        with CaptureQueriesContext(connection) as captured:
            begun = time.perf_counter()
            answer: Any = client.get(path)
            times.append(1000 * (time.perf_counter() - begun))
        assert answer.status_code == 200, answer.status_code
        queries = len(captured)
    return {"ms": min(times[1:]), "queries": queries}


def write_progress() -> None:
    """Every two seconds for each running job, spread over them; until terminated."""
    from django.db.models import F

    from transcode.models import Job

    ids = list(Job.objects.filter(status="running").values_list("pk", flat=True))
    numbers = random.Random(1)
    while True:
        for pk in ids:
            Job.objects.filter(pk=pk).update(
                progress_pct=numbers.random() * 100,
                fps=numbers.random() * 100,
                speed=numbers.random() * 3,
                eta_s=numbers.random() * 5000,
                bytes_so_far=numbers.randrange(10**10),
                progress_seq=F("progress_seq") + 1,
            )
            time.sleep(2.0 / len(ids))
