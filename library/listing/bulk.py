"""Tags and ignoring, for many files at once. Large selections run as an operation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from library.listing.selection import FileSelection
from library.models import FileState, FileTag, MediaFile, Tag
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import OperationContext, start_operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation

BATCH_FILES: Final = 2_000
OPERATION_KIND: Final = "library_bulk"
# A file in the queue keeps its state: its job says what becomes of it.
CAN_IGNORE: Final = (FileState.NEW, FileState.FAILED, FileState.COMPLETED)
IGNORED_REASON: Final = "Left out by hand"


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What to do with a selection: `tag`, `untag` (with `tag_id`), `ignore`, `unignore`."""

    verb: str
    tag_id: int | None = None

    @property
    def title(self) -> str:
        names = {"tag": "Tag films", "untag": "Remove a tag", "ignore": "Ignore films"}
        return names.get(self.verb, "Stop ignoring films")


@dataclass(frozen=True, slots=True)
class BulkResult:
    """Either done at once (`changed` files) or handed to an operation."""

    changed: int = 0
    operation: Operation | None = None


def apply_change(
    *, selection: FileSelection, change: BulkChange, actor: User, exact: int | None = None
) -> BulkResult:
    """Do it now for up to 10,000 files, as an operation for more (`exact`: counted before)."""
    described = selection.describe(exact)
    record_audit(f"library.{change.verb}", actor=actor, subject=described)
    if selection.is_all and selection.count is None:
        operation = start_operation(
            kind=OPERATION_KIND,
            title=f"{change.title}: {described}"[:200],
            args={"query": selection.query, "verb": change.verb, "tag_id": change.tag_id},
            actor=actor,
        )
        return BulkResult(operation=operation)
    return BulkResult(sum(_change_in_batches(selection.queryset, change)))


def run_bulk_change(context: OperationContext) -> None:
    """Handler of the operation. Safe to run twice: every change is one that may be repeated."""
    args: dict[str, Any] = context.args
    selection = FileSelection(query=args["query"], is_all=True)
    change = BulkChange(args["verb"], args["tag_id"])
    total = selection.queryset.count()
    done = changed = 0
    for batch_changed in _change_in_batches(selection.queryset, change):
        context.checkpoint()
        done, changed = min(done + BATCH_FILES, total), changed + batch_changed
        context.report(done, total)
    context.set_result({"changed": changed})


def _change_in_batches(files: QuerySet[MediaFile], change: BulkChange) -> Iterator[int]:
    """Apply to so many files at a time; yields how many of them changed.

    The ids are read first: a change may alter what the filter matches.
    """
    ids = iter(list(files.values_list("pk", flat=True)))
    while batch := list(islice(ids, BATCH_FILES)):
        yield _apply(batch, change)


def _apply(ids: list[int], change: BulkChange) -> int:
    files = MediaFile.objects.filter(pk__in=ids)
    if change.verb == "ignore":
        return files.filter(state__in=CAN_IGNORE).update(
            state=FileState.IGNORED, state_reason=IGNORED_REASON
        )
    if change.verb == "unignore":
        return files.filter(state=FileState.IGNORED).update(state=FileState.NEW, state_reason="")
    tag_id = change.tag_id or 0
    with transaction.atomic():
        if change.verb == "untag":
            return FileTag.objects.filter(tag_id=tag_id, file_id__in=ids).delete()[0]
        tagged = set(
            FileTag.objects.filter(tag_id=tag_id, file_id__in=ids).values_list("file_id", flat=True)
        )
        rows = [FileTag(tag_id=tag_id, file_id=pk) for pk in ids if pk not in tagged]
        FileTag.objects.bulk_create(rows, ignore_conflicts=True)
        return len(rows)


def tag_named(name: str, color: str = "") -> Tag:
    """The tag of that name in any case; made when there is none, in the colour given."""
    found = Tag.objects.filter(name__iexact=name).first()
    return found or Tag.objects.get_or_create(name=name, defaults={"color": color or "slate"})[0]
