"""What the models promise is what the migrations have made: each constraint and index by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.db import connection

from library.models import PlexCollection, PlexSection, PlexServer

if TYPE_CHECKING:
    from django.db.models import Model

OURS = [
    model
    for label in ("base", "accounts", "library", "transcode", "servers")
    for model in apps.get_app_config(label).get_models()
    if model._meta.managed
]


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_the_database_has_each_constraint_and_index_of_a_model(model: type[Model]) -> None:
    """PostgreSQL drops more than asked when a foreign key loses its index."""
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)
    promised = {each.name for each in (*model._meta.constraints, *model._meta.indexes)}
    assert promised <= set(there)


@pytest.mark.django_db
def test_sentences_that_were_states_became_states() -> None:
    server = PlexServer.objects.create(machine_id="m", name="Home")
    errors = {
        "": "",
        "Cut.": "failed",
        "Home has no such library any more.": "gone",
        "Too much. If it is right, accept the losses and sync again.": "losses",
    }
    for number, error in enumerate(errors):
        PlexSection.objects.create(
            server=server, key=str(number), title="Movies", type="movie", error=error
        )
    section = PlexSection.objects.filter(server=server)[0]
    collections = {
        ("", ""): "absent",
        ("", "Plex was asked to make it and has not said that it did. Build it again."): "making",
        ("7", ""): "built",
        ("7", "Plex refused."): "built",
        ("7", "It was deleted in Plex. Build it again, or forget it here."): "deleted",
    }
    for number, (key, error) in enumerate(collections):
        PlexCollection.objects.create(
            section=section, title=str(number), rating_key=key, error=error
        )
    import_module("library.migrations.0011_plex_states").note_states(apps, None)
    assert dict(PlexSection.objects.values_list("error", "trouble")) == errors
    rows = PlexCollection.objects.values_list("rating_key", "error", "state")
    assert {(key, error): state for key, error, state in rows} == collections
