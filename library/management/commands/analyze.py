"""`mediaflow analyze`: run all analysers over the library and say what is worth doing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from library.analysis.report import AnalysisReport
    from library.models import Library
    from mediaflow.base.models import Operation

BAD_INPUT = 2


class Command(BaseCommand):
    help = "Run all analysers over all libraries, or over one, and say what is worth doing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--library", metavar="NAME", help="only this library")
        parser.add_argument(
            "--json", action="store_true", dest="is_json", help="print one JSON document only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from library.analysis.report import report_of
        from library.analysis.services import start_analysis
        from mediaflow.base.models import OperationStatus

        library = self._library(options["library"])
        operation = self._run(start_analysis(library), is_quiet=options["is_json"])
        if operation.status != OperationStatus.COMPLETED:
            raise CommandError(
                operation.message or f"The analysis was {operation.status}.", returncode=1
            )
        report = report_of(operation.result["run"])
        if options["is_json"]:
            self.stdout.write(json.dumps(report.to_json()))
        else:
            self._say(report)

    def _library(self, name: str | None) -> Library | None:
        from library.models import Library

        if name is None:
            return None
        library = Library.objects.filter(name__iexact=name).first()
        if library is None:
            known = ", ".join(Library.objects.values_list("name", flat=True)) or "none yet"
            text = f"--library {name[:120]!r}: there is no such library. There are: {known}."
            raise CommandError(text, returncode=BAD_INPUT)
        return library

    def _run(self, operation: Operation, *, is_quiet: bool) -> Operation:
        from library.scanning.display import ScanDisplay
        from mediaflow.base.operations import run_operation_here

        display = ScanDisplay(is_quiet=is_quiet and not sys.stderr.isatty())
        with display.shown():
            done = run_operation_here(operation, on_progress=display.show)
            display.end()
        return done

    def _say(self, report: AnalysisReport) -> None:
        from mediaflow.templatetags._text import counted, size

        self.stdout.write(
            f"{counted(report.items, 'film')}, {counted(report.recommendations, 'recommendation')}"
            f" in {report.seconds:.1f} s; about {size(report.estimated_savings_bytes).text} to save"
            " (each film counted once)."
        )
        for entry in report.by_type:
            saved = f", about {size(entry.savings_bytes).text}" if entry.savings_bytes else ""
            changed = (
                f" ({entry.new:,} new, {entry.gone:,} gone)" if entry.new or entry.gone else ""
            )
            self.stdout.write(f"  {entry.title}: {entry.open:,}{saved}{changed}")
