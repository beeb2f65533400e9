"""How many files of a library are in the list, and how large they are.

Kept on the library's row, because every page shows it. It counts what the list shows: also files
that are missing or cannot be read, until somebody takes them off the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Sum

from library.models import Library, MediaFile

if TYPE_CHECKING:
    from collections.abc import Iterable


def count_listed(library_id: int) -> tuple[int, int]:
    """Files and bytes. One statement that reads every file of the library."""
    listed = MediaFile.objects.filter(library_id=library_id, removed_from_list_at=None)
    found = listed.aggregate(files=Count("pk"), size=Sum("size_bytes"))
    return found["files"], found["size"] or 0


def refresh_totals(library_ids: Iterable[int]) -> None:
    """Count again what somebody changed outside of a scan."""
    for library_id in library_ids:
        files, size_bytes = count_listed(library_id)
        Library.objects.filter(pk=library_id).update(file_count=files, total_bytes=size_bytes)
