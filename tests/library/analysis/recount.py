"""What the analysers should find, counted film by film in plain Python, without their code."""

from __future__ import annotations

from collections import defaultdict
from statistics import median_low
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from library.analysis.run import insight_settings, run_analysis
from library.models import ItemFile, LibraryKind, MediaFile, MediaItem, Recommendation
from mediaflow.base.film_hooks import estimate_savings
from mediaflow.base.settings_store import set_setting
from tests.library.analysis.films import make_random_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OLD = {"mpeg2video", "vc1", "mpeg4"}
MODERN_PCT = {"hevc": 160, "av1": 200, "vc1": 85, "mpeg2video": 50, "h264": 100}
H264_SHARE = {2160: 3.0, 1080: 1.0, 720: 0.5, 576: 0.3}
WANTED_AUDIO, WANTED_SUBTITLES = ("eng", "deu", "ger"), ("eng",)
Found = dict[Any, int]  # file or group, and bytes to save


class Recount:
    """Each method is one kind: what is found, and how much each saves."""

    def __init__(self) -> None:
        self.settings = insight_settings()
        rows = MediaFile.objects.select_related("library").filter(
            kind="video", removed_from_list_at=None
        )
        self.films = [f for f in rows if f.state not in ("ignored", "archived")]
        self.free = [f for f in self.films if self._is_free(f)]
        self.balanced = estimate_savings(self.free, "balanced")
        self.saver = estimate_savings(self.free, "storage-saver")

    @staticmethod
    def _is_free(f: MediaFile) -> bool:
        is_waiting = f.state not in ("new", "failed") or f.availability != "present"
        return not is_waiting and not f.mediaflow_tag and f.library.kind == LibraryKind.FOLDER

    def _worth(self, f: MediaFile, by: Any) -> int:
        saved = by[f.pk].expected if f.pk in by else 0
        is_enough = saved >= self.settings["insights_min_saving_mb"] * 10**6
        return saved if is_enough and saved * 100 >= f.size_bytes * 20 else 0

    def _days_idle(self, f: MediaFile) -> int:
        return (timezone.now() - max(f.added_at, f.last_played_at or f.added_at)).days

    def codec(self) -> Found:
        found = {}
        for f in self.free:
            limit = self.settings["insights_h264_kbps"] * H264_SHARE[f.resolution]
            is_old = f.video_codec in OLD or (f.video_codec == "h264" and f.bit_rate_kbps > limit)
            if is_old and self._worth(f, self.balanced):
                found[f.pk] = self._worth(f, self.balanced)
        return found

    def overkill(self) -> Found:
        return {
            f.pk: self._worth(f, self.saver)
            for f in self.free
            if f.is_in_plex
            and f.play_count <= 1
            and self._days_idle(f) >= 365
            and (f.resolution >= 2160 or f.bit_rate_kbps >= 25_000)
            and self._worth(f, self.saver)
        }

    def storage(self) -> Found:
        said = self.overkill()
        return {
            f.pk: self._worth(f, self.saver)
            for f in self.free
            if f.is_in_plex
            and f.size_bytes >= 20 * 10**9
            and self._days_idle(f) >= 365
            and f.pk not in said
            and self._worth(f, self.saver)
        }

    def container(self) -> Found:
        said = self.codec()
        return {
            f.pk: f.size_bytes * 35 // 1000 if f.container == "ts" else 0
            for f in self.free
            if f.container in ("avi", "ts") and f.video_codec and f.pk not in said
        }

    def quality_gap(self) -> Found:
        def worth(f: MediaFile) -> int:
            return f.bit_rate_kbps * MODERN_PCT.get(f.video_codec, 80) // 100

        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for f in self.films:
            groups[(f.library_id, f.resolution)].append(worth(f) // 100)
        usual = {
            key: median_low(steps) * 100 + 50 for key, steps in groups.items() if len(steps) >= 20
        }
        return {
            f.pk: 0
            for f in self.free
            if worth(f) * 100 < 40 * usual.get((f.library_id, f.resolution), 0)
        }

    def audio(self) -> Found:
        found = {}
        for f in self.free:
            kbps = max(0, _lossless_kbps(f) - (192 if f.audio_channels <= 2 else 640))
            languages = [code for code in f.audio_languages.split(",") if code]
            extra = [code for code in languages if code not in WANTED_AUDIO]
            if len(extra) < len(languages):
                kbps += 448 * len(extra)
            saved = min(kbps * f.duration_ms // 8, f.size_bytes // 2)
            if saved and saved >= 500 * 10**6:
                found[f.pk] = saved
        return found

    def inaccessible(self) -> Found:
        return {
            f.pk: 0
            for f in self.films
            if f.availability in ("missing", "unreachable", "unreadable")
            or (
                f.availability == "present"
                and f.probed_at
                and not (f.size_bytes and f.video_codec and f.duration_ms)
            )
        }

    def hdr_to_sdr(self) -> Found:
        items: dict[int, list[ItemFile]] = defaultdict(list)
        for row in ItemFile.objects.select_related("file"):
            items[row.item_id].append(row)
        has_sdr = {
            row.file_id
            for rows in items.values()
            for row in rows
            if any(r.file.hdr == "sdr" and r.file.removed_from_list_at is None for r in rows)
        }
        with_base = ("7", "8")
        return {
            f.pk: 0
            for f in self.free
            if (
                f.hdr in ("hdr10", "hdr10plus", "hlg")
                or (f.hdr == "dolby_vision" and f.dolby_vision_profile.startswith(with_base))
            )
            and f.pk not in has_sdr
        }

    def languages(self) -> Found:
        return {
            f.pk: 0
            for f in self.films
            if (f.audio_languages and not _has(f.audio_languages, WANTED_AUDIO))
            or (f.probed_at and not _has(f.subtitle_languages, WANTED_SUBTITLES))
        }

    def batch(self) -> Found:
        saved = self.codec()
        groups: dict[str, list[int]] = defaultdict(list)
        for f in self.free:
            if f.pk in saved:
                season = str(f.season) if f.show_title else ""
                parts = (f.library_id, f.video_codec, f.resolution, f.container, season)
                groups["|".join(map(str, (*parts, f.show_title)))].append(saved[f.pk])
        return {key: sum(bytes_) for key, bytes_ in groups.items() if len(bytes_) >= 3}

    def duplicates(self) -> Found:
        names: dict[str, set[str]] = defaultdict(set)
        for item in MediaItem.objects.all():
            if item.plex_guid and not item.plex_guid.startswith("local:"):
                names[item.plex_guid].add(item.identity_key)
        links: dict[int, list[ItemFile]] = defaultdict(list)
        for row in ItemFile.objects.select_related("item"):
            links[row.file_id].append(row)
        groups: dict[str, list[MediaFile]] = defaultdict(list)
        ranked = sorted(self.films, key=_rank)
        for f in ranked:
            is_plain = f.availability == "present" and f.state in ("new", "failed")
            if not is_plain or f.mediaflow_tag or len(links[f.pk]) != 1:
                continue
            row = links[f.pk][0]
            if row.part_index:
                continue
            guid = row.item.plex_guid
            name = guid if len(names[guid]) > 1 else row.item.identity_key
            groups[f"{name}|{row.edition.lower()}"].append(f)
        return {
            key: _spare(films)
            for key, films in groups.items()
            if len(films) > 1 and films[0].state != "failed"
        }


def _spare(films: list[MediaFile]) -> int:
    """Of all but the first, each content once."""
    seen = {films[0].content_fingerprint} - {""}
    spare = 0
    for f in films[1:]:
        spare += 0 if f.content_fingerprint in seen else f.size_bytes
        seen |= {f.content_fingerprint} - {""}
    return spare


def _rank(f: MediaFile) -> tuple[int, int, int, int, int]:
    return (
        int(f.state == "failed"),
        -f.resolution,
        -int(f.hdr not in ("", "sdr")),
        -f.bit_rate_kbps,
        f.pk,
    )


def _lossless_kbps(f: MediaFile) -> int:
    many = f.audio_channels > 6
    if f.audio_codec == "truehd":
        return 4_000 if many else 2_500
    if f.audio_codec == "dts" and f.audio_label in ("DTS-HD", "DTS:X"):
        return 4_200 if many else 2_600
    return {"flac": 400, "pcm_s24le": 1_152}.get(f.audio_codec, 0) * f.audio_channels


def _has(column: str, codes: Iterable[str]) -> bool:
    return any(code in column.split(",") for code in codes)


KINDS = (
    *("codec", "overkill", "storage", "container", "quality_gap", "audio", "inaccessible"),
    *("hdr_to_sdr", "languages", "batch", "duplicates"),
)


def differences(count: int, seed: int) -> dict[str, str]:
    """By kind what is wrong; every kind must have found something."""
    set_setting("insights_audio_languages", "eng, ger", None)
    set_setting("insights_subtitle_languages", "eng", None)
    set_setting("insights_batch_films", 3, None)
    make_random_library(count, seed)
    run_analysis()
    counted = Recount()
    wrong: dict[str, str] = {}
    for kind in KINDS:
        expect: Callable[[], Found] = getattr(counted, kind)
        wrong |= _difference(kind, expect())
    return wrong


def _difference(kind: str, expected: Found) -> dict[str, str]:
    rows = Recommendation.objects.filter(kind=kind, state="open")
    found = {row.file_id or row.group_key: row.savings_bytes for row in rows}
    if not found:
        return {kind: "nothing was found"}
    if found.keys() != expected.keys():
        more, less = found.keys() - expected.keys(), expected.keys() - found.keys()
        return {kind: f"{len(found)} found; wrongly {sorted(more)[:5]}, missed {sorted(less)[:5]}"}
    # Whole bytes are rounded once a film.
    slack = 100
    far = [key for key in found if abs(found[key] - expected[key]) > slack]
    if far or abs(sum(found.values()) - sum(expected.values())) > slack * len(found):
        return {kind: f"other sums: {[(key, found[key], expected[key]) for key in far[:5]]}"}
    return {}
