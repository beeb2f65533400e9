"""What goes back to a client: a page, or a tree as JSON or XML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.plex_stand_in.render import as_json, as_xml

if TYPE_CHECKING:
    from tests.plex_stand_in.faults import Seen
    from tests.plex_stand_in.trees import Tree


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, words: str) -> Answer:
    """Plex's errors are pages of HTML, whatever was asked for."""
    page = f"<html><head><title>{words}</title></head><body><h1>{status} {words}</h1></body></html>"
    return Answer(status, page.encode())


NOT_FOUND = problem(404, "Not Found")


def rendered(seen: Seen, tree: Tree | list[Tree], root: str = "MediaContainer") -> Answer:
    """As the client accepts it. Only a MediaContainer is named in JSON."""
    if "json" in seen.headers.get("Accept", ""):
        named = {root: tree} if root == "MediaContainer" else tree
        return Answer(200, as_json(named), "application/json")
    if isinstance(tree, list):
        tree = {root.removesuffix("s"): tree}
    return Answer(200, as_xml(tree, root), "text/xml;charset=utf-8")
