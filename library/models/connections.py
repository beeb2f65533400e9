"""Other programs around the library: path mappings, Sonarr and Radarr, webhooks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from library.models.plex import PlexServer


class ArrServer(models.Model):
    """A Sonarr or Radarr: told to look again after a swap."""

    kind = models.CharField(max_length=8, choices=[("sonarr", "Sonarr"), ("radarr", "Radarr")])
    name = models.CharField(max_length=120, unique=True)
    url = models.CharField(max_length=300)
    api_key_encrypted = models.TextField(default="", blank=True)
    is_on_this_machine = models.BooleanField(default=False)  # as PlexServer's
    is_enabled = models.BooleanField(default=True)
    error = models.CharField(max_length=500, default="", blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="arr_kind_valid", condition=Q(kind__in=["sonarr", "radarr"])
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PathMapping(models.Model):
    """How a folder of another machine is called here. The longest prefix wins; one of a server
    goes before a global one (neither server set)."""

    plex_server = models.ForeignKey(
        PlexServer, null=True, blank=True, on_delete=models.CASCADE, related_name="path_mappings"
    )
    arr_server = models.ForeignKey(
        ArrServer, null=True, blank=True, on_delete=models.CASCADE, related_name="path_mappings"
    )
    source = models.CharField(max_length=1000)  # as the other side writes it: /data, D:\Films
    local = models.CharField(max_length=1000)  # for people
    local_raw = models.BinaryField(max_length=4096)  # the truth
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="path_mapping_one_owner",
                condition=Q(plex_server=None) | Q(arr_server=None),
            ),
            models.UniqueConstraint(name="plex_mapping_once", fields=["plex_server", "source"]),
            models.UniqueConstraint(name="arr_mapping_once", fields=["arr_server", "source"]),
            models.UniqueConstraint(
                name="global_mapping_once",
                fields=["source"],
                condition=Q(plex_server=None, arr_server=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.local}"


class Webhook(models.Model):
    """A secret address that Plex, Sonarr or Radarr calls. Only the digest of the secret is kept."""

    kind = models.CharField(
        max_length=8, choices=[("plex", "Plex"), ("sonarr", "Sonarr"), ("radarr", "Radarr")]
    )
    name = models.CharField(max_length=120)
    secret_digest = models.CharField(max_length=64, unique=True)  # SHA-256, hex
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                name="webhook_kind_valid", condition=Q(kind__in=["plex", "sonarr", "radarr"])
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookEvent(models.Model):
    """One call of a webhook: kept, then worked on by a task; old ones are pruned."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    event = models.CharField(max_length=60)  # library.new, Download, …
    payload = models.JSONField(default=dict)  # only what is used of it
    outcome = models.CharField(max_length=300, default="", blank=True)  # in words
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["done_at", "id"], name="webhook_event_due"),
            models.Index(fields=["webhook", "-id"], name="webhook_event_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.at:%Y-%m-%d %H:%M}"
