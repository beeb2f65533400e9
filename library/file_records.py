"""The one place that writes what a probe found onto a MediaFile."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from library.folding import display_path, search_text, sort_key
from library.media_info import AudioStream, MediaInfo, TimingKind, resolution_class
from library.models import Availability, FileState, MediaFile, MediaProbe
from library.probing.probe import PROBER_VERSION
from library.scanning.identity import content_fingerprint, path_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from library.scanning.names import ParsedName

# How `state_reason` begins for a film whose file is incomplete.
BREAKS_OFF: Final = "The film breaks off"
# Columns that `apply_probe` sets; scans hand them to bulk_update.
PROBE_COLUMNS = (
    "container", "duration_ms", "bit_rate_kbps", "video_codec", "video_profile", "width", "height",
    "resolution", "frame_rate_milli", "is_variable_frame_rate", "is_interlaced", "bit_depth", "hdr",
    "dolby_vision_profile", "audio_codec", "audio_label", "audio_channels", "audio_languages",
    "subtitle_languages", "stream_count", "mediaflow_tag", "probed_at",
)  # fmt: skip
NAME_COLUMNS = ("title", "year", "show_title", "season", "episode", "sort_key", "search_text")
PATH_COLUMNS = ("path_raw", "path_digest", "path")
STAT_COLUMNS = (
    "size_bytes", "mtime_ns", "content_fingerprint", "hard_link_count", "is_symlink", "is_sparse",
)  # fmt: skip
AVAILABILITY_COLUMNS = ("availability", "availability_reason", "availability_since")
_SWAPPED_COLUMNS = (
    *PATH_COLUMNS, *STAT_COLUMNS, *PROBE_COLUMNS, *AVAILABILITY_COLUMNS, "search_text", "state",
    "state_reason",
)  # fmt: skip
_SEARCH_LENGTH = 600
_SMALL_MAX, _WHOLE_MAX = 32_767, 2_147_483_647


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What stat says about one file, and what its bytes are."""

    size_bytes: int
    mtime_ns: int
    hard_link_count: int = 1
    is_symlink: bool = False
    is_sparse: bool = False
    fingerprint: str = ""


def read_facts(path: bytes) -> FileFacts:
    """Stat and fingerprint one file (absolute path). Raises OSError."""
    status = os.lstat(path)
    is_symlink = os.path.islink(path)  # noqa: PTH114  # names are bytes
    if is_symlink:
        status = os.stat(path)  # noqa: PTH116  # names are bytes
    return FileFacts(
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        hard_link_count=status.st_nlink,
        is_symlink=is_symlink,
        is_sparse=has_holes(path, status),
        fingerprint=content_fingerprint(path),
    )


def has_holes(path: bytes, status: os.stat_result) -> bool:
    """Whether parts of the file were never written (a torrent's pre-allocation). Raises OSError.

    Fewer blocks than bytes alone also describe a compressed file system: only a hole counts.
    """
    if status.st_size == 0 or status.st_blocks * 512 >= status.st_size:
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < status.st_size
    finally:
        os.close(descriptor)


def apply_path(file: MediaFile, path_rel: bytes) -> None:
    """Set the columns of a path below the library root (unsaved)."""
    file.path_raw = path_rel
    file.path_digest = path_digest(path_rel)
    file.path = display_path(path_rel)[:4096]


def apply_facts(file: MediaFile, facts: FileFacts) -> None:
    """Set the columns of size, time, links and fingerprint (unsaved)."""
    file.size_bytes, file.mtime_ns = facts.size_bytes, facts.mtime_ns
    file.hard_link_count = facts.hard_link_count
    file.is_symlink, file.is_sparse = facts.is_symlink, facts.is_sparse
    file.content_fingerprint = facts.fingerprint


def apply_name(file: MediaFile, name: ParsedName) -> None:
    """Set title, year, show, season, episode, sort key and search text (unsaved)."""
    file.title, file.show_title = name.title[:500], name.show_title[:500]
    file.year = min(name.year or 0, _SMALL_MAX)
    file.season = min(name.season or 0, _WHOLE_MAX)
    file.episode = min(name.episodes[0] if name.episodes else 0, _WHOLE_MAX)
    shown = name.show_title or name.title
    suffix = f" {file.year}" if file.year else ""
    if name.kind == "episode":
        suffix = f" s{file.season:04d}e{file.episode:05d}"
    file.sort_key = f"{sort_key(shown)[:280]}{suffix}"[:300]
    file.search_text = _search_text(file)


def _search_text(file: MediaFile) -> str:
    """Folded words of title, show, year and path, each once, the title's first."""
    year = str(file.year) if file.year else ""
    words = search_text(file.title, file.show_title, year, file.path).split()
    return " ".join(dict.fromkeys(words))[:_SEARCH_LENGTH]


def apply_probe(file: MediaFile, info: MediaInfo, now: datetime | None = None) -> None:
    """Set the columns that lists show, filter and sort by (unsaved)."""
    video = info.main_video
    file.container = info.container[:12]
    file.duration_ms = max(0, round((info.duration_s or 0) * 1000))
    file.bit_rate_kbps = max(0, info.bit_rate_kbps or 0)
    file.stream_count = min(_stream_count(info), _WHOLE_MAX)
    file.mediaflow_tag = info.mediaflow_tag[:120]
    file.probed_at = now or timezone.now()
    file.video_codec = video.codec[:20] if video else ""
    file.video_profile = video.profile[:60] if video else ""
    file.width = min(video.width, _WHOLE_MAX) if video else 0
    file.height = min(video.height, _WHOLE_MAX) if video else 0
    file.resolution = (
        resolution_class(video.width, video.height, video.rotation_deg) if video else 0
    )
    file.frame_rate_milli = _milli(video.frame_rate) if video else 0
    file.is_variable_frame_rate = bool(video and video.timing is TimingKind.VARIABLE)
    file.is_interlaced = bool(video and video.is_interlaced)
    file.bit_depth = min(video.bit_depth, _SMALL_MAX) if video else 0
    file.hdr = str(video.hdr) if video else ""
    file.dolby_vision_profile = video.dolby_vision_profile[:8] if video else ""
    _apply_tracks(file, info)


