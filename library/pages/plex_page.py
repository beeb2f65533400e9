"""What the Plex page shows: accounts, servers and their libraries, in a few queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Prefetch

from library.models import (
    PathMapping,
    PlexAccount,
    PlexSection,
    PlexSectionTrouble,
    PlexServer,
)
from library.pages.plex_folders import folders_of
from library.plex.looking import LOOK_KIND
from library.plex.removal import REMOVE_KIND
from library.plex.sync_operation import SYNC
from mediaflow.base.operation_fragment import operation_context
from mediaflow.base.operations import active_operations

if TYPE_CHECKING:
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class SectionRow:
    """`kind` and `word` as on a ServerCard; "" where only the time of the last sync is shown."""

    section: PlexSection
    is_syncing: bool
    kind: str
    word: str
    may_accept_losses: bool
    unmatched: int  # files that nobody here can reach


@dataclass(frozen=True, slots=True)
class ServerCard:
    """`kind` and `word` are those of `components/_state.html`."""

    server: PlexServer
    kind: str
    word: str
    sections: list[SectionRow]


@dataclass(frozen=True, slots=True)
class PlexPage:
    accounts: list[PlexAccount]
    servers: list[ServerCard]
    operations: list[dict[str, Any]]
    has_mappings: bool

    @property
    def is_empty(self) -> bool:
        return not self.accounts and not self.servers

    @property
    def is_live(self) -> bool:
        return bool(self.operations)


def read_plex_page(user: User) -> PlexPage:
    kinds = (LOOK_KIND, SYNC, REMOVE_KIND)
    running = list(active_operations().filter(kind__in=kinds).order_by("id"))
    going = {row.args.get("server") for row in running if row.kind == REMOVE_KIND}
    syncing = {row.args.get("section") for row in running if row.kind == SYNC}
    sections = PlexSection.objects.select_related("library")
    servers = PlexServer.objects.select_related("account").prefetch_related(
        Prefetch("sections", queryset=sections)
    )
    return PlexPage(
        accounts=list(PlexAccount.objects.order_by("username")),
        servers=[_card(server, syncing, is_going=server.pk in going) for server in servers],
        operations=[_operation(row, may_cancel=user.is_operator) for row in running[:_SHOWN]],
        has_mappings=PathMapping.objects.filter(arr_server=None).exists(),
    )


def _operation(row: Operation, *, may_cancel: bool) -> dict[str, Any]:
    """Without an address of its own: the page polls as a whole. An answer for a card that the
    page has dropped meanwhile would land on whatever took its place."""
    return {**operation_context(row, may_cancel=may_cancel), "url": ""}


def _card(server: PlexServer, syncing: set[Any], *, is_going: bool) -> ServerCard:
    kind, word = ("run", "Being removed") if is_going else server_state(server)
    rows = [
        SectionRow(
            section,
            section.pk in syncing,
            *section_state(section, is_syncing=section.pk in syncing),
            section.trouble == PlexSectionTrouble.LOSSES,
            section.library.file_count if section.library else 0,
        )
        for section in server.sections.all()
    ]
    return ServerCard(server, kind, word, rows)


def section_state(section: PlexSection, *, is_syncing: bool) -> tuple[str, str]:
    trouble = section.trouble
    if is_syncing:
        return "run", "Syncing"
    if trouble == PlexSectionTrouble.GONE or (trouble and section.is_enabled):
        kind = "wait" if trouble == PlexSectionTrouble.SCANNING else "bad"
        return kind, str(PlexSectionTrouble(trouble).label)
    if not section.is_enabled:
        return "skip", "Not synced"
    return ("", "") if section.synced_at else ("wait", "Waits")


def server_state(server: PlexServer) -> tuple[str, str]:
    if not server.is_enabled:
        return "skip", "Switched off"
    if server.is_token_dead:
        return "bad", "Sign in again"
    if server.error:
        return "bad", "No answer"
    if server.seen_at is None:
        return "wait", "Not asked yet"
    return "ok", "Answers"


def settings_page(server: PlexServer) -> dict[str, object]:
    """What the page of one server's settings shows beside the form."""
    kind, word = server_state(server)
    return {"server": server, "kind": kind, "word": word, "folders": folders_of(server)}


def removal_words(server: PlexServer) -> str:
    """What is said before a server is removed."""
    text = (
        "Its plays, labels and the files that only Plex knows leave the list here. Nothing at Plex"
        " and nothing on a disk changes."
    )
    if server.account is not None and server.account.token_encrypted:
        name = server.account.username
        text += f" While {name} is signed in, it is found again; switch it off to leave it out."
    return text
