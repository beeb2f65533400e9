"""`mediaflow enqueue`: puts films of a library into the queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from library.models import MediaFile
    from transcode.models import Preset

SHOWN_SKIPS: Final = 20
ID_BATCH: Final = 5_000


def _made(job_ids: list[int]) -> Iterator[dict[str, Any]]:
    from transcode.models import Job

    for start in range(0, len(job_ids), ID_BATCH):
        rows = Job.objects.filter(pk__in=job_ids[start : start + ID_BATCH]).order_by("pk")
        for pk, path, status in rows.values_list("pk", "file_path", "status"):
            yield {"id": pk, "file": path, "state": status}


class Command(BaseCommand):
    help = "Queue films that the library knows, by path or by filter."

    def add_arguments(self, parser: ArgumentParser) -> None:
        from transcode.console.command_input import add_json_flag

        parser.add_argument("paths", nargs="*", metavar="PATH")
        parser.add_argument("--filter", help="as in the address of the library page: codec=h264")
        parser.add_argument("--preset", required=True, metavar="SLUG")
        parser.add_argument(
            "--target-vmaf", metavar="N", help="a quality instead of the preset's own"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be queued")
        add_json_flag(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        from transcode.console.command_input import bad_input, find_preset, read_filter
        from transcode.console.target_quality import with_target

        preset = with_target(find_preset(options["preset"]), options["target_vmaf"])
        if bool(options["paths"]) == (options["filter"] is not None):
            raise bad_input("Name either films and folders, or --filter QUERY.")
        if options["filter"] is not None:
            selections = [(read_filter(options["filter"]), False)]
        else:
            selections = self._files_at(options["paths"])
        jobs: list[dict[str, Any]] = []
        skipped: list[dict[str, str]] = []
        for files, is_named in selections:
            some, others = self._queue(files, preset, is_named, options["dry_run"])
            jobs += some
            skipped += others
        if options["is_json"]:
            document = {"jobs": jobs, "skipped": skipped}
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=1))
        else:
            self._tell(jobs, skipped, is_dry=options["dry_run"])

    def _files_at(self, paths: list[str]) -> list[tuple[QuerySet[MediaFile], bool]]:
        from library.places import find_place
        from transcode.console.command_input import bad_input, existing_path

        selections = []
        for text in paths:
            place = find_place(existing_path(text))
            if place is None or (place.is_file and not place.files().exists()):
                raise bad_input(f"{text!r} is in no library; run `mediaflow scan` on it first.")
            selections.append((place.files(), place.is_file))
        return selections

    def _queue(
        self, files: QuerySet[MediaFile], preset: Preset, is_named: bool, is_dry: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        from transcode.queue.enqueue import EnqueueOrder, find_eligible, find_skipped
        from transcode.services import enqueue_files

        if is_dry:
            mode = str(preset.spec.get("output", "replace"))
            order = EnqueueOrder(preset, output_mode=mode, includes_ignored=is_named)
            eligible = find_eligible(files, order).select_related("library").order_by("pk")
            jobs: list[dict[str, Any]] = [
                {"id": None, "file": f"{f.library.root}/{f.path}", "state": "would be queued"}
                for f in eligible.iterator(chunk_size=2000)
            ]
            skips = find_skipped(files, order)
        else:
            result = enqueue_files(
                files=files,
                preset=preset,
                actor=None,
                origin="command line",
                includes_ignored=is_named,
            )
            skips = result.skipped
            jobs = list(_made(result.jobs))
        return jobs, [{"file": s.path, "reason": s.reason} for s in skips]

    def _tell(self, jobs: list[Any], skipped: list[dict[str, str]], *, is_dry: bool) -> None:
        verb = "would be queued" if is_dry else "queued"
        self.stdout.write(f"{len(jobs):,} {verb}, {len(skipped):,} skipped.")
        for skip in skipped[:SHOWN_SKIPS]:
            self.stdout.write(f"  skipped {skip['file']}: {skip['reason']}")
        if len(skipped) > SHOWN_SKIPS:
            self.stdout.write(f"  … and {len(skipped) - SHOWN_SKIPS:,} more; --json lists all.")
