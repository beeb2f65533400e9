"""The list as CSV or JSON, streamed: memory does not depend on how many files there are."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Final

from library.listing.plan import narrow
from library.models import Library, MediaFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from library.listing.file_query import FileQuery

CHUNK_ROWS: Final = 2_000
FIELDS: Final = (
    *("id", "library", "path", "title", "year", "show_title", "season", "episode", "kind"),
    *("state", "state_reason", "availability", "availability_reason", "size_bytes"),
    *("duration_ms", "bit_rate_kbps", "container", "video_codec", "video_profile", "width"),
    *("height", "resolution", "frame_rate_milli", "bit_depth", "hdr", "dolby_vision_profile"),
    *("audio_codec", "audio_label", "audio_channels", "audio_languages", "subtitle_languages"),
    *("stream_count", "added_at"),
)
# A spreadsheet would run a cell that begins like this as a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    """What csv writes to: gives the line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(query: FileQuery) -> Iterator[str]:
    """Lines of a CSV file; texts that look like formulas get an apostrophe in front."""
    writer: Any = csv.writer(_Echo())
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + writer.writerow(FIELDS)  # a BOM, for Excel
    for record in _records(query):
        yield writer.writerow([_safe_cell(record[name]) for name in FIELDS])


def json_chunks(query: FileQuery) -> Iterator[str]:
    """One JSON document: `{"files": [...]}`."""
    separator = '{"files": [\n'
    for record in _records(query):
        yield separator + json.dumps(record, ensure_ascii=False)
        separator = ",\n"
    yield '{"files": []}\n' if separator.startswith("{") else "\n]}\n"


def _safe_cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value


def _records(query: FileQuery) -> Iterator[dict[str, Any]]:
    names = dict(Library.objects.values_list("pk", "name"))
    columns = ["library_id" if name == "library" else name for name in FIELDS]
    matching = MediaFile.objects.filter(query.condition() & narrow(query))
    files = matching.order_by("id").values_list(*columns)
    for values in files.iterator(chunk_size=CHUNK_ROWS):
        record = dict(zip(FIELDS, values, strict=True))
        record["library"] = names.get(record["library"], "")
        record["added_at"] = record["added_at"].isoformat()
        yield record
