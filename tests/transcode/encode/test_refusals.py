"""Films that are turned down before the first second of work, each with its reason."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from library.models import Availability
from tests.transcode.encode.films import AV1, COPY, X265, audio, film, plan_for, video
from tests.transcode.encode.world import clip_world, make_world, run_phases
from transcode.models import OutputMode
from transcode.outcomes import JobFailed, JobHeld, JobOutcome, JobSkipped, JobWaits
from transcode.planning import refusals
from transcode.prediction.estimate import estimate_size, facts_of_info
from transcode.running.phases import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from library.media_info import MediaInfo
    from tests.transcode.encode.world import World
    from transcode.presets.spec import PresetSpec

pytestmark = pytest.mark.django_db


def check(world: World, **policy: object) -> None:
    wanted = refusals.policy_of(world.file, output_mode=OutputMode.REPLACE)
    refusals.refuse_by_directory(os.fsencode(world.source), replace(wanted, **policy))  # type: ignore[arg-type]


def reason_of(world: World, kind: type[JobOutcome] = JobSkipped, **policy: object) -> str:
    with pytest.raises(kind) as caught:
        check(world, **policy)
    assert caught.value.reason.endswith((".", "?"))
    return caught.value.reason_code


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A film of some bytes; nothing here looks into it."""
    source = tmp_path / "films" / "a" / "film.mkv"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"x" * 5000)
    return make_world(tmp_path, source)


def test_an_ordinary_film_is_not_refused(world: World) -> None:
    check(world)


def test_a_film_that_is_gone_fails(world: World) -> None:
    world.source.unlink()
    assert reason_of(world, JobFailed) == "source_missing"


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_a_disk_that_does_not_answer_is_waited_for(world: World, code: int) -> None:
    with mock.patch("os.lstat", side_effect=OSError(code, os.strerror(code))):
        assert reason_of(world, JobWaits) == "source_unreachable"


@pytest.mark.parametrize(
    ("code", "kind", "reason_code"),
    [
        (errno.EIO, JobWaits, "source_unreachable"),
        (errno.ENOENT, JobWaits, "source_unreachable"),
        (errno.EACCES, JobFailed, "source_unreadable"),
        (errno.ELOOP, JobSkipped, "outside_library"),  # a link since the first look
    ],
)
@pytest.mark.parametrize("place", ["films", "a", "film.mkv"])
def test_a_film_that_cannot_be_opened_says_why(
    world: World, place: str, code: int, kind: type[JobOutcome], reason_code: str
) -> None:
    """What the disk says of the library's folder, of one below it, of the film itself."""
    real, opened = os.open, []

    def refuse(path: bytes, flags: int, **options: int) -> int:
        if os.path.basename(path) == place.encode():
            raise OSError(code, os.strerror(code))
        opened.append(real(path, flags, **options))
        return opened[-1]

    with mock.patch("os.open", refuse):
        assert reason_of(world, kind) == reason_code
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_film_that_is_exchanged_between_two_looks_is_left_alone(world: World) -> None:
    other = world.source.with_name("other.mkv")
    other.write_bytes(b"y" * 5000)
    with mock.patch("os.lstat", return_value=other.lstat()):
        assert reason_of(world) == "outside_library"


def test_a_pipe_with_the_name_of_a_film_is_skipped(world: World) -> None:
    world.source.unlink()
    os.mkfifo(world.source)
    assert reason_of(world) == "not_a_file"


def test_an_empty_file_is_skipped(world: World) -> None:
    world.source.write_bytes(b"")
    assert reason_of(world) == "zero_length"


def test_a_symbolic_link_is_not_followed(world: World) -> None:
    real = world.source.with_name("real.mkv")
    world.source.rename(real)
    world.source.symlink_to(real)
    assert reason_of(world) == "symlink"


