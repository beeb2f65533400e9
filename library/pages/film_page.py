"""What the film page shows: every stream, facts, history; upper rooms add their panels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from library.folding import display_path
from library.listing.labels import (
    audio_codec_label,
    channels_label,
    container_label,
    quality_badges,
    video_codec_label,
)
from library.listing.rows import ShownState, shown_state, shown_title
from library.media_info import Disposition, HdrKind, MediaInfo
from library.models import Availability, FileState, LibraryKind, PlexPart
from mediaflow.base.film_hooks import FilmPanel, TimelineEntry, bulk_actions, estimate_savings
from mediaflow.base.film_hooks import film_panels as all_panels
from mediaflow.templatetags import _text

if TYPE_CHECKING:
    from library.media_info import AudioStream, SubtitleStream, VideoStream
    from library.models import MediaFile
    from mediaflow.base.film_hooks import BulkAction, SavingsEstimate
    from mediaflow.base.htmx import HtmxHttpRequest

HDR_NAMES = {
    HdrKind.SDR: "",
    HdrKind.HDR10: "HDR10",
    HdrKind.HDR10_PLUS: "HDR10+",
    HdrKind.HLG: "HLG",
    HdrKind.DOLBY_VISION: "DV",
}


@dataclass(frozen=True, slots=True)
class Track:
    """One stream as a row of the table."""

    icon: str
    name: str
    format: str
    badges: tuple[str, ...] = ()
    language: str = ""
    rate: str = ""
    note: str = ""


@dataclass(slots=True)
class FilmPage:
    file: MediaFile
    title: str
    path: str
    state: ShownState
    badges: list[str]
    tracks: list[Track]
    facts: list[dict[str, Any]]
    info: MediaInfo | None
    panels_main: list[FilmPanel]
    panels_side: list[FilmPanel]
    stats: list[dict[str, Any]]
    timeline: list[TimelineEntry]
    save: SavingsEstimate | None
    actions: list[BulkAction] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        return self.file.duration_ms / 1000

    @property
    def tracks_text(self) -> str:
        return _text.counted(len(self.tracks), "entry,entries") if self.tracks else ""

    @property
    def tags(self) -> list[Any]:
        return list(self.file.tags.all())


def make_film_page(request: HtmxHttpRequest, file: MediaFile) -> FilmPage:
    probe = getattr(file, "probe", None)
    info = MediaInfo.from_json(probe.detail) if probe is not None and probe.detail else None
    panels = all_panels(request, file)
    timeline = [*_own_timeline(file), *(entry for panel in panels for entry in panel.timeline)]
    return FilmPage(
        file=file,
        title=shown_title(file),
        path=shown_path(file),
        state=shown_state(file),
        badges=_badges(file),
        tracks=_tracks(info) if info else [],
        facts=_facts(file, info),
        info=info,
        panels_main=[panel for panel in panels if panel.template and panel.place == "main"],
        panels_side=[panel for panel in panels if panel.template and panel.place != "main"],
        stats=[stat for panel in panels for stat in panel.stats],
        timeline=sorted(timeline, key=lambda entry: entry.at, reverse=True),
        save=estimate_savings([file]).get(file.pk) if file.state == FileState.NEW else None,
        actions=bulk_actions(request.user),
    )


def shown_path(file: MediaFile) -> str:
    """Where it lies; for a file that only Plex knows, where the server has it."""
    if file.library.kind == LibraryKind.FOLDER:
        return display_path(bytes(file.library.root_raw) + b"/" + bytes(file.path_raw))
    known = PlexPart.objects.filter(file=file).values_list("path", flat=True).first()
    return known or file.path


def _badges(file: MediaFile) -> list[str]:
    quality = quality_badges(file)
    texts = [quality.resolution, quality.codec, *quality.range, quality.sound]
    if file.bit_depth:
        texts.append(f"{file.bit_depth}-bit")
    return [text for text in (*texts, container_label(file.container)) if text]


def _tracks(info: MediaInfo) -> list[Track]:
    tracks = [_video_track(number, v, info) for number, v in enumerate(info.video, start=1)]
    tracks += [_audio_track(number, a) for number, a in enumerate(info.audio, start=1)]
    tracks += [_subtitle_track(number, s) for number, s in enumerate(info.subtitles, start=1)]
    tracks += [
        Track("film", "Cover", f"{art.codec.upper()}, {art.width} × {art.height}")
        for art in info.cover_art
    ]
    tracks += [Track("list", f"Data {item.index}", item.codec) for item in info.data_streams]
    if info.chapters:
        named = sum(1 for chapter in info.chapters if chapter.title)
        text = _text.counted(len(info.chapters), "chapter")
        tracks.append(Track("list", "Chapters", f"{text}, {named} named" if named else text))
    tracks += [
        Track("clip", "Attachment", item.file_name or item.mime_type, note=item.mime_type,
              rate=_text.size(item.size_bytes).text if item.size_bytes else "")
        for item in info.attachments
    ]  # fmt: skip
    return tracks


def _video_track(number: int, video: VideoStream, info: MediaInfo) -> Track:
    name = "Video" if len(info.video) == 1 else f"Video {number}"
    parts = [video_codec_label(video.codec), video.profile]
    text = " ".join(part for part in parts if part)
    details = [f"{video.width} × {video.height}" if video.width else ""]
    details += [_rate_text(video.frame_rate), f"{video.bit_depth}-bit"]
    details.append("interlaced" if video.is_interlaced else "")
    hdr = HDR_NAMES[video.hdr]
    if video.dolby_vision_profile:
        details.append(f"Dolby Vision {video.dolby_vision_profile}")
    return Track(
        icon="film",
        name=name,
        format=", ".join(part for part in (text, *details) if part),
        badges=(hdr,) if hdr else (),
        language=video.language,
        rate=_kbps_text(video.bit_rate_kbps),
        note=_disposition_text(video.disposition),
    )


def _rate_text(rate: str) -> str:
    numerator, _, denominator = rate.partition("/")
    if not numerator.isdigit() or not (denominator or "1").isdigit() or denominator == "0":
        return ""
    return f"{_text.frame_rate(int(numerator) / int(denominator or 1))} fps"


def _audio_track(number: int, audio: AudioStream) -> Track:
    parts = [audio_codec_label(audio.codec), channels_label(audio.channels)]
    text = " ".join(part for part in parts if part)
    if audio.profile and audio.profile.casefold() not in text.casefold():
        text = f"{text}, {audio.profile}"
    return Track(
        icon="audio",
        name=f"Audio {number}",
        format=text,
        badges=(audio.object_audio,) if audio.object_audio else (),
        language=_language_text(audio.language, audio.title),
        rate=_kbps_text(audio.bit_rate_kbps),
        note=_disposition_text(audio.disposition),
    )


def _subtitle_track(number: int, subtitle: SubtitleStream) -> Track:
    return Track(
        icon="subs",
        name=f"Subtitles {number}",
        format=f"{subtitle.codec} ({'text' if subtitle.is_text else 'pictures'})",
        language=_language_text(subtitle.language, subtitle.title),
        note=_disposition_text(subtitle.disposition),
    )


def _language_text(language: str, title: str) -> str:
    return ", ".join(part for part in (language or "not named", title) if part)


def _kbps_text(kbps: int | None) -> str:
    return _text.bit_rate(kbps).text if kbps else ""


def _disposition_text(disposition: Disposition) -> str:
    words = {
        "default": disposition.is_default,
        "forced": disposition.is_forced,
        "commentary": disposition.is_commentary,
        "for the hard of hearing": disposition.is_hearing_impaired,
        "audio description": disposition.is_visual_impaired,
        "original": disposition.is_original,
        "dub": disposition.is_dub,
    }
    return ", ".join(word for word, is_set in words.items() if is_set)


def _facts(file: MediaFile, info: MediaInfo | None) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [
        {"label": "Library", "value": file.library.name},
        {"label": "Container", "value": container_label(file.container) or _text.UNKNOWN},
        {"label": "Size", "value": f"{file.size_bytes:,} bytes"},
        {"label": "Hard links", "value": str(file.hard_link_count)},
    ]
    if file.content_fingerprint:
        short = f"{file.content_fingerprint[:8]} … {file.content_fingerprint[-4:]}"
        facts.append({"label": "Fingerprint", "value": short, "is_code": True})
    if info and info.warnings:
        facts.append({"label": "Noted", "value": ", ".join(info.warnings)})
    if file.is_sparse:
        facts.append({"label": "Sparse", "value": "yes: never encoded"})
    if file.mediaflow_tag:
        facts.append({"label": "Made by MediaFlow", "value": file.mediaflow_tag, "is_code": True})
    return facts


def _own_timeline(file: MediaFile) -> list[TimelineEntry]:
    is_here = file.library.kind == LibraryKind.FOLDER
    found = "Found by scan" if is_here else "Added to Plex"
    entries = [TimelineEntry(file.added_at, found, icon="plus")]
    if file.availability != Availability.PRESENT:
        state = shown_state(file)
        entries.append(
            TimelineEntry(file.availability_since, state.word, kind="bad", sub=state.sub)
        )
    return entries


def film_url(file_id: int) -> str:
    return reverse("library:file_detail", args=[file_id])
