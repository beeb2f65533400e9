"""Recommendations know the size of their film, and one index serves all their lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations, models
from django.db.models import OuterRef, Subquery

if TYPE_CHECKING:
    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BATCH = 1_000


def fill_sizes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Of a film from the list; of a group from what its sentence names."""
    rows = apps.get_model("library", "Recommendation").objects
    files = apps.get_model("library", "MediaFile").objects
    size = files.filter(pk=OuterRef("file_id")).values("size_bytes")
    rows.filter(file__isnull=False).update(size_bytes=Subquery(size))
    groups = list(rows.filter(file=None).only("figures"))
    for group in groups:
        group.size_bytes = int(group.figures.get("bytes") or 0)
    rows.bulk_update(groups, ["size_bytes"], batch_size=BATCH)


class Migration(migrations.Migration):
    dependencies = [("library", "0011_plex_states")]

    operations = [
        migrations.RemoveIndex("recommendation", name="rec_kind_priority"),
        migrations.RemoveIndex("recommendation", name="rec_savings"),
        migrations.RemoveIndex("recommendation", name="rec_library_priority"),
        migrations.AddField("recommendation", "size_bytes", models.BigIntegerField(default=0)),
        migrations.RunPython(fill_sizes, migrations.RunPython.noop),
        migrations.AddIndex(
            "recommendation",
            models.Index(
                fields=[
                    *("state", "kind", "-priority", "-id", "library", "file", "confidence_pct"),
                    *("severity", "savings_bytes", "size_bytes"),
                ],
                name="rec_lists",
            ),
        ),
        # Temporary tables of a run: nothing is stored.
        migrations.DeleteModel("AnalysisSize"),
        migrations.CreateModel(
            "AnalysisCandidate",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200)),
                ("file_id", models.BigIntegerField()),
                ("library_id", models.BigIntegerField()),
                ("is_troubled", models.BooleanField()),
                ("title", models.CharField(max_length=500)),
                ("year", models.PositiveSmallIntegerField(null=True)),
                ("edition", models.CharField(max_length=120)),
                ("size_bytes", models.BigIntegerField()),
                ("duration_ms", models.BigIntegerField()),
                ("bit_rate_kbps", models.BigIntegerField()),
                ("video_codec", models.CharField(max_length=20)),
                ("resolution", models.PositiveSmallIntegerField()),
                ("hdr", models.CharField(max_length=12)),
                ("content", models.CharField(max_length=64)),
            ],
            options={"db_table": "analysis_candidate", "managed": False},
        ),
    ]
