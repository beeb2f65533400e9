"""Do the mappings of a server lead anywhere: twenty of its files are looked for here.

An operation with a bound for each look: a mount that hangs costs seconds, not the page.
"""

from __future__ import annotations

import os
import random
import stat
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from library.folding import display_path
from library.models import PlexPart, PlexSection, PlexServer
from library.plex.client import PlexProblem, client_for
from library.plex.facts import TYPE_OF_SECTION
from library.plex.mapping import MappingTable
from mediaflow.base.operations import OperationProblem, start_operation
from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

MAPPING_TEST_KIND: Final = "plex_mapping_test"
SAMPLE: Final = 20
LOOK_S: Final = 3.0
# After so many looks without an answer the rest is not tried: the mount hangs.
HANGS_MOST: Final = 3


def start_mapping_test(server: PlexServer, *, actor: User | None = None) -> Operation:
    return start_operation(
        kind=MAPPING_TEST_KIND,
        title=f"Path mappings of {server.name}"[:200],
        args={"server": server.pk},
        lock_key=f"{MAPPING_TEST_KIND}:{server.pk}",
        actor=actor,
    )


def run_mapping_test(context: OperationContext) -> None:
    """Handler of operations of kind "plex_mapping_test". Raises OperationProblem."""
    server = PlexServer.objects.filter(pk=context.args["server"]).first()
    if server is None:
        raise OperationProblem("The server was removed.")
    try:
        paths = sample_paths(server)
    except PlexProblem as problem:
        raise OperationProblem(problem.text) from None
    if not paths:
        raise OperationProblem(f"{server.name} has no films that could be looked for.")
    rows = look_for(
        paths, MappingTable.load(server), report=context.report, checkpoint=context.checkpoint
    )
    here = sum(row["state"] == "here" for row in rows)
    text = f"{here} of {len(rows)} files were found here."
    context.report(len(rows), len(rows), message=text)
    url = f"{reverse('library:plex_mappings')}?test={context.operation_id}"
    context.set_result({"rows": rows, "here": here, "url": url, "url_text": "See each file"})


def sample_paths(server: PlexServer, *, count: int = SAMPLE) -> list[str]:
    """Paths of files as the server names them, from all its libraries alike. Raises PlexProblem.

    From what was synced; from the server itself as long as nothing was.
    """
    sections = list(PlexSection.objects.filter(server=server))
    found = [_synced(section, count) for section in sections]
    if not any(found):
        found = _listed(server, sections, count)
    mixed: list[str] = []
    while any(found) and len(mixed) < count:
        for paths in found:
            if paths and len(mixed) < count:
                mixed.append(paths.pop())
    return mixed


def _synced(section: PlexSection, count: int) -> list[str]:
    """Random ones, found by their id: a random sort would read all of them."""
    parts = PlexPart.objects.filter(plex_item__section=section)
    first = parts.order_by("id").values_list("id", flat=True).first()
    last = parts.order_by("-id").values_list("id", flat=True).first()
    if first is None or last is None:
        return []
    paths: set[str] = set()
    for _ in range(2 * count):
        start = random.randint(first, last)  # a sample, no secret
        path = parts.filter(id__gte=start).order_by("id").values_list("path", flat=True).first()
        if path and len(paths) < count:
            paths.add(path)
    return list(paths)


def _listed(server: PlexServer, sections: list[PlexSection], count: int) -> list[list[str]]:
    with client_for(server) as client:
        return [
            [
                part.path
                for item in client.list_page(
                    section.key, TYPE_OF_SECTION[section.type], 0, size=count
                ).items
                for part in item.parts
            ]
            for section in sections
            if section.type in TYPE_OF_SECTION
        ]


def look_for(
    paths: list[str],
    table: MappingTable,
    *,
    report: Callable[..., None],
    checkpoint: Callable[[], None],
) -> list[dict[str, Any]]:
    """One row per path: path, local ("" without), state (here, missing, unmapped, ...), why."""
    rows, hanging = [], 0
    for done, path in enumerate(paths):
        checkpoint()
        report(done, len(paths), current=path)
        local = table.local_path(path)
        if local is None:
            rows.append(_row(path, "", "unmapped", "No mapping leads there."))
            continue
        if hanging >= HANGS_MOST:
            rows.append(_row(path, display_path(local), "hangs", "Not tried: the disk hangs."))
            continue
        state, why = look_at(local)
        hanging += state == "hangs"
        rows.append(_row(path, display_path(local), state, why))
    return rows


def _row(path: str, local: str, state: str, why: str) -> dict[str, Any]:
    return {"path": path, "local": local, "state": state, "why": why}


def look_at(local: bytes, *, seconds: float = LOOK_S) -> tuple[str, str]:
    """Whether a file is there, within a time. Returns state and reason."""
    try:
        found = answer_within(seconds, lambda: os.stat(local))  # noqa: PTH116  # bytes
    except TimeoutError:
        return "hangs", "The disk does not answer."
    except (FileNotFoundError, NotADirectoryError):
        return "missing", "It is not there."
    except PermissionError:
        return "denied", "MediaFlow's user may not look there."
    except OSError as error:
        return "denied", f"It cannot be read: {error.strerror or error}."
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return "denied", "It is no file."
    return "here", ""
