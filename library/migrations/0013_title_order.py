"""Titles are sorted by code points everywhere: by Python, by SQLite, and by PostgreSQL too, whatever
the locale of its database. Else a page that was sorted by one of them and a cursor that is compared
by another would skip films (“Ёлки” stands first for one and last for the other)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

COLLATE = (
    "ALTER TABLE library_mediafile ALTER COLUMN sort_key TYPE varchar(300) COLLATE \"{collation}\""
)


def by_code_points(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(COLLATE.format(collation="C"))


def by_locale(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(COLLATE.format(collation="default"))


class Migration(migrations.Migration):
    dependencies = [("library", "0012_recommendation_lists")]

    operations = [migrations.RunPython(by_code_points, by_locale)]
