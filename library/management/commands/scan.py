"""`mediaflow scan [PATH …]`: make folders libraries and bring the database up to their disks."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from library.models import Library
    from library.scanning.display import ScanDisplay

BAD_INPUT = 2


class Command(BaseCommand):
    help = (
        "Scan libraries: folders given as PATH that are in none yet become libraries; without PATH"
        " all enabled libraries are scanned."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="a folder")
        parser.add_argument(
            "--accept-losses",
            action="store_true",
            help="a frozen library's films are really gone: mark them missing",
        )
        parser.add_argument(
            "--json", action="store_true", dest="is_json", help="print one JSON document only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from library.models import Library, LibraryKind
        from library.scanning.display import ScanDisplay

        if options["paths"]:
            libraries = [self._library(text) for text in options["paths"]]
            libraries = list({library.pk: library for library in libraries}.values())
        else:
            libraries = list(Library.objects.filter(kind=LibraryKind.FOLDER, is_enabled=True))
            if not libraries and not options["is_json"]:
                raise CommandError(
                    "There is no library yet; name a folder: mediaflow scan /films",
                    returncode=BAD_INPUT,
                )
        display = ScanDisplay(is_quiet=options["is_json"] and not sys.stderr.isatty())
        with display.shown():
            done = [self._scan(lib, display, options["accept_losses"]) for lib in libraries]
        if options["is_json"]:
            self.stdout.write(json.dumps({"libraries": [summary for summary, _problem in done]}))
        else:
            for summary, problem in done:
                self.stdout.write(f"{summary['name']}: {problem or _in_words(summary)}")
        if any(problem for _summary, problem in done):
            raise SystemExit(1)

    def _library(self, text: str) -> Library:
        from library.scanning.input import library_for
        from library.services import LibraryProblem

        try:
            return library_for(os.fsencode(text))
        except LibraryProblem as problem:
            raise CommandError(problem.text, returncode=BAD_INPUT) from None

    def _scan(
        self, library: Library, display: ScanDisplay, accept_losses: bool
    ) -> tuple[dict[str, Any], str]:
        """The summary and, when the scan did not end well, why."""
        from library.services import LibraryProblem, start_scan
        from mediaflow.base.models import OperationStatus
        from mediaflow.base.operations import run_operation_here

        try:
            operation = start_scan(library=library, accept_losses=accept_losses)
        except LibraryProblem as problem:
            raise CommandError(problem.text, returncode=BAD_INPUT) from None
        operation = run_operation_here(operation, on_progress=display.show)
        display.end()
        library.refresh_from_db()
        problem_text = ""
        if operation.status != OperationStatus.COMPLETED:
            problem_text = operation.message or f"The scan was {operation.status}."
        return _summary(library), problem_text


def _summary(library: Library) -> dict[str, Any]:
    from library.scanning.summary import ScanSummary

    empty = ScanSummary(id=library.pk, name=library.name, root=library.root).to_json()
    return {**empty, **library.last_scan_summary}


def _in_words(summary: dict[str, Any]) -> str:
    from library.services import scan_in_words

    return f"{scan_in_words(summary)} {summary['seconds']:.1f} s."
