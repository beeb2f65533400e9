"""Filters as Plex collections: asked for, made once or kept in step after each sync and scan.

What an operation then does: `collection_steps.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, IntegrityError, transaction

from library.listing.filters import FilterProblem, parse_query
from library.models import PlexCollection, PlexCollectionState, PlexServer
from mediaflow.base.audit import record_audit
from mediaflow.base.operations import active_operation, start_operation

if TYPE_CHECKING:
    from library.models import PlexSection
    from mediaflow.accounts.models import User
    from mediaflow.base.models import Operation

log = logging.getLogger(__name__)
BUILD_KIND: Final = "plex_collections"
MAX_TITLE: Final = 200


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
        lock_key=_lock_key(row.pk),
        unit="items",
        actor=actor,
    )


def is_built_by_hand(pk: int) -> bool:
    """Whether somebody asked for it, and that waits or runs."""
    return active_operation(_lock_key(pk)) is not None


def _lock_key(pk: int) -> str:
    return f"{BUILD_KIND}:{pk}"


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
        ).exclude(state=PlexCollectionState.DELETED)  # fmt: skip
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
