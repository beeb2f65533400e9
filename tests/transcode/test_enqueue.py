"""Queueing films: in order, set-based, with a plain reason for every film that is left out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from library.models import Library, MediaFile, Recommendation, RecommendationState
from mediaflow.base.models import AuditEvent
from mediaflow.base.operations import run_operation_here, start_operation
from tests.transcode.makers import UNFIT_FILMS, make_file, make_job, make_library, make_preset
from transcode.models import Job, JobStatus, OutputMode, Preset
from transcode.presets.spec import PresetSpec
from transcode.queue import enqueue as enqueue_module
from transcode.queue.bulk_work import COUNT_KIND
from transcode.queue.enqueue import REASONS, EnqueueOrder, find_eligible, find_skipped
from transcode.queue.recommended import known_cause, origin_of
from transcode.services import QueueProblem, enqueue_files, start_enqueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def preset() -> Preset:
    return make_preset()


def queue(files: Any, preset: Preset, **values: Any) -> enqueue_module.EnqueueResult:
    return enqueue_files(files=files, preset=preset, actor=None, **values)


def test_queued_films_become_jobs_in_the_order_of_their_names(
    library: Library, preset: Preset, operator: User
) -> None:
    for name in ("c.mkv", "a.mkv", "b.mkv"):
        make_file(library, name, size_bytes=77)
    result = enqueue_files(files=MediaFile.objects.all(), preset=preset, actor=operator, priority=3)
    jobs = list(Job.objects.order_by("position"))
    assert result.jobs == [job.pk for job in jobs]
    assert [job.file_path for job in jobs] == ["/films/a.mkv", "/films/b.mkv", "/films/c.mkv"]
    first = jobs[0]
    first.full_clean(exclude=["output_dir_raw", "source_snapshot"])
    assert PresetSpec.from_json(first.preset_spec) == PresetSpec()
    assert (first.status, first.priority, first.requested_by, first.source_bytes) == (
        JobStatus.QUEUED,
        3,
        operator,
        77,
    )
    assert len({job.uuid for job in jobs}) == 3
    assert all(job.uuid.version == 4 for job in jobs)
    assert set(MediaFile.objects.values_list("state", flat=True)) == {"queued"}
    event = AuditEvent.objects.get(action="job.queue")
    assert (event.actor, event.subject) == (operator, "3 films with small")


def test_a_row_made_by_one_statement_equals_one_made_by_the_model(
    library: Library, preset: Preset
) -> None:
    queue([make_file(library).pk], preset)
    made = Job.objects.get()
    plain = Job(
        file=made.file,
        file_path="/films/a.mkv",
        library_name="Films",
        preset=preset,
        preset_slug="small",
        preset_name="Small",
        preset_spec=preset.spec,
        source_bytes=1_000_000,
        position=made.position,
        uuid=made.uuid,
        created_at=made.created_at,
    )
    names = [f.attname for f in Job._meta.concrete_fields if not f.primary_key]
    assert {n: getattr(made, n) for n in names} == {n: getattr(plain, n) for n in names}


def test_later_films_go_behind_earlier_ones(library: Library, preset: Preset) -> None:
    first = queue([make_file(library, "z.mkv").pk], preset).jobs
    second = queue([make_file(library, "a.mkv").pk], preset).jobs
    order = Job.objects.order_by("position").values_list("pk", flat=True)
    assert list(order) == first + second


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"removed_from_list_at": timezone.now()}, "not_listed"),
        *UNFIT_FILMS,
    ],
)
def test_a_film_that_cannot_be_queued_is_skipped_with_its_reason(
    library: Library, preset: Preset, change: dict[str, Any], code: str
) -> None:
    file = make_file(library, **change)
    result = queue([file.pk], preset)
    assert result.jobs == []
    assert [(s.file_id, s.path, s.code) for s in result.skipped] == [(file.pk, "a.mkv", code)]
    assert result.skipped[0].reason == REASONS[code]
    file.refresh_from_db()
    assert file.state == change.get("state", "new")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_enabled": False}, "library_disabled"),
        ({"frozen_reason": "Lost too many files."}, "library_frozen"),
        ({"is_replace_allowed": False}, "replace_off"),
    ],
)
def test_a_library_can_keep_its_films_out_of_the_queue(
    preset: Preset, change: dict[str, Any], code: str
) -> None:
    file = make_file(make_library(**change))
    assert [s.code for s in queue([file.pk], preset).skipped] == [code]


@pytest.mark.parametrize("status", ["queued", "running", "retry_wait", "held"])
def test_a_film_with_an_active_job_is_not_queued_again(
    library: Library, preset: Preset, status: str
) -> None:
    file = make_file(library)
    make_job(file, status)
    assert [s.code for s in queue([file.pk], preset).skipped] == ["already_queued"]


def _done(file: MediaFile, **values: Any) -> None:
    values = {"status": JobStatus.COMPLETED, **values}
    make_job(file, **values)
    MediaFile.objects.filter(pk=file.pk).update(state="completed")


@pytest.mark.parametrize(
    ("before", "is_queued"),
    [
        (_done, False),
        (lambda file: _done(file, undone_at=timezone.now()), True),
        (lambda file: _done(file, status=JobStatus.FAILED), True),
        (lambda file: make_job(file, "skipped", reason_code="not_worth_it"), False),
        (lambda file: make_job(file, "skipped", reason_code="hard_link"), True),
        (
            lambda file: make_job(
                file,
                "skipped",
                reason_code="not_worth_it",
                created_at=timezone.now() - timedelta(days=1),
            ),
            True,
        ),
        (lambda file: _done(file, output_mode=OutputMode.BESIDE), True),
    ],
    ids=[
        "completed",
        "undone",
        "failed",
        "not worth it",
        "hard link",
        "not worth it with the preset as it was",
        "written beside",
    ],
)
def test_what_was_done_before_with_this_preset_counts(
    library: Library, preset: Preset, before: Callable[[MediaFile], None], is_queued: bool
) -> None:
    file = make_file(library)
    before(file)
    assert bool(queue([file.pk], preset).jobs) == is_queued


def test_another_preset_may_follow(library: Library, preset: Preset) -> None:
    file = make_file(library, mediaflow_tag="d6f4;small")
    _done(file)
    assert queue([file.pk], make_preset("another")).jobs


def test_a_film_that_became_another_is_tried_again(library: Library, preset: Preset) -> None:
    file = make_file(library)
    make_job(file, "skipped", reason_code="not_worth_it")
    MediaFile.objects.update(size_bytes=2_000_000)
    assert queue([file.pk], preset).jobs


def test_an_ignored_film_is_queued_when_a_person_names_it(library: Library, preset: Preset) -> None:
    file = make_file(library, state="ignored")
    assert queue([file.pk], preset, includes_ignored=True).jobs


def test_copies_into_a_folder_are_made_once_for_each_folder(
    library: Library, preset: Preset
) -> None:
    file = make_file(library)
    folder = {"output_mode": OutputMode.FOLDER, "output_dir": b"/out"}
    (job_id,) = queue([file.pk], preset, **folder).jobs
    job = Job.objects.get(pk=job_id)
    assert (job.output_mode, bytes(job.output_dir_raw or b"")) == ("folder", b"/out")
    Job.objects.update(status=JobStatus.COMPLETED)
    assert [s.code for s in queue([file.pk], preset, **folder).skipped] == ["already_done"]
    assert queue([file.pk], preset, output_mode="folder", output_dir=b"/else").jobs


def test_the_preset_says_whether_to_replace(library: Library) -> None:
    queue([make_file(library).pk], make_preset(output="beside"))
    assert Job.objects.get().output_mode == OutputMode.BESIDE


@pytest.mark.parametrize(
    "values", [{"priority": 101}, {"priority": -(10**12)}, {"output_mode": "folder"}]
)
def test_a_wrong_order_is_refused_with_a_sentence(
    library: Library, preset: Preset, values: dict[str, Any]
) -> None:
    with pytest.raises(QueueProblem):
        queue([make_file(library).pk], preset, **values)
    assert not Job.objects.exists()


def test_a_dry_look_changes_nothing(library: Library, preset: Preset) -> None:
    good, bad = make_file(library, "a.mkv"), make_file(library, "b.mkv", kind="disc")
    order = EnqueueOrder(preset)
    files = MediaFile.objects.all()
    assert list(find_eligible(files, order)) == [good]
    assert [s.file_id for s in find_skipped(files, order)] == [bad.pk]
    assert not Job.objects.exists()


def test_many_films_take_a_constant_number_of_queries(
    library: Library, preset: Preset, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        make_file(library, f"{number}.mkv")
    with django_assert_max_num_queries(12):
        assert len(queue(MediaFile.objects.all(), preset).jobs) == 50


def test_ids_are_taken_in_parts(
    library: Library, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enqueue_module, "ID_BATCH", 2)
    ids = [make_file(library, f"{number}.mkv").pk for number in range(5)]
    assert len(queue(ids, preset).jobs) == 5
    assert len(set(Job.objects.values_list("position", flat=True))) == 5


def test_queueing_by_filter_is_an_operation_that_can_be_repeated(
    library: Library, preset: Preset, operator: User
) -> None:
    make_file(library, "a.mkv", video_codec="h264", search_text="a")
    make_file(library, "b.mkv", video_codec="hevc", search_text="b")
    make_file(library, "c.mkv", video_codec="h264", search_text="c", availability="missing")
    for queued, reasons in ((1, {"missing"}), (0, {"missing", "already_queued"})):
        done = run_operation_here(start_enqueue(query="codec=h264", preset=preset, actor=operator))
        assert done.status == "completed"
        assert done.result["queued"] == queued
        found = {skip["reason"] for skip in done.result["skipped"]}
        assert found == {REASONS[code] for code in reasons}
    assert Job.objects.get().requested_by == operator


def test_queueing_by_a_filter_with_a_preset_that_is_gone_fails_with_a_sentence(
    preset: Preset,
) -> None:
    operation = start_enqueue(query="", preset=preset, actor=None)
    preset.delete()
    done = run_operation_here(operation)
    assert (done.status, done.message) == (
        "failed",
        "The preset 'small' does not exist any more.",
    )


def test_queueing_by_a_filter_that_cannot_be_begun_fails_with_a_sentence(
    library: Library, preset: Preset
) -> None:
    make_file(library)
    operation = start_enqueue(query="", preset=preset, actor=None, output_mode="folder")
    done = run_operation_here(operation)
    assert (done.status, done.message) == ("failed", "Name the folder that the new films go to.")
    assert not Job.objects.exists()


def _recommendation(library: Library, kind: str, file: MediaFile | None = None) -> Recommendation:
    return Recommendation.objects.create(
        kind=kind, library=library, file=file, group_key="" if file else "alike"
    )


def test_films_of_a_group_name_the_recommendation_and_it_counts_as_accepted(
    library: Library, preset: Preset, operator: User
) -> None:
    group = _recommendation(library, "batch")
    files = [make_file(library, f"{number}.mkv") for number in range(3)]
    queue([file.pk for file in files[:2]], preset, cause=str(group.pk))
    assert set(Job.objects.values_list("recommendation", "origin")) == {
        (group.pk, origin_of("batch"))
    }
    group.refresh_from_db()
    assert group.state == RecommendationState.ACCEPTED


def test_a_recommendation_that_went_meanwhile_does_not_keep_its_films_from_the_queue(
    library: Library, preset: Preset
) -> None:
    group = _recommendation(library, "batch")
    file = make_file(library)
    operation = start_enqueue(query="", preset=preset, actor=None, cause=str(group.pk))
    group.delete()
    assert run_operation_here(operation).status == "completed"
    job = Job.objects.get()
    assert (job.file, job.recommendation) == (file, None)
    connection.check_constraints()


def test_each_film_of_a_kind_names_its_own_recommendation(library: Library, preset: Preset) -> None:
    mine, none = make_file(library, "a.mkv"), make_file(library, "b.mkv")
    found = _recommendation(library, "codec", mine)
    queue([mine.pk, none.pk], preset, cause="codec")
    assert dict(Job.objects.values_list("file", "recommendation")) == {
        mine.pk: found.pk,
        none.pk: None,
    }


@pytest.mark.parametrize(
    ("text", "is_known"), [("codec", True), ("", False), ("99", False), ("1; DROP", False)]
)
def test_a_cause_that_is_none_is_not_taken(db: None, text: str, is_known: bool) -> None:
    assert known_cause(text) == (text if is_known else "")


def test_the_number_of_a_recommendation_is_a_cause(library: Library) -> None:
    group = _recommendation(library, "batch")
    assert known_cause(str(group.pk)) == str(group.pk)


@pytest.mark.parametrize("is_gone", [True, False])
def test_what_queueing_would_do_is_counted_by_verdict(
    library: Library, preset: Preset, is_gone: bool
) -> None:
    make_file(library, "a.mkv", size_bytes=7)
    make_file(library, "b.mkv", size_bytes=5, availability="missing")
    args = {"query": "", "preset": preset.slug, "output_mode": "replace"}
    operation = start_operation(kind=COUNT_KIND, title="Count", args=args)
    if is_gone:
        preset.delete()
    done = run_operation_here(operation)
    if is_gone:
        assert (done.status, "does not exist any more" in done.message) == ("failed", True)
    else:
        assert done.result["verdicts"] == {"": [1, 7], "missing": [1, 5]}
    assert not Job.objects.exists()
