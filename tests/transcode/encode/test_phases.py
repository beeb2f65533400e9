"""Resuming, failing and stopping: what the phases leave behind and take up again."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from library.scanning.marker import write_marker
from mediaflow.base.failpoints import DECLARED
from tests.media import HOSTILE_NAMES, make_clip
from tests.transcode.encode.world import X265, clip_world, make_world, run_phases
from transcode.encoding import encode as encode_module
from transcode.encoding import ffmpeg
from transcode.encoding.problems import outcome_of
from transcode.encoding.process import FfmpegResult, run_ffmpeg
from transcode.encoding.records import RECORD_NAME, read_record, write_record
from transcode.models import Chunk, ChunkAttempt, ChunkStatus, Job
from transcode.outcomes import JobCancelled, JobFailed, JobOutcome, JobWaits
from transcode.planning.model import StreamKind
from transcode.running.phases import assemble, display_command, encode, prepare, read_encode_result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.encode.world import World

pytestmark = [pytest.mark.ffmpeg, pytest.mark.django_db]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return clip_world(tmp_path, "h264_mkv")


def use_stub(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> None:
    """An ffmpeg that answers -version and otherwise does what `body` says."""
    path = folder / "ffmpeg-stub"
    version = "print('ffmpeg version n9-stub Copyright')"
    text = f"#!{sys.executable}\nimport sys\nif '-version' in sys.argv: {version}; sys.exit()\n"
    path.write_text(text + body)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", str(path))


def count_encodes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command line that the encode phase runs from now on."""
    seen: list[list[str]] = []
    real = run_ffmpeg

    def run(argv: list[str], **options: object) -> object:
        seen.append(argv)
        return real(argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(encode_module, "run_ffmpeg", run)
    return seen


def test_a_finished_encode_is_used_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = count_encodes(monkeypatch)
    first = run_phases(world).output.read_bytes()
    again = run_phases(world).output.read_bytes()
    assert first == again
    assert len(seen) == 1
    world.job.refresh_from_db()
    assert world.job.resumed_chunks == 1
    assert Chunk.objects.get().status == ChunkStatus.DONE


def test_an_encode_that_was_recorded_but_not_marked_is_used_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_phases(world)
    Chunk.objects.update(status=ChunkStatus.PENDING)
    seen = count_encodes(monkeypatch)
    run_phases(world)
    assert seen == []
    assert Chunk.objects.get().status == ChunkStatus.DONE


@pytest.mark.parametrize("damage", ["bytes", "record", "gone"])
def test_a_finished_encode_that_is_not_what_it_was_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    output = run_phases(world).output
    if damage == "bytes":
        raw = bytearray(output.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        output.write_bytes(bytes(raw))
    elif damage == "record":
        (world.work_dir / RECORD_NAME).write_text("{half a rec")
    else:
        output.unlink()
    seen = count_encodes(monkeypatch)
    run_phases(world)
    assert len(seen) == 1


def test_another_plan_does_not_use_the_old_film(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_phases(world)
    seen = count_encodes(monkeypatch)
    world.spec = replace(X265, video=replace(X265.video, crf=30.0))
    run_phases(world)
    assert len(seen) == 1
    assert [a.status for a in ChunkAttempt.objects.order_by("pk")] == ["lost", "proven"]


def exchange_middle(source: Path) -> None:
    """Another film of the same size, head, tail and time."""
    before = source.stat()
    raw = bytearray(source.read_bytes())
    raw[len(raw) // 2] ^= 0x01
    source.write_bytes(bytes(raw))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_film_with_another_middle_is_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = clip_world(tmp_path, "h264_mkv", seconds=2, width=320, height=180, crf=1)
    assert world.source.stat().st_size > 4 * 65536, "the fingerprint would read all of it"
    context = world.context()
    first = prepare(context)
    encode(context, first)
    exchange_middle(world.source)
    seen = count_encodes(monkeypatch)
    context = world.context()
    second = prepare(context)
    assert second.plan.source_fingerprint == first.plan.source_fingerprint
    assert read_encode_result(context, second.plan) is None
    encode(context, second)
    assert len(seen) == 1


def test_a_plan_without_the_films_hash_uses_nothing_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = world.context()
    prepared = prepare(context)
    prepared = replace(prepared, plan=replace(prepared.plan, source_sha256=""))
    encode(context, prepared)
    seen = count_encodes(monkeypatch)
    encode(context, prepared)
    assert len(seen) == 1


def test_a_film_replaced_while_it_is_encoded_leaves_nothing_to_use_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = world.context()
    prepared = prepare(context)
    copy = world.source.with_name("copy")
    copy.write_bytes(world.source.read_bytes())
    copy.replace(world.source)
    with pytest.raises(JobFailed, match="source_changed") as failure:
        encode(context, prepared)
    assert failure.value.is_retryable
    assert not (world.work_dir / RECORD_NAME).exists()


def test_a_film_deleted_before_ffmpeg_opens_it_is_missing(world: World) -> None:
    context = world.context()
    prepared = prepare(context)
    world.source.unlink()
    with pytest.raises(JobFailed, match="encode_failed"):  # no id file: its disk may be away
        encode(context, prepared)
    write_marker(bytes(world.library.root_raw), world.library.marker_id)
    with pytest.raises(JobFailed, match="source_missing"):
        encode(context, prepared)


def test_how_ffmpeg_ended_is_known_after_a_resume(world: World) -> None:
    context = world.context()
    prepared = prepare(context)
    assert read_encode_result(context, prepared.plan) is None
    encode(context, prepared)
    result = read_encode_result(context, prepared.plan)
    assert result is not None
    assert result.is_ok
    assert result.argv[-1] == "encoded.part.mkv"
    other = replace(prepared.plan, source_fingerprint="other")
    assert read_encode_result(context, other) is None


def test_a_record_of_another_version_is_not_believed(world: World) -> None:
    context = world.context()
    prepared = prepare(context)
    encode(context, prepared)
    record = world.work_dir / RECORD_NAME
    record.write_text(json.dumps({**json.loads(record.read_text()), "version": 99}))
    assert read_encode_result(context, prepared.plan) is None


def test_assemble_can_be_repeated(world: World) -> None:
    context = world.context()
    prepared = prepare(context)
    output = assemble(context, prepared, encode(context, prepared))
    assert assemble(context, prepared, encode(context, prepared)) == output


def test_cancelling_stops_ffmpeg_and_leaves_no_half_film_that_counts(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepared = prepare(world.context())
    use_stub(
        monkeypatch,
        tmp_path,
        "import time; open(sys.argv[-1], 'w').write('x'); time.sleep(600)",
    )

    def checkpoint() -> None:
        if (world.work_dir / "encoded.part.mkv").exists():
            raise JobCancelled("cancelled", "Cancelled.")

    with pytest.raises(JobCancelled):
        encode(world.context(checkpoint), prepared)
    assert not (world.work_dir / RECORD_NAME).exists()
    assert ChunkAttempt.objects.get().status == "lost"


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ("sys.stderr.write('[error] boom\\n'); sys.exit(7)", JobFailed, "encode_failed"),
        ("import os; os.kill(os.getpid(), 9)", JobFailed, "encode_killed"),
        ("print('progress=end')", JobFailed, "encode_empty"),
        ("open(sys.argv[-1], 'w').write('x')", JobFailed, "encode_failed"),
        (
            "sys.stderr.write('av_interleaved_write_frame(): No space left on device\\n')\n"
            "sys.exit(228)",
            JobWaits,
            "disk_full",
        ),
        # Fault 8: a full disk and exit code 0.
        (
            "sys.stderr.write('Error writing trailer: No space left on device\\n')\n"
            "open(sys.argv[-1], 'w').write('x'); print('progress=end')",
            JobWaits,
            "disk_full",
        ),
    ],
)
def test_each_way_to_fail_has_its_reason(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    body: str,
    kind: type[JobOutcome],
    code: str,
) -> None:
    prepared = prepare(world.context())
    use_stub(monkeypatch, tmp_path, body)
    with pytest.raises(kind) as caught:
        encode(world.context(), prepared)
    assert caught.value.reason_code == code
    assert len(caught.value.reason) < 1000
    assert not list(world.work_dir.glob("encoded*"))


def test_an_encode_that_stood_still_says_so_and_is_tried_again(tmp_path: Path) -> None:
    result = FfmpegResult(("ffmpeg",), -15, ("[x265] frame 7",), False, 600.0, None, True)
    outcome = outcome_of(result, tmp_path / "encoded.part.mkv")
    assert isinstance(outcome, JobFailed)
    assert (outcome.reason_code, outcome.is_retryable) == ("encode_stalled", True)
    assert outcome.reason.startswith("ffmpeg stood still and was ended: “[x265] frame 7”.")


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("step", ["first pass", "cover"])
def test_what_comes_before_the_encode_fails_as_the_encode_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, is_there: bool
) -> None:
    kind = "cover_art" if step == "cover" else "h264_mkv"
    rule = replace(X265.video, crf=None, bit_rate_kbps=200, two_pass=True)
    spec = X265 if step == "cover" else replace(X265, video=rule, min_saving_pct=-1000)
    world = clip_world(tmp_path, kind, replace(spec, container="mkv"))
    write_marker(bytes(world.library.root_raw), world.library.marker_id)
    context = world.context()
    prepared = prepare(context)
    use_stub(monkeypatch, tmp_path, "sys.stderr.write('[error] boom\\n'); sys.exit(7)")
    if not is_there:
        world.source.unlink()
    with pytest.raises(JobFailed) as caught:
        encode(context, prepared)
    assert caught.value.reason_code == ("encode_failed" if is_there else "source_missing")
    assert not list(world.work_dir.glob("encoded*"))


def test_covers_that_are_mapped_need_no_file(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "cover_art", replace(X265, container="mp4"))
    context = world.context()
    plan = prepare(context).plan
    assert any(s.kind == StreamKind.COVER for s in plan.kept)
    encode_module.extract_covers(context, plan)
    assert list(world.work_dir.iterdir()) == []


def test_a_work_folder_that_takes_no_record_or_no_output_is_tried_again(world: World) -> None:
    context = world.context()
    prepared = prepare(context)
    encoded = encode(context, prepared)
    record = read_record(world.work_dir / RECORD_NAME)
    assert record is not None
    with pytest.raises(JobFailed) as caught:
        write_record(world.work_dir / "gone" / RECORD_NAME, record)
    assert (caught.value.reason_code, caught.value.is_retryable) == ("work_folder", True)
    assert encoded is not None
    encoded.unlink()
    with pytest.raises(JobFailed) as caught:
        assemble(context, prepared, encoded)
    assert (caught.value.reason_code, caught.value.is_retryable) == ("assemble_failed", True)
    assert "No such file or directory" in caught.value.reason


def test_a_failure_names_what_ffmpeg_said_and_its_command(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepared = prepare(world.context())
    use_stub(
        monkeypatch,
        tmp_path,
        "sys.stderr.write('[error] the real cause\\n[error] Conversion failed!\\n'); sys.exit(1)",
    )
    with pytest.raises(JobFailed) as caught:
        encode(world.context(), prepared)
    assert "the real cause" in caught.value.reason
    assert "Conversion failed" not in caught.value.reason
    assert "ffmpeg-stub" in caught.value.reason
    assert caught.value.is_retryable


def test_a_missing_ffmpeg_is_said_before_any_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(JobFailed) as caught:
        prepare(world.context())
    assert caught.value.reason_code == "ffmpeg_missing"


def test_the_failpoints_of_the_phases_are_declared() -> None:
    wanted = {"prepare.done", "encode.started", "encode.finished", "encode.recorded"}
    assert wanted | {"assemble.moved", "assemble.done"} <= set(DECLARED)


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_films_with_odd_names_are_encoded_and_run_nothing(tmp_path: Path, name: bytes) -> None:
    folder = os.fsencode(tmp_path / "films" / "100%d")
    source = make_clip("h264_mkv", os.path.join(folder, name))
    world = make_world(tmp_path, source)
    result = run_phases(world)
    assert result.index.frames == result.prepared.index.frames
    assert not list(tmp_path.rglob("canary"))
    assert all(line.isprintable() for line in world.log)


def test_a_chunk_of_another_plan_begins_anew_and_only_its_own_columns_are_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(world.context())
    earlier = {"plan_hash": "another", "status": ChunkStatus.DONE, "sha256": "a", "size_bytes": 9}
    chunk = Chunk.objects.create(job_id=world.context().job_id, index=0, **earlier)
    real = Chunk.objects.get_or_create

    def read_and_then_noted(**wanted: Any) -> tuple[Chunk, bool]:
        found = real(**wanted)
        Chunk.objects.update(encoder_note="said meanwhile")
        return found

    monkeypatch.setattr(Chunk.objects, "get_or_create", read_and_then_noted)
    digest = prepared.plan.digest()
    encode_module._own_chunk(world.context(), prepared.plan, digest)
    chunk.refresh_from_db()
    assert (chunk.plan_hash, chunk.status, chunk.sha256, chunk.size_bytes) == (
        digest, ChunkStatus.PENDING, "", None,
    )  # fmt: skip
    assert chunk.encoder_note == "said meanwhile"


def test_the_displayed_command_is_one_printable_line(tmp_path: Path, world: World) -> None:
    plan = prepare(world.context()).plan
    text = display_command(plan, b"/films/\xff\nfilm.mkv", "output.mkv")
    assert text.isprintable()
    assert "\\xff\\nfilm.mkv" in text or "\\udcff\\nfilm.mkv" in text
    assert text.endswith("output.mkv")


def test_encoders_are_listed_and_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"libx264", "libx265", "libsvtav1", "aac", "libopus"} <= ffmpeg.list_encoders()
    assert ffmpeg.encoder_works("libx265").is_working
    assert ffmpeg.encoder_works("aac", is_audio=True).is_working
    failed = ffmpeg.encoder_works("no_such_encoder")
    assert not failed.is_working
    assert "no_such_encoder" in failed.problem


def test_an_encoder_that_hangs_in_its_trial_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(argv: list[str], timeout_s: float) -> None:
        raise subprocess.TimeoutExpired(argv, timeout_s)

    ffmpeg.find_ffmpeg()  # remembered, so that only the trial hangs
    monkeypatch.setattr(ffmpeg, "_run_briefly", hang)
    found = ffmpeg.encoder_works("h264_vaapi")
    assert (found.is_working, found.problem) == (False, "did not finish within 60 s")


def test_a_broken_installation_names_the_variable_that_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.delenv("MEDIAFLOW_FFMPEG", raising=False)
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", missing)
    with pytest.raises(ffmpeg.FfmpegMissing, match="MEDIAFLOW_FFMPEG"):
        ffmpeg.find_ffmpeg()


def test_a_program_that_is_no_ffmpeg_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLOW_FFMPEG", "/bin/true")
    with pytest.raises(ffmpeg.FfmpegMissing):
        ffmpeg.find_ffmpeg()


def test_the_job_row_is_not_touched_by_anyone_without_the_token(world: World) -> None:
    run_phases(world)
    Job.objects.filter(pk=world.job.pk).update(lease_token="other")
    run_phases(world)
    world.job.refresh_from_db()
    assert world.job.resumed_chunks == 0
