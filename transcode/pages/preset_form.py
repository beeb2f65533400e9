"""The form of a preset: every field of `PresetSpec`, in groups; problems land on their field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django import forms

from mediaflow.base.hours import split_hours
from transcode.encoders import ENCODERS, H264_LEVELS
from transcode.presets import rules
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from django.forms.boundfield import BoundField

    from transcode.models import Preset

_NOT_TRIED: Final = "hardware, not tried by us"
LABELS: Final[dict[str, str]] = {
    **{
        e.family: f"{e.title} · {_NOT_TRIED}" if e.is_hardware else e.title
        for e in ENCODERS.values()
    },
    "keep": "As the source",
    "mkv": "Matroska (MKV)",
    "mp4": "MP4",
    "webm": "WebM",
    "copy": "Copy, no re-encoding",
    "fastest": "Fastest",
    "fast": "Fast",
    "medium": "Medium",
    "slow": "Slow",
    "slowest": "Slowest",
    "aac": "AAC",
    "opus": "Opus",
    "ac3": "AC-3",
    "eac3": "E-AC-3",
    "flac": "FLAC",
    "dts": "DTS",
    "mp3": "MP3",
    "drop": "Leave out",
    "convert": "Convert where the container needs it",
    "replace": "Replace the original",
    "beside": "Write beside the original",
    "tone_map": "Tone map to SDR",
    "hdr10": "Dolby Vision and HDR10+ may become HDR10",
    "vmaf": "VMAF",
    "xpsnr": "XPSNR, in dB",
    "never": "Never",
    "allow": "Where it reaches the target",
    "prefer": "Wherever it works",
    "constant": "Make it even",
    "auto": "Where it is safe",
    "srt": "SubRip (SRT)",
    "ass": "ASS",
    "mov_text": "MP4 text",
    "webvtt": "WebVTT",
    "finish": "Finish the film",
    "pause": "Pause it",
    "hand_back": "Stop it and keep its chunks",
}
HDR_LABELS: Final = {"keep": "Keep, or skip the film"}
SUBTITLE_LABELS: Final = {"keep": "Keep", **{k: LABELS[k] for k in ("drop", "convert")}}
LEVELS: Final = ("", *H264_LEVELS)
PROFILES: Final = ("", *rules.H264_PROFILES)
# Left out of the form, these keep the rule's own default.
_WORDS_WITH_DEFAULT: Final = frozenset(
    {
        "target_metric",
        "hardware",
        "frame_rate",
        "chunking",
        "image_subtitles",
        "at_hours_end",
    }
)
LIST_FIELDS: Final = frozenset({"languages", "drop_titles", "hours"})


def _choices(
    values: tuple[str, ...], labels: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    words = LABELS | (labels or {})
    return [(value, words.get(value, value or "–")) for value in values]


def _integer(label: str, help_text: str = "", *, is_required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, required=is_required)


def _number(label: str, help_text: str = "", *, is_required: bool = True) -> forms.FloatField:
    return forms.FloatField(label=label, help_text=help_text, required=is_required)


def _flag(label: str, help_text: str = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=help_text, required=False)


def _choice(
    label: str,
    values: tuple[str, ...],
    help_text: str = "",
    *,
    labels: dict[str, str] | None = None,
    initial: str | None = None,
) -> forms.ChoiceField:
    """Left out of a request (an older page, a script): the rule's own default."""
    return forms.ChoiceField(
        label=label,
        choices=_choices(values, labels),
        help_text=help_text,
        required=False,
        initial=initial,
    )


def _words(label: str, help_text: str = "") -> forms.CharField:
    return forms.CharField(label=label, help_text=help_text, required=False, max_length=400)


def _languages(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=400,
        help_text="Three-letter codes, for example eng, deu. Empty keeps all; tracks without a"
        " language are always kept.",
    )


@dataclass(frozen=True, slots=True)
class FieldGroup:
    label: str
    slug: str
    fields: list[BoundField]


