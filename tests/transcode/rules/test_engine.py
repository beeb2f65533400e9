"""Running a rule: what it queues, why it leaves the others, what is on record, who runs it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.models import Library, MediaFile, Tag
from mediaflow.base.models import AuditEvent
from tests.transcode.makers import UNFIT_FILMS, make_file, make_job, make_library, make_preset
from tests.transcode.rules.makers import NOON, later, make_rule, queued_at, set_added, verdicts
from transcode.models import Job, Rule, RuleDecision, RuleRun
from transcode.queue.enqueue import REASONS, insert_jobs
from transcode.rules import engine
from transcode.rules.dry_run import forecast
from transcode.rules.engine import BEATEN, run_rule
from transcode.rules.limits import read_use
from transcode.rules.plan import VERDICT_WORDS, VERDICTS, make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db


def test_a_rule_queues_its_matches_oldest_first_and_says_so_on_the_jobs(library: Library) -> None:
    for name in ("a.mkv", "b.mkv", "c.mkv"):
        make_file(library, name, video_codec="h264")
    make_file(library, "d.mkv", video_codec="hevc")
    set_added({"a.mkv": 1, "b.mkv": 3, "c.mkv": 2})
    rule = make_rule(query="codec=h264", priority=7)
    run = run_rule(rule, NOON)
    jobs = list(Job.objects.order_by("position"))
    assert [job.file_path for job in jobs] == ["/films/b.mkv", "/films/c.mkv", "/films/a.mkv"]
    assert {(job.rule_id, job.origin, job.priority) for job in jobs} == {
        (rule.pk, "rule: Old codecs", 7)
    }
    assert (run.matched, run.queued, run.by_verdict) == (3, 3, {"queued": 3})
    assert set(MediaFile.objects.filter(video_codec="h264").values_list("state", flat=True)) == {
        "queued"
    }
    assert AuditEvent.objects.get(action="job.queue").detail == "rule: Old codecs; replace"


def test_each_decision_is_on_record_once_until_it_changes(library: Library) -> None:
    make_file(library, "a.mkv")
    make_file(library, "b.mkv", availability="missing")
    rule = make_rule()
    first = run_rule(rule, NOON)
    assert verdicts(rule) == {"a.mkv": "queued", "b.mkv": "missing"}
    again = run_rule(rule, later())
    assert list(RuleRun.objects.values_list("pk", flat=True)) == [first.pk]
    assert (again.queued, again.by_verdict) == (0, {"missing": 1, "queued": 1})
    assert RuleDecision.objects.count() == 2
    MediaFile.objects.filter(path="b.mkv").update(availability="present")
    run_rule(rule, later(2))
    log = RuleDecision.objects.filter(file__path="b.mkv").order_by("pk")
    assert list(log.values_list("verdict", "is_latest")) == [("missing", False), ("queued", True)]
    assert RuleRun.objects.count() == 2


def test_a_day_takes_no_more_than_its_limit_and_the_next_goes_on(library: Library) -> None:
    for n in range(5):
        make_file(library, f"{n}.mkv", added_at=NOON - timedelta(days=9 - n))
    rule = make_rule(max_files_per_day=2)
    assert run_rule(rule, timezone.now()).queued == 2
    assert verdicts(rule) == {
        "0.mkv": "queued", "1.mkv": "queued",
        "2.mkv": "limit_day", "3.mkv": "limit_day", "4.mkv": "limit_day",
    }  # fmt: skip
    assert run_rule(rule, timezone.now()).queued == 0
    run_rule(rule, timezone.now() + timedelta(days=1))
    assert [path for path, verdict in verdicts(rule).items() if verdict == "limit_day"] == ["4.mkv"]


def test_a_week_takes_no_more_than_its_bytes(library: Library) -> None:
    for n, size in enumerate((40, 40, 40, 500)):
        make_file(library, f"{n}.mkv", size_bytes=size, added_at=NOON - timedelta(days=9 - n))
    rule = make_rule(max_bytes_per_week=100)
    queued_at(rule, timezone.now() - timedelta(days=2), size=30)
    run_rule(rule, timezone.now())
    assert verdicts(rule) == {
        "0.mkv": "queued", "1.mkv": "limit_week", "2.mkv": "limit_week", "3.mkv": "limit_size",
    }  # fmt: skip


def _ran(file: MediaFile, rule: Rule, status: str, **values: Any) -> None:
    make_job(file, status, rule=rule, **values)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *UNFIT_FILMS,
        ({"mediaflow_tag": "d6f4;other"}, "rule_wrote"),
        ({"added_at": NOON - timedelta(days=2)}, "rule_before"),
        ({"added_at": NOON - timedelta(minutes=3)}, "rule_settling"),
        ({"availability_since": NOON - timedelta(minutes=3)}, "rule_settling"),
    ],
)
def test_a_film_is_left_out_with_its_reason(
    library: Library, change: dict[str, Any], code: str
) -> None:
    settled = {"added_at": NOON - timedelta(hours=1), "availability_since": NOON - timedelta(1)}
    make_file(library, **{**settled, **change})
    rule = make_rule(only_added_after=NOON - timedelta(days=1), delay_s=600)
    assert run_rule(rule, NOON).queued == 0
    assert verdicts(rule) == {"a.mkv": code}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_enabled": False}, "library_disabled"),
        ({"frozen_reason": "Lost too many films."}, "library_frozen"),
        ({"is_replace_allowed": False}, "replace_off"),
    ],
)
def test_a_library_keeps_its_films_out(change: dict[str, Any], code: str) -> None:
    make_file(make_library(**change))
    rule = make_rule()
    run_rule(rule, NOON)
    assert verdicts(rule) == {"a.mkv": code}


@pytest.mark.parametrize(
    ("status", "job", "file", "code"),
    [
        ("queued", {}, {}, "queued"),
        ("held", {}, {}, "queued"),
        ("failed", {}, {"state": "failed"}, "rule_failed"),
        ("skipped", {"reason_code": "hdr"}, {}, "rule_skipped"),
        ("skipped", {"reason_code": "not_worth_it"}, {}, "not_worth_it"),
        ("cancelled", {}, {}, "rule_cancelled"),
        ("completed", {}, {"state": "completed", "size_bytes": 5}, "already_done"),
        ("completed", {"preset_slug": "old"}, {"state": "completed", "size_bytes": 5}, "rule_done"),
        ("completed", {"undone_at": NOON}, {"state": "ignored"}, "ignored"),
        ("completed", {"undone_at": NOON}, {"state": "new"}, "rule_undone"),
    ],
)
def test_a_rule_does_not_take_up_again_what_it_had(
    library: Library, status: str, job: dict[str, Any], file: dict[str, Any], code: str
) -> None:
    film, rule = make_file(library), make_rule()
    slug = job.pop("preset_slug", None)
    _ran(film, rule, status, **job)
    if slug:
        Job.objects.update(preset_slug=slug)
    if file:
        MediaFile.objects.update(**file)
    run_rule(rule, later())
    assert verdicts(rule) == {"a.mkv": code}
    assert Job.objects.count() == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "completed"])
def test_another_file_in_its_place_is_a_new_film(library: Library, status: str) -> None:
    film, rule = make_file(library), make_rule()
    _ran(film, rule, status)
    MediaFile.objects.update(size_bytes=77, state="new")
    assert run_rule(rule, later()).queued == 1


def test_a_preset_that_was_changed_gives_what_failed_another_chance(library: Library) -> None:
    film, rule = make_file(library), make_rule()
    _ran(film, rule, "failed")
    rule.preset.save()  # moves changed_at
    assert run_rule(rule, timezone.now()).queued == 1


def test_two_rules_do_not_play_a_film_to_each_other_for_ever(library: Library) -> None:
    """One makes HEVC of H.264, the other H.264 of HEVC: one has the film, once."""
    film = make_file(library, video_codec="h264")
    to_hevc = make_rule("To HEVC", query="codec=h264")
    back = make_rule("Back", query="codec=hevc", preset=make_preset("back"))
    made = 0
    for n in range(8):
        for rule, codec in ((to_hevc, "hevc"), (back, "h264")):
            if run_rule(rule, later(n)).queued:
                made += 1
                job = Job.objects.get(status="queued")
                Job.objects.filter(pk=job.pk).update(status="completed")
                MediaFile.objects.filter(pk=film.pk).update(
                    state="completed", video_codec=codec, size_bytes=900 - made,
                    mediaflow_tag=f"{job.uuid};{job.preset_slug}",
                )  # fmt: skip
    assert made == 1
    assert verdicts(back) == {"a.mkv": "rule_wrote"}


def test_what_was_written_beside_a_film_is_not_taken_up_by_any_rule(library: Library) -> None:
    make_file(library, "a.mkv", state="completed")
    make_file(library, "a.phone.mp4", mediaflow_tag="6f1d7d3e;phone")
    rule = make_rule(output_mode="beside")
    run_rule(rule, NOON)
    assert verdicts(rule)["a.phone.mp4"] == "rule_wrote"


def test_what_another_job_made_is_not_encoded_again_by_a_rule(library: Library) -> None:
    film = make_file(library)
    _other_job(film)
    MediaFile.objects.update(state="completed", mediaflow_tag="6f1d;other", size_bytes=5)
    rule = make_rule()
    assert run_rule(rule, NOON).queued == 0
    assert verdicts(rule) == {"a.mkv": "rule_wrote"}


def _other_job(film: MediaFile) -> None:
    job = make_job(film, "completed")
    Job.objects.filter(pk=job.pk).update(preset_slug="other")


def test_outside_its_hours_a_rule_does_nothing_unless_a_person_asks(library: Library) -> None:
    make_file(library)
    rule = make_rule(hours="22:00-06:00")
    note = run_rule(rule, NOON).note
    assert (note.startswith("Outside its hours (22:00-06:00)"), Job.objects.count()) == (True, 0)
    assert RuleRun.objects.count() == 0
    assert run_rule(rule, NOON, is_asked=True).queued == 1


def test_hours_across_midnight_and_the_change_of_clocks(library: Library) -> None:
    make_file(library)
    rule = make_rule(hours="22:00-06:00")
    with timezone.override("Europe/Berlin"):
        assert run_rule(rule, datetime(2026, 10, 25, 5, 1, tzinfo=UTC)).note  # 06:01 of winter
        assert run_rule(rule, datetime(2026, 10, 25, 4, 59, tzinfo=UTC)).queued == 1


def test_a_rule_over_nothing_does_nothing(library: Library) -> None:
    rule = make_rule(query="codec=av1")
    run = run_rule(rule, NOON)
    assert not RuleRun.objects.exists()
    assert (run.matched, run.queued, run.note) == (0, 0, "")
    rule.refresh_from_db()
    assert rule.ran_at == NOON


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda: Tag.objects.all().delete(), "no tag 'keep'"),
        (lambda: Rule.objects.first().preset.__class__.objects.update(spec={"x": 1}), "preset"),  # type: ignore[union-attr]
    ],
)
def test_a_rule_that_broke_says_why_once_and_recovers(
    library: Library, break_it: Any, words: str
) -> None:
    make_file(library)
    Tag.objects.create(name="keep")
    rule = make_rule(query="tag=keep")
    spec = rule.preset.spec
    break_it()
    assert words in run_rule(rule, NOON).note
    run_rule(rule, later())
    rule.refresh_from_db()
    assert words in rule.error
    assert RuleRun.objects.count() == 1
    Tag.objects.get_or_create(name="keep")
    rule.preset.spec = spec
    rule.preset.save()
    run_rule(rule, later(2))
    rule.refresh_from_db()
    assert rule.error == ""


def test_a_watch_folder_takes_what_lies_below_it_and_nothing_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "films"
    (root / "In").mkdir(parents=True)
    library = make_library(root=str(root).encode())
    for name in ("In/a.mkv", "In/deep/b.mkv", "Inside.mkv", "In.mkv", "out.mkv"):
        make_file(library, name)
    rule = make_rule(kind="folder", library=library, folder_raw=b"In", folder="In")
    run_rule(rule, NOON)
    assert verdicts(rule) == {"In/a.mkv": "queued", "In/deep/b.mkv": "queued"}
    (root / "In").rmdir()
    assert "is not there" in run_rule(rule, later()).note


@pytest.fixture
def other_runner(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RuleRun]]:
    """Another process runs the same rule between this one's look and its writing."""
    decide, runs = engine._decide, []

    def decide_late(rule: Rule, films: Any, now: datetime) -> Any:
        decided = decide(rule, films, now)
        monkeypatch.setattr(engine, "_decide", decide)
        films.drop()
        runs.append(run_rule(rule, now))
        return decided

    monkeypatch.setattr(engine, "_decide", decide_late)
    yield runs


