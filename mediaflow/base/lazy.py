"""Callees that are loaded when they are first called: every command and every runner starts with
`AppConfig.ready`, and most of them call nothing of what is registered there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class LoadedOnCall:
    """Stands for the function at a dotted path; two of the same path are equal."""

    path: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_string(self.path)(*args, **kwargs)
