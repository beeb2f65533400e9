"""The outbox: claims, retries, the end of an entry, one swap for several servers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from library.arr.title_lists import title_lists
from library.models import ArrServer, Library, MediaFile
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.leases import Sweeper, own_identity
from mediaflow.base.models import AuditEvent
from tests.arr_stand_in import API_KEY, ArrStandIn, arr_stand_in
from tests.transcode.web.rows import make_job
from transcode.after_swap import outbox
from transcode.after_swap.outbox import (
    BACK_OFF_S,
    MAX_ATTEMPTS,
    Claim,
    Done,
    Failed,
    Later,
    OutboxStopped,
    work_on_due,
)
from transcode.models import JobStatus, JournalState, OutboxEntry, ProofRecord, Replacement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from mediaflow.accounts.models import User
    from transcode.after_swap.outbox import Outcome
    from transcode.models import Job

pytestmark = pytest.mark.django_db


def entry(kind: str = "plex", **payload: Any) -> OutboxEntry:
    return OutboxEntry.objects.create(kind=kind, payload=payload)


def work(handler: Callable[[Claim], Outcome], kind: str = "plex") -> int:
    return work_on_due(known={kind: handler})


def make_due(row: OutboxEntry) -> None:
    OutboxEntry.objects.filter(pk=row.pk).update(not_before=timezone.now())


def test_an_entry_that_is_done_is_not_told_again() -> None:
    row = entry()
    assert work(lambda _claim: Done("Told.")) == 1
    row.refresh_from_db()
    assert (row.done_at is not None, row.outcome, row.lease_token) == (True, "Told.", "")
    assert work(lambda _claim: Done("Told.")) == 0


def test_a_failure_waits_longer_each_time_and_is_given_up_at_last() -> None:
    row = entry()
    delays = []
    for number in range(1, MAX_ATTEMPTS + 1):
        before = timezone.now()
        assert work(lambda _claim: Failed("Plex is away.")) == 1
        row.refresh_from_db()
        assert (row.attempts, row.error) == (number, "Plex is away.")
        delays.append(round((row.not_before - before).total_seconds()))
        assert work(lambda _claim: Failed("again")) == 0  # not yet
        make_due(row)
    assert delays[:-1] == list(BACK_OFF_S)
    assert sum(BACK_OFF_S) > 55 * 3600  # as docs/connections.md says
    assert row.given_up_at is not None
    assert row.done_at is None
    assert work(lambda _claim: Done("x")) == 0


def test_waiting_for_the_other_side_counts_no_attempt() -> None:
    row = entry()
    for _ in range(MAX_ATTEMPTS + 3):
        assert work(lambda _claim: Later("Plex looks at the folder.", 20)) == 1
        make_due(row)
    row.refresh_from_db()
    assert (row.attempts, row.given_up_at) == (0, None)


def test_a_bug_in_one_entry_does_not_stop_the_others() -> None:
    rows = [entry(number=number) for number in range(3)]

    def handler(claim: Claim) -> Outcome:
        if claim.payload["number"] == 0:
            raise DatabaseError("secret words")
        return Done("ok")

    assert work(handler) == 3
    rows[0].refresh_from_db()
    assert rows[0].error == "Internal error (DatabaseError); see the log."
    assert OutboxEntry.objects.filter(done_at__isnull=False).count() == 2


def test_a_server_that_is_away_is_asked_once_a_round() -> None:
    for number in range(5):
        entry(server=1, number=number)
    entry(server=2)
    asked = []

    def handler(claim: Claim) -> Outcome:
        asked.append(claim.payload["server"])
        return Failed("away", is_away=True) if claim.payload["server"] == 1 else Done("ok")

    work(handler)
    assert sorted(asked) == [1, 2]


def test_many_entries_of_a_dead_server_do_not_keep_others_waiting() -> None:
    rows = [OutboxEntry(kind="plex", payload={"server": 1}) for _ in range(250)]
    OutboxEntry.objects.bulk_create(rows)
    entry(server=2)
    asked = []

    def handler(claim: Claim) -> Outcome:
        asked.append(claim.payload["server"])
        return Failed("away", is_away=True) if claim.payload["server"] == 1 else Done("ok")

    work(handler)
    assert asked == [1, 2]


def test_two_consumers_never_tell_one_thing_twice_at_the_same_time() -> None:
    row = entry()
    inner: list[int] = []

    def handler(claim: Claim) -> Outcome:
        inner.append(work(lambda _claim: Done("twice")))  # another consumer, meanwhile
        return Done("once")

    assert work(handler) == 1
    assert inner == [0]
    row.refresh_from_db()
    assert row.outcome == "once"


def test_a_consumer_that_was_killed_is_followed_by_another() -> None:
    row = entry()
    OutboxEntry.objects.filter(pk=row.pk).update(
        lease_token="dead", lease_owner=f"{own_identity()[:-1]}0x", attempts=1
    )
    gone = outbox.outbox_leases()
    assert next(iter(gone.rows()))[:3:2] == (row.pk, "dead")
    assert gone.take_over(row.pk, "other") is False
    assert gone.take_over(row.pk, "dead") is True
    assert work(lambda _claim: Done("ok")) == 1


def test_the_sweeper_leaves_an_entry_that_is_being_told(db: None) -> None:
    entry()
    sweeper = Sweeper([outbox.outbox_leases()])

    def handler(claim: Claim) -> Outcome:
        assert sweeper.sweep() == []
        return Done("ok")

    assert work(handler) == 1


def test_an_entry_that_kills_its_process_is_given_up_some_day() -> None:
    row = entry()
    OutboxEntry.objects.update(lease_token="dead", attempts=MAX_ATTEMPTS)
    assert outbox.release(row.pk, "dead")
    row.refresh_from_db()
    assert row.given_up_at is not None


def test_a_consumer_that_ends_gives_the_entry_back_and_counts_nothing() -> None:
    row = entry()

    def handler(claim: Claim) -> Outcome:
        claim.is_stopping = lambda: True
        claim.checkpoint()
        return Done("not reached")

    work(handler)
    row.refresh_from_db()
    assert (row.attempts, row.lease_token, row.done_at) == (0, "", None)


def test_a_handler_whose_entry_was_taken_over_writes_nothing() -> None:
    row = entry()

    def handler(claim: Claim) -> Outcome:
        OutboxEntry.objects.update(lease_token="other")
        with pytest.raises(OutboxStopped):
            claim.checkpoint()
        return Done("late")

    work(handler)
    row.refresh_from_db()
    assert (row.done_at, row.lease_token) == (None, "other")


def test_an_unknown_kind_of_a_later_version_ends_by_itself() -> None:
    entry("carrier_pigeon")
    assert work_on_due(known={}) == 1
    assert not outbox.open_entries().exists()


def test_a_person_has_it_tried_again_or_drops_it(admin_user: User) -> None:
    row = entry()
    OutboxEntry.objects.update(attempts=MAX_ATTEMPTS, given_up_at=timezone.now(), error="away")
    assert outbox.given_up_count() == 1
    assert outbox.try_again(row.pk, actor=admin_user)
    assert work(lambda _claim: Failed("still away")) == 1
    assert outbox.drop(row.pk, actor=admin_user)
    row.refresh_from_db()
    assert row.outcome == "Dropped by ada."
    assert not outbox.drop(row.pk, actor=admin_user)
    assert not outbox.try_again(row.pk, actor=admin_user)
    actions = list(AuditEvent.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["outbox.retry", "outbox.drop"]


def test_what_is_being_told_is_neither_dropped_nor_tried_again() -> None:
    row = entry()
    OutboxEntry.objects.update(lease_token="t")
    assert not outbox.drop(row.pk, actor=None)
    assert not outbox.try_again(row.pk, actor=None)


def test_what_was_done_long_ago_is_removed() -> None:
    entry()
    OutboxEntry.objects.update(done_at=timezone.now() - timedelta(days=61))
    entry()
    assert outbox.prune() == 1
    assert OutboxEntry.objects.count() == 1


# Sonarr, Radarr


@pytest.fixture
def disk_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcode.after_swap.disk.is_library_there", lambda _row: True)


@pytest.fixture
def radarr(disk_is_there: None) -> Iterator[ArrStandIn]:
    film = {"id": 7, "title": "Up", "path": "/films/Films/Up (2009)"}
    with arr_stand_in(titles=[film], roots=["/films"]) as stand_in:
        ArrServer.objects.create(
            kind="radarr",
            name="Radarr",
            url=stand_in.url,
            api_key_encrypted=encrypt_secret(API_KEY),
            is_on_this_machine=True,
        )
        yield stand_in


def make_swap(job: Job, path: bytes = b"/films/Films/Up (2009)/up.mkv") -> Replacement:
    proof = ProofRecord.objects.create(job=job, is_passed=True)
    row = Replacement.objects.create(
        job=job, file=job.file, library=job.file.library if job.file else None,
        state=JournalState.DONE, root_raw=b"/films/Films", original_raw=path, final_raw=path,
        part_raw=path + b".part", proof=proof, is_proof_passed=True,
    )  # fmt: skip
    OutboxEntry.objects.create(
        kind="file_swapped",
        job=job,
        payload={"replacement": row.pk, "original": repr(path), "final": repr(path)},
    )
    return row


def test_after_a_swap_radarr_looks_at_that_film_again(radarr: ArrStandIn) -> None:
    make_swap(make_job(JobStatus.COMPLETED))
    assert work_on_due() == 2  # one that makes entries, one for the server
    assert radarr.commands == [{"name": "RescanMovie", "movieId": 7}]
    row = OutboxEntry.objects.get(kind="arr")
    assert row.outcome == "Radarr looks at Up again."


def test_a_radarr_that_is_away_costs_the_job_nothing(radarr: ArrStandIn) -> None:
    job = make_job(JobStatus.COMPLETED)
    make_swap(job)
    radarr.fails_with = 503
    work_on_due()
    job.refresh_from_db()
    assert job.status == JobStatus.COMPLETED
    row = OutboxEntry.objects.get(kind="arr")
    assert (row.attempts, row.done_at) == (1, None)
    assert "503" in ArrServer.objects.get().error
    radarr.fails_with = 0
    make_due(row)
    work_on_due()
    assert len(radarr.commands) == 1
    assert ArrServer.objects.get().error == ""


def test_many_swaps_read_the_list_of_titles_once(radarr: ArrStandIn) -> None:
    title_lists.forget(ArrServer.objects.get())
    for _ in range(3):
        make_swap(make_job(JobStatus.COMPLETED))
    work_on_due()
    assert len(radarr.commands) == 3
    assert radarr.paths.count("GET /api/v3/movie") == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [(b"/elsewhere/up.mkv", "in no folder"), (b"/films/New/up.mkv", "knows no film"),
     (b"/films/\xff.mkv", "no name for this file")],
)  # fmt: skip
def test_a_file_that_radarr_does_not_manage_is_none_of_its_business(
    radarr: ArrStandIn, path: bytes, words: str
) -> None:
    make_swap(make_job(JobStatus.COMPLETED), path)
    work_on_due()
    assert words in OutboxEntry.objects.get(kind="arr").outcome
    assert radarr.commands == []


def test_a_kill_between_making_entries_and_their_end_leaves_none_twice(
    radarr: ArrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_swap(make_job(JobStatus.COMPLETED))

    def stop(_claim: Claim, _outcome: Outcome) -> bool:
        raise OutboxStopped

    with monkeypatch.context() as patched:
        patched.setattr("transcode.after_swap.fan_out.end", stop)
        work_on_due()
    assert not OutboxEntry.objects.filter(kind="arr").exists()
    work_on_due()
    assert OutboxEntry.objects.filter(kind="arr").count() == 1


def test_radarr_is_not_asked_to_look_while_the_disk_is_away(
    radarr: ArrStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the film for deleted, and fetch it again."""
    monkeypatch.setattr("transcode.after_swap.disk.is_library_there", lambda _row: False)
    make_swap(make_job(JobStatus.COMPLETED))
    work_on_due()
    row = OutboxEntry.objects.get(kind="arr")
    assert (row.done_at, row.attempts, radarr.paths) == (None, 0, [])
    assert "disk is away" in row.outcome


