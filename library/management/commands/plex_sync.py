"""`mediaflow plex_sync`: bring what Plex knows up to date, one library after another."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from library.models import PlexSection
    from library.scanning.display import ScanDisplay

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Sync the enabled libraries of Plex servers, or those that are named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--section",
            action="append",
            default=[],
            metavar="NAME",
            help="only this library, by its title or “server/title”; again for more",
        )
        parser.add_argument(
            "--full", action="store_true", help="read the details of all items again"
        )
        parser.add_argument(
            "--accept-losses",
            action="store_true",
            help="what Plex does not list any more is really gone: mark it missing",
        )
        parser.add_argument(
            "--json", action="store_true", dest="is_json", help="print one JSON document only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from library.scanning.display import ScanDisplay

        sections = _chosen(options["section"])
        display = ScanDisplay(is_quiet=options["is_json"] and not sys.stderr.isatty())
        with display.shown():
            done = [self._sync(section, display, options) for section in sections]
        if options["is_json"]:
            self.stdout.write(json.dumps({"sections": done}))
        else:
            for one in done:
                self.stdout.write(f"{one['server']}/{one['title']}: {one['message']}")
        if any(one["problem"] for one in done):
            raise SystemExit(1)

    def _sync(
        self, section: PlexSection, display: ScanDisplay, options: dict[str, Any]
    ) -> dict[str, Any]:
        from library.plex.sync_operation import WAITS, SyncBusy, start_sync
        from mediaflow.base.models import OperationStatus
        from mediaflow.base.operations import run_operation_here

        try:
            operation = start_sync(
                section=section, is_full=options["full"], accept_losses=options["accept_losses"]
            )
        except SyncBusy as busy:
            return self._told(section, str(busy), is_done=False)
        operation = run_operation_here(operation, on_progress=display.show)
        display.end()
        is_done = operation.status == OperationStatus.COMPLETED
        is_done = is_done and operation.result.get("mode") != WAITS
        section.refresh_from_db(fields=["item_count"])
        message = operation.message or f"The sync was {operation.status}."
        return {**self._told(section, message, is_done=is_done), **operation.result}

    def _told(self, section: PlexSection, message: str, *, is_done: bool) -> dict[str, Any]:
        return {
            "id": section.pk,
            "server": section.server.name,
            "title": section.title,
            "problem": "" if is_done else message,
            "message": message,
            "items": section.item_count,
        }


def _chosen(names: list[str]) -> list[PlexSection]:
    from library.models import PlexSection

    rows = PlexSection.objects.filter(is_enabled=True, server__is_enabled=True)
    sections = list(rows.select_related("server").order_by("server__name", "title"))
    if not sections:
        raise CommandError(
            "No library of a Plex server is switched on; connect one on the page Plex or with"
            " plex_add.",
            returncode=BAD_INPUT,
        )
    if not names:
        return sections
    chosen: dict[int, PlexSection] = {}
    for name in names:
        found = [row for row in sections if name.casefold() in _names_of(row)]
        if not found:
            there = ", ".join(f"{row.server.name}/{row.title}" for row in sections)
            raise CommandError(
                f"There is no library {name!r} that is switched on; there are: {there}.",
                returncode=BAD_INPUT,
            )
        chosen |= {row.pk: row for row in found}
    return list(chosen.values())


def _names_of(section: PlexSection) -> set[str]:
    return {section.title.casefold(), f"{section.server.name}/{section.title}".casefold()}
