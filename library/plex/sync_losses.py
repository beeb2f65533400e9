"""What a complete sweep did not see: gone, if the server says so for each, and not too much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.utils import timezone

from library.models import Availability, FileState, MediaFile, PlexItem, PlexPart
from library.plex.client import BATCH_IDS
from library.plex.plays import refresh_plays
from library.scanning.guard import FEW_FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.plex.client import PlexClient
    from library.plex.sync_writer import SyncWriter

MAX_MISSING_PCT: Final = 30
GONE_REASON: Final = "Plex does not list it any more."


class LossesRefused(Exception):
    """Too much is gone at once; nothing was marked missing. The sentence is for people."""


def settle_losses(
    writer: SyncWriter,
    client: PlexClient,
    checkpoint: Callable[[], None],
    *,
    accept: bool = False,
) -> int:
    """Mark items missing that the sweep did not see and the server no longer has.

    Those that slipped through the pages (something before them was removed meanwhile) are written
    as seen. Returns how many are missing. Raises LossesRefused, and PlexProblem for a failed call.
    """
    section = writer.section
    present = PlexItem.objects.filter(section=section, missing_since=None)
    known = present.count()
    unseen = present.exclude(seen_generation=writer.generation)
    lost: list[int] = []
    rows = list(unseen.order_by("pk").values_list("pk", "rating_key"))
    for start in range(0, len(rows), BATCH_IDS):
        checkpoint()
        chunk = rows[start : start + BATCH_IDS]
        there = client.details([key for _pk, key in chunk])
        writer.write([facts for facts in there if facts.section_key in ("", section.key)])
        alive = {facts.rating_key for facts in there if facts.section_key in ("", section.key)}
        lost += [pk for pk, key in chunk if key not in alive]
    if not accept and len(lost) >= FEW_FILES and len(lost) * 100 > _max_pct(writer) * known:
        raise LossesRefused(
            f"Plex does not list {len(lost):,} of {known:,} items any more, more than"
            f" {_max_pct(writer)} %. Nothing was marked missing; perhaps a disk of the server is"
            " not mounted. If it is right, accept the losses and sync again."
        )
    for start in range(0, len(lost), 500):
        _mark(writer, lost[start : start + 500])
    return len(lost)


def _max_pct(writer: SyncWriter) -> int:
    library = writer.section.library
    return library.max_missing_pct if library is not None else MAX_MISSING_PCT


def _mark(writer: SyncWriter, items: list[int]) -> None:
    with transaction.atomic():
        PlexItem.objects.filter(pk__in=items).update(missing_since=timezone.now())
        files = set(
            PlexPart.objects.filter(plex_item_id__in=items)
            .exclude(file=None)
            .values_list("file_id", flat=True)
        )
        refresh_plays(file for file in files if file is not None)
        # Only stand-ins: whether a file of a folder library is there is for its scan to say.
        gone = MediaFile.objects.filter(
            pk__in=files, library__plex_section=writer.section, is_in_plex=False
        ).exclude(state=FileState.PROCESSING)
        gone.update(
            availability=Availability.MISSING,
            availability_reason=GONE_REASON,
            availability_since=timezone.now(),
        )
