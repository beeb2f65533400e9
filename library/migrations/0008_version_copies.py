"""Temporary tables of a run get two columns more: nothing is stored that would have to change."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("library", "0007_recommendation_indexes")]

    operations = [
        migrations.AddField(
            "analysisversion", "copy_place", models.PositiveIntegerField(), preserve_default=False
        ),
        migrations.AddField(
            "analysisversion", "is_troubled", models.BooleanField(), preserve_default=False
        ),
    ]
