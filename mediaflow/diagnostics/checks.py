"""What `doctor` looks at: ffmpeg, encoders, database, queue, disks, clocks, libraries."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connection

from library.models import Library, LibraryKind
from library.scanning.marker import marker_matches
from mediaflow.base.heartbeat import has_live_process
from mediaflow.base.hooks import hooked
from mediaflow.base.patience import answer_within
from mediaflow.diagnostics.findings import Check
from mediaflow.disks import LOW_BYTES, measure
from mediaflow.supervisor.database import has_pending_migrations
from mediaflow.supervisor.preflight import network_file_system
from transcode.encoders import ENCODERS, availability
from transcode.encoders.hardware import NOT_TRIED
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIBRARY_TIMEOUT_S = 10.0
CLOCK_TOLERANCE_S = 5.0
EARLIEST_PLAUSIBLE = datetime(2026, 1, 1, tzinfo=UTC)


def run_checks() -> Iterator[Check]:
    """Cheap ones first, one at a time, so that the command can show them as they come."""
    yield check_database()
    yield from check_disks()
    yield check_clock()
    yield check_queue()
    ffmpeg = check_ffmpeg()
    yield ffmpeg
    if ffmpeg.ok:
        yield from check_encoders()
    yield from check_libraries()
    for callee in hooked("doctor_checks"):
        yield from callee()


def check_database() -> Check:
    try:
        if connection.vendor == "sqlite":
            kind = network_file_system(settings.DATA_DIR)
            if kind:
                return Check(
                    "database",
                    False,
                    f"SQLite on a network file system ({kind})",
                    "Move MEDIAFLOW_DATA_DIR to a local disk or use PostgreSQL.",
                )
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA quick_check")
                verdict = str(cursor.fetchone()[0])
            if verdict != "ok":
                return Check("database", False, verdict, "Restore a backup: `mediaflow restore`.")
        if has_pending_migrations():
            return Check("database", False, "needs an upgrade", "Run `mediaflow migrate`.")
    except DatabaseError as error:
        hint = "Look at MEDIAFLOW_DATABASE_URL and whether the server runs."
        return Check("database", False, str(error).strip(), hint)
    return Check("database", True, f"{connection.display_name}, readable and up to date")


def check_disks() -> Iterator[Check]:
    for name, folder in (("data", settings.DATA_DIR), ("work", settings.WORK_DIR)):
        yield _check_folder(f"{name} folder", folder)


def _check_folder(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".doctor-{os.getpid()}"
        trial.write_bytes(b"MediaFlow")
        trial.unlink()
        free = measure(folder).free_bytes
    except OSError as error:
        hint = f"Make {folder} writable for the user that runs MediaFlow."
        return Check(name, False, f"{folder}: {error.strerror}", hint)
    detail = f"{folder}: {free / 1024**3:.1f} GB free"
    return Check(name, free >= LOW_BYTES, detail, "" if free >= LOW_BYTES else "Make room on it.")


def check_clock() -> Check:
    """This machine's clock against the database's, and against the day this was written."""
    now = datetime.now(UTC)
    if now < EARLIEST_PLAUSIBLE:
        return Check("clock", False, f"says {now:%Y-%m-%d}", "Set the clock; switch NTP on.")
    if connection.vendor != "postgresql":
        return Check("clock", True, f"{now:%Y-%m-%d %H:%M:%S} UTC")
    try:
        with connection.cursor() as cursor:
            before = time.time()
            cursor.execute("SELECT extract(epoch from clock_timestamp())")
            difference = abs(float(cursor.fetchone()[0]) - (before + time.time()) / 2)
    except DatabaseError as error:
        return Check("clock", False, str(error).strip(), "See the check of the database.")
    is_ok = difference <= CLOCK_TOLERANCE_S
    hint = "" if is_ok else "Switch NTP on at both machines."
    return Check("clock", is_ok, f"{difference:.1f} s from the database server's", hint)


def check_queue() -> Check:
    try:
        lives = has_live_process("consumer")
    except DatabaseError as error:
        return Check("queue", False, str(error).strip(), "See the check of the database.")
    if lives:
        return Check("queue", True, "a consumer runs")
    return Check("queue", True, "no consumer runs; jobs wait until `mediaflow serve` is started")


def check_ffmpeg() -> Check:
    try:
        binary = find_ffmpeg()
    except FfmpegMissing as problem:
        return Check("ffmpeg", False, str(problem), "Leave MEDIAFLOW_FFMPEG empty to use ours.")
    return Check("ffmpeg", True, f"{binary.version} ({binary.path})")


def check_encoders() -> Iterator[Check]:
    """A real test encode of each; what is found is stored, as the page of the encoders shows it.

    Hardware that is not here is no failure, it is only said.
    """
    try:
        rows = availability.check_encoders()
    except DatabaseError as error:
        yield Check("encoders", False, str(error).strip(), "See the check of the database.")
        return
    hint = "Presets with this encoder fail; use another ffmpeg or another preset."
    for row in rows:
        encoder = ENCODERS[row.encoder]
        name = f"encoder {encoder.ffmpeg_name}" + (f" ({row.device})" if row.device else "")
        said = f"encodes, {' and '.join(map(str, row.depths))} bits"
        if row.is_working:
            tried = f"; {NOT_TRIED} by MediaFlow's makers" if encoder.is_hardware else ""
            yield Check(name, True, said + tried)
        elif encoder.is_hardware:
            yield Check(name, True, f"not here: {row.reason}")
        else:
            yield Check(name, False, row.reason, hint)


def check_libraries() -> Iterator[Check]:
    try:
        libraries = list(Library.objects.filter(kind=LibraryKind.FOLDER))
    except DatabaseError:
        return
    for library in libraries:
        yield check_library(library)


def check_library(library: Library) -> Check:
    """Reachable, ours, not frozen. A mount that hangs is given up after LIBRARY_TIMEOUT_S."""
    name = f"library {library.name}"
    root, marker_id = bytes(library.root_raw), library.marker_id
    try:
        is_ours = answer_within(LIBRARY_TIMEOUT_S, lambda: marker_matches(root, marker_id))
    except OSError as error:
        return Check(
            name, False, f"{library.root}: {error.strerror}", "Mount it, or remove the library."
        )
    if not is_ours:
        return Check(
            name,
            False,
            f"{library.root} does not carry this library's marker",
            "Mount the right disk there; MediaFlow changes nothing in it until then.",
        )
    if library.is_frozen:
        return Check(name, False, f"frozen: {library.frozen_reason}", "Settle it on its page.")
    return Check(name, True, f"{library.root} is reachable")
