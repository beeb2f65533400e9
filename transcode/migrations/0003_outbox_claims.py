from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transcode", "0002_rules")]

    operations = [
        migrations.AddField(
            model_name="outboxentry",
            name="given_up_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="outcome",
            field=models.CharField(blank=True, default="", max_length=300),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="lease_token",
            field=models.CharField(blank=True, default="", max_length=32),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="lease_owner",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="outboxentry",
            name="heartbeat",
            field=models.BigIntegerField(default=0),
        ),
    ]
