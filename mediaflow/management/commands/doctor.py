"""`doctor`: is everything there that MediaFlow needs, and does the database fit the disks?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandParser

from library.models import Library, LibraryKind
from mediaflow.base.restore_flag import is_reconcile_pending
from mediaflow.diagnostics.checks import run_checks
from mediaflow.diagnostics.findings import Check
from mediaflow.diagnostics.library_check import compare_library, library_checks
from mediaflow.recovery.reconcile import reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator


class Command(BaseCommand):
    help = (
        "Check ffmpeg, encoders, database, queue, disks, clock and libraries; --library compares"
        " every file, trash entry and journal with the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--library", action="store_true", help="compare disks and database")
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = []
        for check in self._checks(with_library=options["library"]):
            checks.append(check)
            if not options["json"]:
                self._show(check)
        failed = sum(not check.ok for check in checks)
        if options["json"]:
            self.stdout.write(json.dumps({"checks": [asdict(check) for check in checks]}))
        else:
            self.stdout.write(
                f"{failed} of {len(checks)} checks failed." if failed else "All well."
            )
        if failed:
            raise SystemExit(1)

    def _checks(self, *, with_library: bool) -> Iterator[Check]:
        yield from run_checks()
        if not with_library:
            if is_reconcile_pending():
                yield Check(
                    "restore",
                    False,
                    "the database was restored and not yet compared with the disks",
                    "Run `mediaflow doctor --library`.",
                )
            return
        reports = []
        for library in Library.objects.filter(kind=LibraryKind.FOLDER).order_by("name"):
            report = compare_library(library)
            reports.append(report)
            yield from library_checks(report)
        if is_reconcile_pending():
            result = reconcile(reports)
            detail = (
                f"{result.lost_trash} trash entries lost, {result.stopped_journals} journals"
                f" stopped, {result.missing_files} files missing"
            )
            if result.is_complete:
                yield Check("restore", True, f"compared ({detail}); the queue goes on")
            else:
                names = ", ".join(result.left_out)
                hint = f"Mount {names} and run this again; the queue stays paused."
                yield Check("restore", False, detail, hint)

    def _show(self, check: Check) -> None:
        mark = self.style.SUCCESS("ok  ") if check.ok else self.style.ERROR("FAIL")
        self.stdout.write(f"{mark} {check.name}: {check.detail}")
        if check.hint and not check.ok:
            self.stdout.write(f"     {check.hint}")
