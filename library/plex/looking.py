"""Looking at Plex: servers of an account, the best address of each, its libraries. An operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from library.models import PlexAccount, PlexServer
from library.plex.client import PlexProblem, client_for
from library.plex.connections import choose_connection
from library.plex.sections import note_contact, refresh_sections
from library.plex.sign_in import refresh_account
from mediaflow.base.operations import OperationProblem, start_operation

if TYPE_CHECKING:
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

LOOK_KIND: Final = "plex_look"


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
        server.refresh_from_db()
        return False
    return True
