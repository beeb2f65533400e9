"""States of sections and collections have columns; until now their sentences were read for them."""

from django.db import migrations, models


def note_states(apps, _schema_editor):
    sections = apps.get_model("library", "PlexSection").objects.exclude(error="")
    sections.update(trouble="failed")
    sections.filter(error__contains="accept the losses and sync again").update(trouble="losses")
    sections.filter(error__endswith="has no such library any more.").update(trouble="gone")
    collections = apps.get_model("library", "PlexCollection").objects
    collections.exclude(rating_key="").update(state="built")
    collections.filter(error__startswith="It was deleted in Plex.").update(state="deleted")
    collections.filter(error__startswith="Plex was asked to make it").update(state="making")


class Migration(migrations.Migration):
    dependencies = [
        ("library", "0010_plex_swap_generation"),
    ]

    operations = [
        migrations.AddField(
            model_name="plexcollection",
            name="builder",
            field=models.CharField(blank=True, default="", max_length=32),
        ),
        migrations.AddField(
            model_name="plexcollection",
            name="state",
            field=models.CharField(
                choices=[
                    ("absent", "Not built yet"),
                    ("making", "Being made"),
                    ("built", "Built"),
                    ("deleted", "Deleted in Plex"),
                ],
                default="absent",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="plexsection",
            name="trouble",
            field=models.CharField(
                blank=True,
                choices=[
                    ("failed", "Failed"),
                    ("losses", "Much is gone"),
                    ("gone", "Not in Plex"),
                    ("scanning", "Waits"),
                ],
                default="",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="plexedit",
            name="state",
            field=models.CharField(
                choices=[
                    ("planned", "Waits"),
                    ("sent", "Sent"),
                    ("verified", "Done"),
                    ("differs", "Differs"),
                    ("failed", "Failed"),
                    ("undone", "Undone"),
                ],
                default="planned",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="plexcollection",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["absent", "making", "built", "deleted"])),
                name="plex_collection_state_valid",
            ),
        ),
        migrations.AddConstraint(
            model_name="plexsection",
            constraint=models.CheckConstraint(
                condition=models.Q(("trouble__in", ["", "failed", "losses", "gone", "scanning"])),
                name="plex_section_trouble_valid",
            ),
        ),
        migrations.RunPython(note_states, migrations.RunPython.noop),
    ]
