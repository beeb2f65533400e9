"""`mediaflow rules`: lists the rules, says what one would do, or runs it once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from transcode.models import Rule


class Command(BaseCommand):
    help = "List rules and watch folders; run one now, or say what it would do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("--run", metavar="NAME", help="run this rule once, hours or not")
        parser.add_argument("--dry-run", action="store_true", help="with --run: change nothing")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import bad_input

        name, is_dry = options["run"], options["dry_run"]
        if is_dry and name is None:
            raise bad_input("Say which rule: --run NAME --dry-run.")
        if name is None:
            document, lines = self._list()
        elif is_dry:
            document, lines = self._forecast(self._find(name))
        else:
            document, lines = self._run(self._find(name))
        if options["is_json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(lines))
        if document.get("error"):
            raise CommandError(document["error"], returncode=1)

    def _find(self, name: str) -> Rule:
        from transcode.console.command_input import bad_input
        from transcode.models import Rule

        rule = Rule.objects.filter(name__iexact=name).first()
        if rule is None:
            known = ", ".join(Rule.objects.values_list("name", flat=True)[:20]) or "none yet"
            raise bad_input(f"There is no rule {name[:80]!r}; the rules are: {known}.")
        return rule

    def _list(self) -> tuple[dict[str, Any], list[str]]:
        from django.utils import timezone

        from transcode.models import Rule
        from transcode.pages.rule_rows import read_rows

        rules = Rule.objects.select_related("preset", "library")
        rows = [
            {
                "id": row.rule.pk,
                "name": row.rule.name,
                "kind": row.rule.kind,
                "takes": row.folder if row.is_folder else row.rule.query,
                "preset": row.rule.preset.slug,
                "state": row.word,
                "reason": row.why,
                "queued_today": row.use.files_today,
                "queued_bytes_week": row.use.bytes_week,
                "waiting": row.waiting,
            }
            for row in read_rows(rules, timezone.now())
        ]
        lines = [
            f"{row['name']}: {row['state']}. {row['reason']} Queued today: {row['queued_today']:,}."
            for row in rows
        ]
        return {"rules": rows}, lines or ["There are no rules yet."]

    def _forecast(self, rule: Rule) -> tuple[dict[str, Any], list[str]]:
        from django.utils import timezone

        from transcode.rules.dry_run import forecast

        found = forecast(rule, timezone.now())
        groups = {group.code: group.files for group in found.left_out}
        queued, size = (found.queue.files, found.queue.size_bytes) if found.queue else (0, 0)
        document = {
            "rule": rule.name,
            "matched": found.matched,
            "would_queue": queued,
            "would_queue_bytes": size,
            "left_out": groups,
            "error": found.problem,
        }
        lines = [f"{found.matched:,} match, {queued:,} would be queued."]
        lines += [f"  {group.files:,} left out: {group.reason}" for group in found.left_out]
        return document, lines

    def _run(self, rule: Rule) -> tuple[dict[str, Any], list[str]]:
        from django.utils import timezone

        from mediaflow.base.audit import record_audit
        from transcode.rules.engine import run_rule

        record_audit("rule.run", actor_name="command line", subject=rule.name)
        run = run_rule(rule, timezone.now(), is_asked=True)
        document = {
            "rule": rule.name,
            "matched": run.matched,
            "queued": run.queued,
            "by_verdict": run.by_verdict,
            "error": run.note,
        }
        return document, [f"{run.matched:,} match, {run.queued:,} queued."]
