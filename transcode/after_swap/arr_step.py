"""Sonarr and Radarr look at the film or series of a swapped file again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.arr.client import ArrClient, ArrProblem, is_below
from library.arr.services import note_contact
from library.arr.title_lists import title_lists
from library.models import ArrServer
from library.plex.mapping import MappingTable
from transcode.after_swap.disk import is_disk_away, later
from transcode.after_swap.outbox import Done, Failed
from transcode.models import Replacement

if TYPE_CHECKING:
    from transcode.after_swap.outbox import Claim, Outcome


def tell_arr(claim: Claim) -> Outcome:
    """Repeating it is harmless: the server looks at the same folder once more."""
    server = ArrServer.objects.filter(pk=claim.payload.get("server") or 0).first()
    row = Replacement.objects.filter(pk=claim.payload.get("replacement") or 0).first()
    if server is None or row is None or not server.is_enabled:
        return Done("The server was removed or switched off.")
    if is_disk_away(row):
        return later(server.name)
    path = MappingTable.load(server).remote_path(bytes(row.original_raw))
    if path is None:
        return Done(f"{server.name} has no name for this file; a path mapping may be missing.")
    try:
        outcome = _rescan(claim, server, path)
    except ArrProblem as problem:
        title_lists.forget(server)
        note_contact(server, problem.text)
        return Failed(problem.text, is_away=problem.kind in {"network", "address"})
    note_contact(server, "")
    return outcome


def _rescan(claim: Claim, server: ArrServer, path: str) -> Done:
    with ArrClient(server) as client:
        if not any(is_below(path, folder) for folder in client.root_folders()):
            return Done(f"The file lies in no folder that {server.name} looks after.")
        claim.checkpoint()
        title = title_lists.find(server, client, path)
        if title is None:
            return Done(f"{server.name} knows no film or series in that folder.")
        claim.checkpoint()
        client.rescan(title.id)
    return Done(f"{server.name} looks at {title.title or 'it'} again.")
