"""The bar that appears with a selection: what upper rooms offer first, then tags and ignoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

if TYPE_CHECKING:
    from mediaflow.base.film_hooks import BulkAction


@dataclass(frozen=True, slots=True)
class BulkBar:
    """What `components/_bulk.html` takes."""

    verb: str
    button: dict[str, str]
    actions: list[dict[str, str]]
    presets: tuple[dict[str, Any], ...] = ()
    note: str = ""


def make_bulk_bar(offered: list[BulkAction]) -> BulkBar:
    """The primary action of the rooms above, else tagging, is the button with the number."""
    tag = {"url": reverse("library:bulk_tag"), "label": "Tag", "icon": "tag"}
    ignore = {"url": reverse("library:bulk_ignore"), "label": "Ignore", "icon": "eye-off"}
    primary = next((action for action in offered if action.is_primary), None)
    others = [
        {"url": action.url, "label": action.label, "icon": action.icon}
        for action in offered
        if action is not primary
    ]
    if primary is None:
        return BulkBar("Tag", {"url": tag["url"]}, [*others, ignore])
    return BulkBar(
        verb=primary.label,
        button={"url": primary.url},
        actions=[*others, tag, ignore],
        presets=primary.presets,
        note=primary.note,
    )
