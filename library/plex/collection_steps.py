"""What an operation does with collections from filters: make them, bring them into step.

A collection of that name that somebody else made is never taken over; one that somebody deleted in
Plex is not made again without being asked for. One operation at a time builds a collection.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from library.listing.filters import FilterProblem, files_matching
from library.models import PlexCollection, PlexCollectionState, PlexItem, PlexPart
from library.plex.client import PAGE_ITEMS, PlexProblem, client_for
from library.plex.collections import MAX_TITLE, is_built_by_hand
from library.plex.facts import TYPE_OF_SECTION
from library.plex.sections import note_contact
from library.plex.sync_losses import MAX_MISSING_PCT
from library.plex.values import entries, text
from library.plex.writing import CHUNK_IDS, PlexWriter
from library.scanning.guard import FEW_FILES
from mediaflow.base.models import Operation, OperationStatus
from mediaflow.base.operations import OperationProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from library.models import PlexSection
    from library.plex.client import PlexClient
    from mediaflow.base.operations import OperationContext

MAX_PAGES: Final = 1_000  # of one collection: half a million items
# For another operation that builds the same collection: it takes seconds.
BUSY_WAIT_S: Final = 60.0
_POLL_S: Final = 0.5
NOTHING: Final = "Nothing of this section matches now; Plex keeps no empty collection."
DELETED: Final = "It was deleted in Plex. Build it again, or forget it here."
UNREAD: Final = "Left as it is: its library has to be synced whole first."
MAKING: Final = "Plex was asked to make it and has not said that it did. Build it again."
TAKEN: Final = "Plex has a collection of that name already. Choose another name."
BUSY: Final = "It is being brought into step just now. Build it again in a minute."
_State = PlexCollectionState


@dataclass(slots=True)
class _Tally:
    added: int = 0
    removed: int = 0


def run_build(context: OperationContext) -> None:
    """Handler of BUILD_KIND. Every step may be repeated."""
    is_asked = context.args["is_asked"]
    chosen = sorted(context.args["collections"])
    problems: list[str] = []
    tally = _Tally()
    for number, pk in enumerate(chosen, 1):
        context.checkpoint()
        if not is_asked and is_built_by_hand(pk):
            continue  # its own operation does the same
        with _held(pk, context, wait_s=BUSY_WAIT_S if is_asked else 0) as row:
            if row is None or not (is_asked or row.is_kept_in_step):
                continue
            _build(row, context, tally)
        if row.error:
            problems.append(f"{row.title}: {row.error}")
        context.report(number, len(chosen), current=row.title)
    context.set_result({"added": tally.added, "removed": tally.removed})
    if problems and is_asked:
        raise OperationProblem(" ".join(problems))
    message = f"{tally.added:,} added, {tally.removed:,} taken out"
    context.report(len(chosen), len(chosen), message=message)


@contextmanager
def _held(pk: int, context: OperationContext, *, wait_s: float) -> Iterator[PlexCollection | None]:
    """The row as it is now, for this operation alone. None: it was forgotten, or another
    operation builds it. Raises OperationProblem when that lasts longer than a person's wait."""
    rows = PlexCollection.objects.filter(pk=pk)
    until = time.monotonic() + wait_s
    while not (is_ours := _claim(pk, context.token)) and rows.exists():
        if time.monotonic() >= until:
            if wait_s:
                raise OperationProblem(BUSY)
            break
        context.checkpoint()
        time.sleep(_POLL_S)
    if not is_ours:
        yield None
        return
    try:
        yield rows.select_related("section__server").first()
    finally:
        rows.filter(builder=context.token).update(builder="")


def _claim(pk: int, token: str) -> bool:
    """An operation that ended without a word holds it no longer."""
    at_work = Operation.objects.filter(status=OperationStatus.RUNNING).values("lease_token")
    free = Q(builder__in=("", token)) | ~Q(builder__in=at_work)
    return bool(PlexCollection.objects.filter(free, pk=pk).update(builder=token))


def _build(row: PlexCollection, context: OperationContext, tally: _Tally) -> None:
    """One that Plex refuses keeps the others waiting no longer; a Plex that is away ends it all."""
    server = row.section.server
    try:
        with client_for(server) as client, PlexWriter(server) as writer:
            builder = _Builder(row, client, writer, context.checkpoint, tally)
            builder.build(is_asked=context.args["is_asked"])
    except PlexProblem as problem:
        note_contact(server, problem)
        is_refused = problem.kind == "refused"
        if is_refused or row.state != _State.MAKING:
            _save(row, error=problem.text)
        if not is_refused:
            raise OperationProblem(problem.text) from problem


