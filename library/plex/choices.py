"""What people choose about servers and their libraries; each choice is in the audit log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from library.plex.by_hand import store_typed, try_typed
from library.plex.looking import look_at_server
from library.plex.mapping import MappingTable
from library.services import LibraryProblem, add_folder_library, start_scan
from mediaflow.base.audit import record_audit
from mediaflow.base.patience import answer_within

if TYPE_CHECKING:
    from collections.abc import Collection

    from library.models import Library, PlexSection, PlexServer
    from mediaflow.accounts.models import User

FOLDER_ANSWERS_S: Final = 5.0
_PLAIN: Final = ("is_enabled", "is_on_this_machine", "analyses_after_sync")


def set_section_enabled(
    section: PlexSection, *, is_enabled: bool, actor: User | None = None
) -> None:
    """Whether it is synced. Switched off, the films that only Plex knows go from the lists soon."""
    section.is_enabled = is_enabled
    section.save(update_fields=["is_enabled"])
    action = "plex.section_enable" if is_enabled else "plex.section_disable"
    record_audit(action, actor=actor, subject=section.title, detail=section.server.name)


def save_server_settings(
    server: PlexServer,
    *,
    address: str,
    token: str,
    sync_hours: float,
    changed: Collection[str],
    actor: User | None = None,
) -> None:
    """An address or token that was typed is tried first. Raises TypedProblem; nothing is stored.

    `address` "" means the best of those that plex.tv names. `changed` are the names of the fields;
    the others stay as they are in the database by then.
    """
    values: dict[str, Any] = {name: getattr(server, name) for name in _PLAIN if name in changed}
    if "sync_hours" in changed:
        values["sync_interval_s"] = round(sync_hours * 3600)
    is_new_way = bool({"address", "token", "is_on_this_machine"} & set(changed))
    if is_new_way and (address or token):
        here = server.is_on_this_machine
        values |= try_typed(server, url=address, token=token, is_on_this_machine=here)
    elif "address" in changed:  # what was typed is not used any more, even if nothing else answers
        values |= {"url": "", "is_url_manual": False}
    store_typed(server, values)
    names = ", ".join(sorted(changed)) or "nothing"
    record_audit("plex.server_settings", actor=actor, subject=server.name, detail=names)
    if server.is_enabled and (is_new_way or "is_enabled" in changed):
        look_at_server(server, actor=actor)


def add_section_folder(
    section: PlexSection, *, location: str, actor: User | None = None
) -> Library:
    """Make one of the section's folders a library here and scan it. Raises LibraryProblem."""
    if location not in section.locations:
        raise LibraryProblem("", f"{section.title} has no such folder any more.")
    local = MappingTable.load(section.server).local_path(location)
    if local is None:
        text = f"No path mapping says what {location} is called here; add one."
        raise LibraryProblem("", text)
    try:
        answer_within(FOLDER_ANSWERS_S, lambda: os.stat(local))  # noqa: PTH116  # bytes
    except TimeoutError:
        raise LibraryProblem("", f"{location} does not answer; is it mounted?") from None
    except OSError:
        pass  # adding it says what is wrong
    library = add_folder_library(root=local, actor=actor)
    start_scan(library=library, actor=actor)
    return library
