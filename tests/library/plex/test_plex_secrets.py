"""Tokens are nowhere but in their encrypted columns: not in a log, an error, an audit entry, the
arguments of an operation, or a page (trust.md, security 4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.urls import reverse

from library.models import PlexPin, PlexSection, PlexServer
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import run_operation_here
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from django.test import Client

    from tests.plex_stand_in import PlexStandIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_plex_tv")]


def everything_stored() -> str:
    """All rows of all tables, as text."""
    tables = set(connection.introspection.table_names())
    kept = [model for model in apps.get_models() if model._meta.db_table in tables]
    return "\n".join(
        f"{model.__name__}: {row}" for model in kept for row in model._base_manager.values()
    )


def run_all() -> None:
    for row in Operation.objects.filter(status=OperationStatus.QUEUED):
        run_operation_here(row)


def test_no_token_is_stored_logged_or_shown_in_clear(
    plex: PlexStandIn, as_admin: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plex.world.add_movie(plex.world.add_section("Movies"), "Heat", 1995)
    as_admin.post(reverse("library:plex_sign_in_begin"))
    pin = PlexPin.objects.get()
    code = pin.code
    plex.tv.approve(code)
    cache.clear()
    as_admin.post(reverse("library:plex_sign_in_poll", args=[pin.nonce]))
    run_all()
    PlexServer.objects.update(is_on_this_machine=True)
    server = PlexServer.objects.get()
    as_admin.post(reverse("library:plex_server_look", args=[server.pk]))
    run_all()
    section = PlexSection.objects.get()
    as_admin.post(reverse("library:plex_section_switch", args=[section.pk]), {"is_enabled": "1"})
    as_admin.post(reverse("library:plex_mapping_test"), {"server": server.pk})
    run_all()
    # And all of it failing.
    plex.world.tokens.clear()
    plex.tv.accounts.clear()
    for name, row in (
        ("library:plex_account_look", server.account_id),
        ("library:plex_server_look", server.pk),
        ("library:plex_section_sync", section.pk),
    ):
        as_admin.post(reverse(name, args=[row]))
    run_all()
    assert Operation.objects.filter(status=OperationStatus.FAILED).count() >= 3

    pages = "".join(
        as_admin.get(url).content.decode()
        for url in (
            reverse("library:plex"),
            reverse("library:plex_server", args=[server.pk]),
            reverse("library:plex_mappings"),
            reverse("logs"),
        )
    )
    for secret in (plex.token, plex.account_token):
        for place, text in (
            ("database", everything_stored()),
            ("log", caplog.text),
            ("pages", pages),
        ):
            assert secret not in text, f"{secret} in the {place}"
    assert code not in caplog.text
    assert code not in everything_stored()
