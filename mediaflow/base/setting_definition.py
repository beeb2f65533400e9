"""What a setting is: its type, bounds, default and words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One setting. `kind` is bool, int, str, hours or choice; `unit` is shown beside the field."""

    key: str
    kind: str
    default: Any
    label: str
    help: str
    group: str = "general"
    low: int = 0
    high: int = 0
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    is_optional: bool = False  # None is a value of its own
    is_shown: bool = True  # False: set by actions, not on the settings page
