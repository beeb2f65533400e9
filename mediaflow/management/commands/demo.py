"""`demo`: the main job from end to end on clips made on the spot, in a folder of its own.

With a stand-in for Plex, where the tests lie beside the program: it lists the same clips.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from mediaflow.base.env import PROJECT_ROOT
from transcode.models import JobStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = ".mediaflow-demo"
STEP_TIMEOUT_S = 1800
STAND_IN = "tests.plex_stand_in"
PLEX_FOLDER = "/data/Movies"  # what the stand-in calls the folder of clips
SHOWN_KINDS = 6


class Command(BaseCommand):
    help = "Make sample clips, scan them, optimise them, undo one, and show the result."
    requires_system_checks: list[str] = []  # each step runs its own

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", default=str(PROJECT_ROOT / "var" / "demo"))
        parser.add_argument("--seconds", type=int, default=6, help="length of each clip")
        parser.add_argument("--preset", default="balanced")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(options["folder"]).expanduser().absolute()
        if not 2 <= options["seconds"] <= 600:
            raise CommandError("--seconds must be a whole number from 2 to 600.", returncode=2)
        self._prepare(folder)
        self.films = folder / "films"
        self.environment = {
            **os.environ,
            "MEDIAFLOW_DATA_DIR": str(folder / "data"),
            "MEDIAFLOW_WORK_DIR": str(folder / "work"),
        }
        self.console = Console(stderr=False)
        self._say(f"1. Sample clips in {self.films}")
        seconds = str(options["seconds"])
        self._run("demo_media", str(self.films), "--seconds", seconds, "--height", "360")
        self._run("migrate", "--verbosity", "0")
        self._say("2. Scan")
        libraries = self._json("scan", str(self.films))["libraries"]
        for row in libraries:
            self.console.print(f"   {row['files']} films in {row['seconds']:.1f} s")
        with self._plex():
            self._analyse()
            self._say(f"5. Optimise with the preset {options['preset']}, proving each result")
            jobs = self._json("optimize", str(self.films), "--preset", options["preset"])["jobs"]
            self._show(jobs)
            self._undo_one(jobs)
            self._look_at_plex()
        self._say("8. Compare every file, trash entry and journal with the database")
        self._run("doctor", "--library", may_fail=True)
        self.console.print(
            "\nLook at it in a browser (films, proofs, undo, insights):"
            f"\n  MEDIAFLOW_DATA_DIR={folder / 'data'} make run",
            soft_wrap=True,
        )

    @contextmanager
    def _plex(self) -> Iterator[None]:
        """A stand-in for Plex that lists the clips, connected and synced, for as long as needed."""
        self.has_plex = (PROJECT_ROOT / STAND_IN.replace(".", "/")).is_dir()
        if not self.has_plex:
            self._say("3. Plex: left out, its stand-in comes with the tests")
            yield
            return
        self._say("3. Connect a stand-in for Plex that lists the same clips, and sync")
        stand_in = subprocess.Popen(
            [sys.executable, "-m", STAND_IN, "--folder", str(self.films), "--location",
             PLEX_FOLDER],
            cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert stand_in.stdout is not None  # because of PIPE
            about = json.loads(stand_in.stdout.readline())
            mapping = f"{PLEX_FOLDER}={self.films}"
            self._run("plex_add", about["url"], "--on-this-machine", "--map", mapping,
                      given=about["token"])  # fmt: skip
            self.synced = self._sync()
            yield
        finally:
            stand_in.terminate()
            stand_in.communicate()

    def _sync(self) -> int:
        """Returns how many films Plex and MediaFlow know as one."""
        sections = self._json("plex_sync")["sections"]
        items = sum(section["items"] for section in sections)
        self.console.print(f"   Plex lists {items} films; those here are known as one with them")
        return int(items)

    def _look_at_plex(self) -> None:
        if self.has_plex:
            self._say("7. Plex was told of each swap and of the undo: sync again")
            if self._sync() != self.synced:
                raise CommandError("Plex lists another number of films than before.")

    def _analyse(self) -> None:
        self._say("4. What is worth doing")
        found = self._json("analyze")
        rows = [row for row in found["by_type"].values() if row["open"]]
        rows.sort(key=lambda row: -int(row["open"]))
        for row in rows[:SHOWN_KINDS]:
            self.console.print(f"   {row['open']:3} × {row['title']}")
        saving = _size(found["estimated_savings_bytes"])
        self.console.print(f"   could save about {saving} by rule of thumb")

    def _prepare(self, folder: Path) -> None:
        """Only a folder that an earlier demo made is emptied."""
        try:
            if folder.exists() and not (folder / MARKER).is_file() and any(folder.iterdir()):
                raise CommandError(
                    f"{folder} holds something else. Give --folder an empty one.", returncode=2
                )
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / MARKER).touch()
        except OSError as error:
            text = f"{folder} cannot be used: {error.strerror}."
            raise CommandError(text, returncode=2) from None

    def _undo_one(self, jobs: list[dict[str, Any]]) -> None:
        done = next((job for job in jobs if job["state"] == JobStatus.COMPLETED), None)
        if done is None:
            raise CommandError("No clip was optimised; the table above says why.")
        self._say(f"6. Undo {Path(done['file']).name}: the original comes back")
        undone = self._json("undo", str(done["id"]))["undone"]
        self.console.print(f"   put back: {len(undone)}")

    def _say(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/bold]", highlight=False)

    def _run(self, *arguments: str, may_fail: bool = False, given: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, str(PROJECT_ROOT / "manage.py"), *arguments],
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE if "--json" in arguments else None,
            text=True,
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
        if done.returncode == 2 or (done.returncode and not may_fail):
            raise CommandError(f"`{' '.join(arguments)}` ended with {done.returncode}.")
        return done.stdout or ""

    def _json(self, *arguments: str) -> dict[str, Any]:
        # Skipped clips are part of the show, so code 1 is not the end.
        text = self._run(*arguments, "--json", may_fail=True)
        if not text:
            raise CommandError(f"`{arguments[0]}` ended without a result; see above.")
        found: dict[str, Any] = json.loads(text)
        return found

    def _show(self, jobs: list[dict[str, Any]]) -> None:
        table = Table("film", "result", "before", "after", "VMAF", "why")
        for job in jobs:
            table.add_row(
                Path(job["file"]).name,
                job["state"],
                _size(job["source_bytes"]),
                _size(job["output_bytes"]) if job["state"] == JobStatus.COMPLETED else "",
                f"{job['vmaf']:.1f}" if job["vmaf"] is not None else "",
                job["reason"] or job["error"] or "",
            )
        self.console.print(table)
        done = [job for job in jobs if job["state"] == JobStatus.COMPLETED]
        before = sum(job["source_bytes"] for job in done)
        after = sum(job["output_bytes"] or 0 for job in done)
        if before:
            share = 100 * (before - after) / before
            self.console.print(
                f"   {len(done)} of {len(jobs)} optimised: {_size(before)} became {_size(after)}"
                f" ({share:.0f} % less). The originals wait in the trash."
            )


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1000:,.0f} kB"
