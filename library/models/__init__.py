"""What the user has: libraries, files, Plex, recommendations. Import from here."""

from __future__ import annotations

from library.models.analysis import (
    AnalysisRun,
    LibrarySnapshot,
    Recommendation,
    RecommendationState,
)
from library.models.catalog import (
    Availability,
    FileKind,
    FileState,
    FileTag,
    ItemFile,
    ItemKind,
    Library,
    LibraryKind,
    MediaFile,
    MediaItem,
    MediaProbe,
    SavedFilter,
    Tag,
)
from library.models.connections import (
    ArrServer,
    PathMapping,
    Webhook,
    WebhookEvent,
)
from library.models.plex import (
    PlexAccount,
    PlexCollection,
    PlexEdit,
    PlexEditBatch,
    PlexItem,
    PlexPart,
    PlexPin,
    PlexSection,
    PlexServer,
    PlexSwap,
)

__all__ = [
    "AnalysisRun",
    "ArrServer",
    "Availability",
    "FileKind",
    "FileState",
    "FileTag",
    "ItemFile",
    "ItemKind",
    "Library",
    "LibraryKind",
    "LibrarySnapshot",
    "MediaFile",
    "MediaItem",
    "MediaProbe",
    "PathMapping",
    "PlexAccount",
    "PlexCollection",
    "PlexEdit",
    "PlexEditBatch",
    "PlexItem",
    "PlexPart",
    "PlexPin",
    "PlexSection",
    "PlexServer",
    "PlexSwap",
    "Recommendation",
    "RecommendationState",
    "SavedFilter",
    "Tag",
    "Webhook",
    "WebhookEvent",
]
