"""The commands of the queue: what they print, how they exit, what bad input gets."""

from __future__ import annotations

import json
import signal
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from library.models import MediaFile
from tests.media import make_clip
from tests.transcode.live_queue import LiveQueue, live_queue, wait_for
from tests.transcode.makers import make_file, make_job, make_jobs, make_library, make_preset
from transcode.models import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Instance

JOB_KEYS = {
    "id", "file", "state", "phase", "progress", "preset", "encoder", "crf", "server",
    "source_bytes", "output_bytes", "predicted_bytes", "vmaf", "frames", "chunks",
    "resumed_chunks", "seconds", "error", "reason", "output_path", "trash_path",
}  # fmt: skip


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def refusal(*args: str) -> str:
    """The sentence of a command that refuses its input with exit code 2."""
    with pytest.raises(CommandError) as caught:
        call_command(*args, stdout=StringIO())
    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.django_db
def test_jobs_prints_every_key_of_the_interface() -> None:
    jobs = make_jobs(2)
    document = json.loads(run("jobs", "--json"))
    assert [job["id"] for job in document["jobs"]] == [job.pk for job in jobs]
    assert set(document["jobs"][0]) >= JOB_KEYS
    assert document["jobs"][0]["chunks"] == 0


@pytest.mark.django_db
def test_jobs_shows_some_by_number_or_state() -> None:
    library = make_library()
    failed = make_job(make_file(library, "a.mkv"), "failed", reason="Too short.")
    make_job(make_file(library, "b.mkv"))
    assert [j["id"] for j in json.loads(run("jobs", str(failed.pk), "--json"))["jobs"]] == [
        failed.pk
    ]
    (job,) = json.loads(run("jobs", "--state", "failed", "--json"))["jobs"]
    assert job["error"] == "Too short."
    assert "Too short." in run("jobs")
    assert run("jobs", "--state", "held") == "No jobs are held.\n"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "args",
    [
        ("jobs", "x"),
        ("jobs", "0"),
        ("jobs", "-5"),
        ("jobs", "99999999999999999999999"),
        ("jobs", "٣"),
        ("jobs", "4711"),
        ("jobs", "--state", "done"),
        ("undo", "4711"),
        ("undo", "x"),
        ("enqueue", "/films", "--preset", "no-such"),
        ("enqueue", "--preset", "balanced"),
        ("enqueue", "/", "--filter", "codec=h264", "--preset", "balanced"),
        ("enqueue", "--filter", "no_such=1", "--preset", "balanced"),
        ("enqueue", "/no/such/path", "--preset", "balanced"),
        ("enqueue", "nul\0", "--preset", "balanced"),
        ("enqueue", "", "--preset", "balanced"),
        ("enqueue", "/", "--preset", "balanced"),
        ("work", "--slots", "0"),
        ("work", "--slots", "-1"),
        ("work", "--slots", "99999999999999999999"),
        ("optimize", "/no/such/path"),
        ("optimize", "/", "--preset", "no-such"),
        ("optimize", "/", "--target-vmaf", "high"),
        ("optimize", "/", "--target-vmaf", "120"),
        ("optimize", "/", "--target-vmaf", "nan"),
        ("optimize", "/", "--target-vmaf", "95", "--preset", "remux"),
        ("enqueue", "/", "--target-vmaf", "0", "--preset", "balanced"),
        ("optimize", "/", "--output-dir", "/no/such/folder"),
        ("optimize", "/", "--output-dir", "/etc/hostname"),
        ("run_job",),
        ("run_job", "0"),
        ("run_job", "4711"),
        ("run_job", "99999999999999999999"),
        ("run_job", "--spare"),
        ("run_operation", "4711"),
        ("run_operation", "99999999999999999999"),
    ],
    ids=lambda args: " ".join(args).replace("\0", "NUL"),
)
def test_bad_input_gets_one_sentence_and_exit_code_2(args: tuple[str, ...]) -> None:
    # "--" lets numbers below zero through to the command itself.
    assert len(refusal(*args[:1], *_protected(args[1:]))) > 15
    assert not Job.objects.exists()


def _protected(args: tuple[str, ...]) -> tuple[str, ...]:
    return ("--", *args) if any(a.startswith("-") and a[1:2].isdigit() for a in args[:1]) else args


@pytest.mark.django_db
def test_enqueue_queues_by_filter_and_says_what_it_left_out() -> None:
    preset = make_preset()
    library = make_library()
    make_file(library, "a.mkv", video_codec="h264")
    make_file(library, "b.mkv", video_codec="h264", kind="disc")
    dry = json.loads(
        run("enqueue", "--filter", "codec=h264", "--preset", preset.slug, "--dry-run", "--json")
    )
    assert [job["file"] for job in dry["jobs"]] == ["/films/a.mkv"]
    assert not Job.objects.exists()
    done = json.loads(run("enqueue", "--filter", "codec=h264", "--preset", preset.slug, "--json"))
    assert done["jobs"] == [{"id": Job.objects.get().pk, "file": "/films/a.mkv", "state": "queued"}]
    assert done["skipped"] == [
        {"file": "b.mkv", "reason": "Disc folders and images are listed, never encoded."}
    ]