def test_a_swap_whose_row_is_gone_ends_quietly() -> None:
    OutboxEntry.objects.create(kind="file_swapped", payload={"replacement": 4711})
    assert work_on_due() == 1
    assert not outbox.open_entries().exists()


def test_no_server_means_no_entries() -> None:
    make_swap(make_job(JobStatus.COMPLETED))
    assert work_on_due() == 1
    assert OutboxEntry.objects.get().outcome == "No server has to know."


# The page


def test_the_page_says_what_waits_why_and_what_may_be_done(as_admin: Client) -> None:
    job = make_job(JobStatus.COMPLETED)
    values = {"server": 1, "name": "Attic Plex", "final": "/films/up.mkv", "replacement": 1}
    row = OutboxEntry.objects.create(kind="plex", payload=values, job=job, attempts=12)
    OutboxEntry.objects.update(given_up_at=timezone.now(), error="nas:32400 did not answer.")
    shown = as_admin.get(reverse("transcode:outbox")).text
    for words in ("Attic Plex", "/films/up.mkv", "Given up", "did not answer", "Try again"):
        assert words in shown
    assert reverse("transcode:job_detail", args=[job.pk]) in shown
    as_admin.post(reverse("transcode:outbox_retry", args=[row.pk]))
    row.refresh_from_db()
    assert (row.given_up_at, row.attempts) == (None, 0)
    as_admin.post(reverse("transcode:outbox_drop", args=[row.pk]))
    assert "Everybody knows" in as_admin.get(reverse("transcode:outbox")).text


