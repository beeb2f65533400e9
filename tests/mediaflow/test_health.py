"""`/healthz`, system checks and `doctor`."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection

from library.models import Library
from library.scanning.marker import write_marker
from mediaflow import checks as system_checks
from mediaflow.base.heartbeat import Pulse
from mediaflow.base.patience import answer_within
from mediaflow.diagnostics import checks as doctor_checks
from mediaflow.diagnostics.findings import Check
from mediaflow.disks import DiskUse
from mediaflow.healthz import consumer_state
from transcode.encoding.ffmpeg import FfmpegMissing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings


@pytest.mark.django_db
def test_without_a_consumer_it_is_not_healthy(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json()["consumer"] == "silent"
    assert response.json()["web"] == "ok"


@pytest.mark.django_db
def test_with_a_living_consumer_it_is_healthy(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaflow.disks.DiskGauge.read", lambda _self: DiskUse(0, 10**12))
    Pulse("consumer").beat()
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {
        "ok": True, "web": "ok", "database": "ok", "consumer": "ok", "disk": "ok",
    }  # fmt: skip


@contextmanager
def failing_database() -> Iterator[None]:
    """Every statement fails, as when the server is gone."""

    def fail(*_args: object) -> None:
        raise OperationalError("the connection is closed\n")

    with connection.execute_wrapper(fail):
        yield


@pytest.mark.django_db
def test_a_database_that_is_gone_is_said_by_name(client: Client) -> None:
    with failing_database():
        response = client.get("/healthz")
        assert consumer_state() == "unknown"
    assert (response.status_code, response.json()["database"]) == (503, "unreachable")


@pytest.mark.django_db
def test_each_check_of_doctor_says_that_the_database_is_gone() -> None:
    with failing_database():
        found = [
            doctor_checks.check_database(),
            doctor_checks.check_queue(),
            *doctor_checks.check_encoders(),
            *doctor_checks.check_libraries(),
        ]
    assert [check.name for check in found] == ["database", "queue", "encoders"]
    assert {(check.ok, check.detail) for check in found} == {(False, "the connection is closed")}
    assert all(check.hint for check in found)


@pytest.mark.django_db
def test_a_disk_that_does_not_answer_is_not_healthy(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaflow.disks.DiskGauge.read", lambda _self: None)
    response = client.get("/healthz")
    assert (response.status_code, response.json()["disk"]) == (503, "unknown")


@pytest.mark.django_db
def test_a_database_that_fails_is_said_and_not_a_broken_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediaflow.healthz.database_state", lambda: "unreachable")
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json()["consumer"] == "unknown"


@pytest.mark.django_db
def test_a_low_disk_is_not_healthy(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediaflow.disks.DiskGauge.read", lambda _self: DiskUse(10**9, 10**9))
    assert client.get("/healthz").json()["disk"] == "low"


CHECKS = (
    system_checks.check_ffmpeg,
    system_checks.check_huey_is_not_immediate,
    system_checks.check_sqlite_place,
    system_checks.check_keys_are_private,
    system_checks.check_public_url,
    system_checks.check_proxies,
)


def test_checks_find_nothing_here() -> None:
    for check in CHECKS:
        assert check(None) == []


def test_each_check_has_its_id_and_a_hint(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing() -> None:
        raise FfmpegMissing("There is no ffmpeg.")

    monkeypatch.setattr(system_checks, "find_ffmpeg", missing)
    monkeypatch.setattr(system_checks, "network_file_system", lambda _folder: "cifs")
    settings.HUEY = {"name": "x"}
    (tmp_path / "keys").mkdir(mode=0o755)
    settings.ENVIRONMENT = replace(
        settings.ENVIRONMENT,
        data_dir=tmp_path,
        database_url="",
        host="0.0.0.0",
        trusted_proxies=("0.0.0.0/0",),
    )
    found = [message for check in CHECKS for message in check(None)]
    assert [message.id for message in found] == [
        "mediaflow.E001", "mediaflow.E002", "mediaflow.E003",
        "mediaflow.W001", "mediaflow.W002", "mediaflow.W003",
    ]  # fmt: skip
    assert all(message.hint for message in found)


@pytest.mark.django_db
def test_a_library_that_is_gone_or_not_ours_fails(tmp_path: Path) -> None:
    library = Library(name="Films", root=str(tmp_path / "no"), root_raw=bytes(tmp_path / "no"))
    assert "No such file" in doctor_checks.check_library(library).detail
    library.root_raw = bytes(tmp_path)
    found = doctor_checks.check_library(library)
    assert (found.ok, "marker" in found.detail) == (False, True)


@pytest.mark.django_db
def test_a_frozen_library_fails_with_its_reason_and_one_that_is_there_does_not(
    tmp_path: Path,
) -> None:
    raw = os.fsencode(tmp_path)
    library = Library(name="Films", root=str(tmp_path), root_raw=raw)
    write_marker(raw, library.marker_id)
    found = doctor_checks.check_library(library)
    assert (found.ok, found.detail) == (True, f"{tmp_path} is reachable")
    library.frozen_reason = "It is empty."
    found = doctor_checks.check_library(library)
    assert (found.ok, found.detail) == (False, "frozen: It is empty.")


@pytest.mark.django_db
def test_without_ffmpeg_no_encoder_is_tried_and_the_checks_of_others_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise FfmpegMissing("There is no ffmpeg.")

    monkeypatch.setattr(doctor_checks, "find_ffmpeg", missing)
    monkeypatch.setattr(
        doctor_checks, "hooked", lambda name: [lambda: [Check(name, True, "of another room")]]
    )
    Library.objects.create(name="Films", root="/no", root_raw=b"/no", root_digest="x")
    Pulse("consumer").beat()
    found = list(doctor_checks.run_checks())
    names = [check.name for check in found]
    assert names == [
        "database", "data folder", "work folder", "clock", "queue", "ffmpeg",
        "library Films", "doctor_checks",
    ]  # fmt: skip
    assert found[5].detail == "There is no ffmpeg."
    assert (found[4].ok, found[4].detail) == (True, "a consumer runs")
    assert found[6].detail == "/no: No such file or directory"


@pytest.mark.django_db
@pytest.mark.sqlite
def test_a_database_on_the_network_or_one_that_is_broken_or_old_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert doctor_checks.check_database().ok
    with monkeypatch.context() as patch:
        patch.setattr(doctor_checks, "has_pending_migrations", lambda: True)
        assert "mediaflow migrate" in doctor_checks.check_database().hint
    with monkeypatch.context() as patch:
        patch.setattr(doctor_checks, "network_file_system", lambda _folder: "nfs4")
        assert "network file system (nfs4)" in doctor_checks.check_database().detail

    def torn(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        return execute(
            sql.replace("PRAGMA quick_check", "SELECT 'row 7 missing'"), params, many, context
        )

    with connection.execute_wrapper(torn):
        found = doctor_checks.check_database()
    assert (found.ok, found.detail) == (False, "row 7 missing")
    assert "mediaflow restore" in found.hint


@pytest.mark.parametrize(
    ("ahead_s", "ok"), [(0, True), (doctor_checks.CLOCK_TOLERANCE_S + 60, False)]
)
def test_the_clock_is_held_against_that_of_the_database_server(
    ahead_s: float, ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = mock.MagicMock()
    cursor.__enter__.return_value = cursor
    cursor.fetchone.side_effect = lambda: (str(time.time() + ahead_s),)
    server = SimpleNamespace(vendor="postgresql", cursor=lambda: cursor)
    monkeypatch.setattr(doctor_checks, "connection", server)
    found = doctor_checks.check_clock()
    assert (found.ok, bool(found.hint)) == (ok, not ok)
    cursor.execute.side_effect = OperationalError("gone\n")
    assert doctor_checks.check_clock().detail == "gone"


def test_a_clock_before_the_day_this_was_written_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(doctor_checks, "EARLIEST_PLAUSIBLE", later)
    found = doctor_checks.check_clock()
    assert (found.ok, found.hint) == (False, "Set the clock; switch NTP on.")


def test_a_mount_that_hangs_is_given_up() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError):
        answer_within(0.05, lambda: never.wait(20))
    never.set()


def test_what_hangs_is_asked_again_only_when_it_has_answered() -> None:
    never, asked = threading.Event(), []

    def ask() -> bool:
        asked.append(threading.current_thread())
        return never.wait(20)

    for _minute in range(3):
        with pytest.raises(TimeoutError):
            answer_within(0.05, ask, about="a disk")
    assert answer_within(120, lambda: True, about="another disk")
    assert len(asked) == 1
    never.set()
    asked[0].join(20)
    assert answer_within(120, ask, about="a disk")


def test_what_the_question_raises_reaches_the_asker() -> None:
    def fail() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        answer_within(120, fail)


@pytest.mark.django_db
def test_a_database_that_fails_is_one_line_of_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> bool:
        raise DatabaseError("gone away\n")

    monkeypatch.setattr(doctor_checks, "has_pending_migrations", broken)
    found = doctor_checks.check_database()
    assert (found.ok, found.detail) == (False, "gone away")
    assert found.hint


@pytest.mark.django_db
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "work").write_text("a file")
    settings.WORK_DIR = tmp_path / "work"
    found = list(doctor_checks.check_disks())
    assert [check.ok for check in found] == [True, False]
    assert str(tmp_path / "work") in found[1].detail


@pytest.mark.django_db
@pytest.mark.ffmpeg
def test_doctor_prints_one_json_document_with_the_agreed_keys() -> None:
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    checks = json.loads(out.getvalue())["checks"]
    assert {frozenset(check) for check in checks} == {frozenset({"name", "ok", "detail", "hint"})}
    names = {check["name"] for check in checks}
    assert {"database", "data folder", "ffmpeg", "encoder libx265", "queue", "clock"} <= names


@pytest.mark.django_db
def test_doctor_ends_with_1_when_something_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Check("clock", False, "says 1970", "Set the clock.")
    monkeypatch.setattr("mediaflow.management.commands.doctor.run_checks", lambda: [failing])
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "Set the clock." in out.getvalue()
