"""The sync of one section: what Plex lists, read in pages, details only of what changed.

A sweep lists everything and is the only one that finds what is gone; between sweeps a large section
is asked for what was added or changed. Stopped or killed, a sweep goes on where it was. What is
gone is marked so only after a complete sweep without an error, only when the server confirms it
item by item, and never when suddenly too much is gone.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from library.models import Library, PlexItem, PlexSection, PlexSectionTrouble, PlexServer
from library.plex.client import BATCH_IDS, PAGE_ITEMS, PlexProblem
from library.plex.facts import EPISODE, TYPE_OF_SECTION
from library.plex.finding import PathFinder, link_signature
from library.plex.linking import link_after_sync
from library.plex.read_ahead import ReadAhead
from library.plex.sections import no_such_library, refresh_sections
from library.plex.sync_losses import settle_losses
from library.plex.sync_writer import SyncWriter
from library.totals import refresh_totals
from mediaflow.base.bulk_writes import large_writes

if TYPE_CHECKING:
    from collections.abc import Callable

    from library.plex.client import PlexClient
    from library.plex.facts import ItemFacts, SectionFacts
    from library.plex.sync_writer import KnownItem
    from library.scanning.scan import Report

# Smaller sections are always listed whole: a few requests.
LISTED_WHOLE: Final = 2_000
SWEEP_EVERY: Final = timedelta(hours=24)
CURSOR_LASTS_S: Final = 24 * 3600
# The server's clock may be another than ours.
SLACK_S: Final = 6 * 3600
# A scan of Plex may last hours, and others want to run: a longer one is left for the next minute.
REFRESH_WAIT_S: Final = 5.0
REFRESH_POLL_S: Final = 1.0
_FAR_FUTURE: Final = 4_102_444_800  # of the year 2100


class SyncProblem(Exception):
    """The sync could not be done; the sentence is for people."""

    def __init__(self, text: str, trouble: PlexSectionTrouble) -> None:
        super().__init__(text)
        self.trouble = trouble


@dataclass(slots=True)
class Sweep:
    """Where a sweep is; kept in PlexSection.sync_cursor."""

    generation: int
    kind: int
    start: int
    is_full: bool
    content_changed_at: int
    scanned_at: int
    began_at: int

    @classmethod
    def resumed(cls, section: PlexSection, kind: int, *, is_full: bool) -> Sweep | None:
        try:
            cursor = cls(**section.sync_cursor)
        except TypeError:  # empty, or written by another version
            return None
        fits = cursor.kind == kind and cursor.is_full >= is_full
        is_young = 0 <= time.time() - cursor.began_at < CURSOR_LASTS_S
        return cursor if fits and is_young else None


def sync_section(
    section: PlexSection,
    client: PlexClient,
    *,
    report: Report,
    checkpoint: Callable[[], None],
    is_full: bool = False,
    accept_losses: bool = False,
) -> dict[str, Any]:
    """Returns the summary that is also on the row.

    `is_full` reads all details again. Raises PlexProblem, SyncProblem, and what `checkpoint`
    raises; then the row says how far it came.
    """
    sync = SectionSync(section, client, report, checkpoint)
    return sync.run(is_full=is_full, accept_losses=accept_losses)


class SectionSync:
    def __init__(
        self,
        section: PlexSection,
        client: PlexClient,
        report: Report,
        checkpoint: Callable[[], None],
    ) -> None:
        self.section = section
        self.client = client
        self.report = report
        self.checkpoint = checkpoint
        self.kind = TYPE_OF_SECTION[section.type]
        self._begun = time.monotonic()
        self._done = 0
        self._total: int | None = None

    def run(self, *, is_full: bool, accept_losses: bool) -> dict[str, Any]:
        section = self.section
        facts = self._when_calm()
        signature = link_signature(section.server)
        now = int(time.time())
        sweep = Sweep.resumed(section, self.kind, is_full=is_full)
        asks_for_all = is_full or accept_losses or sweep is not None or section.swept_at is None
        may_be_short = not asks_for_all and self._is_swept_lately()
        if may_be_short and self._is_unchanged(facts):
            mode = "unchanged"
            self._read_plays()
        elif may_be_short and self._can_list_changes() and self._list_changes():
            mode = "changes"
        else:
            mode = "sweep"
            if sweep is None and not section.link_signature:
                # All is read now, so nothing is left to be looked for afterwards.
                section.link_signature = signature
            sweep = sweep or self._new_sweep(facts, now, is_full=is_full)
            with large_writes():
                self._sweep(sweep, accept_losses=accept_losses)
        return self._finish(mode, now)

    def _is_unchanged(self, facts: SectionFacts) -> bool:
        """As it was when the last sweep began. A server without stamps says nothing."""
        section = self.section
        before = (section.content_changed_at, section.scanned_at)
        return any(before) and before == (facts.content_changed_at, facts.scanned_at)

    def _is_swept_lately(self) -> bool:
        swept_at = self.section.swept_at
        return swept_at is not None and timezone.now() - swept_at < SWEEP_EVERY

    def _when_calm(self) -> SectionFacts:
        """What the server says of the section, once it is not being scanned."""
        until = time.monotonic() + REFRESH_WAIT_S
        while True:
            self.checkpoint()
            facts = refresh_sections(self.section.server, self.client).get(self.section.key)
            if facts is None:
                words = no_such_library(self.section.server)
                raise SyncProblem(words, PlexSectionTrouble.GONE)
            if not facts.is_refreshing:
                self.section.refresh_from_db()
                return facts
            if time.monotonic() >= until:
                words = "Plex is scanning this library; it is synced once that is done."
                raise SyncProblem(words, PlexSectionTrouble.SCANNING)
            self.report(0, None, message="Plex is scanning this library; waiting")
            time.sleep(REFRESH_POLL_S)

    def _writer(self, generation: int) -> SyncWriter:
        finder = PathFinder.load(self.section.server)
        return SyncWriter(self.section, finder, generation, self._still_there)

    def _still_there(self, rating_keys: Any) -> set[str]:
        keys: list[str] = list(rating_keys)
        found: set[str] = set()
        for start in range(0, len(keys), BATCH_IDS):
            self.checkpoint()
            chunk = keys[start : start + BATCH_IDS]
            found.update(facts.rating_key for facts in self.client.details(chunk))
        return found

    # Nothing or little changed

    def _since(self) -> int:
        return max(0, self.section.listed_until - SLACK_S)

    def _scoped(self, name: str) -> str:
        """Filters of episodes name their type, for a section's own are those of shows."""
        return f"episode.{name}" if self.kind == EPISODE else name

    def _read_plays(self) -> None:
        """What was watched: it does not count as a change of the section."""
        self.writer = self._writer(self.section.sync_generation)
        where = {self._scoped("lastViewedAt>>"): self._since()}
        expected = self._count(where)
        if expected is None or expected > max(LISTED_WHOLE, self.section.item_count // 4):
            return  # the server does not know the filter; the next sweep brings the plays
        for page in self._pages(where):
            known = self.writer.known(facts.rating_key for facts in page.items)
            listed = [(facts, known[facts.rating_key]) for facts in page.items
                      if facts.rating_key in known]  # fmt: skip
            self.writer.write_plays(
                [
                    (facts, row)
                    for facts, row in listed
                    if (facts.view_count, facts.last_viewed_at)
                    != (row.view_count, row.last_viewed_at)
                ]
            )

    def _can_list_changes(self) -> bool:
        """Asked once per version of the server: a date far ahead must find nothing."""
        section, server = self.section, self.section.server
        if section.item_count < LISTED_WHOLE:
            return False
        if server.can_list_changes is None:
            where = {self._scoped("updatedAt>>"): _FAR_FUTURE}
            self._note_can_list_changes(self._count(where) == 0)
        return bool(server.can_list_changes)

    def _count(self, where: dict[str, Any]) -> int | None:
        """How many a filter finds; None where the server refuses one that it does not know."""
        try:
            return self.client.count(self.section.key, self.kind, where)
        except PlexProblem as problem:
            if problem.kind != "refused":
                raise
            return None

    def _note_can_list_changes(self, can: bool) -> None:
        server = self.section.server
        server.can_list_changes = can
        PlexServer.objects.filter(pk=server.pk, version=server.version).update(can_list_changes=can)

    def _list_changes(self) -> bool:
        """False where the server refuses a filter: then everything is to be listed."""
        try:
            self._read_changes()
        except PlexProblem as problem:
            if problem.kind != "refused":
                raise
            self._note_can_list_changes(False)
            return False
        return True

    def _read_changes(self) -> None:
        self.writer = self._writer(self.section.sync_generation)
        with ReadAhead(self.client, self.writer, self.checkpoint) as details:
            for name in ("addedAt>>", "updatedAt>>", "lastViewedAt>>"):
                for page in self._pages({self._scoped(name): self._since()}):
                    wanted = self._sort_out(page.items, reads_all=False, is_sweep=False)
                    details.ask(wanted)
                    self._tell()
            details.finish()

    def _pages(self, where: dict[str, Any]) -> Any:
        start = 0
        while True:
            self.checkpoint()
            page = self.client.list_page(self.section.key, self.kind, start, where=where)
            if page.returned:
                yield page
            start += page.returned
            if not page.returned or page.total is None or start >= page.total:
                return

    # A sweep

    def _new_sweep(self, facts: SectionFacts, now: int, *, is_full: bool) -> Sweep:
        section = self.section
        section.sync_generation += 1
        sweep = Sweep(
            generation=section.sync_generation,
            kind=self.kind,
            start=0,
            is_full=is_full,
            content_changed_at=facts.content_changed_at,
            scanned_at=facts.scanned_at,
            began_at=now,
        )
        self._save_cursor(sweep)
        return sweep

    def _save_cursor(self, sweep: Sweep) -> None:
        self.section.sync_cursor = asdict(sweep)
        self.section.save(update_fields=["sync_cursor", "sync_generation"])

    def _sweep(self, sweep: Sweep, *, accept_losses: bool) -> None:
        self.writer = self._writer(sweep.generation)
        with ReadAhead(self.client, self.writer, self.checkpoint) as details:
            self._done = start = sweep.start
            total: int | None = None
            upcoming = details.page(self.section.key, self.kind, start)
            while True:
                page = details.wait(upcoming)
                shrunk = max(0, (total or 0) - (page.total or 0)) if page.returned else 0
                begun_at, start = start, start + page.returned
                total = self._total = page.total
                is_last = not page.returned or (total is not None and start >= total)
                if not is_last:
                    upcoming = details.page(self.section.key, self.kind, start)
                if shrunk:  # items before this page went: as many have slipped past it
                    self._look_back(details, max(0, begun_at - shrunk), shrunk, sweep)
                details.ask(self._sort_out(page.items, reads_all=sweep.is_full), begun_at)
                self._done = start
                self._tell()
                if is_last:
                    break
                sweep.start = details.written_until(start)
                self._save_cursor(sweep)
            details.finish()
        lost = settle_losses(self.writer, self.client, self.checkpoint, accept=accept_losses)
        self.writer.counts.missing = lost
        self.section.content_changed_at = sweep.content_changed_at
        self.section.scanned_at = sweep.scanned_at
        self.section.swept_at = timezone.now()

    def _look_back(self, details: ReadAhead, start: int, size: int, sweep: Sweep) -> None:
        for begin in range(start, start + size, PAGE_ITEMS):
            count = min(PAGE_ITEMS, start + size - begin)
            page = self.client.list_page(self.section.key, self.kind, begin, size=count)
            details.ask(self._sort_out(page.items, reads_all=sweep.is_full), begin)

    def _sort_out(
        self, items: tuple[ItemFacts, ...], *, reads_all: bool, is_sweep: bool = True
    ) -> list[str]:
        """Note those that are as they were; returns the keys whose details are to be read."""
        unique = {facts.rating_key: facts for facts in items}
        known = self.writer.known(unique)
        same: list[tuple[ItemFacts, KnownItem]] = []
        wanted = []
        for key, facts in unique.items():
            row = known.get(key)
            if row is None or row.is_missing or not row.is_detailed or row.digest != facts.digest:
                wanted.append(key)
            elif is_sweep and row.seen_generation == self.writer.generation:
                continue  # on an earlier page already, or before the sweep was stopped
            elif reads_all:
                wanted.append(key)
            else:
                same.append((facts, row))
        self.writer.confirm(same)
        return wanted

    def _tell(self) -> None:
        elapsed = max(0.001, time.monotonic() - self._begun)
        self.report(
            self._done,
            self._total,
            self.section.title,
            rate_per_s=self._done / elapsed,
            message="Reading what Plex knows",
        )

    # The end

    def _finish(self, mode: str, now: int) -> dict[str, Any]:
        section = self.section
        dropped = link_after_sync(section, has_changed=mode != "unchanged")
        if mode != "unchanged":
            section.item_count = PlexItem.objects.filter(
                section=section, missing_since=None
            ).count()
            if section.library_id is not None:
                refresh_totals([section.library_id])
                Library.objects.filter(pk=section.library_id).update(last_scan_at=timezone.now())
        section.sync_cursor = {}
        section.listed_until, section.synced_at = now, timezone.now()
        section.trouble = section.error = ""
        summary: dict[str, Any] = {
            "mode": mode,
            **asdict(self.writer.counts),
            "linked_later": dropped,
            "requests": self.client.request_count,
            "seconds": round(time.monotonic() - self._begun, 3),
        }
        section.last_summary = summary
        section.save(
            update_fields=[
                "content_changed_at", "scanned_at", "swept_at", "item_count", "sync_cursor",
                "listed_until", "synced_at", "trouble", "error", "last_summary", "link_signature",
            ]
        )  # fmt: skip
        return summary
