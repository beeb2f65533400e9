"""`report`: the storage and quality report as text, JSON or PDF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from library.analysis.figures import store_count
from mediaflow.analytics.document import report_document
from mediaflow.analytics.report import ReportProblem, find_library, make_report
from mediaflow.templatetags._text import bit_rate, size

if TYPE_CHECKING:
    from mediaflow.analytics.report import Report


class Command(BaseCommand):
    help = (
        "What the library is made of, by codec, resolution, HDR, container, sound and library:"
        " counted anew, printed as text, as one JSON document or as a PDF."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="one JSON document")
        form.add_argument("--pdf", metavar="FILE", help="write a PDF there")
        parser.add_argument("--library", metavar="NAME", default="", help="only this library")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            library = find_library(options["library"])
        except ReportProblem as problem:
            raise CommandError(problem.text, returncode=2) from None
        store_count()
        report = make_report(library)
        if report is None:
            raise CommandError("The library could not be counted.", returncode=1)
        if options["json"]:
            self.stdout.write(json.dumps(report_document(report), ensure_ascii=False))
        elif options["pdf"]:
            self._write_pdf(report, Path(options["pdf"]))
        else:
            self._print(report)

    def _write_pdf(self, report: Report, target: Path) -> None:
        from mediaflow.analytics.pdf import write_pdf

        try:
            target.write_bytes(write_pdf(report))
        except OSError as error:
            text = f"{target} cannot be written: {error.strerror or error}."
            raise CommandError(text, returncode=2) from None
        self.stdout.write(f"Written to {target}.")

    def _print(self, report: Report) -> None:
        self.stdout.write(f"{report.files:,} films, {size(report.bytes).text}")
        if report.health:
            self.stdout.write(f"Health: {report.health.grade}, {report.health.score} of 100")
        if report.potential:
            saving = size(report.potential.saving.expected).text
            self.stdout.write(f"H.264 as HEVC would save about {saving}")
        for dimension in report.dimensions:
            self.stdout.write(f"\n{dimension.title}")
            for row in dimension.rows:
                rate = bit_rate(row.average_kbps).text if row.average_kbps else "-"
                self.stdout.write(
                    f"  {row.label:<20} {row.files:>10,} {size(row.bytes).text:>12}"
                    f" {row.share_pct:>6.1f} % {rate:>12}"
                )
