"""Files that cannot be worked on: which, why, since when, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import cached_property
from django.views.decorators.http import require_GET, require_POST

from library.listing.selection import SelectionProblem, read_selection
from library.models import Availability, Library, LibraryKind, MediaFile
from library.scanning.rechecks import RECHECK_KIND
from library.services import remove_from_list
from mediaflow.base.access import operator_required
from mediaflow.base.operations import start_operation

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

    from mediaflow.base.htmx import HtmxHttpRequest

    FilePaginator = Paginator[MediaFile]  # generic only for the type checker
else:
    FilePaginator = Paginator

ROWS: Final = 50
MOST_PAGES: Final = 200
REASONS: Final = tuple(kind for kind in Availability if kind != Availability.PRESENT)
PLEX: Final = "plex"  # a reason of its own: what only Plex knows


def inaccessible_files() -> QuerySet[MediaFile]:
    return MediaFile.objects.filter(removed_from_list_at=None).exclude(
        availability=Availability.PRESENT
    )


class NewestFiles(FilePaginator):
    """The newest of them; no more are counted than are shown."""

    def __init__(self, files: QuerySet[MediaFile]) -> None:
        newest = files.order_by("-availability_since", "-id").select_related("library")
        super().__init__(newest[: ROWS * MOST_PAGES], ROWS)
        self._files = files

    @cached_property
    def count(self) -> int:
        return self._files.order_by()[: ROWS * MOST_PAGES].count()


@require_GET
def inaccessible_list(request: HtmxHttpRequest) -> HttpResponse:
    reason = request.GET.get("reason", "")
    files = inaccessible_files()
    # As a term that no index of libraries has: the newest come from the index of this page.
    files = files.alias(of_library=F("library_id") + 0)
    if reason == PLEX:
        files = files.filter(of_library__in=_plex_libraries())
    elif reason in Availability.values:
        files = files.filter(availability=reason).exclude(of_library__in=_plex_libraries())
    paginator = NewestFiles(files)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "page": page,
        "reason": reason,
        "tabs": _tabs(reason),
        "total": paginator.count,
        "is_cut": paginator.count == ROWS * MOST_PAGES,
    }
    return render(request, "library/inaccessible.html", context)


def _tabs(reason: str) -> list[dict[str, Any]]:
    tabs: list[dict[str, Any]] = [{"url": "?", "label": "All", "is_current": not reason}]
    for kind in REASONS:
        tabs.append(
            {"url": f"?reason={kind}", "label": kind.label, "is_current": reason == kind.value}
        )
    if reason == PLEX or Library.objects.filter(kind=LibraryKind.PLEX).exists():
        tabs.append(
            {"url": f"?reason={PLEX}", "label": "Only in Plex", "is_current": reason == PLEX}
        )
    return tabs


def _plex_libraries() -> list[int]:
    """As ids: a join would sort all files of the other libraries first."""
    return list(Library.objects.filter(kind=LibraryKind.PLEX).values_list("pk", flat=True))


@operator_required
@require_POST
def file_recheck(request: HtmxHttpRequest, file_id: int) -> HttpResponse:
    """As an operation: a mount that hangs must not hold the web."""
    file = get_object_or_404(MediaFile, pk=file_id)
    return _recheck(request, [file.pk], f"Look again at {file.path}")


@operator_required
@require_POST
def file_forget(request: HtmxHttpRequest, file_id: int) -> HttpResponse:
    file = get_object_or_404(MediaFile, pk=file_id)
    return _forget(request, MediaFile.objects.filter(pk=file.pk))


@operator_required
@require_POST
def inaccessible_recheck(request: HtmxHttpRequest) -> HttpResponse:
    ids = _chosen(request)
    if not ids:
        return redirect("library:inaccessible_list")
    noun = "file" if len(ids) == 1 else "files"
    return _recheck(request, ids, f"Look again at {len(ids):,} {noun}")


@operator_required
@require_POST
def inaccessible_forget(request: HtmxHttpRequest) -> HttpResponse:
    ids = _chosen(request)
    if not ids:
        return redirect("library:inaccessible_list")
    return _forget(request, inaccessible_files().filter(pk__in=ids))


def _chosen(request: HtmxHttpRequest) -> list[int]:
    """Ticked files that are inaccessible still; says so when there are none."""
    try:
        ids = read_selection(request.POST, request.user).ids
    except SelectionProblem as problem:
        messages.error(request, problem.text)
        return []
    chosen = list(inaccessible_files().filter(pk__in=ids).values_list("pk", flat=True))
    if not chosen:
        messages.info(request, "No file is selected; tick some first.")
    return chosen


def _recheck(request: HtmxHttpRequest, ids: list[int], title: str) -> HttpResponse:
    operation = start_operation(
        kind=RECHECK_KIND, title=title[:200], args={"ids": ids}, actor=request.user
    )
    return redirect("operation", operation_id=operation.pk)


def _forget(request: HtmxHttpRequest, files: QuerySet[MediaFile]) -> HttpResponse:
    removed = remove_from_list(files, actor=request.user)
    if removed:
        noun = "file is" if removed == 1 else "files are"
        messages.success(request, f"{removed:,} {noun} off the list; nothing on the disk changed.")
    else:
        messages.info(request, "Nothing was removed: it is in the queue or was removed before.")
    return redirect("library:inaccessible_list")
