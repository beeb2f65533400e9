"""What Plex learns of a swap and an undo: order of effects, new keys, a Plex that is away."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from library.models import PlexItem, PlexPart, PlexServer, PlexSwap
from tests.transcode.after_swap.conftest import note_in_rows
from tests.transcode.replace.invariants import broken_invariants
from tests.transcode.replace.world import tree
from transcode.after_swap import outbox, plex_before, plex_note, plex_step
from transcode.after_swap.plex_before import wait_for_plex, watched_by
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_facts import common_folder, folder_of, joined
from transcode.after_swap.plex_note import note_what_plex_knows
from transcode.models import Job, JobStatus, OutboxEntry, Replacement
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.after_swap.conftest import Cinema
    from tests.transcode.replace.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
LABELS = ["Kept", "4K, HDR"]
EDITED = {
    "labels": LABELS,
    "collections": ["Best of", "Evening"],
    "genres": ["Drama"],
    "plays": 3,
    "titleSort": "film, the",
    "summary": "My own words.",
    "Field": [
        {"locked": True, "name": name}
        for name in ("label", "collection", "titleSort", "summary", "thumb", "genre")
    ],
}
NEW_NAME = {"name": b"Film (2001)/film.avi", "extension": ".mkv"}


def test_a_new_extension_keeps_the_rating_key_and_all_that_hangs_on_it(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    seen_files: list[list[str]] = []
    cinema.plex.befores.clear()
    cinema.plex.before("/refresh", lambda: seen_files.append(sorted(
        os.listdir(os.path.dirname(os.fsdecode(cinema.world.film))))))  # fmt: skip
    assert cinema.world.run() == JobStatus.COMPLETED
    # The new file came first: at the first scan both were there.
    assert {"film.avi", "film.mkv"} <= set(seen_files[0])
    cinema.tell()
    item = cinema.item()
    assert item.rating_key == cinema.film.rating_key
    assert item.files == [cinema.plex_path(cinema.world.final)]
    assert item.tags("Label") == LABELS
    assert item.added_at == 1_600_000_000
    swap = cinema.swap()
    assert (swap.step, swap.rating_key_after, swap.lost) == ("done", item.rating_key, [])
    assert cinema.plex.edits == []
    assert {scan[1] for scan in cinema.plex.scans} == {"/data/films/Film (2001)"}


def test_our_rows_follow(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema(**NEW_NAME)
    cinema.world.run()
    cinema.tell()
    part = PlexPart.objects.get()
    assert part.path == cinema.plex_path(cinema.world.final)
    assert part.file_id == cinema.world.file.pk
    assert part.size_bytes == os.stat(cinema.world.final).st_size
    assert part.plex_item.is_analyzed


def test_the_same_name_is_scanned_and_analysed(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    before_scan = cinema.plex.calls("/refresh")
    assert before_scan == []  # no wait for a name that stays
    cinema.tell()
    assert [seen.method for seen in cinema.plex.calls("/analyze")] == ["PUT"]
    video = cinema.item().parts[0]["Stream"][0]
    assert (video["width"], video["height"]) == (160, 90)
    assert cinema.swap().step == "done"


@pytest.mark.parametrize("empties_trash", [True, False])
def test_a_new_key_gets_labels_edits_date_and_plays_back(
    make_cinema: Callable[..., Cinema], empties_trash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan of Plex's own hits the moment in which neither name exists."""
    monkeypatch.setattr(plex_before, "TOTAL_WAIT_S", 0.0)
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    cinema.plex.world.auto_empty_trash = empties_trash
    cinema.world.run()
    cinema.plex.world.renumber(cinema.film)
    fresh = cinema.item().own()
    for key in ("Label", "Collection", "Field", "titleSort"):
        fresh.pop(key, None)
    fresh["summary"] = "What the agent says."
    fresh["Genre"] = [cinema.plex.world.tag("Genre", "Comedy")]
    cinema.tell()
    item = cinema.item()
    assert item.rating_key != cinema.film.rating_key
    assert item.tags("Label") == LABELS
    assert item.tags("Collection") == EDITED["collections"]
    assert item.tags("Genre") == ["Drama"]
    assert (item.tree["titleSort"], item.tree["summary"]) == ("film, the", "My own words.")
    assert item.added_at == 1_600_000_000
    assert all(edit.ids == (item.rating_key,) for edit in cinema.plex.edits)
    assert len(cinema.plex.edits) == 1
    swap = cinema.swap()
    assert (swap.rating_key_before, swap.rating_key_after) == (
        cinema.film.rating_key,
        item.rating_key,
    )
    assert "The label Kept" in swap.reapplied
    assert "The edited summary" in swap.reapplied
    assert swap.lost[0] == "The poster that was chosen by hand"
    left = "stays listed as unavailable" in " ".join(swap.lost)
    assert left is (not empties_trash)
    assert PlexItem.objects.get().rating_key == item.rating_key