def test_of_two_runners_at_once_one_writes(library: Library, other_runner: list[RuleRun]) -> None:
    for n in range(4):
        make_file(library, f"{n}.mkv")
    rule = make_rule(max_files_per_day=2)
    run = run_rule(rule, NOON)
    assert [(r.queued, r.note) for r in (*other_runner, run)] == [(2, ""), (0, BEATEN)]
    assert Job.objects.count() == 2
    assert RuleDecision.objects.count() == 4


def test_a_film_queued_by_others_meanwhile_is_not_called_queued(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = make_file(library)
    make_file(library, "b.mkv")
    insert = insert_jobs

    def insert_late(files: Any, order: Any) -> Any:
        make_job(film)
        return insert(files, order)

    monkeypatch.setattr(engine, "insert_jobs", insert_late)
    rule = make_rule()
    assert run_rule(rule, NOON).queued == 1
    assert verdicts(rule) == {"b.mkv": "queued"}
    run_rule(rule, later())
    assert verdicts(rule) == {"a.mkv": "already_queued", "b.mkv": "queued"}


def test_a_rule_that_was_changed_or_deleted_meanwhile_writes_nothing(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file(library)
    rule = make_rule()

    def read_late(*args: Any) -> Any:
        Rule.objects.update(changed_at=timezone.now())
        return read_use(*args)

    monkeypatch.setattr(engine, "read_use", read_late)
    assert run_rule(rule, NOON).note == BEATEN
    assert (Job.objects.count(), RuleDecision.objects.count()) == (0, 0)


def test_a_dry_run_says_what_a_run_then_does_and_changes_nothing(library: Library) -> None:
    for n in range(5):
        make_file(library, f"{n}.mkv", size_bytes=10 * (n + 1), added_at=NOON - timedelta(9 - n))
    make_file(library, "gone.mkv", availability="missing")
    make_file(library, "huge.mkv", size_bytes=900)
    rule = make_rule(max_files_per_day=3, max_bytes_per_week=500)
    found = forecast(rule, timezone.now())
    assert (Job.objects.count(), RuleDecision.objects.count(), RuleRun.objects.count()) == (0, 0, 0)
    assert found.matched == 7
    assert found.queue is not None
    assert (found.queue.files, found.queue.size_bytes) == (3, 60)
    assert [film.path for film in found.queue.examples] == ["0.mkv", "1.mkv", "2.mkv"]
    left_out = {group.code: group.files for group in found.left_out}
    assert left_out == {"limit_day": 2, "missing": 1, "limit_size": 1}
    run = run_rule(rule, timezone.now())
    assert run.by_verdict == {**left_out, "queued": found.queue.files}
    rule.refresh_from_db()
    after = forecast(rule, timezone.now())
    assert (after.queue, {g.code: g.files for g in after.left_out}) == (
        None, {**left_out, "queued": 3},
    )  # fmt: skip


def test_every_verdict_has_its_words() -> None:
    assert set(VERDICTS) == set(VERDICT_WORDS)
    assert set(REASONS) < set(VERDICTS)
    assert make_plan(make_rule(), NOON).order.origin == "rule: Old codecs"
