"""Tags and filters of the interface: icons, badges, figures, bars.

Figures print their unit in `.u`; the `…_text` filters give the same as plain text, for labels and
titles. None prints as a dash everywhere: a page never shows "None".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from mediaflow.templatetags import _text

if TYPE_CHECKING:
    from datetime import datetime

    from typing_extensions import TypeIs

register = template.Library()

SPRITE = "mediaflow/icons.svg"
ICON_SIZES = {"": "i", "s": "i i-s", "l": "i i-l"}

# One colour per meaning, everywhere. What is not named here is slate.
BADGE_COLOURS = {
    "4K": "b-4k",
    "8K": "b-4k",
    "HDR": "b-hdr",
    "HDR10": "b-hdr",
    "HDR10+": "b-hdr",
    "HLG": "b-hdr",
    "DV": "b-dv",
    "DOLBY VISION": "b-dv",
    "HEVC": "b-hevc",
    "AV1": "b-av1",
    "ATMOS": "b-atmos",
    "VC-1": "b-old",
    "MPEG-2": "b-old",
    "MPEG-4": "b-old",
    "MPEG-1": "b-old",
    "WMV": "b-old",
}
BADGE_SLOTS = ("resolution", "codec", "range", "sound")


def _is_unknown(value: object) -> TypeIs[None]:
    """None, and "", which is what a variable that the context lacks resolves to."""
    return value is None or value == ""


# Icons and badges


@register.simple_tag
def icon(name: str, size: str = "", label: str = "", extra: str = "") -> SafeString:
    """`{% icon "clock" size="s" %}`; with a label it speaks, without one it is decoration."""
    return _icon(static(SPRITE), name, size, label, extra)


@lru_cache(maxsize=1024)  # a library page draws some three hundred of a dozen icons
def _icon(sprite: str, name: str, size: str, label: str, extra: str) -> SafeString:
    classes = f"{ICON_SIZES[size]} {extra}".rstrip()
    role: SafeString = mark_safe('aria-hidden="true"')
    if label:
        role = format_html('role="img" aria-label="{}"', label)
    return format_html(
        '<svg class="{}" {}><use href="{}#i-{}"></use></svg>', classes, role, sprite, name
    )


@register.simple_tag
def badge(text: str, size: str = "") -> SafeString:
    """One quality badge; its colour follows from its text."""
    return _badge(str(text), size) if text else mark_safe("")


@lru_cache(maxsize=512)
def _badge(text: str, size: str) -> SafeString:
    colour = BADGE_COLOURS.get(text.upper(), "")
    classes = " ".join(c for c in ("badge", colour, "badge-l" if size == "l" else "") if c)
    return format_html('<span class="{}">{}</span>', classes, text)


@register.simple_tag
def badges(texts: Iterable[str] | None, size: str = "") -> SafeString:
    """A row of badges that may wrap; give them in the order resolution, codec, range, sound."""
    items = format_html_join("", "{}", ((badge(text, size),) for text in texts or ()))
    return format_html('<span class="badges badges-wrap">{}</span>', items)


@register.simple_tag
def badges_slots(slots: Mapping[str, Any] | object) -> SafeString:
    """Badges in four fixed places, for tables: `resolution`, `codec`, `range`, `sound`.

    Takes a mapping or an object; each place holds one text or a list of texts.
    """

    places: list[tuple[str, ...]] = []
    for name in BADGE_SLOTS:
        value = slots.get(name) if isinstance(slots, Mapping) else getattr(slots, name, None)
        places.append((value,) if isinstance(value, str) else tuple(value or ()))
    return _slots(tuple(places))


@lru_cache(maxsize=2048)
def _slots(places: tuple[tuple[str, ...], ...]) -> SafeString:
    spans = ((format_html_join("", "{}", ((badge(text),) for text in texts)),) for texts in places)
    inner = format_html_join("", "<span>{}</span>", spans)
    return format_html('<span class="badges badges-slots">{}</span>', inner)


# Figures


def _figure(figure: _text.Figure, style: str) -> SafeString:
    number = format_html("<b>{}</b>", figure.number) if style == "b" else figure.number
    return format_html('{}<span class="u">{}</span>', number, figure.unit)


@register.filter(name="bytes")
def bytes_filter(value: int | None, style: str = "") -> SafeString | str:
    """`{{ file.size_bytes|bytes }}` or, the figure bold, `|bytes:"b"`."""
    return _text.UNKNOWN if _is_unknown(value) else _figure(_text.size(int(value)), style)


@register.filter
def bytes_text(value: float | None) -> str:
    return _text.UNKNOWN if _is_unknown(value) else _text.size(int(value)).text


@register.filter
def bytes_range(low: int | None, high: int | None) -> str:
    """`{{ low|bytes_range:high }}`: 33–44 GB, the unit once."""
    if _is_unknown(low) or _is_unknown(high):
        return ""
    return _text.size_range(int(low), int(high))


@register.simple_tag
def range_beside(low: int | None, high: int | None, figure: int | None) -> str:
    """A range printed right after its figure: without a unit where that is the figure's own."""
    if _is_unknown(low) or _is_unknown(high):
        return ""
    text = _text.size_range(int(low), int(high))
    unit = "" if _is_unknown(figure) else _text.size(int(figure)).unit
    return text.removesuffix(f"{_text.NBSP}{unit}") if _text.size(int(low)).unit == unit else text


