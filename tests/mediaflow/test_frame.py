"""The frame around every page: navigation by role, banners, the disk."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mediaflow import disks
from mediaflow.base.settings_store import set_setting
from mediaflow.context_processors import _here, is_exposed_http
from mediaflow.disks import DiskGauge, DiskUse
from tests.library.file_rows import make_library

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings


@pytest.mark.django_db
def test_only_admins_see_settings_and_logs(as_viewer: Client, as_admin: Client) -> None:
    assert 'href="/logs/"' not in as_viewer.get("/").text
    assert 'href="/logs/"' in as_admin.get("/").text


@pytest.mark.django_db
def test_a_frozen_library_and_a_paused_queue_are_on_every_page(as_viewer: Client) -> None:
    make_library(frozen_reason="The disk is gone.")
    set_setting("queue_paused", True, None)
    set_setting("queue_paused_reason", "It is too hot.", None)
    page = as_viewer.get("/account/").text
    assert "Films is frozen." in page
    assert "The disk is gone." in page
    assert "It is too hot." in page


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/", "/"),
        ("/library/", "/library/"),
        ("/library/7/", "/library/"),
        ("/library/folders/", "/library/folders/"),
        ("/library/folders/3/", "/library/folders/"),
        ("/account/", ""),
    ],
)
def test_one_place_of_the_sidebar_is_marked(path: str, here: str) -> None:
    assert _here(path, ["/", "/library/", "/queue/", "/library/folders/"]) == here


@pytest.mark.parametrize(
    ("host", "exposed"),
    [
        ("localhost:9876", False),
        ("127.0.0.1:9876", False),
        ("[::1]:9876", False),
        ("192.168.1.20:9876", True),
        ("nas", True),
        ("[2001:db8::1]", True),
    ],
)
def test_plain_http_is_exposed_when_others_can_reach_it(host: str, exposed: bool) -> None:
    assert is_exposed_http(host) is exposed


def test_https_is_never_exposed(settings: Settings) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, public_url="https://films.example")
    assert not is_exposed_http("192.168.1.20")


@pytest.mark.django_db
def test_an_admin_on_plain_http_is_warned_and_a_viewer_is_not(
    as_admin: Client, as_viewer: Client
) -> None:
    address = {"HTTP_HOST": "192.168.1.20:9876"}
    assert "unencrypted" in as_admin.get("/account/", **address).text  # type: ignore[arg-type]
    assert "unencrypted" not in as_viewer.get("/account/", **address).text  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_full_disk_is_on_every_page(as_viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mediaflow.context_processors.low_disks",
        lambda: [("work", DiskUse(used_bytes=10**12 - 5 * 1024**2, total_bytes=10**12))],
    )
    page = as_viewer.get("/account/").text
    assert "The disk of the work folder is almost full" in page
    assert "5 MB are free" in page


def test_a_disk_that_hangs_costs_a_page_a_quarter_of_a_second_once() -> None:
    answered, was_asked = threading.Event(), threading.Event()
    asked = []

    def hang(_path: object) -> DiskUse:
        asked.append(1)
        was_asked.set()
        answered.wait(120)
        return DiskUse(1, 2)

    gauge = DiskGauge(b"/nas", ask=hang)
    try:
        assert gauge.read() is None
        assert gauge.read() is None
        assert was_asked.wait(120)
        assert len(asked) == 1
    finally:
        answered.set()


def test_a_disk_that_hangs_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(_path: object) -> DiskUse:
        answered.wait(120)
        return DiskUse(1, 2)

    monkeypatch.setattr(disks, "HANGS_AFTER_S", 0.0)
    gauge = DiskGauge(b"/nas", ask=hang)
    gauge.read()
    assert gauge.is_hanging
    answered.set()


def test_a_disk_that_is_gone_is_unknown_not_an_error() -> None:
    def gone(_path: object) -> DiskUse:
        raise FileNotFoundError

    assert DiskGauge(b"/gone", ask=gone).read() is None
