"""Looking again at files that could not be read, as an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.models import Availability, LibraryKind, MediaFile
from library.plex.rechecks import recheck_plex_files
from library.services import recheck_file

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext

RECHECK_KIND: Final = "recheck"


def run_recheck(context: OperationContext) -> None:
    """Handler of operations of kind "recheck"."""
    ids: list[int] = context.args["ids"]
    files = MediaFile.objects.filter(pk__in=ids)
    in_plex = set(files.filter(library__kind=LibraryKind.PLEX).values_list("pk", flat=True))
    in_folders = [pk for pk in ids if pk not in in_plex]
    present = 0
    for done, pk in enumerate(in_folders):
        context.checkpoint()
        file = MediaFile.objects.select_related("library").filter(pk=pk).first()
        if file is None:
            continue
        context.report(done, len(ids), current=file.path)
        present += recheck_file(file).availability == Availability.PRESENT
    more = recheck_plex_files(sorted(in_plex), checkpoint=context.checkpoint)
    present += more.present
    message = f"{present:,} of {len(ids):,} can be read now. {more.in_words()}".strip()
    context.report(len(ids), len(ids), message=message)
    context.set_result({"present": present, "looked_at": len(ids)})
