"""Callees that are loaded when they are first called: every command and every runner starts with
`AppConfig.ready`, and most of them call nothing of what is registered there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

_paths: set[str] = set()


@dataclass(frozen=True, slots=True)
class LoadedOnCall:
    """Stands for the function at a dotted path; two of the same path are equal."""

    path: str

    def __post_init__(self) -> None:
        _paths.add(self.path)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_string(self.path)(*args, **kwargs)


def registered_paths() -> frozenset[str]:
    """All that could be called: for who wants to load everything at once."""
    return frozenset(_paths)
