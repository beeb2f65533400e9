"""Where encoding is done. At first one row: this machine."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class ServerKind(models.TextChoices):
    LOCAL = "local", "This machine"


class Server(models.Model):
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=8, choices=ServerKind, default=ServerKind.LOCAL)
    slot_count = models.PositiveIntegerField(default=1)  # ffmpegs at once
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="server_kind_valid", condition=Q(kind__in=ServerKind.values)
            )
        ]

    def __str__(self) -> str:
        return self.name


class SlotLease(models.Model):
    """A slot in use. (server, index) is unique, so two runners never share one."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="leases")
    index = models.PositiveIntegerField()
    kind = models.CharField(max_length=12, default="encode")  # encode, sample, decode, score
    holder = models.CharField(max_length=60)  # "job:17"
    token = models.CharField(max_length=32, unique=True)
    owner = models.CharField(max_length=200)  # process identity, as in Job.lease_owner
    heartbeat = models.BigIntegerField(default=0)
    leased_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(name="slot_once", fields=["server", "index"])]

    def __str__(self) -> str:
        return f"{self.server_id}/{self.index}"
