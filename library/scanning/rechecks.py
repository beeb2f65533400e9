"""Looking again at files that could not be read, as an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from library.models import Availability, MediaFile
from library.services import recheck_file

if TYPE_CHECKING:
    from mediaflow.base.operations import OperationContext

RECHECK_KIND: Final = "recheck"


def run_recheck(context: OperationContext) -> None:
    """Handler of operations of kind "recheck"."""
    ids: list[int] = context.args["ids"]
    present = 0
    for done, pk in enumerate(ids):
        context.checkpoint()
        file = MediaFile.objects.select_related("library").filter(pk=pk).first()
        if file is None:
            continue
        context.report(done, len(ids), current=file.path)
        present += recheck_file(file).availability == Availability.PRESENT
    context.report(len(ids), len(ids), message=f"{present:,} of {len(ids):,} can be read now.")
    context.set_result({"present": present, "looked_at": len(ids)})
