"""Presets as people keep them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Preset(models.Model):
    """A named way to encode. `spec` is `transcode.presets.spec.PresetSpec` as JSON, validated
    by the services; built-in ones can be copied but neither changed nor deleted."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80, unique=True)
    description = models.CharField(max_length=400, default="", blank=True)
    spec = models.JSONField()
    is_builtin = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=100)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name
