"""What the rooms add to the frame around every page, through the hook `nav_counts`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NavCount:
    """The figure beside a link of the sidebar.

    A callee of `nav_counts(user)` returns a mapping from the name of the link's address ("queue")
    to one of these. It runs on every page: one cheap query each.
    """

    count: int
    is_running: bool = False
    # Id of the figure's element, for a fragment on every page that keeps it fresh ("" for none).
    live_id: str = ""
