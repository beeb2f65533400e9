"""Rows of the library for tests of its pages: nothing on the disk."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from library.folding import search_text, sort_key
from library.models import Library, MediaFile


def make_library(name: str = "Films", **values: Any) -> Library:
    root = values.pop("root", f"/films/{name}")
    return Library.objects.create(
        name=name,
        root=root,
        root_raw=root.encode(),
        root_digest=sha256(root.encode()).hexdigest(),
        **values,
    )


def make_file(library: Library, title: str, **values: Any) -> MediaFile:
    """A probed 1080p H.264 film of 8 GB unless `values` say otherwise."""
    file = unsaved_file(library, title, **values)
    file.save()
    return file


def unsaved_file(library: Library, title: str, **values: Any) -> MediaFile:
    """The same, for those who save many at once."""
    path = values.pop("path", f"{title}/{title}.mkv")
    raw = path.encode()
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
    return MediaFile(
        library=library,
        path=path,
        path_raw=raw,
        path_digest=sha256(raw).hexdigest(),
        **{**defaults, **values},
    )