@register.filter
def less(value: float | None, part: float | None) -> float:
    """`{{ disk.used_bytes|less:disk.freed_bytes }}`, never below zero."""
    return max((value or 0) - (part or 0), 0)


@register.filter
def bytes_exact(value: int | None) -> str:
    """For titles: the whole number."""
    return _text.UNKNOWN if _is_unknown(value) else f"{int(value):,} bytes"


@register.filter
def bitrate(kbps: float | None, style: str = "") -> SafeString | str:
    return _text.UNKNOWN if _is_unknown(kbps) else _figure(_text.bit_rate(float(kbps)), style)


@register.filter
def mbps(kbps: float | None) -> str:
    """The bare figure in Mb/s, for a column whose heading names the unit."""
    return _text.UNKNOWN if _is_unknown(kbps) else f"{float(kbps) / 1000:,.1f}"


@register.filter
def fps(value: float | None) -> str:
    return _text.UNKNOWN if _is_unknown(value) else _text.frame_rate(float(value))


@register.filter
def duration(seconds: float | None) -> str:
    return _text.UNKNOWN if _is_unknown(seconds) else _text.span(float(seconds))


@register.filter
def timecode(seconds: float | None) -> str:
    return _text.UNKNOWN if _is_unknown(seconds) else _text.clock(float(seconds))


@register.filter
def number(value: float | None, digits: int = 0) -> str:
    return _text.UNKNOWN if _is_unknown(value) else f"{value:,.{digits}f}"


@register.filter
def pct(value: float | None, digits: int = 0) -> str:
    """64 becomes "64 %"; the value is already in per cent."""
    return _text.UNKNOWN if _is_unknown(value) else f"{float(value):.{digits}f}{_text.NBSP}%"


@register.filter
def counted(value: int | None, forms: str) -> str:
    """`{{ n|counted:"film" }}` is "1 film" or "3,482 films"; irregular: "entry,entries"."""
    return _text.UNKNOWN if _is_unknown(value) else _text.counted(int(value), forms)


# Times


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def _time_tag(moment: datetime, text: str) -> SafeString:
    local = _local(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), _text.full_time(local), text
    )


def _now_like(moment: datetime) -> datetime:
    return (
        timezone.localtime() if timezone.is_aware(moment) else timezone.make_naive(timezone.now())
    )


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """15:22 today, 14 Nov this year, 14 Nov 2025 before; the full time in the title."""
    if _is_unknown(moment):
        return _text.UNKNOWN
    return _time_tag(moment, _text.short_time(_local(moment), _now_like(moment)))


@register.filter
def when_full(moment: datetime | None) -> SafeString | str:
    if _is_unknown(moment):
        return _text.UNKNOWN
    return _time_tag(moment, _text.full_time(_local(moment)))


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    if _is_unknown(moment):
        return "never"
    return _time_tag(moment, _text.ago(_local(moment), _now_like(moment)))


# Bars. Geometry is SVG attributes: a style attribute would break the Content-Security-Policy.


def _share(part: float | None, whole: float | None) -> float:
    if not part or not whole:
        return 0.0
    return round(min(max(100 * part / whole, 0.0), 100.0), 2)


