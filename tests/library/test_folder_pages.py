"""Libraries and inaccessible files: by role, with the disk's own answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest
from django.urls import reverse

from library.models import Library, MediaFile
from library.pages.views_folders import suggest_folders
from library.scanning import rechecks
from mediaflow.base.models import AuditEvent, Operation
from mediaflow.base.operations import run_operation_here
from tests.library.file_rows import make_file, make_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.test import Client

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db


def settings_of(library: Library, **changes: object) -> dict[str, object]:
    values = {
        "name": library.name,
        "is_enabled": "on",
        "is_watched": "on",
        "is_replace_allowed": "on",
        "settle_window_s": 120,
        "max_missing_pct": 30,
        "hard_link_policy": "skip",
        "never_replace": "",
        "rescan_hours": 6,
    }
    return {name: value for name, value in {**values, **changes}.items() if value != ""}


def test_adding_a_folder_begins_its_first_scan(as_admin: Client, tmp_path: Path) -> None:
    answer = as_admin.post(reverse("library:folder_add"), {"root": str(tmp_path), "name": "F"})
    assert answer["Location"] == "/library/"
    library = Library.objects.get()
    assert library.name == "F"
    assert Operation.objects.get(kind="scan").lock_key == f"scan:{library.pk}"
    assert "Scan F" in as_admin.get("/library/folders/").content.decode()


@pytest.mark.parametrize("root", ["", "films", "/no/such/folder", "/proc", "/", "/etc/passwd"])
def test_a_folder_that_cannot_be_used_is_a_form_error(as_admin: Client, root: str) -> None:
    answer = as_admin.post(reverse("library:folder_add"), {"root": root})
    assert answer.status_code == 422
    assert "hint-bad" in answer.content.decode()
    assert not Library.objects.exists()


def test_nested_folders_are_refused(as_admin: Client, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    url = reverse("library:folder_add")
    as_admin.post(url, {"root": str(tmp_path)})
    answer = as_admin.post(url, {"root": str(tmp_path / "inside")})
    assert answer.status_code == 422
    assert Library.objects.count() == 1


def test_suggestions_are_folders_that_go_on_as_typed(tmp_path: Path) -> None:
    for name in ("films", "films old", "shows", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "film.mkv").touch()
    assert suggest_folders(f"{tmp_path}/fi") == [f"{tmp_path}/films", f"{tmp_path}/films old"]
    assert len(suggest_folders(f"{tmp_path}/")) == 3
    assert suggest_folders("films") == suggest_folders("/no/such/") == suggest_folders("/a\0") == []


@pytest.mark.parametrize("name", ["folder_add", "folder_suggest", "folder_edit", "folder_remove"])
def test_only_admins_change_libraries_or_see_folders_of_the_machine(
    client_for: Callable[[User], Client], viewer: User, operator: User, name: str
) -> None:
    args = [make_library().pk] if name in {"folder_edit", "folder_remove"} else []
    url = reverse(f"library:{name}", args=args)
    for user in (viewer, operator):
        assert client_for(user).get(url).status_code == 403
    assert client_for(viewer).get(reverse("library:folder_list")).status_code == 200


def test_settings_are_saved_and_recorded(as_admin: Client) -> None:
    library = make_library("Old")
    url = reverse("library:folder_edit", args=[library.pk])
    data = settings_of(library, name="New", is_enabled="", rescan_hours=12, max_missing_pct=50)
    assert as_admin.post(url, data).status_code == 302
    library.refresh_from_db()
    assert (library.name, library.is_enabled) == ("New", False)
    assert (library.rescan_interval_s, library.max_missing_pct) == (12 * 3600, 50)
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"library.rename", "library.disable", "library.settings"} <= actions


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_missing_pct", 0), ("max_missing_pct", 101), ("settle_window_s", -1),
     ("settle_window_s", 10**9), ("rescan_hours", 0), ("rescan_hours", "nan"),
     ("never_replace", "../other"), ("hard_link_policy", "copy"), ("name", "Taken")],
)  # fmt: skip
def test_wrong_settings_name_their_field_and_change_nothing(
    as_admin: Client, field: str, value: object
) -> None:
    make_library("Taken")
    library = make_library("Films")
    url = reverse("library:folder_edit", args=[library.pk])
    answer = as_admin.post(url, settings_of(library, **{field: value}))
    assert answer.status_code == 422
    assert f"id_{field}_error" in answer.content.decode()
    library.refresh_from_db()
    assert (library.name, library.max_missing_pct) == ("Films", 30)


def test_removing_asks_first_and_touches_no_file(as_admin: Client, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"film")
    library = make_library("Films", root=str(tmp_path))
    url = reverse("library:folder_remove", args=[library.pk])
    page = as_admin.get(url).content.decode()
    assert "Nothing in" in page
    assert Library.objects.exists()
    fragment = as_admin.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    as_admin.post(url)
    assert not Library.objects.exists()
    assert film.read_bytes() == b"film"


def test_a_library_with_a_film_being_encoded_is_not_removed(as_admin: Client) -> None:
    library = make_library()
    make_file(library, "Busy", state="processing")
    url = reverse("library:folder_remove", args=[library.pk])
    assert "cannot be removed now" in as_admin.get(url).content.decode()
    as_admin.post(url)
    assert Library.objects.exists()


def test_operators_scan_and_only_admins_accept_losses(
    as_operator: Client, as_admin: Client, as_viewer: Client
) -> None:
    library = make_library(frozen_reason="Half of the files are gone.")
    url = reverse("library:scan_start", args=[library.pk])
    assert as_viewer.post(url).status_code == 403
    assert as_operator.get(url).status_code == 405
    as_operator.post(url, {"accept_losses": "1"})
    assert Operation.objects.get().args["accept_losses"] is False
    Operation.objects.all().delete()
    as_admin.post(url, {"accept_losses": "1"})
    assert Operation.objects.get().args["accept_losses"] is True
    page = as_admin.get("/library/folders/").content.decode()
    assert "Half of the files are gone." in page


def test_scanning_all_twice_starts_one_scan_per_library(as_operator: Client) -> None:
    make_library("One")
    make_library("Two")
    make_library("Off", is_enabled=False)
    for _ in range(2):
        as_operator.post(reverse("library:scan_all"))
    assert Operation.objects.count() == 2


def test_inaccessible_files_say_why_and_since_when(as_viewer: Client) -> None:
    library = make_library()
    make_file(library, "Fine")
    make_file(library, "Gone", availability="missing", availability_reason="Not in its folder.")
    make_file(library, "Bad", availability="unreadable", availability_reason="No video in it.")
    page = as_viewer.get("/library/inaccessible/").content.decode()
    assert "Gone/Gone.mkv" in page
    assert "No video in it." in page
    assert "Fine/Fine.mkv" not in page
    assert "Re-check" not in page
    only = as_viewer.get("/library/inaccessible/?reason=missing&page=999").content.decode()
    assert "Bad/Bad.mkv" not in only
    assert "Every file can be read" not in only


def test_files_are_taken_off_the_list_but_those_that_can_be_read_are_not(
    as_operator: Client,
) -> None:
    library = make_library()
    gone = make_file(library, "Gone", availability="missing")
    fine = make_file(library, "Fine")
    url = reverse("library:inaccessible_forget")
    as_operator.post(url, {"ids": [gone.pk, fine.pk]})
    listed = MediaFile.objects.filter(removed_from_list_at=None)
    assert [file.pk for file in listed] == [fine.pk]
    as_operator.post(url, {"ids": [gone.pk]})
    as_operator.post(url, {})
    assert MediaFile.objects.count() == 2
    as_operator.post(reverse("library:file_forget", args=[fine.pk]))
    assert not MediaFile.objects.filter(removed_from_list_at=None).exists()


def test_looking_again_runs_as_an_operation(as_operator: Client) -> None:
    file = make_file(make_library(), "Gone", availability="missing")
    answer = as_operator.post(reverse("library:file_recheck", args=[file.pk]))
    operation = Operation.objects.get(kind=rechecks.RECHECK_KIND)
    assert answer["Location"] == f"/operations/{operation.pk}/"
    with mock.patch.object(rechecks, "recheck_file", return_value=file) as looked:
        done = run_operation_here(operation)
    assert done.status == "completed"
    assert done.result == {"present": 0, "looked_at": 1}
    looked.assert_called_once()
    bulk_url = reverse("library:inaccessible_recheck")
    as_operator.post(bulk_url, {"ids": [file.pk]})
    assert Operation.objects.filter(kind=rechecks.RECHECK_KIND).count() == 2
