"""`/healthz`, system checks and `doctor`."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.db import DatabaseError

from library.models import Library
from mediaflow import checks as system_checks
from mediaflow.base.heartbeat import Pulse
from mediaflow.base.patience import answer_within
from mediaflow.diagnostics import checks as doctor_checks
from mediaflow.diagnostics.findings import Check
from mediaflow.disks import DiskUse
from transcode.encoding.ffmpeg import FfmpegMissing

if TYPE_CHECKING:
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


def test_checks_find_nothing_here() -> None:
    for check in (
        system_checks.check_ffmpeg,
        system_checks.check_huey_is_not_immediate,
        system_checks.check_sqlite_place,
        system_checks.check_keys_are_private,
        system_checks.check_public_url,
        system_checks.check_proxies,
    ):
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
    found = [
        message
        for check in (
            system_checks.check_ffmpeg,
            system_checks.check_huey_is_not_immediate,
            system_checks.check_sqlite_place,
            system_checks.check_keys_are_private,
            system_checks.check_public_url,
            system_checks.check_proxies,
        )
        for message in check(None)
    ]
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
