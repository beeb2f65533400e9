"""Callees that are loaded when they are first called: every command and every runner starts with
`AppConfig.ready`, and most of them call nothing of what is registered there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_paths: set[str] = set()


@dataclass(frozen=True, slots=True)
class LoadedOnCall:
    """Stands for the function at a dotted path; two of the same path are equal."""

    path: str

    def __post_init__(self) -> None:
        _paths.add(self.path)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.load()(*args, **kwargs)

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        found: Callable[..., Any] = import_string(self.path)
        return found


def registered_paths() -> frozenset[str]:
    """All that could be called."""
    return frozenset(_paths)


def load(callees: Iterable[Callable[..., Any]]) -> None:
    """Those of a hook, before somebody waits for them."""
    for callee in callees:
        if isinstance(callee, LoadedOnCall):
            callee.load()


def load_everything() -> None:
    """For a process that would else load it while somebody waits."""
    for path in registered_paths():
        import_string(path)