@pytest.mark.django_db
def test_enqueue_takes_folders_and_films_and_only_what_lies_there(tmp_path: Path) -> None:
    preset = make_preset()
    library = make_library(root=bytes(tmp_path))
    for name in ("in/a.mkv", "in/sub/b.mkv", "in0/c.mkv", "in-d.mkv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        make_file(library, name, state="ignored" if name.startswith("in-") else "new")
    text = run("enqueue", str(tmp_path / "in"), str(tmp_path / "in-d.mkv"), "--preset", preset.slug)
    assert text == "3 queued, 0 skipped.\n"
    queued = set(MediaFile.objects.filter(state="queued").values_list("path", flat=True))
    assert queued == {"in/a.mkv", "in/sub/b.mkv", "in-d.mkv"}


@pytest.mark.django_db
def test_a_film_that_no_library_knows_is_not_queued(tmp_path: Path) -> None:
    (tmp_path / "stranger.mkv").touch()
    assert "mediaflow scan" in refusal(
        "enqueue", str(tmp_path / "stranger.mkv"), "--preset", "balanced"
    )
    make_library(root=bytes(tmp_path))
    assert "mediaflow scan" in refusal(
        "enqueue", str(tmp_path / "stranger.mkv"), "--preset", "balanced"
    )


@pytest.mark.django_db
def test_undo_of_a_job_that_replaced_nothing_is_refused_with_its_reason() -> None:
    (job,) = make_jobs(1)
    out = StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("undo", str(job.pk), "--json", stdout=out)
    assert caught.value.code == 1
    document: dict[str, Any] = json.loads(out.getvalue())
    assert document["undone"] == []
    assert document["refused"][0]["id"] == job.pk
    assert document["refused"][0]["reason"]


@pytest.fixture
def queue(instance: Instance, tmp_path: Path) -> Iterator[LiveQueue]:
    with live_queue(instance, tmp_path / "films") as prepared:
        yield prepared


_PRESET = (
    "from transcode.models import Preset\n"
    "from tests.transcode.live_queue import FAST_SPEC, SLOW_SPEC\n"
    "for slug, spec in (('fast', FAST_SPEC), ('slow', SLOW_SPEC)):\n"
    "    Preset.objects.create(slug=slug, name=slug + ' test', spec=spec)"
)


@pytest.mark.ffmpeg
@pytest.mark.parametrize("has_consumer", [False, True], ids=["alone", "beside a consumer"])
def test_optimize_replaces_and_undo_puts_back(queue: LiveQueue, has_consumer: bool) -> None:
    film = make_clip("h264_mkv", queue.films / "A Film (2001).mkv", 1, crf=12)
    before = film.read_bytes()
    queue.shell(_PRESET)
    if has_consumer:
        queue.consumer()
        wait_for(lambda: queue.rows("select * from base_heartbeat"), "the consumer's pulse")
    result = queue.instance.run("optimize", str(film), "--preset", "fast", "--json")
    assert result.returncode == 0, result.stderr + result.stdout
    (job,) = json.loads(result.stdout)["jobs"]
    assert (job["state"], job["file"], job["preset"]) == ("completed", str(film), "fast")
    assert job["output_bytes"] == film.stat().st_size < len(before)
    assert set(job) >= JOB_KEYS
    again = queue.instance.run("optimize", str(queue.films), "--preset", "fast", "--json")
    assert again.returncode == 0
    assert [s["file"] for s in json.loads(again.stdout)["skipped"]] == ["A Film (2001).mkv"]
    undo = queue.instance.run("undo", str(job["id"]), "--json")
    assert undo.returncode == 0, undo.stderr
    assert json.loads(undo.stdout) == {
        "undone": [{"id": job["id"], "file": str(film)}],
        "refused": [],
    }
    assert film.read_bytes() == before
    assert queue.instance.run("undo", str(job["id"])).returncode == 1


@pytest.mark.ffmpeg
def test_optimize_into_another_folder_leaves_the_films_alone(
    queue: LiveQueue, tmp_path: Path
) -> None:
    film = make_clip("h264_mkv", queue.films / "a.mkv", 1, crf=12)
    before = film.stat()
    out = tmp_path / "out"
    out.mkdir()
    queue.shell(_PRESET)
    result = queue.instance.run(
        "optimize", str(queue.films), "--preset", "fast", "--output-dir", str(out)
    )
    assert result.returncode == 0, result.stderr
    assert "the originals are untouched" in result.stdout
    assert [path.suffix for path in out.iterdir()] == [".mkv"]
    after = film.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.ffmpeg
def test_ctrl_c_hands_back_what_optimize_runs_and_work_finishes_it(queue: LiveQueue) -> None:
    make_clip("h264_mkv", queue.films / "a.mkv", 2, crf=12)
    queue.shell(_PRESET)
    optimize = queue.start("optimize", str(queue.films), "--preset", "slow")
    with queue.stopped_encoder():
        optimize.send_signal(signal.SIGINT)
    text = optimize.communicate(timeout=180)[0]
    assert optimize.returncode == 130
    assert "stays in the queue" in text
    assert "Traceback" not in text
    queue.wait_until_alone()
    assert queue.statuses() == ["queued"]
    result = queue.instance.run("work", "--drain", "--slots", "2", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["completed"], document["skipped"], document["failed"]) == (1, 0, 0)
    assert document["seconds"] > 0


@pytest.mark.ffmpeg
def test_work_drains_what_it_can_and_says_what_is_left(queue: LiveQueue) -> None:
    queue.prepare(2)
    queue.shell("from transcode.services import pause_job; pause_job(2, actor=None)")
    result = queue.instance.run("work", "--drain")
    assert result.returncode == 1
    assert "1 completed" in result.stdout
    assert "1 left" in result.stdout
    queue.shell("from transcode.services import pause_queue; pause_queue('The trash is full.')")
    result = queue.instance.run("work", "--drain", "--json")
    assert result.returncode == 1
    assert json.loads(result.stdout)["stopped_by"] == "The queue is paused: The trash is full."
