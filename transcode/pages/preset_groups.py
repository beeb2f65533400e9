"""How the preset form is laid out: groups, in each the important fields first, the rest below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.forms import Form
    from django.forms.boundfield import BoundField


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """`more` lies in a part that is folded up, unless something in it is set or wrong."""

    label: str
    slug: str
    main: list[BoundField]
    more: list[BoundField]
    more_label: str
    is_open: bool
    set_count: int  # of `more`, that differ from a new preset


@dataclass(frozen=True, slots=True)
class _Layout:
    label: str
    slug: str
    main: tuple[str, ...]
    more: tuple[str, ...] = ()
    more_label: str = ""


# How good the video is to be is missing: the template draws that, one choice and its fields.
LAYOUT: Final = (
    _Layout(
        "Video",
        "video",
        ("video__encoder", "video__speed", "video__max_resolution", "video__hdr"),
        (
            *("video__hardware", "video__chunking", "video__bit_depth", "video__frame_rate"),
            *("video__profile", "video__level", "video__deinterlace", "video__crop_borders"),
            *("video__tune_grain", "video__extra_options"),
        ),
        "hardware, chunks, bit depth, picture, encoder options",
    ),
    _Layout(
        "Size and quality",
        "size",
        ("min_saving_pct", "is_vmaf_checked", "min_vmaf_mean", "min_vmaf_p5"),
    ),
    _Layout(
        "Result",
        "output",
        ("container", "output"),
        ("keep_chapters", "keep_attachments", "skip_if_chromecast_ready"),
        "chapters, attachments, Chromecast",
    ),
    _Layout(
        "Audio",
        "audio",
        (
            *("audio__codec", "audio__bit_rate_kbps_per_channel", "audio__languages"),
            *("audio__max_channels", "audio__keep_lossless", "audio__keep_commentary"),
        ),
        (
            *("audio__copy_codecs", "audio__drop_titles", "audio__default_language"),
            *("audio__add_stereo", "audio__first_track_only", "audio__sort_by_language"),
        ),
        "codecs to copy, titles, a stereo track, order",
    ),
    _Layout(
        "Subtitles",
        "subtitles",
        ("subtitles__mode", "subtitles__languages", "subtitles__keep_forced"),
        (
            *("subtitles__convert_to", "subtitles__image_subtitles", "subtitles__drop_titles"),
            "subtitles__default_language",
        ),
        "format, picture subtitles, titles, default",
    ),
    _Layout("Hours", "hours", ("hours", "at_hours_end")),
)


def group_fields(form: Form, defaults: Mapping[str, object]) -> list[FieldGroup]:
    """`defaults`: what a new preset says in each field."""
    return [_group(form, layout, defaults) for layout in LAYOUT]


def _group(form: Form, layout: _Layout, defaults: Mapping[str, object]) -> FieldGroup:
    main = [form[name] for name in layout.main]
    more = [form[name] for name in layout.more]
    number = sum(_plain(field.value()) != _plain(defaults.get(field.name)) for field in more)
    is_open = number > 0 or any(field.errors for field in more)
    return FieldGroup(layout.label, layout.slug, main, more, layout.more_label, is_open, number)


def _plain(value: object) -> object:
    """As a browser would post it: an unticked box and an empty field are nothing."""
    if value is None or value is False or value == "":
        return ""
    if isinstance(value, (list, tuple)):
        return tuple(sorted(map(str, value)))
    return "on" if value is True else str(value)