def _apply_tracks(file: MediaFile, info: MediaInfo) -> None:
    best = max(info.audio, key=_audio_rank, default=None)
    file.audio_codec = best.codec[:20] if best else ""
    file.audio_label = audio_label(best) if best else ""
    file.audio_channels = min(best.channels, _SMALL_MAX) if best else 0
    file.audio_languages = _languages((stream.language for stream in info.audio), 200)
    file.subtitle_languages = _languages((stream.language for stream in info.subtitles), 400)


def _audio_rank(stream: AudioStream) -> tuple[bool, bool, bool, int, int]:
    is_film = not (stream.disposition.is_commentary or stream.disposition.is_visual_impaired)
    has_objects = bool(stream.object_audio)
    return (is_film, has_objects, stream.is_lossless, stream.channels, -stream.index)


def audio_label(stream: AudioStream) -> str:
    """The badge of a track: Atmos, DTS:X, TrueHD, DTS-HD; "" for plain sound."""
    if stream.object_audio:
        return stream.object_audio[:20]
    if stream.codec == "truehd":
        return "TrueHD"
    return "DTS-HD" if "DTS-HD" in stream.profile else ""


def _languages(found: Iterable[str], limit: int) -> str:
    """ ",eng,deu,": each once, with commas around, so that `contains=",eng,"` is exact."""
    joined = ","
    for language in dict.fromkeys(language for language in found if language):
        if len(joined) + len(language) + 1 > limit:
            break
        joined += f"{language},"
    return "" if joined == "," else joined


def _stream_count(info: MediaInfo) -> int:
    kinds = (info.video, info.audio, info.subtitles, info.attachments, info.cover_art)
    return sum(len(kind) for kind in kinds) + len(info.data_streams)


def _milli(rate: str) -> int:
    try:
        return min(round(Fraction(rate) * 1000), _WHOLE_MAX)
    except (ValueError, ZeroDivisionError):
        return 0


def probe_row(file: MediaFile, info: MediaInfo | None, *, error: str = "") -> MediaProbe:
    """The full probe of a saved file as an unsaved row."""
    return MediaProbe(
        file_id=file.pk,
        detail=info.to_json() if info else {},
        error=error[:1000],
        prober_version=PROBER_VERSION,
        probed_at=timezone.now(),
    )


def save_probe_rows(rows: list[MediaProbe]) -> None:
    """Insert or replace the probes of these files, in one statement."""
    MediaProbe.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["file"],
        update_fields=["detail", "error", "prober_version", "probed_at"],
    )


def record_swapped(
    file_id: int,
    *,
    path_rel: bytes,
    info: MediaInfo,
    state: FileState,
    state_reason: str = "",
    facts: FileFacts | None = None,
) -> dict[str, Any]:
    """The same row now is the new file (architecture: after a swap). Inside the caller's atomic.

    Returns the previous values for `restore_record`. `facts` saves reading them here. A row that a
    scan made for the new name meanwhile goes: both would name one file.
    Raises OSError when the new file is gone, MediaFile.DoesNotExist when the row is.
    """
    file = MediaFile.objects.select_related("library").get(pk=file_id)
    path = os.path.join(bytes(file.library.root_raw), path_rel)  # noqa: PTH118  # bytes
    found = facts or read_facts(path)
    previous = {name: _to_json(getattr(file, name)) for name in _SWAPPED_COLUMNS}
    probe = MediaProbe.objects.filter(file=file).first()
    previous["probe"] = probe.detail if probe else {}
    _drop_twin(file, path_rel)
    apply_path(file, path_rel)
    apply_facts(file, found)
    apply_probe(file, info)
    file.search_text = _search_text(file)
    file.state, file.state_reason = state, state_reason[:300]
    file.availability, file.availability_reason = Availability.PRESENT, ""
    file.save(update_fields=list(_SWAPPED_COLUMNS))
    save_probe_rows([probe_row(file, info)])
    return previous


def restore_record(
    file_id: int, previous: dict[str, Any], *, state: FileState, state_reason: str = ""
) -> None:
    """Undo of `record_swapped`: every value but the state as it was. In the caller's atomic."""
    file = MediaFile.objects.get(pk=file_id)
    path_rel = base64.b64decode(previous["path_raw"])
    _drop_twin(file, path_rel)
    for name in _SWAPPED_COLUMNS:
        setattr(file, name, _from_json(name, previous[name]))
    file.state, file.state_reason = state, state_reason[:300]
    file.save(update_fields=list(_SWAPPED_COLUMNS))
    if previous.get("probe"):
        row = probe_row(file, None)
        row.detail = previous["probe"]
        save_probe_rows([row])


def _drop_twin(file: MediaFile, path_rel: bytes) -> None:
    twins = MediaFile.objects.filter(library_id=file.library_id, path_digest=path_digest(path_rel))
    twins.exclude(pk=file.pk).delete()


def _to_json(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    return value.isoformat() if hasattr(value, "isoformat") else value


def _from_json(name: str, value: Any) -> Any:
    if name == "path_raw":
        return base64.b64decode(value)
    if name in {"probed_at", "availability_since"} and value is not None:
        return datetime.fromisoformat(value)
    return value
