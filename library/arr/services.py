"""What people do to the servers of Sonarr and Radarr; each change is tested first and audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.arr.client import ArrClient, ArrProblem
from library.models import ArrServer
from mediaflow.base.audit import record_audit
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.outbound import origin_of

if TYPE_CHECKING:
    from library.arr.client import ArrStatus
    from mediaflow.accounts.models import User

NEW_ADDRESS: Final = (
    "The address is a new one: type the API key as well, for the stored one is not sent there."
)


def save_server(server: ArrServer, *, api_key: str, actor: User | None) -> ArrStatus:
    """Store a new or changed server once it has answered. `api_key` "": the one that is stored.

    That one goes to no other scheme, host or port than it was given for: whoever may type an
    address would have it sent to a machine of theirs. Raises ArrProblem; nothing is stored then.
    """
    is_new = server.pk is None
    stored = ArrServer.objects.filter(pk=server.pk).first()
    if stored is not None and not api_key and origin_of(stored.url) != origin_of(server.url):
        raise ArrProblem("key", NEW_ADDRESS)
    with ArrClient(server, api_key=api_key or None) as client:
        status = client.status()
    if api_key:
        server.api_key_encrypted = encrypt_secret(api_key)
    server.error, server.seen_at = "", timezone.now()
    if is_new:
        server.save(force_insert=True)
    else:
        _store(server, stored, has_new_key=bool(api_key))
    record_audit(
        "arr.add" if is_new else "arr.change",
        actor=actor,
        subject=server.name,
        detail=f"{server.kind} at {server.url}{', new key' if api_key and not is_new else ''}",
    )
    return status


def _store(server: ArrServer, stored: ArrServer | None, *, has_new_key: bool) -> None:
    """Address and key as they were tried together, or neither. Raises ArrProblem."""
    names = ("kind", "name", "url", "is_on_this_machine", "is_enabled", "error", "seen_at")
    values = {name: getattr(server, name) for name in names}
    rows = ArrServer.objects.filter(pk=server.pk)
    if has_new_key:
        values["api_key_encrypted"] = server.api_key_encrypted
    elif stored is not None:
        rows = rows.filter(url=stored.url, api_key_encrypted=stored.api_key_encrypted)
    if not rows.update(**values):
        text = "It was changed or removed meanwhile; load its page and try again."
        raise ArrProblem("changed", text)


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