@register.filter
def share(part: float | None, whole: float | None) -> str:
    """`width="{{ part|share:whole }}"`: an SVG length such as "48.2%"."""
    return f"{_share(part, whole):g}%"


@dataclass(frozen=True, slots=True)
class RangeBar:
    """Lengths of a range bar as SVG percentages."""

    certain: str
    possible_x: str
    possible: str
    tick: str
    actual: str


def range_geometry(
    total: float | None,
    low: float | None,
    high: float | None,
    expected: float | None = None,
    actual: float | None = None,
) -> RangeBar:
    certain = _share(low, total)
    possible = max(_share(high, total) - certain, 0.0)
    return RangeBar(
        certain=f"{certain:g}%",
        possible_x=f"{certain:g}%",
        possible=f"{round(possible, 2):g}%",
        tick="" if _is_unknown(expected) else f"{_share(expected, total):g}%",
        actual="" if _is_unknown(actual) else f"{_share(actual, total):g}%",
    )


@register.simple_tag
def range_bar(
    total: float | None,
    low: float | None,
    high: float | None,
    expected: float | None = None,
    actual: float | None = None,
    height: int = 6,
    tone: str = "",
) -> SafeString:
    """The markup of components/_range_bar.html, as a tag because tables draw a hundred of them.

    Full width is `total`; solid up to `low`, hatched up to `high`, the tick is `expected`, the dot
    `actual`. tone="stays" draws in blue what stays instead of in green what goes.
    """
    bar = range_geometry(total, low, high, expected, actual)
    height = height or 6
    solid, hatch = ("srv-a", "acc") if tone == "stays" else ("sure", "ok")
    label = f"{bytes_text(low)} to {bytes_text(high)} of {bytes_text(total)}"
    tick, end = bar.tick, height + 1
    marks = f'<line class="tick" x1="{tick}" x2="{tick}" y1="-1" y2="{end}"/>' if tick else ""
    if bar.actual:
        marks += f'<circle class="act" cx="{bar.actual}" cy="{height / 2:g}" r="4"/>'
    # Every part is a figure made here, nothing a file or a person said.
    return mark_safe(
        f'<svg class="range range-{height:d}" role="img" aria-label="{label}">'
        f'<rect class="track" width="100%" height="{height}" rx="2"/>'
        f'<rect class="{solid}" width="{bar.certain}" height="{height}" rx="2"/>'
        f'<rect x="{bar.possible_x}" width="{bar.possible}" height="{height}"'
        f' fill="url(#hatch-{hatch})"/>{marks}</svg>'
    )


@dataclass(frozen=True, slots=True)
class ChunkBox:
    """One chunk in the chunk map; x, width and done are SVG percentages of the film's length."""

    index: int
    x: str
    width: str
    done_x: str
    done: str
    middle: str
    state: str
    letter: str
    title: str


@register.simple_tag
def chunk_boxes(chunks: Iterable[Any]) -> list[ChunkBox]:
    """Lays chunks out by duration. A chunk has `weight`, `state` (done, run, retry, wait),
    and may have `progress` (0 to 1), `server` (letter a to e) and `title`."""
    rows = [c if isinstance(c, Mapping) else _chunk_fields(c) for c in chunks]
    total = sum(float(row.get("weight") or 1) for row in rows) or 1.0
    boxes: list[ChunkBox] = []
    start = 0.0
    for index, row in enumerate(rows, start=1):
        width = 100 * float(row.get("weight") or 1) / total
        done = max(width - 0.12, 0.0) * min(max(float(row.get("progress") or 0), 0.0), 1.0)
        letter = str(row.get("server") or "a").lower()
        boxes.append(
            ChunkBox(
                index=index,
                x=f"{start:.2f}%",
                width=f"{width:.2f}%",
                done_x=f"{start + 0.06:.2f}%",
                done=f"{done:.2f}%",
                middle=f"{start + width / 2:.2f}%",
                state=str(row.get("state") or "wait"),
                letter=letter if letter in "abcde" else "a",
                title=str(row.get("title") or f"Chunk {index}"),
            )
        )
        start += width
    return boxes


def _chunk_fields(chunk: object) -> dict[str, Any]:
    names = ("weight", "state", "progress", "server", "title")
    return {name: getattr(chunk, name, None) for name in names}


@register.filter
def initial(name: str | None) -> str:
    """The letter in the avatar."""
    return str(name or "?")[:1].upper()
