"""What people do to the servers of Sonarr and Radarr; each change is tested first and audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from library.arr.client import ArrClient, ArrProblem
from library.models import ArrServer
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import encrypt_secret

if TYPE_CHECKING:
    from library.arr.client import ArrStatus
    from mediaflow.accounts.models import User


def save_server(server: ArrServer, *, api_key: str, actor: User | None) -> ArrStatus:
    """Store a new or changed server once it has answered. `api_key` "": the one that is stored.

    Raises ArrProblem; nothing is stored then.
    """
    is_new = server.pk is None
    with ArrClient(server, api_key=api_key or None) as client:
        status = client.status()
    if api_key:
        server.api_key_encrypted = encrypt_secret(api_key)
    server.error, server.seen_at = "", timezone.now()
    server.save()
    record_audit(
        "arr.add" if is_new else "arr.change",
        actor=actor,
        subject=server.name,
        detail=f"{server.kind} at {server.url}{', new key' if api_key and not is_new else ''}",
    )
    return status


def check_server(server: ArrServer) -> ArrStatus:
    """Ask it who it is, and note the answer in its row. Raises ArrProblem."""
    try:
        with ArrClient(server) as client:
            status = client.status()
    except ArrProblem as problem:
        note_contact(server, problem.text)
        raise
    note_contact(server, "")
    return status


def note_contact(server: ArrServer, error: str) -> None:
    """What the last call brought: "" for an answer."""
    values: dict[str, object] = {"error": error[:500]}
    if not error:
        values["seen_at"] = timezone.now()
    ArrServer.objects.filter(pk=server.pk).update(**values)


def remove_server(server: ArrServer, *, actor: User | None) -> None:
    record_audit("arr.remove", actor=actor, subject=server.name)
    server.delete()
