"""What pages say of jobs, streams, rules and the trash where something is missing or odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from library.media_info import Attachment, Chapter, Disposition, HdrKind
from library.models import MediaProbe
from mediaflow.base.operations import run_operation_here
from tests.library.file_rows import unsaved_file
from tests.transcode.encode.films import audio, film, subtitle, video
from tests.transcode.rules.makers import NOON, make_rule, queued_at
from tests.transcode.web import rows
from transcode.models import (
    Job,
    JobStatus,
    JournalState,
    OutboxEntry,
    OutputMode,
    Preset,
    Replacement,
    Rule,
    TrashEntry,
    TrashState,
)
from transcode.pages import access, job_log, job_words, queue_work, rule_form
from transcode.pages.calibration import FEW_JOBS, _verdict
from transcode.pages.job_page import failure_text, read_original
from transcode.pages.outbox_words import OutboxLine
from transcode.pages.quality_pictures import _frame_rate
from transcode.pages.rule_rows import read_rows, verdict_kind
from transcode.pages.stream_words import codec_label, compare_streams
from transcode.pages.waiting_list import SpecReader
from transcode.planning.model import StreamKind
from transcode.prediction.calibration import BasisScore
from transcode.running.attempt_log import attempt_log_path

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


# Films and jobs


def test_a_film_is_called_as_the_library_calls_it_else_by_its_path() -> None:
    path = "/films/Up/up.2009.mkv"
    episode = unsaved_file(rows.make_library(), "x", show_title="A Show", season=2, episode=11)
    unnamed = unsaved_file(rows.make_library(), "", year=0, path="a.mkv")
    names = [job_words.film_name(file, path) for file in (None, episode, unnamed)]
    assert [(name.title, name.year) for name in names] == [
        ("up.2009", ""), ("A Show S02E11", ""), ("up.2009", "")
    ]  # fmt: skip
    assert job_words.film_name(None, "").title == "film"
    assert job_words.badge_texts(None) == ()


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"streams": [{"kind": "audio"}, {"kind": "video", "source_codec": "mpeg2video"}]},
         "MPEG-2"),
        ({"streams": [{"kind": "audio"}, "?"]}, "H.264"),
        ({"streams": "?"}, "H.264"),
        ([], "H.264"),
    ],
)  # fmt: skip
def test_after_a_swap_the_badge_tells_the_codec_that_the_film_had(plan: Any, expected: str) -> None:
    job = rows.make_job(JobStatus.COMPLETED, plan=plan)
    assert expected in job_words.source_badge_texts(job)
    job.undone_at = timezone.now()
    assert "H.264" in job_words.source_badge_texts(job)


def test_the_target_is_told_by_the_plan_then_by_the_preset() -> None:
    spec = {"video": {"encoder": "svtav1"}}
    assert job_words.target_codec("libx265", spec) == "HEVC"
    assert job_words.target_codec("", spec) == "AV1"
    assert job_words.target_codec("copy", spec) == ""
    assert job_words.target_codec("", []) == ""  # type: ignore[arg-type]  # of another version
    assert job_words.encoder_text("libx265", None) == "x265"


@pytest.mark.parametrize(
    ("status", "values", "word", "kind"),
    [
        ("running", {}, "Running", "run"),
        ("running", {"cancel_requested_at": NOON}, "Stopping", "run"),
        ("running", {"is_paused": True}, "Paused", "held"),
        ("queued", {"is_paused": True}, "Paused", "held"),
        ("failed", {"is_paused": True}, "Failed", "bad"),
        ("completed", {"undone_at": NOON}, "Undone", "idle"),
    ],
)
def test_a_state_has_its_word_and_icon(
    status: str, values: dict[str, Any], word: str, kind: str
) -> None:
    job = Job(status=status, **values)
    assert (job_words.state_word(job), job_words.state_kind(job)) == (word, kind)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"predicted_bytes": 4}, (6, 6, 6)),
        ({"predicted_bytes": 4, "predicted_bytes_low": 3, "predicted_bytes_high": 12}, (6, 0, 7)),
    ],
)
def test_a_saving_is_never_predicted_below_nothing(
    values: dict[str, int], expected: tuple[int, int, int] | None
) -> None:
    assert job_words.predicted_saving(Job(source_bytes=10, **values)) == expected


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (None, "The film itself was not changed."),
        (JournalState.STAGED, "The film itself was not changed."),
        (
            JournalState.STUCK,
            "MediaFlow deletes nothing of it and touches nothing until you decide.",
        ),
        (JournalState.DONE, "The original is kept in the trash."),
    ],
)
def test_a_failure_says_what_lies_on_the_disk(state: str | None, words: str) -> None:
    if state is None:
        job = rows.make_job(JobStatus.HELD)
    else:
        job = rows.make_replaced()
        Replacement.objects.update(state=state)
        job.status = JobStatus.HELD
    found = failure_text(job)
    assert found is not None
    assert found["unchanged"] == words
    assert "Let it go on" in str(found["actions"])


def test_of_a_copy_beside_the_film_no_original_is_kept() -> None:
    job = rows.make_replaced()
    TrashEntry.objects.all().delete()
    Replacement.objects.update(mode=OutputMode.BESIDE)
    found = read_original(job)
    assert (found.state, found.can_undo, found.due_on) == ("beside", False, None)


def test_a_log_begins_with_a_whole_line(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_DIR = tmp_path
    path = attempt_log_path("job-1.log")
    path.parent.mkdir(parents=True)
    path.write_text("first line\nsecond line\n")
    cut = job_log.read_log_tail("job-1.log", tail_bytes=15)
    assert (cut.text, cut.is_whole) == ("second line\n", False)
    whole = job_log.read_log_tail("job-1.log")
    assert (whole.text, whole.is_whole, whole.is_there) == (path.read_text(), True, True)


def test_a_preset_of_an_older_version_predicts_nothing() -> None:
    reader = SpecReader()
    odd = rows.make_job(preset_spec={"of": "another version"})
    gone = rows.make_job()
    gone.file = None
    assert [reader.saving(job) for job in (odd, odd, gone)] == [None, None, None]
    known = reader.saving(rows.make_job())
    assert known is not None
    assert known[0] > 0


# Streams


def test_both_sides_name_every_track_chapters_and_attachments() -> None:
    forced = Disposition(is_forced=True)
    before = film(
        video(hdr=HdrKind.HDR10, bit_depth=10),
        duration_s=None,
        audio=(audio(1, language="deu", object_audio="Atmos"), audio(2, codec="dts", channels=6)),
        subtitles=(subtitle(3, language="eng", title="Signs", disposition=forced),
                   subtitle(4, codec="odd")),
        chapters=(Chapter(0.0, 1.0),),
        attachments=(Attachment(5, "font.ttf", "font/ttf"),),
    )  # fmt: skip
    after = film(video(codec="hevc", frame_rate=""))
    found = compare_streams(before.to_json(), after.to_json())
    assert [(row.label, row.before, row.after) for row in found.rows] == [
        ("Container", "MKV", "MKV"),
        ("Video", "H.264, 1920 × 1080, 10-bit, HDR10, 25 fps", "HEVC, 1920 × 1080, 8-bit, SDR"),
        ("Audio 1", "AAC stereo, Atmos, deu", ""),
        ("Audio 2", "DTS 5.1", ""),
        ("Subtitles 1", "SubRip, eng, Signs, forced", ""),
        ("Subtitles 2", "odd", ""),
        ("Chapters", "1", ""),
        ("Attachments", "1", ""),
        ("Duration", "", "1.000 s"),
        ("Audio", "", "AAC stereo"),
    ]
    assert codec_label(StreamKind.SUBTITLE, "subrip") == "SubRip"


@pytest.mark.parametrize("before", [{}, {"of": "another version"}, {"video": "?"}])
def test_a_probe_that_cannot_be_read_compares_nothing(before: dict[str, Any]) -> None:
    assert compare_streams(before, film().to_json()).rows == ()
    one_sided = compare_streams(film().to_json(), before)
    assert (bool(one_sided.rows), one_sided.is_known) == (True, False)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("25", 25.0), ("24000/1001", pytest.approx(23.976, abs=0.001)), ("24/0", 0.0), ("x", 0.0)],
)
def test_a_rate_of_a_plan_is_read_or_nothing(rate: str, expected: float) -> None:
    assert _frame_rate({"frame_rate": rate}) == expected


def test_a_film_without_a_picture_has_no_chromecast_card(as_operator: Client) -> None:
    file = rows.make_file()
    detail = film(video=()).to_json()
    MediaProbe.objects.update_or_create(
        file=file, defaults={"detail": detail, "prober_version": "test"}
    )
    html = as_operator.get(reverse("library:file_detail", args=[file.pk])).text
    assert "h-chromecast" not in html


# Predictions


@pytest.mark.parametrize(
    ("jobs", "coverage", "words"),
    [
        (FEW_JOBS - 1, 0, "Too few jobs"),
        (400, 50, "too narrow"),
        (400, 80, "hold what they promise"),
        (400, 100, "wider than they need to be"),
    ],
)
def test_a_verdict_on_the_predictions_needs_enough_jobs(
    jobs: int, coverage: float, words: str
) -> None:
    score = BasisScore("", jobs, 0, coverage, 0.0, 0.0, None, None)
    assert words in _verdict(score)
    assert _verdict(None) == ""


# Rules


def test_a_rule_says_first_what_keeps_it_from_queueing() -> None:
    full_day = make_rule("Full day", max_files_per_day=1)
    full_week = make_rule("Full week", max_bytes_per_week=1_000)
    make_rule("Broken", error="Its folder is gone.", is_enabled=False)
    make_rule("Off", is_enabled=False)
    make_rule("Watching", max_bytes_per_week=10**9)
    now = timezone.now()
    for rule in (full_day, full_week):
        queued_at(rule, now, size=5_000)
    found = {row.rule.name: (row.kind, row.word) for row in read_rows(Rule.objects.all(), now)}
    assert found == {
        "Full day": ("wait", "Day's limit reached"),
        "Full week": ("wait", "Week's limit reached"),
        "Broken": ("bad", "Cannot run"),
        "Off": ("idle", "Off"),
        "Watching": ("ok", "Watching"),
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("queued", "wait"), ("would_queue", "wait"), ("rule_done", "ok"), ("unreadable", "bad"),
        ("limit_files", "wait"), ("growing", "wait"), ("of a later version", "skip"),
    ],
)  # fmt: skip
def test_a_verdict_has_its_icon(code: str, kind: str) -> None:
    assert verdict_kind(code) == kind


@pytest.mark.parametrize(
    ("size", "text"), [(None, ""), (500 * rows.GB, "500GB"), (1_234_567, "1234567B")]
)
def test_a_limit_can_be_typed_again_exactly(size: int | None, text: str) -> None:
    assert rule_form._size_text(size) == text


def test_a_folder_whose_name_is_no_text_cannot_be_typed() -> None:
    rule = make_rule(folder="Caf\N{REPLACEMENT CHARACTER}", folder_raw=b"Caf\xe9")
    assert not rule_form._is_typed(rule)
    rule.folder_raw = "Café".encode()
    assert rule_form._is_typed(rule)


# Queue and outbox


def test_too_many_ticked_jobs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MOST_IDS", 2)
    assert access.read_job_ids(QueryDict("ids=1&ids=2")) == [1, 2]
    with pytest.raises(access.FormProblem, match="Select at most 2 jobs by hand"):
        access.read_job_ids(QueryDict("ids=1&ids=2&ids=3"))


def test_emptying_the_trash_keeps_each_original_whose_film_cannot_be_read_back(
    operator: User,
) -> None:
    for _film in range(2):
        rows.make_replaced()
    operation = queue_work.start_purge(actor=operator)
    assert queue_work.start_purge(actor=operator) == operation
    done = run_operation_here(operation)
    assert (done.status, done.result) == ("completed", {"freed_bytes": 0, "kept": 2})
    assert "2 kept: see their jobs" in done.message
    assert set(TrashEntry.objects.values_list("state", flat=True)) == {TrashState.KEPT}


def test_emptying_an_empty_trash_does_nothing(operator: User) -> None:
    done = run_operation_here(queue_work.start_purge(actor=operator))
    assert (done.status, done.result) == ("completed", {"freed_bytes": 0, "kept": 0})


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, "Waits"),
        ({"attempts": 2}, "Tried 2 of"),
        ({"lease_token": "t"}, "Being told"),
        ({"given_up_at": NOON}, "Given up"),
        ({"done_at": NOON}, "Done"),
    ],
)
def test_an_entry_of_the_outbox_says_how_far_it_is(values: dict[str, Any], word: str) -> None:
    entry = OutboxEntry(kind="plex", payload={}, **values)
    assert OutboxLine.of(entry).word.startswith(word)


@pytest.mark.parametrize("name", ["outbox_retry", "outbox_drop"])
def test_what_is_told_already_is_neither_tried_again_nor_dropped(
    name: str, as_admin: Client
) -> None:
    entry = OutboxEntry.objects.create(kind="plex", payload={}, done_at=NOON)
    answer = as_admin.post(reverse(f"transcode:{name}", args=[entry.pk]), follow=True)
    assert "It is done, or being told at this moment." in answer.text
    entry.refresh_from_db()
    assert entry.done_at == NOON


def test_a_preset_of_an_older_version_cannot_be_queued_with_and_that_is_said(
    as_operator: Client,
) -> None:
    file = rows.make_file()
    Preset.objects.filter(slug="balanced").update(spec={"of": "another version"})
    html = as_operator.get(f"/queue/add/?ids={file.pk}&preset=balanced")
    assert "This preset cannot be used" in html.text
    assert not Job.objects.exists()
    assert as_operator.get(reverse("library:file_detail", args=[file.pk])).status_code == 200
