"""Looking at Plex: servers of an account, the best address of each, its libraries. An operation."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.utils import timezone

from library.models import PlexAccount, PlexServer
from library.plex.client import PlexProblem, client_for
from library.plex.connections import choose_connection
from library.plex.sections import note_contact, refresh_sections
from library.plex.sign_in import refresh_account
from mediaflow.base.models import Operation
from mediaflow.base.operations import OperationProblem, start_operation
from mediaflow.base.periodic import PeriodicTask

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mediaflow.accounts.models import User
    from mediaflow.base.operations import OperationContext

LOOK_KIND: Final = "plex_look"
CHECK_INTERVAL_S: Final = 600
# plex.tv is asked once a day: new addresses and servers, and whether the token lives.
ACCOUNT_EVERY: Final = timedelta(days=1)
# A server that is away may have another address by now.
SERVER_EVERY: Final = timedelta(hours=1)


def look_at_account(account: PlexAccount, *, actor: User | None = None) -> Operation:
    """Find the account's servers anew, and look at each that is switched on."""
    return start_operation(
        kind=LOOK_KIND,
        title=f"Plex servers of {account.username}",
        args={"account": account.pk},
        lock_key=f"plex-account:{account.pk}",
        unit="servers",
        actor=actor,
    )


def look_at_server(server: PlexServer, *, actor: User | None = None) -> Operation:
    """Try the addresses of one server and read which libraries it has."""
    return start_operation(
        kind=LOOK_KIND,
        title=f"Plex server {server.name}"[:200],
        args={"server": server.pk},
        lock_key=f"plex-server:{server.pk}",
        unit="servers",
        actor=actor,
    )


def run_look(context: OperationContext) -> None:
    """Handler of operations of kind "plex_look"."""
    servers = _servers(context.args)
    answering = 0
    for done, server in enumerate(servers):
        context.checkpoint()
        context.report(done, len(servers), current=server.name)
        answering += refresh_server(server)
    count = len(servers)
    noun = "server answers" if answering == 1 else "servers answer"
    message = f"{answering} of {count} {noun}." if count else "The account has no server."
    context.report(count, count, message=message)
    context.set_result({"servers": count, "answering": answering})
    if count == 1 and not answering:
        raise OperationProblem(servers[0].error)


def _servers(args: dict[str, Any]) -> list[PlexServer]:
    if "account" not in args:
        return list(PlexServer.objects.filter(pk=args["server"]))
    account = PlexAccount.objects.filter(pk=args["account"]).first()
    if account is None:
        raise OperationProblem("The account was removed.")
    try:
        return [server for server in refresh_account(account) if server.is_enabled]
    except PlexProblem as problem:
        raise OperationProblem(problem.text) from None


def refresh_server(server: PlexServer) -> bool:
    """Try its addresses, then read its libraries. False, with the reason in the row."""
    if not choose_connection(server):
        return False
    try:
        with client_for(server) as client:
            refresh_sections(server, client)
    except PlexProblem as problem:
        note_contact(server, problem)
        server.error = problem.text[:500]  # for the caller; the row may be gone
        return False
    return True


# By the clock


def due_looks(now: datetime) -> list[PlexAccount | PlexServer]:
    """Accounts not asked for a day, servers that do not answer. A dead token needs a person."""
    living = PlexAccount.objects.filter(is_token_dead=False).exclude(token_encrypted="")
    accounts = living.filter(Q(checked_at=None) | Q(checked_at__lt=now - ACCOUNT_EVERY))
    servers = PlexServer.objects.filter(is_enabled=True, is_token_dead=False).exclude(error="")
    rows: list[PlexAccount | PlexServer] = [*accounts, *servers.exclude(token_encrypted="")]
    return [row for row in rows if not _was_looked_at(row, now - SERVER_EVERY)]


def _was_looked_at(row: PlexAccount | PlexServer, since: datetime) -> bool:
    """A look that waits, runs or was begun since then."""
    name = "account" if isinstance(row, PlexAccount) else "server"
    looks = Operation.objects.filter(kind=LOOK_KIND, lock_key=f"plex-{name}:{row.pk}")
    return looks.filter(created_at__gte=since).exists()


def start_due_looks() -> None:
    """Safe to run twice."""
    for row in due_looks(timezone.now()):
        if isinstance(row, PlexAccount):
            look_at_account(row)
        else:
            look_at_server(row)


def periodic_tasks() -> Iterable[PeriodicTask]:
    """For the hook `periodic_tasks`."""
    return [PeriodicTask("library.plex.looks", CHECK_INTERVAL_S, start_due_looks)]