@pytest.mark.parametrize("tag_mode", ["append", "replace"])
def test_tags_are_whole_whether_plex_adds_or_replaces(
    make_cinema: Callable[..., Cinema], tag_mode: str
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.plex.world.tag_mode = tag_mode
    cinema.world.run()
    fresh = cinema.plex.world.renumber(cinema.film)
    fresh.own()["Label"] = [cinema.plex.world.tag("Label", "New")]
    cinema.tell()
    assert set(cinema.item().tags("Label")) == {"New", *LABELS}


def test_plays_that_plex_forgot_are_one_again_and_the_page_says_so(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    cinema.plex.world.renumber(cinema.film)
    cinema.plex.world.views.clear()
    cinema.tell()
    assert cinema.plex.world.views[cinema.film.guid][0] == 1
    swap = cinema.swap()
    assert "That it was watched" in swap.reapplied
    assert "The number of plays: 3 before, 1 now" in swap.lost


def test_what_was_changed_meanwhile_is_not_undone_where_the_key_stays(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    cinema.item().own()["Label"] = []
    cinema.tell()
    assert cinema.item().tags("Label") == []


# Plex is away


def test_a_dead_plex_neither_fails_nor_repeats_a_job(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    fault = cinema.plex.fail(hang_up=True, times=0)
    assert cinema.world.run() == JobStatus.COMPLETED
    for _ in range(outbox.MAX_ATTEMPTS + 2):
        outbox.work_on_due()
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    entry = OutboxEntry.objects.get(kind="plex")
    assert entry.given_up_at is not None
    assert "cannot be reached" in entry.error
    assert Job.objects.get().status == JobStatus.COMPLETED
    assert Replacement.objects.count() == 1
    cinema.plex.faults.remove(fault)
    assert outbox.try_again(entry.pk, actor=None)
    cinema.tell()
    swap = cinema.swap()
    assert swap.step == "done"
    assert swap.before["source"] == "rows"


def test_a_dead_token_says_sign_in_again(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema(**NEW_NAME)
    cinema.plex.world.tokens.clear()
    assert cinema.world.run() == JobStatus.COMPLETED
    outbox.work_on_due()
    entry = OutboxEntry.objects.get(kind="plex")
    assert "Sign in to Plex again" in entry.error
    assert cinema.plex.token not in entry.error
    assert cinema.swap().error == entry.error
    assert PlexServer.objects.get().is_token_dead
    cinema.plex.world.tokens[cinema.plex.token] = True
    OutboxEntry.objects.update(not_before=timezone.now())
    cinema.tell()
    assert not PlexServer.objects.get().is_token_dead


def test_a_slow_plex_costs_the_swap_no_more_than_its_deadline(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plex_before, "TOTAL_WAIT_S", 0.3)
    monkeypatch.setattr(plex_note, "NOTE_BUDGET_S", 0.2)
    cinema = make_cinema(**NEW_NAME)
    cinema.plex.fail("/library/metadata", delay_s=0.6, times=0)
    assert cinema.world.run() == JobStatus.COMPLETED
    cinema.plex.faults.clear()
    cinema.tell()
    assert cinema.swap().step == "done"


def test_a_plex_that_never_finds_the_file_is_asked_again_and_given_up(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plex_before, "TOTAL_WAIT_S", 0.0)
    cinema = make_cinema(**NEW_NAME)
    cinema.section.folders.clear()  # its disk is away
    cinema.world.run()
    outbox.work_on_due()
    entry = OutboxEntry.objects.get(kind="plex")
    assert (entry.attempts, entry.outcome) == (0, "Home has not found the file yet.")
    monkeypatch.setattr(plex_step, "PATIENCE", timedelta(0))
    OutboxEntry.objects.update(not_before=timezone.now())
    outbox.work_on_due()
    entry.refresh_from_db()
    assert (entry.attempts, entry.error) == (1, "Home has not found the file yet.")
    assert cinema.swap().step == "due"


def test_streams_that_stay_old_are_analysed_again(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema = make_cinema()
    cinema.world.run()
    cinema.plex.fail("/analyze", empty=True, times=1)
    for _ in range(5):
        outbox.work_on_due()
        cinema.plex.wait_until_calm()
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    assert cinema.swap().step == "analyzed"
    with monkeypatch.context() as patched:
        patched.setattr(plex_step, "PATIENCE", timedelta(0))
        outbox.work_on_due()
    assert "still shows other tracks" in cinema.swap().error
    OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    cinema.tell()
    assert cinema.swap().step == "done"


# Batches, undo, watching


def test_two_swaps_in_one_folder_are_one_scan(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    cinema.world.run()
    outbox.work_on_due(known={"file_swapped": outbox.handlers()["file_swapped"]})
    PlexSwap.objects.create(
        replacement_id=4711, server=cinema.server, section_key=cinema.section.key,
        rating_key_before="99999", step="due", before={"folder": "/data/films/Film (2001)"},
    )  # fmt: skip
    OutboxEntry.objects.filter(kind="plex").update(done_at=None, not_before=timezone.now())
    outbox.work_on_due()
    assert cinema.plex.scans == [(cinema.section.key, "/data/films/Film (2001)")]
    assert set(PlexSwap.objects.values_list("step", flat=True)) <= {"scanned", "analyzed", "done"}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["/f/a"], "/f/a"),
        (["/f/a", "/f/a"], "/f/a"),
        (["/f/show/s1", "/f/show/s2"], "/f/show"),
        (["/f/a", "/f/b"], "/f"),
        (["/f/a", "/g/b"], ""),
        (["D:\\f\\a", "D:\\f\\b"], "D:\\f"),
    ],
)
def test_several_folders_of_a_section_are_scanned_with_one_call(
    folders: list[str], expected: str
) -> None:
    assert common_folder(folders, ["/f", "/g", "D:\\f"]) == expected


def test_folders_keep_the_slashes_of_their_machine() -> None:
    assert folder_of("D:\\f\\a.mkv") == "D:\\f"
    assert joined("D:\\f", "a.mkv") == "D:\\f\\a.mkv"
    assert joined(folder_of("/a.mkv"), "b.mkv") == "/b.mkv"


@pytest.mark.parametrize("names", [{}, NEW_NAME])
def test_undo_restores_and_tells_plex(
    make_cinema: Callable[..., Cinema], names: dict[str, object]
) -> None:
    cinema = make_cinema(film=EDITED, **names)
    cinema.world.run()
    cinema.tell()
    cinema.item().own()["Label"].append(cinema.plex.world.tag("Label", "Added after"))
    assert undo_job(cinema.world.job.pk, actor=None).ok
    cinema.tell()
    item = cinema.item()
    assert item.files[-1] == cinema.plex_path(cinema.world.film)
    assert "Added after" in item.tags("Label")
    assert "Kept" in item.tags("Label")
    assert item.added_at == 1_600_000_000
    assert set(PlexSwap.objects.values_list("step", flat=True)) == {"done"}
    assert PlexPart.objects.get().path == cinema.plex_path(cinema.world.film)


def test_an_undo_while_plex_is_away_keeps_what_it_once_said(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED, **NEW_NAME)
    cinema.world.run()
    before = cinema.swap().before
    assert before["source"] == "plex"
    cinema.plex.fail(hang_up=True, times=0)  # before anything was put back
    assert undo_job(cinema.world.job.pk, actor=None).ok
    assert PlexSwap.objects.get().before == before


def test_an_undo_between_the_names_ends_the_wait(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema = make_cinema(**NEW_NAME)
    with monkeypatch.context() as patched:
        patched.setattr(plex_before, "TOTAL_WAIT_S", 0.0)
        cinema.world.run()
    PlexSwap.objects.update(step="noted", rating_key_before="4711")  # never found
    Replacement.objects.update(state="published")

    def undo(*_given: object) -> bool:
        Replacement.objects.update(state="undoing")
        return False

    monkeypatch.setattr(plex_before, "_is_seen", undo)
    assert not wait_for_plex(Replacement.objects.get().pk, 300)


def test_nobody_touches_a_film_that_is_being_watched(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    file_id = cinema.world.file.pk
    assert watched_by(file_id, 5) == ""
    cinema.plex.world.watch(cinema.film, state="paused")
    assert watched_by(file_id, 5) == "It is being watched on TV (Home)."
    cinema.plex.world.stop_watching()
    assert watched_by(file_id, 5) == ""


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 503}, {"garbage": True},
                                   {"hang_up": True}, {"delay_s": 1.0}])  # fmt: skip
def test_who_watches_on_a_dead_plex_is_not_waited_for(
    make_cinema: Callable[..., Cinema], fault: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plex_before, "LOOK_BUDGET_S", 0.5)
    cinema = make_cinema()
    cinema.plex.world.watch(cinema.film)
    cinema.plex.fail("/status/sessions", times=0, **fault)
    assert watched_by(cinema.world.file.pk, 5) == ""


def test_a_server_of_somebody_else_is_told_nothing(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    PlexServer.objects.update(is_owned=False)
    cinema.world.run()
    outbox.work_on_due()
    assert not OutboxEntry.objects.filter(kind="plex").exists()
    assert not PlexSwap.objects.exists()


def test_a_film_that_plex_does_not_know_yet_has_its_folder_scanned(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    PlexItem.objects.all().delete()
    cinema.world.run()
    cinema.tell()
    assert cinema.plex.scans == [(cinema.section.key, "/data/films/Film (2001)")]
    assert cinema.swap().step == "done"


def test_nothing_is_noted_of_a_swap_that_is_gone() -> None:
    note_what_plex_knows(4711, 5)
    assert wait_for_plex(4711, 5)


def test_a_file_of_two_episodes_is_two_items_and_one_scan(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    twin = cinema.plex.world.add_movie(
        cinema.section, "Twin", 2002, labels=["Twin's"],
        media=[cinema.plex.world.media(cinema.plex_path(cinema.world.film))],
    )  # fmt: skip
    note_in_rows(cinema.server, cinema.section, twin, cinema.world)
    cinema.world.run()
    cinema.tell()
    steps = dict(PlexSwap.objects.values_list("rating_key_before", "step"))
    assert steps == {cinema.film.rating_key: "done", twin.rating_key: "done"}
    assert len(cinema.plex.scans) == 1
    analysed = [seen.path.split("/")[3] for seen in cinema.plex.calls("/analyze")]
    assert sorted(analysed) == sorted(steps)


# Faults 15, 20, 52


def test_fault_15_plex_is_not_asked_to_look_at_a_disk_that_is_away(
    make_cinema: Callable[..., Cinema],
) -> None:
    """An empty mount point looks like deleted films, and Plex empties its trash by itself."""
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    away = cinema.world.root.rename(cinema.world.folder / "elsewhere")
    cinema.world.root.mkdir()
    for _ in range(3):
        outbox.work_on_due()
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    assert cinema.plex.scans == []
    entry = OutboxEntry.objects.get(kind="plex")
    assert (entry.attempts, entry.given_up_at) == (0, None)
    assert "disk is away" in entry.outcome
    cinema.world.root.rmdir()
    away.rename(cinema.world.root)
    cinema.tell()
    assert cinema.item().rating_key == cinema.film.rating_key


def test_fault_15_a_scan_for_one_film_leaves_out_films_whose_disk_is_away(
    make_cinema: Callable[..., Cinema], make_world: Callable[..., World]
) -> None:
    cinema = make_cinema()
    cinema.world.run()
    other = make_world()
    other.run()
    OutboxEntry.objects.filter(job=other.job).delete()
    PlexSwap.objects.create(
        replacement_id=other.journal().pk, server=cinema.server, step="due",
        section_key=cinema.section.key, rating_key_before="99999",
        before={"folder": "/data/films/Other"},
    )  # fmt: skip
    (other.root / ".mediaflow" / "id").unlink()
    cinema.tell()
    assert {path for _section, path in cinema.plex.scans} == {"/data/films/Film (2001)"}
    assert PlexSwap.objects.get(rating_key_before="99999").step == "due"


def test_fault_20_a_file_that_still_grows_is_not_taken_for_ours(
    make_cinema: Callable[..., Cinema],
) -> None:
    """Plex saw the new name while it was half there: its size is not the one that was proven."""
    cinema = make_cinema()
    cinema.world.run()
    film = os.fsdecode(cinema.world.film)
    whole = Path(film).read_bytes()
    cinema.plex.before("/refresh", lambda: Path(film).write_bytes(whole[: len(whole) // 2]))
    for _ in range(3):
        outbox.work_on_due()
        cinema.plex.wait_until_calm()
        OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    assert cinema.swap().step == "scanned"
    assert cinema.plex.calls("/analyze") == []
    Path(film).write_bytes(whole)
    PlexSwap.objects.update(step="due")
    cinema.tell()
    assert cinema.swap().step == "done"


def test_fault_52_what_lies_beside_the_film_is_untouched(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(**NEW_NAME)
    cinema.world.run()
    cinema.tell()
    assert broken_invariants(cinema.world) == []
    assert set(cinema.world.sidecars.items()) <= set(tree(cinema.world.root).items())
    assert undo_job(cinema.world.job.pk, actor=None).ok
    cinema.tell()
    assert set(cinema.world.sidecars.items()) <= set(tree(cinema.world.root).items())


def test_an_edit_is_never_sent_without_an_id(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    with PlexCalls(cinema.server) as calls:
        for rating_key in ("", "1,2", "*"):
            with pytest.raises(ValueError, match="rating key"):
                calls.edit("1", "movie", rating_key, {"title.value": "x"})
    assert cinema.plex.edits == []
