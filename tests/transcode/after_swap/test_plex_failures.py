"""What goes wrong between MediaFlow and Plex around a swap, and what is said of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from library.models import (
    MediaFile,
    PathMapping,
    PlexItem,
    PlexPart,
    PlexSection,
    PlexServer,
    PlexSwap,
)
from library.plex.client import PlexClient, PlexProblem
from tests.transcode.after_swap.test_not_synced import is_not_synced
from tests.transcode.after_swap.test_plex import EDITED, LABELS
from transcode.after_swap import outbox
from transcode.after_swap.plex_before import watched_by
from transcode.after_swap.plex_calls import PlexCalls
from transcode.after_swap.plex_snapshot import compared, edits_for
from transcode.models import JobStatus, OutboxEntry, ProofRecord, Replacement
from transcode.replacing.undo import undo_job

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.transcode.after_swap.conftest import Cinema

pytestmark = [pytest.mark.django_db, pytest.mark.ffmpeg]
_waits = PlexCalls._sleep  # the tests of this folder wait for nothing


def _one_round(cinema: Cinema) -> OutboxEntry:
    OutboxEntry.objects.filter(done_at=None).update(not_before=timezone.now())
    outbox.work_on_due()
    cinema.plex.wait_until_calm()
    return OutboxEntry.objects.get(kind="plex")


def _until(cinema: Cinema, step: str) -> None:
    for _ in range(10):
        if PlexSwap.objects.get().step == step:
            return
        _one_round(cinema)
    raise AssertionError(PlexSwap.objects.get().step)


# What is noted before


def test_a_server_whose_token_cannot_be_read_is_not_asked_and_our_rows_say(
    make_cinema: Callable[..., Cinema],
) -> None:
    """After a key was lost its secrets are entered again; a swap does not wait for that."""
    cinema = make_cinema(film=EDITED)
    PlexServer.objects.update(token_encrypted="not ours")
    assert cinema.world.run() == JobStatus.COMPLETED
    assert cinema.plex.requests == []
    before = cinema.swap().before
    assert (before["source"], before["labels"]) == ("rows", LABELS)
    assert "again" in _one_round(cinema).error


def test_a_server_that_was_added_after_the_swap_learns_of_it_by_our_rows(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    PlexServer.objects.update(is_enabled=False)
    cinema.world.run()
    assert not PlexSwap.objects.exists()
    PlexServer.objects.update(is_enabled=True)
    cinema.tell()
    swap = cinema.swap()
    assert (swap.step, swap.before["source"], swap.before["labels"]) == ("done", "rows", LABELS)


def test_a_film_that_the_server_has_no_name_for_is_known_by_its_row(
    make_cinema: Callable[..., Cinema],
) -> None:
    """The path mapping was removed since the last sync."""
    cinema = make_cinema(film=EDITED)
    PathMapping.objects.all().delete()
    assert cinema.world.run() == JobStatus.COMPLETED
    assert cinema.swap().rating_key_before == cinema.film.rating_key
    assert set(cinema.swap().before["labels"]) == set(LABELS)


def test_a_film_that_nothing_names_is_not_looked_for(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    PathMapping.objects.all().delete()
    PlexItem.objects.all().delete()
    assert cinema.world.run() == JobStatus.COMPLETED
    assert not PlexSwap.objects.exists()


def test_an_item_that_went_from_plex_is_told_by_our_rows_where_nothing_can_be_searched(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    PathMapping.objects.all().delete()
    cinema.section.items.clear()
    assert cinema.world.run() == JobStatus.COMPLETED
    outbox.work_on_due(known={"file_swapped": outbox.handlers()["file_swapped"]})
    assert (cinema.swap().step, cinema.swap().before["labels"]) == ("due", LABELS)


def test_a_film_that_left_the_list_in_mid_swap_is_found_by_its_path(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    MediaFile.objects.all().delete()
    assert undo_job(cinema.world.job.pk, actor=None).ok
    cinema.tell()
    assert cinema.swap().step == "done"
    assert PlexPart.objects.get().file_id is None


def test_a_synced_section_that_cannot_be_searched_leaves_no_doubt(
    make_cinema: Callable[..., Cinema],
) -> None:
    """What its rows do not have, it did not have: nothing is said to be lost perhaps."""
    cinema = make_cinema()
    PlexItem.objects.all().delete()
    cinema.plex.fail("/all", hang_up=True, times=0)
    assert cinema.world.run() == JobStatus.COMPLETED
    swap = cinema.swap()
    assert (swap.rating_key_before, swap.lost) == ("", [])


def test_a_section_is_searched_page_by_page(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PlexClient.list_page

    def list_page(client: PlexClient, *args: Any, where: Any) -> Any:
        return whole(client, *args, size=2, where=where)

    monkeypatch.setattr(PlexClient, "list_page", list_page)
    cinema = make_cinema(film=EDITED)
    cinema.film.own()["title"] = "Otherwise called"
    for number in range(5):
        cinema.plex.world.add_movie(cinema.section, f"Other {number}", 2000)
    cinema.section.items[cinema.film.rating_key] = cinema.section.items.pop(
        cinema.film.rating_key
    )  # the last of the list
    is_not_synced(cinema)
    cinema.world.run()
    assert set(cinema.swap().before["labels"]) == set(LABELS)


def test_an_episode_whose_name_says_no_show_is_searched_in_the_whole_section(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(name=b"S/film.mkv")
    is_not_synced(cinema)
    world = cinema.plex.world
    shows = world.add_section(
        "Series", kind="show", location="/data/films/S", folder=cinema.world.root / "S"
    )
    path = cinema.plex_path(cinema.world.film)
    episode = world.add_episode(shows, "Lost", 1, 1, file=path, labels=["Mine"])
    del world.sections[cinema.section.key]
    cinema.world.run()
    noted = PlexSwap.objects.exclude(rating_key_before="").get()
    assert (noted.rating_key_before, noted.before["labels"]) == (episode.rating_key, ["Mine"])


def test_an_undo_of_an_item_that_has_gone_looks_for_the_film_elsewhere(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    is_not_synced(cinema)
    cinema.world.run()
    cinema.tell()
    fresh = cinema.plex.world.renumber(cinema.film)
    assert undo_job(cinema.world.job.pk, actor=None).ok
    keys = set(PlexSwap.objects.values_list("rating_key_before", flat=True))
    assert fresh.rating_key in keys


# Who watches


@pytest.mark.parametrize("values", [{"is_enabled": False}, {"url": ""}])
def test_a_server_that_cannot_be_asked_keeps_no_film_from_its_swap(
    make_cinema: Callable[..., Cinema], values: dict[str, Any]
) -> None:
    cinema = make_cinema()
    cinema.plex.world.watch(cinema.film)
    PlexServer.objects.update(**values)
    assert watched_by(cinema.world.file.pk, 5) == ""
    assert cinema.plex.requests == []


def test_where_no_time_is_left_nobody_is_asked_who_watches(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    cinema.plex.world.watch(cinema.film)
    assert watched_by(cinema.world.file.pk, 0) == ""
    assert cinema.plex.requests == []


# The calls


def test_a_busy_server_is_waited_for_within_the_time_and_no_longer(
    make_cinema: Callable[..., Cinema], monkeypatch: pytest.MonkeyPatch
) -> None:
    cinema, waited_s = make_cinema(), list[float]()

    def wait(calls: PlexCalls, seconds: float) -> None:
        _waits(calls, seconds)
        waited_s.append(seconds)

    monkeypatch.setattr(PlexCalls, "_sleep", wait)
    cinema.plex.fail("/library/metadata", status=503, retry_after="0.1", times=1)
    with PlexCalls(cinema.server, budget_s=60) as calls:
        assert calls.film(cinema.film.rating_key) is not None
    cinema.plex.fail("/library/metadata", status=503, retry_after="30", times=0)
    with (
        PlexCalls(cinema.server, budget_s=5) as calls,
        pytest.raises(PlexProblem, match="in time"),
    ):
        calls.film(cinema.film.rating_key)
    assert waited_s == [0.1]


@pytest.mark.parametrize("call", ["film", "sections", "watching", "refresh"])
def test_without_time_no_call_is_made(make_cinema: Callable[..., Cinema], call: str) -> None:
    cinema = make_cinema()
    arguments = {"film": ("1",), "refresh": ("1", "/data")}.get(call, ())
    with (
        PlexCalls(cinema.server, budget_s=0) as calls,
        pytest.raises(PlexProblem, match="in time"),
    ):
        getattr(calls, call)(*arguments)
    assert cinema.plex.requests == []


def test_what_is_no_film_is_none(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    shows = cinema.plex.world.add_section("Series", kind="show", location="/data/series")
    cinema.plex.world.add_episode(shows, "Lost", 1, 1)
    [show] = shows.of_type("show")
    with PlexCalls(cinema.server) as calls:
        assert calls.film(show.rating_key) is None
        asked = len(cinema.plex.requests)
        for key in ("", "../sections", "1,2"):
            assert calls.film(key) is None
        assert len(cinema.plex.requests) == asked, "no such key is sent"


def test_a_film_that_no_agent_knows_is_found_by_its_title(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    path = cinema.plex_path(cinema.world.film)
    with PlexCalls(cinema.server) as calls:
        found = calls.find_film(cinema.section.key, "movie", path, guid="", title="Film")
        assert found is not None
        assert found.facts.rating_key == cinema.film.rating_key
        elsewhere = f"{path}.other"
        assert not calls.find_film(
            cinema.section.key, "movie", elsewhere, guid=cinema.film.guid, title=""
        )


# Telling Plex


@pytest.mark.parametrize("how", ["switched off", "removed"])
def test_a_server_that_went_is_told_nothing_more(
    make_cinema: Callable[..., Cinema], how: str
) -> None:
    cinema = make_cinema()
    cinema.world.run()
    outbox.work_on_due(known={"file_swapped": outbox.handlers()["file_swapped"]})
    OutboxEntry.objects.filter(kind="plex").update(done_at=None)
    asked = len(cinema.plex.requests)
    if how == "removed":
        PlexServer.objects.all().delete()
    else:
        PlexServer.objects.update(is_enabled=False)
    entry = _one_round(cinema)
    assert (entry.done_at is not None, entry.outcome) == (
        True,
        "The server was removed or switched off.",
    )
    assert len(cinema.plex.requests) == asked


def test_a_swap_that_has_not_ended_is_told_later(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    cinema.world.run()
    Replacement.objects.update(state="undoing")
    entry = _one_round(cinema)
    assert (entry.done_at, entry.attempts, entry.outcome) == (
        None,
        0,
        "The film is being put back.",
    )
    assert cinema.plex.scans == []


def test_a_file_that_plex_loses_while_it_looks_into_it_is_looked_for_again(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    cinema.world.run()
    taken: list[Any] = []
    cinema.plex.before("/analyze", lambda: taken.append(cinema.item().own().pop("Media")))
    for _ in range(8):
        entry = _one_round(cinema)
        if taken:
            break
    assert entry.outcome == "Home has lost the file again."
    [cinema.film.own()["Media"]] = taken
    PlexSwap.objects.update(step="due")
    cinema.tell()
    assert cinema.swap().step == "done"


def test_a_file_that_grew_after_it_was_found_is_not_taken_for_looked_into(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema()
    cinema.world.run()
    part = {}

    def grow() -> None:
        part.update(cinema.item().own()["Media"][0]["Part"][0])
        cinema.item().own()["Media"][0]["Part"][0]["size"] = 1

    cinema.plex.before("/analyze", grow)
    for _ in range(8):
        entry = _one_round(cinema)
        if part:
            break
    assert entry.outcome == "Home still shows other tracks than the file has."
    assert cinema.swap().step == "analyzed"


@pytest.mark.parametrize("streams", [{}, {"format": 1}, {"video": "?"}])
def test_a_proof_that_does_not_say_what_the_file_has_is_no_reason_to_wait(
    make_cinema: Callable[..., Cinema], streams: dict[str, Any]
) -> None:
    """An older version wrote it otherwise: the size alone is compared."""
    cinema = make_cinema()
    cinema.world.run()
    ProofRecord.objects.update(streams_after=streams)
    cinema.tell()
    assert cinema.swap().step == "done"


def test_an_edit_that_plex_takes_and_forgets_is_said_to_be_lost(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    fresh = cinema.plex.world.renumber(cinema.film)
    for key in ("Label", "Collection"):
        fresh.own().pop(key, None)
    cinema.plex.fail("PUT /library/sections", empty=True, times=0)
    cinema.tell()
    lost = cinema.swap().lost
    assert {"The label Kept", "The collection Best of"} <= set(lost)
    assert "things could not be kept" in OutboxEntry.objects.get(kind="plex").outcome


def test_a_row_that_a_sync_made_of_the_new_item_takes_the_old_ones_place(
    make_cinema: Callable[..., Cinema],
) -> None:
    cinema = make_cinema(film=EDITED)
    cinema.world.run()
    fresh = cinema.plex.world.renumber(cinema.film)
    section = PlexSection.objects.get()
    PlexItem.objects.create(
        section=section, rating_key=fresh.rating_key, guid=fresh.guid, type="movie", title="Film"
    )
    cinema.tell()
    old = PlexItem.objects.get(rating_key=cinema.film.rating_key)
    new = PlexItem.objects.get(rating_key=fresh.rating_key)
    assert old.missing_since is not None
    assert new.missing_since is None
    assert PlexPart.objects.get().plex_item == new
    assert PlexPart.objects.get().file == cinema.world.file


def test_an_item_of_two_files_keeps_the_other_one(make_cinema: Callable[..., Cinema]) -> None:
    cinema = make_cinema()
    other = f"{os.path.dirname(cinema.plex_path(cinema.world.film))}/film - 4k.mkv"
    media = cinema.plex.world.media(other)
    media["Part"][0]["size"] = 1
    cinema.film.own()["Media"].append(media)
    (cinema.world.root / "Film (2001)" / "film - 4k.mkv").write_bytes(b"x")
    cinema.world.note_neighbours()
    cinema.world.run()
    cinema.tell()
    files = dict(PlexPart.objects.values_list("path", "file_id"))
    assert files[cinema.plex_path(cinema.world.final)] == cinema.world.file.pk
    assert files[other] is None


# In words


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        ({"labels": ["A"]}, {}, ["The label A"]),
        ({"collections": ["B"]}, {}, ["The collection B"]),
        ({"added_at": 1}, {"added_at": 2}, ["The date on which it was added"]),
        ({"user_rating": 8.0}, {}, ["Your rating"]),
        (
            {"last_viewed_at": "2026-01-02T03:04:05"},
            {},
            ["When it was watched last: 2026-01-02"],
        ),
        ({"view_offset_ms": 3_723_000}, {}, ["Where watching stopped: at 1:02:03"]),
        ({"locked": ["art", "label"]}, {}, ["The background that was chosen by hand"]),
        (
            {"tags": {"mood": ["Dark"]}, "locked": ["mood"]},
            {"locked": ["mood"]},
            ["The edited mood tags"],
        ),
        (
            {"fields": {"studio": "X"}, "locked": ["studio"]},
            {"fields": {"studio": "Y"}},
            ["The edited studio"],
        ),
    ],
)
def test_what_could_not_be_kept_is_named(
    before: dict[str, Any], now: dict[str, Any], lost: list[str]
) -> None:
    assert compared(before, now, now) == ([], lost)
    assert compared(before, before, before)[1] == [], "nothing is lost that is there"


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ({"labels": ["A"]}, ["The label A"]),
        ({"added_at": 1}, ["The date on which it was added"]),
        ({"user_rating": 8.0}, ["Your rating"]),
        ({"view_count": 1}, ["That it was watched"]),
    ],
)
def test_what_was_put_back_is_named(before: dict[str, Any], kept: list[str]) -> None:
    assert compared(before, {}, before) == (kept, [])


def test_a_rating_of_the_person_is_put_back_and_never_replaced() -> None:
    assert edits_for({"user_rating": 8.0}, {}) == {"userRating.value": 8.0}
    assert edits_for({"user_rating": 8.0}, {"user_rating": 3.0}) == {}
