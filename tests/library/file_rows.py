"""Rows of the library for tests of its pages: nothing on the disk."""

from __future__ import annotations

from typing import Any

from library.folding import display_path, search_text, sort_key
from library.models import Library, MediaFile
from library.scanning.identity import path_digest


def path_columns(raw: bytes, column: str = "path") -> dict[str, Any]:
    """The three columns of a film's path, or of the `root` of a library."""
    return {column: display_path(raw), f"{column}_raw": raw, f"{column}_digest": path_digest(raw)}


def make_library(name: str = "Films", **values: Any) -> Library:
    root = values.pop("root", f"/films/{name}")
    return Library.objects.create(name=name, **path_columns(root.encode(), "root"), **values)


def make_file(library: Library, title: str, **values: Any) -> MediaFile:
    """A probed 1080p H.264 film of 8 GB unless `values` say otherwise."""
    file = unsaved_file(library, title, **values)
    file.save()
    return file


def unsaved_file(library: Library, title: str, **values: Any) -> MediaFile:
    """The same, for those who save many at once."""
    path = values.pop("path", f"{title}/{title}.mkv")
    defaults: dict[str, Any] = {
        "title": title,
        "year": 2001,
        "sort_key": sort_key(title),
        "search_text": search_text(title, path),
        "container": "mkv",
        "duration_ms": 100 * 60_000,
        "bit_rate_kbps": 10_000,
        "size_bytes": 8_000_000_000,
        "video_codec": "h264",
        "resolution": 1080,
        "hdr": "sdr",
        "audio_codec": "ac3",
        "audio_channels": 6,
    }
    return MediaFile(library=library, **path_columns(path.encode()), **{**defaults, **values})