class _Builder:
    """One collection, brought into step with its filter."""

    def __init__(
        self,
        row: PlexCollection,
        client: PlexClient,
        writer: PlexWriter,
        checkpoint: Callable[[], None],
        tally: _Tally,
    ) -> None:
        self.row = row
        self._tally = tally
        self._client, self._writer, self._checkpoint = client, writer, checkpoint

    def build(self, *, is_asked: bool) -> None:
        row = self.row
        if not is_asked and not is_read_whole(row.section):
            if row.state != _State.MAKING:
                _save(row, error=UNREAD)
            return
        try:
            wanted = wanted_keys(row)
        except FilterProblem as problem:
            _save(row, error=f"Its filter cannot be used any more: {problem}")
            return
        there = self._members() if row.rating_key else None
        if row.rating_key and there is None:
            if not is_asked and row.item_count:
                _save(row, error=DELETED, state=_State.DELETED)
                return
            row.rating_key = ""
        if not row.rating_key:
            there = self._create(wanted)
            if there is None:
                return
        refusal = "" if is_asked else _too_much(there or set(), wanted)
        if refusal:
            _save(row, error=refusal)
            return
        self._bring_in_step(wanted, there or set())

    def _create(self, wanted: list[str]) -> set[str] | None:
        """Who is in the new collection; None when there is none, with the reason on the row."""
        row = self.row
        if not wanted:
            _save(row, error=NOTHING, rating_key="", item_count=0, state=_State.ABSENT)
            return None
        first = wanted[:CHUNK_IDS]
        if same_name := self._keys_of(row.title):
            is_ours = row.state == _State.MAKING and len(same_name) == 1
            if is_ours and set(self._children(same_name[0])) == set(first):
                _save(row, rating_key=same_name[0], state=_State.BUILT)
                return set(first)
            _save(row, error=TAKEN, state=_State.ABSENT)
            return None
        # Noted before Plex is asked; what it has of that name afterwards may be ours.
        _save(row, error=MAKING, state=_State.MAKING, rating_key="")
        _save(row, rating_key=self._made(first), state=_State.BUILT)
        self._tally.added += len(first)
        return set(first)

    def _made(self, first: list[str]) -> str:
        """The new collection's key."""
        row, kind = self.row, TYPE_OF_SECTION[self.row.section.type]
        try:
            return self._writer.create_collection(row.section.key, kind, row.title, first)
        except PlexProblem as problem:
            if problem.kind == "refused":
                _save(row, error=problem.text, state=_State.ABSENT)
            raise

    def _bring_in_step(self, wanted: list[str], there: set[str]) -> None:
        missing = [key for key in wanted if key not in there]
        for start in range(0, len(missing), CHUNK_IDS):
            self._checkpoint()
            part = missing[start : start + CHUNK_IDS]
            self._writer.add_to_collection(self.row.rating_key, part)
            self._tally.added += len(part)
        for key in sorted(there - set(wanted)):
            self._checkpoint()
            self._writer.remove_from_collection(self.row.rating_key, key)
            self._tally.removed += 1
        found = self._members()
        count = 0 if found is None else len(found)
        lost = set(wanted) - (found or set())
        error = f"Plex did not take {len(lost):,} of {len(wanted):,} items." if lost else ""
        key, state = self.row.rating_key, _State.BUILT
        if not wanted:
            error = NOTHING
            key, state = (key, state) if count else ("", _State.ABSENT)
        _save(
            self.row, error=error, item_count=count, rating_key=key, state=state,
            title=self.row.title, synced_at=timezone.now(),
        )  # fmt: skip

    def _members(self) -> set[str] | None:
        """Keys of what is in it; None when the collection is gone. Takes over its name in Plex."""
        key = self.row.rating_key
        try:
            found = self._client.get(f"/library/collections/{key}")
        except PlexProblem as problem:
            if problem.status == 404:
                return None
            raise
        for tree in entries(found, "Metadata"):
            self.row.title = text(tree.get("title"))[:MAX_TITLE] or self.row.title
        return set(self._children(key))

    def _children(self, key: str) -> list[str]:
        """A server that ignores the paging sends the same again: then that was all."""
        path = f"/library/collections/{key}/children"
        found: dict[str, None] = {}
        start = 0
        for _page in range(MAX_PAGES):
            headers = {
                "X-Plex-Container-Start": str(start),
                "X-Plex-Container-Size": str(PAGE_ITEMS),
            }
            trees = entries(self._client.get(path, headers=headers), "Metadata")
            known = len(found)
            found |= dict.fromkeys(text(tree.get("ratingKey")) for tree in trees)
            if len(trees) < PAGE_ITEMS or len(found) == known:
                return list(found)
            start += len(trees)
        words = f"The collection {self.row.title} does not end; look at it in Plex."
        raise PlexProblem("bad_reply", words)

    def _keys_of(self, title: str) -> list[str]:
        """Of the section's collections of that name, in any case."""
        path = f"/library/sections/{self.row.section.key}/collections"
        return [
            text(tree.get("ratingKey"))[:20]
            for tree in entries(self._client.get(path), "Metadata")
            if text(tree.get("title")).casefold() == title.casefold()
        ]


def wanted_keys(row: PlexCollection) -> list[str]:
    """Rating keys of the section's items whose files match, in a steady order."""
    items = PlexItem.objects.filter(
        section=row.section, missing_since=None, parts__file__in=files_matching(row.query)
    )
    return list(items.order_by("pk").values_list("rating_key", flat=True).distinct())


def is_read_whole(section: PlexSection) -> bool:
    """Whether every item has its file: else a filter finds less than there is."""
    loose = PlexPart.objects.filter(
        plex_item__section=section, plex_item__missing_since=None, file=None
    )
    return section.swept_at is not None and not loose.exists()


def _too_much(there: set[str], wanted: list[str]) -> str:
    """Why nobody but a person may take out so many; "" when it is no more than usual."""
    going = len(there - set(wanted))
    is_many = going >= FEW_FILES and going * 100 > MAX_MISSING_PCT * len(there)
    if not going or (wanted and not is_many):
        return ""
    return (
        f"{going:,} of {len(there):,} items match no more, and it was left as it is. If that is"
        " right, build it by hand."
    )


def _save(row: PlexCollection, *, error: str = "", **values: object) -> None:
    """Only while this operation holds the row."""
    mine = PlexCollection.objects.filter(pk=row.pk, builder=row.builder)
    row.error = error[:500]
    for name, value in values.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            mine.update(error=row.error, **values)
    except IntegrityError:  # renamed in Plex to what another one here is called
        values.pop("title", None)
        mine.update(error=row.error, **values)
