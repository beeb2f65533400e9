"""`mediaflow estimate PATH --preset SLUG`: what a film would become, by sample encodes."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Say what a film would become: sample encodes, no change to anything."
    requires_system_checks = ("mediaflow",)  # not of the pages

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("path", metavar="PATH", help="a film; it need not lie in a library")
        parser.add_argument("--preset", required=True, metavar="SLUG")
        parser.add_argument("--target-vmaf", metavar="N", help="instead of the preset's quality")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import bad_input, existing_path, find_preset
        from transcode.console.estimate_report import as_json, as_lines, estimate_or_refusal
        from transcode.console.target_quality import spec_of

        preset = find_preset(options["preset"])
        spec = spec_of(preset, options["target_vmaf"])
        path = existing_path(options["path"])
        if os.path.isdir(path):  # noqa: PTH112  # bytes
            raise bad_input(f"{options['path']!r} is a folder; estimate takes one film.")
        is_quiet = options["is_json"] and not sys.stderr.isatty()
        answer = estimate_or_refusal(
            path, spec, preset.slug, say=None if is_quiet else self.stderr.write
        )
        if options["is_json"]:
            self.stdout.write(json.dumps(as_json(answer), ensure_ascii=False, indent=1))
            return
        for line in as_lines(answer):
            self.stdout.write(line)
