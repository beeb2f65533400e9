"""Ways through replace, undo, purge and recovery that the harness kills at every point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SAME = {"name": "film.mkv"}
OTHER = {"name": "film.avi"}


@dataclass(frozen=True)
class Scenario:
    """`setup` runs undisturbed, `killed` dies, `lacks` is what the file system cannot do."""

    name: str
    make: dict[str, Any]
    killed: tuple[str, ...] = ("run",)
    setup: tuple[str, ...] = ()
    before: tuple[str, ...] = ()  # in the process that dies and in the later ones
    lacks: tuple[str, ...] = ()


NO_LINKS = ("link",)
NO_EXCHANGE = ("rename_exchange",)
NEITHER = ("link", "rename_exchange")
VERY_OLD = ("link", "rename_exchange", "rename_noreplace")  # vfat on an old kernel
NFS = ("rename_exchange", "rename_noreplace")

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("same name", SAME),
    Scenario("same name, no exchange", SAME, lacks=NO_EXCHANGE),
    Scenario("same name, no links", SAME, lacks=NO_LINKS),
    Scenario("same name, neither", SAME, lacks=NEITHER),
    Scenario("same name, plain renames only", SAME, lacks=VERY_OLD),
    Scenario("new name", OTHER),
    Scenario("new name, links only", OTHER, lacks=NFS),
    Scenario("new name, no links", OTHER, lacks=NO_LINKS),
    Scenario("new name, plain renames only", OTHER, lacks=VERY_OLD),
    Scenario("new name is taken", {**OTHER, "neighbours": {"film.mkv": "another film"}}),
    Scenario("beside", {**SAME, "mode": "beside"}),
    Scenario("spoiled on the disk", SAME, before=("spoil_output",)),
    Scenario("spoiled on the disk, new name", OTHER, before=("spoil_output",)),
    Scenario("undo", SAME, setup=("run",), killed=("undo",)),
    Scenario("undo, no exchange", SAME, setup=("run",), killed=("undo",), lacks=NO_EXCHANGE),
    Scenario("undo, neither", SAME, setup=("run",), killed=("undo",), lacks=NEITHER),
    Scenario("undo, plain renames only", SAME, setup=("run",), killed=("undo",), lacks=VERY_OLD),
    Scenario("undo of a new name", OTHER, setup=("run",), killed=("undo",)),
    Scenario("undo of a new name, links only", OTHER, ("undo",), ("run",), lacks=NFS),
    Scenario("undo while both names exist", OTHER, before=("undo_while_published",)),
    Scenario("purge", SAME, setup=("run",), killed=("purge",)),
)
