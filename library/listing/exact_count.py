"""How many files a filter matches beyond 10,000, and how large they are: counted by an operation.

A bulk action on so many is confirmed with the exact figures in sight. The preview starts the
count, shows it while it goes on, and hands its id to the confirming form.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Max, Min, Sum
from django.utils import timezone

from library.listing.filters import FilterProblem, files_matching
from library.models import MediaFile
from mediaflow.base.ids import read_id
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import OperationContext, OperationProblem, start_operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from library.listing.selection import FileSelection
    from mediaflow.accounts.models import User

COUNT_KIND: Final = "library_count"
WINDOW_IDS: Final = 20_000
# Older figures are counted again: the library may have changed since.
FRESH_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Counting:
    """A count that goes on, is done (`result`), or ended without figures (`problem`)."""

    operation: Operation

    @property
    def is_active(self) -> bool:
        return self.operation.is_active

    @property
    def is_done(self) -> bool:
        return self.operation.status == OperationStatus.COMPLETED

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = self.operation.result
        return found

    @property
    def files(self) -> int | None:
        return self.result["files"] if self.is_done else None

    @property
    def size_bytes(self) -> int | None:
        return self.result["size_bytes"] if self.is_done else None

    @property
    def problem(self) -> str:
        if self.is_active or self.is_done:
            return ""
        return self.operation.message or "The count ended before it was done."


def count_selection(selection: FileSelection, counted: str, user: User) -> Counting:
    """The exact figures of "all that match": those that `counted` names, else a new count."""
    return ask_count(
        COUNT_KIND, {"query": selection.query}, counted, title="Count films", actor=user
    )


def ask_count(
    kind: str, args: dict[str, Any], counted: str, *, title: str, actor: User
) -> Counting:
    """The count of exactly this that `counted` names, while it is fresh; else it is started."""
    named = named_count(kind, args, counted)
    if named is not None:
        return named
    digest = sha256(dumps(args, sort_keys=True).encode()).hexdigest()[:32]
    operation = start_operation(
        kind=kind, title=title, args=args, lock_key=f"{kind}:{digest}", actor=actor
    )
    return Counting(operation)


def named_count(kind: str, args: dict[str, Any], counted: str) -> Counting | None:
    """None for a number that names no count, one of something else, or an old one."""
    operation = Operation.objects.filter(pk=read_id(counted) or 0, kind=kind).first()
    if operation is None or operation.args != args:
        return None
    ended_at = operation.finished_at
    is_old = ended_at is not None and timezone.now() - ended_at > FRESH_FOR
    return None if is_old else Counting(operation)


def run_count(context: OperationContext) -> None:
    """Handler of the operation: files and bytes. Repeated after a crash it begins anew."""
    files = size_bytes = 0
    for window in id_windows(matching_or_problem(context.args["query"])):
        context.checkpoint()
        found = window.aggregate(files=Count("pk"), size=Sum("size_bytes"))
        files, size_bytes = files + found["files"], size_bytes + (found["size"] or 0)
        context.report(files)
    context.set_result({"files": files, "size_bytes": size_bytes})


def matching_or_problem(query: str) -> QuerySet[MediaFile]:
    """For handlers. Raises OperationProblem for a filter that cannot be used any more."""
    try:
        return files_matching(query)
    except FilterProblem as problem:
        raise OperationProblem(f"The filter cannot be used: {problem}") from None


def id_windows(files: QuerySet[MediaFile]) -> Iterator[QuerySet[MediaFile]]:
    """The files in parts by id, so that a long count can say how far it is and be stopped."""
    ends = MediaFile.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if ends["first"] is None:
        return
    for start in range(ends["first"], ends["last"] + 1, WINDOW_IDS):
        yield files.filter(pk__gte=start, pk__lt=start + WINDOW_IDS).order_by()
