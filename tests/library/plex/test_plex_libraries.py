"""Libraries of Plex are listed, filtered and exported, and nothing that touches disks takes them
for folders."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from library.models import Library, MediaFile, PlexItem, PlexPart, PlexSection, PlexServer
from library.places import find_place
from library.scanning.input import library_for
from library.scanning.rechecks import recheck_file
from library.scanning.rescans import due_rescans, start_due_rescans
from library.scanning.scan import scan_library
from library.scanning.watch import watched_libraries
from library.services import (
    LibraryProblem,
    add_folder_library,
    removal_blockers,
    remove_library,
    start_scan,
)
from mediaflow.base.models import Operation
from mediaflow.base.operations import run_operation_here
from mediaflow.context_processors import _nav_disk
from mediaflow.diagnostics.checks import check_libraries
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from pathlib import Path

    from django.test import Client

pytestmark = pytest.mark.django_db
PATH = "/data/Movies/Heat (1995)/Heat.mkv"


@pytest.fixture
def plex_library() -> Library:
    server = PlexServer.objects.create(machine_id="m1", name="Home", seen_at=timezone.now())
    library = make_library("Movies (Home)", kind="plex", root="plex:m1/1", is_watched=True)
    PlexSection.objects.create(
        server=server, key="1", title="Movies", type="movie", library=library, is_enabled=True
    )
    return library


@pytest.fixture
def heat(plex_library: Library) -> MediaFile:
    """Only Plex has it."""
    file = make_file(
        plex_library, "Heat", availability="unreachable", is_in_plex=True, play_count=3,
        availability_reason=f"Plex has it at {PATH}; no path mapping leads there.",
    )  # fmt: skip
    item = PlexItem.objects.create(
        section=plex_library.plex_section, rating_key="77", type="movie", title="Heat", year=1995,
        genres=["Crime", "<b>Drama</b>"], labels=["Keep"], collections=["Mann"],
        locked_fields=["title"], view_count=3, last_viewed_at=timezone.now(),
    )  # fmt: skip
    PlexPart.objects.create(
        plex_item=item, media_id="1", part_id="1", path=PATH, path_digest="d", file=file
    )
    return file


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_it_is_never_scanned(plex_library: Library) -> None:
    with pytest.raises(LibraryProblem, match="no folder"):
        start_scan(library=plex_library)
    with pytest.raises(Library.DoesNotExist):
        scan_library(plex_library.pk, report=mock.Mock(), checkpoint=mock.Mock())
    assert due_rescans(timezone.now()) == []
    start_due_rescans()
    assert not Operation.objects.exists()


def test_the_command_scan_leaves_it_out(
    plex_library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("scan", "--json")
    assert json.loads(capsys.readouterr().out) == {"libraries": []}


def test_it_is_not_watched_even_if_a_folder_has_its_name(
    plex_library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`plex:m1/1` is a relative path: what lies in the working directory is none of its."""
    (tmp_path / "plex:m1" / "1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert watched_libraries() == {}
    assert find_place(bytes(tmp_path / "plex:m1" / "1")) is None
    found = library_for(bytes(tmp_path / "plex:m1" / "1"))
    assert found != plex_library


def test_a_recheck_leaves_its_files_as_they_are(heat: MediaFile) -> None:
    with mock.patch("library.scanning.rechecks.read_facts") as looks:
        file = recheck_file(heat)

    assert looks.call_count == 0
    assert file.availability == "unreachable"
    assert file.availability_reason.startswith("Plex has it")


def test_it_stands_in_the_way_of_no_folder(plex_library: Library, tmp_path: Path) -> None:
    assert add_folder_library(root=bytes(tmp_path)).root == str(tmp_path)


def test_it_is_removed_with_its_server_only(plex_library: Library) -> None:
    assert removal_blockers(plex_library) == [
        "“Movies (Home)” goes with its Plex server; remove that on the Plex page."
    ]
    with pytest.raises(LibraryProblem):
        remove_library(plex_library)


def test_doctor_asks_no_disk_about_it(plex_library: Library) -> None:
    assert list(check_libraries()) == []
    from mediaflow.management.commands.doctor import Command

    with mock.patch("mediaflow.management.commands.doctor.compare_library") as compare:
        list(Command()._checks(with_library=True))
    assert compare.call_count == 0


def test_the_disk_in_the_frame_is_that_of_a_folder(plex_library: Library, tmp_path: Path) -> None:
    Library.objects.filter(pk=plex_library.pk).update(total_bytes=10**15)
    assert _nav_disk() is None
    folder = make_library("Films", root=str(tmp_path))
    shown = _nav_disk()
    assert shown is not None
    assert shown["name"] == folder.name


def test_scan_all_scans_folders_only(
    plex_library: Library, as_operator: Client, tmp_path: Path
) -> None:
    folder = make_library("Films", root=str(tmp_path))
    as_operator.post(reverse("library:scan_all"))

    assert [row.args["library"] for row in Operation.objects.all()] == [folder.pk]


def test_the_folders_page_shows_it_apart(plex_library: Library, as_admin: Client) -> None:
    page = as_admin.get(reverse("library:folder_list"))
    shown = text_of(page)
    assert "Only in Plex" in shown and "Movies (Home)" in shown
    assert "Scan now" not in shown
    edit = as_admin.get(reverse("library:folder_edit", args=[plex_library.pk]))
    assert edit.status_code == 404


def test_its_films_are_listed_filtered_and_exported(heat: MediaFile, as_viewer: Client) -> None:
    make_file(make_library("Films"), "Big")
    shown = text_of(as_viewer.get(f"{reverse('library:file_list')}?library={heat.library_id}"))
    assert "Heat" in shown and "Big" not in shown
    exported = as_viewer.get(f"{reverse('library:export_json')}?library={heat.library_id}")
    text = b"".join(exported.streaming_content).decode()  # type: ignore[attr-defined]
    assert "Heat" in text and "Big" not in text


def test_its_films_are_never_queued(heat: MediaFile) -> None:
    """Not even if somebody marks one as present."""
    from transcode.models import Preset
    from transcode.queue.enqueue import EnqueueOrder, find_eligible, find_skipped

    MediaFile.objects.update(availability="present")
    order = EnqueueOrder(preset=Preset.objects.get(slug="balanced"))
    assert not find_eligible(MediaFile.objects.all(), order).exists()
    (skipped,) = find_skipped(MediaFile.objects.all(), order)
    assert skipped.reason.startswith("Only Plex reaches it")


def test_no_piece_of_its_films_is_encoded(heat: MediaFile) -> None:
    from transcode.models import Preset
    from transcode.planning.dry_run import dry_run
    from transcode.prediction.estimate_operation import start_estimate
    from transcode.presets.spec import PresetSpec

    preset = Preset.objects.get(slug="balanced")
    planned = dry_run(heat, PresetSpec.from_json(preset.spec), preset.slug)
    assert planned.refusal is not None
    assert planned.refusal.reason.startswith("Only Plex reaches it")
    done = run_operation_here(start_estimate(heat, preset))
    assert done.message.startswith("Only Plex reaches this film")


def test_the_inaccessible_page_says_why_and_what_to_do(
    heat: MediaFile, as_admin: Client, as_operator: Client
) -> None:
    broken = make_file(make_library("Films"), "Broken", availability="unreachable")
    page = as_admin.get(f"{reverse('library:inaccessible_list')}?reason=plex")
    shown = text_of(page)
    assert f"Plex has it at {PATH}; no path mapping leads there." in shown
    assert "Add a mapping" in shown and "Path mappings" in shown
    assert broken.path not in shown
    # Mounts that are away are another matter than films of other machines.
    other = text_of(as_admin.get(f"{reverse('library:inaccessible_list')}?reason=unreachable"))
    assert broken.path in other and "Plex has it" not in other
    assert "Add a mapping" not in text_of(
        as_operator.get(f"{reverse('library:inaccessible_list')}?reason=plex")
    )


def test_the_film_page_says_what_plex_knows(heat: MediaFile, as_viewer: Client) -> None:
    page = as_viewer.get(reverse("library:file_detail", args=[heat.pk]))
    shown, source = text_of(page), page.content.decode()
    assert PATH in shown
    assert "Heat (1995)" in shown and "Movies on Home" in shown
    assert "Keep" in shown and "Mann" in shown
    assert "Crime, &lt;b&gt;Drama&lt;/b&gt;" in source
    assert "server/m1/details?key=%2Flibrary%2Fmetadata%2F77" in source


def test_a_film_that_plex_does_not_know_has_no_panel(as_viewer: Client) -> None:
    file = make_file(make_library("Films"), "Big")
    page = as_viewer.get(reverse("library:file_detail", args=[file.pk]))
    assert "h-plex" not in page.content.decode()


def test_the_first_page_offers_plex(as_admin: Client) -> None:
    page = as_admin.get(reverse("home"))
    assert reverse("library:plex") in page.content.decode()
    assert "Sign in to Plex" in text_of(page)
