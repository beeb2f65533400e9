"""What a row of the file list shows, ready for the template: it only prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zlib import crc32

from django.urls import reverse

from library.listing.labels import (
    QualityBadges,
    audio_codec_label,
    channels_label,
    container_label,
    quality_badges,
)
from library.models import Availability, FileState
from mediaflow.templatetags._text import span as duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from library.models import MediaFile
    from mediaflow.base.film_hooks import SavingsEstimate

POSTER_TONES: Final = 8
TITLE_FIELDS: Final = ("title", "show_title", "season", "episode", "path", "year")
STATE_KINDS = {
    FileState.NEW: "idle",
    FileState.QUEUED: "wait",
    FileState.PROCESSING: "run",
    FileState.COMPLETED: "ok",
    FileState.FAILED: "bad",
    FileState.ARCHIVED: "skip",
    FileState.IGNORED: "skip",
}


@dataclass(frozen=True, slots=True)
class ShownState:
    """What `components/_state.html` takes."""

    kind: str
    word: str
    sub: str


@dataclass(frozen=True, slots=True)
class ListRow:
    file: MediaFile
    url: str
    title: str
    sub: str
    badges: QualityBadges
    state: ShownState
    container: str
    sound: str
    subtitles: str
    library_name: str
    length: str
    save: SavingsEstimate | None

    @property
    def badge_texts(self) -> tuple[str, ...]:
        """In one row, the empty places left out."""
        badges = self.badges
        found = (badges.resolution, badges.codec, *badges.range, badges.sound)
        return tuple(text for text in found if text)

    @property
    def tone(self) -> int:
        """Which of the drawn posters stands for the film: always the same one."""
        return (
            crc32(f"{self.title} {self.file.year}".encode("utf-8", "surrogatepass")) % POSTER_TONES
        )


def shown_state(file: MediaFile) -> ShownState:
    """Not being there comes before what was done with it."""
    if file.availability != Availability.PRESENT:
        word = Availability(file.availability).label
        return ShownState("gone", word, file.availability_reason)
    state = FileState(file.state)
    return ShownState(STATE_KINDS[state], state.label, file.state_reason)


def shown_title(file: MediaFile) -> str:
    """The name that people know: film, or show with season and episode."""
    if file.show_title:
        number = f"S{file.season:02d}E{file.episode:02d}" if file.episode else ""
        return " ".join(part for part in (file.show_title, number, file.title) if part)
    return file.title or file.path.rsplit("/", 1)[-1]


def make_rows(
    files: Iterable[MediaFile],
    library_names: Mapping[int, str],
    savings: Mapping[int, SavingsEstimate],
) -> list[ListRow]:
    detail_url = reverse("library:file_detail", args=[0])
    return [
        ListRow(
            file=file,
            url=detail_url.replace("/0/", f"/{file.pk}/"),
            title=shown_title(file),
            sub=_sub(file),
            badges=quality_badges(file),
            state=shown_state(file),
            container=container_label(file.container),
            sound=_sound(file),
            subtitles=file.subtitle_languages.strip(",").replace(",", ", "),
            library_name=library_names.get(file.library_id, ""),
            length=duration_text(file.duration_ms / 1000),
            save=savings.get(file.pk) if file.state == FileState.NEW else None,
        )
        for file in files
    ]


def _sub(file: MediaFile) -> str:
    folder = file.path.rpartition("/")[0]
    parts = [duration_text(file.duration_ms / 1000) if file.duration_ms else "", folder]
    return " · ".join(part for part in parts if part) or file.path


def _sound(file: MediaFile) -> str:
    name = file.audio_label or audio_codec_label(file.audio_codec)
    return " ".join(part for part in (name, channels_label(file.audio_channels)) if part)
