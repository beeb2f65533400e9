"""Filters as Plex collections: made once, or kept in step after each sync and scan.

A collection of that name that somebody else made is never taken over; one that somebody deleted in
Plex is not made again without being asked for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from library.listing.filters import FilterProblem, files_matching, parse_query
from library.models import PlexCollection, PlexItem, PlexPart, PlexSection, PlexServer
from library.plex.client import PAGE_ITEMS, PlexProblem, client_for
from library.plex.facts import TYPE_OF_SECTION
from library.plex.sections import note_contact
from library.plex.sync_losses import MAX_MISSING_PCT
from library.plex.values import entries, text
from library.plex.writing import CHUNK_IDS, PlexWriter
from library.scanning.guard import FEW_FILES
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import OperationProblem, start_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from library.plex.client import PlexClient
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation
    from mediaflow.base.operations import OperationContext

log = logging.getLogger(__name__)
BUILD_KIND: Final = "plex_collections"
MAX_TITLE: Final = 200
NOTHING: Final = "Nothing of this section matches now; Plex keeps no empty collection."
DELETED: Final = "It was deleted in Plex. Build it again, or forget it here."
UNREAD: Final = "Left as it is: its library has to be synced whole first."
# Noted before Plex is asked; what it has of that name afterwards may be ours.
MAKING: Final = "Plex was asked to make it and has not said that it did. Build it again."
TAKEN: Final = "Plex has a collection of that name already. Choose another name."


class CollectionProblem(Exception):
    """What was given cannot be used: which field, and one sentence that says what would do."""

    def __init__(self, field: str, text_: str) -> None:
        super().__init__(text_)
        self.field = field
        self.text = text_


def make_collection(
    *, section: PlexSection, title: str, query: str, is_kept_in_step: bool, actor: User
) -> PlexCollection:
    """Note it and build it, as an operation. Raises CollectionProblem."""
    clean = " ".join(title.split())
    if not clean or len(clean) > MAX_TITLE or not clean.isprintable():
        raise CollectionProblem("title", f"Give it a name of at most {MAX_TITLE} characters.")
    if not section.server.is_owned:
        words = f"{section.server.name} is not yours: only its owner may make collections there."
        raise CollectionProblem("section", words)
    try:
        parse_query(query)
    except FilterProblem as problem:
        raise CollectionProblem("query", f"{problem.field}: {problem.text}") from None
    try:
        with transaction.atomic():
            row = PlexCollection.objects.create(
                section=section, title=clean, query=query.strip().lstrip("?"),
                is_kept_in_step=is_kept_in_step,
            )  # fmt: skip
    except IntegrityError:
        words = f"There is a collection “{clean}” of {section.title} already."
        raise CollectionProblem("title", words) from None
    record_audit("plex.collection_make", actor=actor, subject=clean, detail=query)
    start_build(row, actor=actor)
    return row


def start_build(row: PlexCollection, *, actor: User | None) -> Operation:
    """Build it, or bring it into step; also one that was deleted in Plex."""
    return start_operation(
        kind=BUILD_KIND,
        title=f"Build the collection {row.title}",
        args={"collections": [row.pk], "is_asked": True},
        lock_key=f"{BUILD_KIND}:{row.pk}",
        unit="items",
        actor=actor,
    )


def set_kept(row: PlexCollection, is_kept: bool, *, actor: User) -> None:
    PlexCollection.objects.filter(pk=row.pk).update(is_kept_in_step=is_kept)
    action = "plex.collection_keep" if is_kept else "plex.collection_leave"
    record_audit(action, actor=actor, subject=row.title)


def forget(row: PlexCollection, *, actor: User) -> None:
    """What is in Plex stays there as it is."""
    record_audit("plex.collection_forget", actor=actor, subject=row.title)
    row.delete()


def after_library_change(_library_id: int) -> None:
    """For the hook `library_changed`: what is kept in step is looked at, one operation a server."""
    try:
        kept = PlexCollection.objects.filter(
            is_kept_in_step=True, section__is_enabled=True, section__server__is_enabled=True,
            section__server__is_token_dead=False,
        ).exclude(error=DELETED)  # fmt: skip
        by_server: dict[int, list[int]] = {}
        for pk, server_id in kept.order_by("pk").values_list("pk", "section__server_id"):
            by_server.setdefault(server_id, []).append(pk)
        for server in PlexServer.objects.filter(pk__in=by_server):
            start_operation(
                kind=BUILD_KIND,
                title=f"Keep the collections of {server.name} in step",
                args={"collections": by_server[server.pk], "is_asked": False},
                lock_key=f"{BUILD_KIND}:server:{server.pk}",
                unit="collections",
            )
    except DatabaseError:
        log.warning("collections after a change: the database is not there", exc_info=True)


def run_build(context: OperationContext) -> None:
    """Handler of BUILD_KIND. Every step may be repeated."""
    rows = PlexCollection.objects.select_related("section__server")
    chosen = list(rows.filter(pk__in=context.args["collections"]).order_by("pk"))
    problems: list[str] = []
    added = removed = 0
    for number, row in enumerate(chosen, 1):
        context.checkpoint()
        server = row.section.server
        try:
            with client_for(server) as client, PlexWriter(server) as writer:
                builder = _Builder(row, client, writer, context.checkpoint)
                builder.build(is_asked=context.args["is_asked"])
        except PlexProblem as problem:
            note_contact(server, problem)
            if row.error != MAKING or problem.kind == "refused":
                _save(row, error=problem.text)
            raise OperationProblem(problem.text) from problem
        added, removed = added + builder.added, removed + builder.removed
        if row.error:
            problems.append(f"{row.title}: {row.error}")
        context.report(number, len(chosen), current=row.title)
    context.set_result({"added": added, "removed": removed})
    if problems and context.args["is_asked"]:
        raise OperationProblem(" ".join(problems))
    context.report(len(chosen), len(chosen), message=f"{added:,} added, {removed:,} taken out")


class _Builder:
    """One collection, brought into step with its filter."""

    def __init__(
        self,
        row: PlexCollection,
        client: PlexClient,
        writer: PlexWriter,
        checkpoint: Callable[[], None],
    ) -> None:
        self.row = row
        self.added = self.removed = 0
        self._client, self._writer, self._checkpoint = client, writer, checkpoint

    def build(self, *, is_asked: bool) -> None:
        row = self.row
        if not is_asked and not is_read_whole(row.section):
            _save(row, error=row.error if row.error == MAKING else UNREAD)
            return
        try:
            wanted = wanted_keys(row)
        except FilterProblem as problem:
            _save(row, error=f"Its filter cannot be used any more: {problem}")
            return
        there = self._members() if row.rating_key else None
        if row.rating_key and there is None:
            if not is_asked and row.item_count:
                _save(row, error=DELETED)
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
            _save(row, error=NOTHING, rating_key="", item_count=0)
            return None
        first = wanted[:CHUNK_IDS]
        if same_name := self._keys_of(row.title):
            is_ours = row.error == MAKING and len(same_name) == 1
            if is_ours and set(self._children(same_name[0])) == set(first):
                _save(row, rating_key=same_name[0])
                return set(first)
            _save(row, error=TAKEN)
            return None
        _save(row, error=MAKING)
        kind = TYPE_OF_SECTION[row.section.type]
        row.rating_key = self._writer.create_collection(row.section.key, kind, row.title, first)
        _save(row, rating_key=row.rating_key)
        self.added += len(first)
        return set(first)

    def _bring_in_step(self, wanted: list[str], there: set[str]) -> None:
        missing = [key for key in wanted if key not in there]
        for start in range(0, len(missing), CHUNK_IDS):
            self._checkpoint()
            part = missing[start : start + CHUNK_IDS]
            self._writer.add_to_collection(self.row.rating_key, part)
            self.added += len(part)
        for key in sorted(there - set(wanted)):
            self._checkpoint()
            self._writer.remove_from_collection(self.row.rating_key, key)
            self.removed += 1
        found = self._members()
        count = 0 if found is None else len(found)
        lost = set(wanted) - (found or set())
        error = f"Plex did not take {len(lost):,} of {len(wanted):,} items." if lost else ""
        if not wanted:
            error, self.row.rating_key = NOTHING, self.row.rating_key if count else ""
        _save(
            self.row, error=error, item_count=count, rating_key=self.row.rating_key,
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

    def _children(self, key: str) -> Iterator[str]:
        path, start = f"/library/collections/{key}/children", 0
        while True:
            headers = {
                "X-Plex-Container-Start": str(start),
                "X-Plex-Container-Size": str(PAGE_ITEMS),
            }
            trees = entries(self._client.get(path, headers=headers), "Metadata")
            yield from (text(tree.get("ratingKey")) for tree in trees)
            if len(trees) < PAGE_ITEMS:
                return
            start += len(trees)

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
    row.error = error[:500]
    for name, value in values.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            PlexCollection.objects.filter(pk=row.pk).update(error=row.error, **values)
    except IntegrityError:  # renamed in Plex to what another one here is called
        values.pop("title", None)
        PlexCollection.objects.filter(pk=row.pk).update(error=row.error, **values)
