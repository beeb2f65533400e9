"""Parts of the sentences that recommendations are said with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import timezone

from library.listing.labels import HDR_KINDS, resolution_label, video_codec_label
from mediaflow.templatetags._text import bit_rate, short_date, size, size_range

if TYPE_CHECKING:
    from datetime import datetime

    from library.models import MediaFile, Recommendation

BASIS_WORDS: Final = {
    "learned": "learned from films like it that are done",
    "rule": "by rule of thumb for such films",
    "bitrate": "from its bit rate alone",
    "fallback": "a rough guess, for little is known of it",
    "typical": "by what such sound usually takes",
    "counted": "counted",
}
_TIMES: Final = {1: "once", 2: "twice"}


def rate(kbps: int) -> str:
    return bit_rate(kbps).text


def sized(byte_count: int) -> str:
    return size(byte_count).text


def picture_words(file: MediaFile) -> str:
    """ "H.264 at 1080p with 12.4 Mb/s"; HDR is named, SDR is the rule."""
    codec = video_codec_label(file.video_codec) or "An unknown codec"
    words = f"{HDR_KINDS.get(file.hdr, '')} {codec}" if file.hdr not in ("", "sdr") else codec
    if lines := resolution_label(file.resolution):
        words += f" at {lines}"
    if file.bit_rate_kbps:
        words += f" with {rate(file.bit_rate_kbps)}"
    return words.strip()


def gain_words(found: Recommendation, *, of_bytes: int = 0) -> str:
    """What would be gained, within what range, and how sure that is; "" for nothing."""
    if found.savings_bytes <= 0:
        return ""
    whole = f" of {sized(of_bytes)}" if of_bytes else ""
    between = ""
    if found.savings_low_bytes < found.savings_high_bytes:
        between = f" ({size_range(found.savings_low_bytes, found.savings_high_bytes)})"
    how = BASIS_WORDS.get(found.basis, "")
    sure = f"{found.confidence_pct} % sure"
    tail = f": {how}, {sure}" if how else f", {sure}"
    return f"It would save about {sized(found.savings_bytes)}{whole}{between}{tail}."


def plays_words(file: MediaFile) -> str:
    """ "Never played since it was added 3 Mar 2021", "Played twice, last 4 May 2023"."""
    if not file.play_count:
        return f"Never played since it was added {_day(file.added_at)}"
    times = _TIMES.get(file.play_count, f"{file.play_count:,} times")
    last = f", last {_day(file.last_played_at)}" if file.last_played_at else ""
    return f"Played {times}{last}"


def listed(words: list[str], last: str = "and") -> str:
    """ "A, B and C"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _day(moment: datetime) -> str:
    return short_date(timezone.localtime(moment).date(), timezone.localdate())