def test_all_that_were_given_up_are_tried_again_at_once(as_admin: Client) -> None:
    for _ in range(3):
        entry()
    OutboxEntry.objects.update(given_up_at=timezone.now())
    entry()
    assert "Try 3 again" in as_admin.get(reverse("transcode:outbox")).text
    assert 'title="Connections"' in as_admin.get("/").text  # with the figure beside it
    with CaptureQueriesContext(connection) as statements:
        as_admin.post(reverse("transcode:outbox_retry_all"))
    updates = [row for row in statements if 'UPDATE "transcode_outboxentry"' in row["sql"]]
    assert len(updates) == 1
    assert "3 are tried again now." in as_admin.get(reverse("transcode:outbox")).text
    assert outbox.given_up_count() == 0
    assert AuditEvent.objects.get(action="outbox.retry").subject == "3 entries"


def test_a_name_is_never_taken_for_markup(as_admin: Client) -> None:
    entry(name="<img src=x onerror=alert(1)>", final="<b>x</b>")
    shown = as_admin.get(reverse("transcode:outbox")).text
    assert "<img src=x" not in shown
    assert "<b>x</b>" not in shown


def test_the_rows_of_a_library_that_is_gone_disturb_nobody(radarr: ArrStandIn) -> None:
    make_swap(make_job(JobStatus.COMPLETED))
    MediaFile.objects.all().delete()
    Library.objects.all().delete()
    assert work_on_due() == 2