class PresetForm(forms.Form):
    """Names are those of the spec with `__` for the dot. `spec` is there after validation."""

    name = forms.CharField(label="Name", max_length=80)
    description = forms.CharField(label="Description", max_length=400, required=False)

    video__encoder = forms.ChoiceField(label="Encoder", choices=_choices(rules.VIDEO_ENCODERS))
    video__crf = _number(
        "CRF", "Lower is better and larger. Give one of CRF, bit rate, target.", is_required=False
    )
    video__bit_rate_kbps = _integer("Bit rate, kb/s", is_required=False)
    video__target_vmaf = _number(
        "Target quality",
        "The CRF that reaches it is searched for on samples of each film.",
        is_required=False,
    )
    video__target_metric = _choice("Measured as", rules.TARGET_METRICS)
    video__two_pass = _flag("Two passes", "With a bit rate.")
    video__hardware = _choice("Use hardware", rules.HARDWARE_USE)
    video__speed = forms.ChoiceField(
        label="Speed", choices=_choices(rules.SPEEDS), help_text="Slower is smaller."
    )
    video__max_resolution = forms.TypedChoiceField(
        label="Largest resolution",
        coerce=int,
        choices=[(n, f"{n}p" if n else "No cap") for n in rules.RESOLUTION_CAPS],
    )
    video__bit_depth = forms.TypedChoiceField(
        label="Bit depth",
        coerce=int,
        choices=[(0, "As the source"), (8, "8-bit"), (10, "10-bit")],
    )
    video__hdr = forms.ChoiceField(label="HDR", choices=_choices(rules.HDR_HANDLING, HDR_LABELS))
    video__profile = forms.ChoiceField(
        label="H.264 profile", choices=_choices(PROFILES), required=False
    )
    video__level = forms.ChoiceField(label="H.264 level", choices=_choices(LEVELS), required=False)
    video__deinterlace = _flag("Deinterlace interlaced films")
    video__frame_rate = _choice(
        "Variable frame rate", rules.FRAME_RATES, labels={"keep": "Keep every picture's time"}
    )
    video__crop_borders = _flag("Crop black bars", "Only where they never change.")
    video__tune_grain = _flag("Tune for film grain")
    video__chunking = _choice(
        "Encode in chunks", rules.CHUNKING, "A crash then costs a minute of film, not all of it."
    )
    video__extra_options = _words(
        "More encoder options", "name=value name=value; only what cannot harm."
    )

    audio__codec = forms.ChoiceField(
        label="Codec", choices=_choices(rules.AUDIO_CODECS, {"copy": "Copy every track"})
    )
    audio__bit_rate_kbps_per_channel = _integer("Bit rate per channel, kb/s")
    audio__max_channels = _integer("Most channels", "0 keeps them.")
    audio__copy_codecs = forms.MultipleChoiceField(
        label="Copy tracks that are already",
        choices=_choices((*(c for c in rules.AUDIO_CODECS if c != "copy"), "dts", "mp3")),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    audio__languages = _languages("Languages")
    audio__keep_commentary = _flag("Keep commentary")
    audio__keep_lossless = _flag("Copy lossless tracks", "TrueHD, DTS-HD MA, FLAC, PCM.")
    audio__first_track_only = _flag("First track only")
    audio__add_stereo = _flag("Add a stereo track", "Where the film has none.")
    audio__drop_titles = _words("Leave out tracks titled", "Words, with commas between.")
    audio__sort_by_language = _flag("Sort by language", "In the order above.")
    audio__default_language = _words("Plays by default", "A language; empty keeps the flags.")

    subtitles__mode = forms.ChoiceField(
        label="Subtitles", choices=_choices(rules.SUBTITLE_MODES, SUBTITLE_LABELS)
    )
    subtitles__languages = _languages("Languages")
    subtitles__keep_forced = _flag("Keep forced subtitles", "Whatever their language.")
    subtitles__convert_to = _choice(
        "Convert to", rules.SUBTITLE_FORMATS, labels={"": "What the container wants"}
    )
    subtitles__image_subtitles = _choice(
        "Picture subtitles", rules.IMAGE_SUBTITLES, "PGS and VobSub."
    )
    subtitles__drop_titles = _words("Leave out tracks titled", "Words, with commas between.")
    subtitles__default_language = _words("Shown by default", "A language; empty keeps the flags.")

    min_saving_pct = _integer(
        "At least smaller by, %",
        "Otherwise the original stays. Below 0: how much larger it may be.",
    )
    is_vmaf_checked = _flag("Check the quality with VMAF")
    min_vmaf_mean = _number("Lowest mean VMAF")
    min_vmaf_p5 = _number("Lowest 5 % VMAF")

    container = forms.ChoiceField(label="Container", choices=_choices(rules.CONTAINERS))
    output = forms.ChoiceField(label="Result", choices=_choices(rules.OUTPUT_MODES))
    keep_chapters = _flag("Keep chapters")
    keep_attachments = _flag("Keep attachments", "Fonts, mostly.")

    hours = _words(
        "Encode only at", "22:00-06:00 or mon-fri 22:00-06:00, with commas between. Empty: always."
    )
    at_hours_end = _choice("At the end of the hours", rules.AT_HOURS_END)
    skip_if_chromecast_ready = _flag("Skip films that Chromecast plays already")

    spec: PresetSpec

    def groups(self) -> list[FieldGroup]:
        """The spec's fields as the page shows them."""
        by_prefix = {
            "Video": self._bound("video__"),
            "Audio": self._bound("audio__"),
            "Subtitles": self._bound("subtitles__"),
            "Size and quality": [
                self[name]
                for name in ("min_saving_pct", "is_vmaf_checked", "min_vmaf_mean", "min_vmaf_p5")
            ],
            "Output": [
                self[name]
                for name in (
                    "container",
                    "output",
                    "keep_chapters",
                    "keep_attachments",
                    "skip_if_chromecast_ready",
                )
            ],
            "Hours": [self[name] for name in ("hours", "at_hours_end")],
        }
        return [
            FieldGroup(label, label.split()[0].lower(), rows) for label, rows in by_prefix.items()
        ]

    def _bound(self, prefix: str) -> list[BoundField]:
        return [self[name] for name in self.fields if name.startswith(prefix)]

    def clean(self) -> dict[str, Any]:
        """Build the spec; a problem of the spec becomes an error of its field."""
        values: dict[str, Any] = super().clean() or {}
        if self.errors:
            return values
        try:
            self.spec = PresetSpec.from_json(to_spec_json(values))
        except PresetProblem as problem:
            self.add_problem(problem)
        return values

    def add_problem(self, problem: PresetProblem) -> None:
        """Show what the services refuse at the field it is about."""
        name = problem.field_name.replace(".", "__")
        self.add_error(name if name in self.fields else None, f"It {problem.text}")


def to_spec_json(values: dict[str, Any]) -> dict[str, Any]:
    """What the form's values say, as `PresetSpec.from_json` takes it."""
    raw: dict[str, Any] = {}
    for name, value in values.items():
        if name in {"name", "description"}:
            continue
        group, _, field = name.partition("__")
        inner = field or group
        if value == "" and inner in _WORDS_WITH_DEFAULT:
            continue
        given = _as_list(value, inner) if inner in LIST_FIELDS else value
        if field:
            raw.setdefault(group, {})[field] = given
        else:
            raw[group] = given
    return raw


def _as_list(text: str, field: str) -> list[str]:
    if field == "hours":
        return list(split_hours(text))
    if field == "languages":
        return [code.lower() for code in re.split(r"[\s,;]+", text) if code]
    return [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]


def initial_values(preset: Preset | None) -> dict[str, Any]:
    """What the form starts with: a preset, or the defaults of a new one."""
    spec = PresetSpec.from_json(preset.spec) if preset else PresetSpec()
    values: dict[str, Any] = {
        "name": preset.name if preset else "",
        "description": preset.description if preset else "",
    }
    for name, value in spec.to_json().items():
        if not isinstance(value, dict):
            values[name] = ", ".join(value) if name in LIST_FIELDS else value
            continue
        for field, inner in value.items():
            values[f"{name}__{field}"] = ", ".join(inner) if field in LIST_FIELDS else inner
    return values


class ImportForm(forms.Form):
    """A preset as a file or as pasted text."""

    file = forms.FileField(label="File", required=False)
    text = forms.CharField(
        label="or its text", required=False, widget=forms.Textarea(attrs={"rows": 8})
    )
