"""What the models promise is what the migrations have made: each constraint and index by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.db import connection

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