def test_a_folder_that_is_a_link_leads_out_of_the_library(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    world.source.parent.rename(outside)
    world.source.parent.symlink_to(outside)
    assert reason_of(world) == "outside_library"


def test_a_path_with_dots_is_outside(world: World, tmp_path: Path) -> None:
    stray = tmp_path / "stray.mkv"
    stray.write_bytes(b"x" * 100)
    assert reason_of(replace(world, source=stray)) == "outside_library"


def test_a_file_with_holes_is_skipped(world: World) -> None:
    os.truncate(world.source, 8 << 20)
    os.utime(world.source, (1_700_000_000, 1_700_000_000))  # quiet for long: not growing
    assert reason_of(world) == "sparse"


def test_a_file_that_grew_since_the_scan_waits(world: World) -> None:
    with world.source.open("ab") as handle:
        handle.write(b"more")
    with pytest.raises(JobWaits) as caught:
        check(world)
    assert caught.value.reason_code == "growing"
    assert caught.value.delay_s >= world.library.settle_window_s


def test_a_file_that_changed_long_ago_does_not_wait(world: World) -> None:
    with world.source.open("ab") as handle:
        handle.write(b"more")
    long_ago = time.time() - 10_000
    os.utime(world.source, (long_ago, long_ago))
    check(world)


def test_a_file_that_the_scan_saw_growing_waits(world: World) -> None:
    world.file.availability = Availability.GROWING
    assert reason_of(world, JobWaits) == "growing"


def test_a_hard_linked_film_is_skipped_by_policy_and_replaced_by_another(world: World) -> None:
    os.link(world.source, world.source.with_name("second.mkv"))
    assert reason_of(world) == "hard_linked"
    check(world, hard_link_policy="replace")
    check(world, output_mode=OutputMode.BESIDE)


@pytest.mark.parametrize("folder", ["a", "/a/", "a/film.mkv"])
def test_folders_marked_never_replace_are_left_alone(world: World, folder: str) -> None:
    assert reason_of(world, never_replace=(folder,)) == "never_replace"


def test_a_folder_that_only_begins_alike_is_not_meant(world: World) -> None:
    check(world, never_replace=("a/fil", ""))


def test_a_library_that_forbids_replacing_is_obeyed(world: World) -> None:
    assert reason_of(world, is_replace_allowed=False) == "replace_not_allowed"


def test_a_read_only_disk_needs_a_person(world: World) -> None:
    with mock.patch("os.statvfs", return_value=mock.Mock(f_flag=os.ST_RDONLY)):
        assert reason_of(world, JobHeld) == "read_only"


def test_a_folder_without_permission_needs_a_person(world: World) -> None:
    with mock.patch("os.access", return_value=False):
        assert reason_of(world, JobHeld) == "folder_not_writable"


def test_a_sticky_folder_of_somebody_else_needs_a_person(world: World) -> None:
    world.source.parent.chmod(0o1777)
    with mock.patch("os.geteuid", return_value=54321), mock.patch("os.access", return_value=True):
        # Root owns the files of this test or the test's user does: another user may not move them.
        assert reason_of(world, JobHeld) == "folder_not_writable"


def test_an_output_folder_that_is_not_there_is_waited_for(world: World, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "nowhere")
    assert (
        reason_of(world, JobWaits, output_mode=OutputMode.FOLDER, output_dir=folder)
        == "folder_unreachable"
    )


# By what is in the film, and what would come of it


def refuse_plan(info: MediaInfo, spec: PresetSpec) -> None:
    plan = plan_for(info, spec)
    refusals.refuse_by_plan(info, plan, spec, estimate_size(facts_of_info(info), spec))


def film_of(kbps: int, **values: object) -> MediaInfo:
    """An hour of film at this bit rate."""
    size_bytes = kbps * 125 * 3600
    picture = video(**values)
    return film(picture, size_bytes=size_bytes, duration_s=3600.0, bit_rate_kbps=kbps)


def test_a_usual_film_is_worth_trying() -> None:
    refuse_plan(film_of(8000), X265)


def test_an_efficient_film_is_skipped() -> None:
    with pytest.raises(JobSkipped) as caught:
        refuse_plan(film_of(600, codec="hevc"), X265)
    assert caught.value.reason_code == "already_efficient"


def test_a_film_too_small_to_gain_is_skipped() -> None:
    with pytest.raises(JobSkipped) as caught:
        refuse_plan(film_of(250), hevc_at(12))
    assert caught.value.reason_code == "too_small_gain"


def hevc_at(crf: float) -> PresetSpec:
    return replace(X265, video=replace(X265.video, crf=crf))


def test_a_copy_that_changes_nothing_is_skipped() -> None:
    with pytest.raises(JobSkipped) as caught:
        refuse_plan(film(), COPY)
    assert caught.value.reason_code == "already_as_wanted"


def test_a_copy_into_another_container_is_done() -> None:
    refuse_plan(film(container="mp4"), COPY)


def test_a_copy_that_drops_a_track_is_done() -> None:
    info = film(audio=(audio(1, language="eng"), audio(2, language="deu")))
    refuse_plan(info, replace(COPY, audio=replace(COPY.audio, languages=("eng",))))


def test_a_film_made_with_the_same_preset_is_skipped_and_with_another_not() -> None:
    info = film(tags={"MEDIAFLOW": "7d2f;balanced"})
    refusals.refuse_done(info, "storage-saver")
    with pytest.raises(JobSkipped) as caught:
        refusals.refuse_done(info, "balanced")
    assert caught.value.reason_code == "already_done"


def test_the_tag_among_the_keywords_of_an_mp4_counts() -> None:
    with pytest.raises(JobSkipped):
        refusals.refuse_done(film(tags={"KEYWORDS": "MEDIAFLOW=7d2f;mobile"}), "mobile")


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        ("truncated", JobSkipped, "truncated"),
        ("zero_length", JobSkipped, "zero_length"),
        ("sparse", JobSkipped, "sparse"),
        ("broken", JobSkipped, "not_media"),
        ("hls_as_mkv", JobSkipped, "not_media"),
        ("ffconcat_as_mkv", JobSkipped, "not_media"),
    ],
)
def test_broken_films_are_refused_before_encoding(
    tmp_path: Path, kind: str, outcome: type[JobOutcome], code: str
) -> None:
    world = clip_world(tmp_path, kind, seconds=2)
    with pytest.raises(outcome) as caught:
        prepare(world.context())
    assert caught.value.reason_code == code


@pytest.mark.ffmpeg
def test_a_decoder_that_is_not_allowed_is_no_crash(tmp_path: Path) -> None:
    world = clip_world(tmp_path, "magicyuv")
    with pytest.raises(JobSkipped) as caught:
        prepare(world.context())
    assert caught.value.reason_code == "codec_not_decoded"


@pytest.mark.ffmpeg
def test_an_output_made_by_mediaflow_is_recognised_without_a_database(tmp_path: Path) -> None:
    first = run_phases(clip_world(tmp_path, "h264_mkv", AV1_FAST))
    assert first.after.mediaflow_tag.endswith(";test")
    with pytest.raises(JobSkipped) as caught:
        refusals.refuse_done(first.after, "test")
    assert caught.value.reason_code == "already_done"


AV1_FAST = replace(AV1, video=replace(AV1.video, speed="fastest", crf=45.0))
