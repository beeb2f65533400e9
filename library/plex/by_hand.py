"""Servers whose address or token a person types: asked before anything is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from library.models import PlexServer
from library.plex.client import PlexProblem, token_of
from library.plex.connections import try_address, who_answers
from library.plex.plex_tv import Address
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.outbound import OutboundProblem, check_url

if TYPE_CHECKING:
    from library.plex.connections import Tried
    from mediaflow.accounts.models import User


class TypedProblem(Exception):
    """What was typed does not work. `field` is url or token; `text` says why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        self.text = text


def add_server(
    *, url: str, token: str, is_on_this_machine: bool, actor: User | None = None
) -> PlexServer:
    """A server by its address; one that an account knows already needs no token.

    Takes some ten seconds at most. Raises TypedProblem; nothing is stored then.
    """
    address = _address(url)
    try:
        machine_id = who_answers(address, may_be_this_machine=is_on_this_machine)
    except (PlexProblem, OutboundProblem) as problem:
        raise TypedProblem("url", problem.text) from None
    server = PlexServer.objects.filter(machine_id=machine_id).first()
    server = server or PlexServer(machine_id=machine_id)
    set_address(server, url=address, token=token, is_on_this_machine=is_on_this_machine)
    server.save()
    record_audit("plex.server_add", actor=actor, subject=server.name, detail=server.url)
    return server


def set_address(
    server: PlexServer, *, url: str, token: str = "", is_on_this_machine: bool = False
) -> None:
    """Use this address (and token) from now on, if it answers. Does not save.

    Raises TypedProblem.
    """
    address = _address(url)
    try:
        used = token or token_of(server)
    except PlexProblem:
        words = "Give a token, or sign in to Plex with an account that has this server."
        raise TypedProblem("token", words) from None
    tried = try_address(
        Address(address, "manual"),
        machine_id=server.machine_id,
        token=used,
        may_be_this_machine=is_on_this_machine,
    )
    if not tried.is_ok:
        raise TypedProblem("token" if tried.is_auth else "url", tried.error)
    if token:
        server.token_encrypted = encrypt_secret(token)
    _note(server, tried)
    server.is_on_this_machine = is_on_this_machine


def _note(server: PlexServer, tried: Tried) -> None:
    others = [row for row in server.connections if row.get("kind") != "manual"]
    server.connections = [tried.to_json(), *others]
    server.url, server.is_url_manual = tried.uri, True
    server.name, server.version = tried.name, tried.version
    server.error, server.is_token_dead, server.seen_at = "", False, timezone.now()


def _address(url: str) -> str:
    try:
        return check_url(url)
    except OutboundProblem as problem:
        raise TypedProblem("url", problem.text) from None
