"""Looking again at single files, mostly ones that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction

from library.file_records import (
    AVAILABILITY_COLUMNS,
    PROBE_COLUMNS,
    STAT_COLUMNS,
    apply_facts,
    apply_probe,
    probe_row,
    read_facts,
    save_probe_rows,
)
from library.models import Availability, FileState, LibraryKind, MediaFile
from library.plex.rechecks import recheck_plex_files
from library.probing.pool import probe_in_worker
from library.probing.probe import ProbeProblem
from library.scanning.writer import set_availability
from mediaflow.base.audit import record_audit

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from library.media_info import MediaInfo
    from mediaflow.accounts.models import User
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


def recheck_file(file: MediaFile, *, actor: User | None = None) -> MediaFile:
    """Look at one file again now (in a worker process, up to a minute). Returns the saved row.

    Never raises for the file's own trouble: its availability says what is wrong. Whatever a job,
    an undo or a scan wrote meanwhile stays; a row that it made stand for another file does too.
    """
    if file.state == FileState.PROCESSING:  # it belongs to its job
        return file
    if file.library.kind != LibraryKind.FOLDER:  # only the next sync knows more
        return file
    path = bytes(file.library.root_raw) + b"/" + bytes(file.path_raw)
    as_read = _unchanged(file)
    info: MediaInfo | None = None
    try:
        facts = read_facts(path)
        info = probe_in_worker(path)
    except (ProbeProblem, OSError) as problem:
        set_availability(file, *_trouble(problem))
    else:
        apply_facts(file, facts)
        apply_probe(file, info)
        set_availability(file, Availability.PRESENT, "")
    detail: str = file.availability
    if not _save_recheck(file, as_read, info):
        detail = "Changed by something else meanwhile: left as it is, the next scan looks again."
        file = MediaFile.objects.select_related("library").filter(pk=file.pk).first() or file
    record_audit("file.recheck", actor=actor, subject=file.path, detail=detail)
    return file


def _unchanged(file: MediaFile) -> QuerySet[MediaFile]:
    """This row as long as it stands for the file that was looked at and no job has it."""
    same = MediaFile.objects.filter(
        pk=file.pk,
        path_digest=file.path_digest,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
    )
    return same.exclude(state=FileState.PROCESSING)


def _save_recheck(file: MediaFile, row: QuerySet[MediaFile], info: MediaInfo | None) -> bool:
    """Write what the look found, and no other column; False: the row is another one by now."""
    columns: tuple[str, ...] = AVAILABILITY_COLUMNS
    if info is not None:
        columns = (*columns, *STAT_COLUMNS, *PROBE_COLUMNS)
    with transaction.atomic():
        if not row.update(**{name: getattr(file, name) for name in columns}):
            return False
        if info is not None:
            save_probe_rows([probe_row(file, info)])
    return True


def _trouble(problem: ProbeProblem | OSError) -> tuple[Availability, str]:
    if isinstance(problem, ProbeProblem):
        is_gone, text = problem.kind == "vanished", problem.text
    else:
        is_gone = isinstance(problem, (FileNotFoundError, NotADirectoryError))
        text = "It is not in its folder." if is_gone else f"It cannot be read: {problem.strerror}."
    return (Availability.MISSING if is_gone else Availability.UNREADABLE), text
