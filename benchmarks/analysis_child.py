"""The steps of the analysis benchmark, each in a process of its own (`benchmarks.analysis`)."""

from __future__ import annotations

import resource
import threading
import time
from typing import Any, Final

# Of each ten films so many are in Plex; of each hundred so many are a second version.
IN_PLEX: Final = 8
SECOND_VERSIONS: Final = 4
PAUSE_S: Final = 0.05


def multiply(files: int) -> dict[str, float]:
    """Copies of all films until there are so many, by statements of the embedded database."""
    from django.db import connection

    from library.models import MediaFile

    own = MediaFile.objects.count()
    indexes = [index for index in MediaFile._meta.indexes if index.name.startswith("list_")]
    names = [str(f.column) for f in MediaFile._meta.concrete_fields if not f.generated]
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(MediaFile, index)
    with connection.cursor() as cursor:
        for copy in range(1, files // own):
            other = {
                "id": f"id + {copy * own}",
                "path_digest": f"'{copy:05d}' || substr(path_digest, 6)",
            }
            values = ", ".join(other.get(name, name) for name in names)
            cursor.execute(
                f"INSERT INTO library_mediafile ({', '.join(names)}) SELECT {values}"
                f" FROM library_mediafile WHERE id <= {own}"
            )
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.add_index(MediaFile, index)
    return {}


def enrich(_files: int) -> dict[str, float]:
    """Plays, languages and items by statements of the embedded database."""
    from django.db import connection

    statements = (
        "UPDATE library_mediafile SET"
        f" is_in_plex = id % 10 < {IN_PLEX},"
        " play_count = max(0, (id * 7919) % 13 - 8),"
        " last_played_at = CASE WHEN (id * 7919) % 13 > 8"
        "  THEN datetime('2026-11-01', '-' || (id * 31 % 2000) || ' days') END,"
        " audio_languages = CASE id % 7 WHEN 0 THEN ',jpn,' WHEN 1 THEN ',eng,deu,fra,spa,'"
        "  WHEN 2 THEN '' ELSE ',eng,' END,"
        " subtitle_languages = CASE id % 3 WHEN 0 THEN ',eng,' ELSE '' END,"
        " availability = CASE WHEN id % 200 = 7 THEN availability ELSE 'present' END,"
        " state = CASE WHEN id % 50 = 9 THEN state ELSE 'new' END",
        "INSERT INTO library_mediaitem"
        " (library_id, kind, title, year, show_title, identity_key, plex_guid, added_at)"
        " SELECT library_id, 'movie', title, 2001, '', 'movie|' || film || '|2001', '',"
        "  '2026-01-01' FROM (SELECT *, id - (id % 100 < :versions) AS film"
        "  FROM library_mediafile) WHERE true ON CONFLICT DO NOTHING",
        "INSERT INTO library_itemfile (item_id, file_id, edition, part_index)"
        " SELECT i.id, f.id, '', 0 FROM library_mediafile f JOIN library_mediaitem i"
        " ON i.library_id = f.library_id AND i.identity_key ="
        "  'movie|' || (f.id - (f.id % 100 < :versions)) || '|2001'",
        "ANALYZE",
    )
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.replace(":versions", str(SECOND_VERSIONS)))
    return {}


def forget(_files: int) -> dict[str, float]:
    """No recommendation; every analyser is on, with its own thresholds and a wanted language."""
    from django.db import connection

    from mediaflow.base.settings_store import set_setting

    with connection.cursor() as cursor:
        for table in ("recommendationmember", "recommendation", "recommendationsum"):
            cursor.execute(f"DELETE FROM library_{table}")
    set_setting("insights_chromecast_scope", "container", None)
    set_setting("insights_audio_languages", "eng", None)
    return {}


def analyze(_files: int) -> dict[str, Any]:
    """One run over everything, as the command makes it."""
    from library.analysis.report import report_of
    from library.analysis.run import run_analysis

    report = report_of(run_analysis().pk)
    return {
        "seconds": report.seconds,
        "open": report.recommendations,
        "saved_tb": report.estimated_savings_bytes / 1e12,
        "new": sum(entry.new for entry in report.by_type),
        "gone": sum(entry.gone for entry in report.by_type),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "by_type": {entry.type: entry.open for entry in report.by_type},
    }


def analyze_busy(files: int) -> dict[str, Any]:
    """As above on an empty list, while another connection writes a row twenty times a second."""
    forget(files)
    waits: list[float] = []
    is_done = threading.Event()
    writer = threading.Thread(target=_write_often, args=(waits, is_done))
    writer.start()
    found = analyze(files)
    is_done.set()
    writer.join()
    return {**found, "wait_ms": max(waits) * 1000, "decisions": len(waits)}


def _write_often(waits: list[float], is_done: threading.Event) -> None:
    from django.db import connection, transaction

    from library.models import Tag

    tag = Tag.objects.get_or_create(name="busy")[0]
    while not is_done.wait(PAUSE_S):
        begun = time.perf_counter()
        with transaction.atomic():
            Tag.objects.filter(pk=tag.pk).update(color="slate")
        waits.append(time.perf_counter() - begun)
    connection.close()
