"""The form of a preset: every field of `PresetSpec`, in groups; problems land on their field."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django import forms

from mediaflow.base.form_words import PlainWords
from mediaflow.base.hours import split_hours
from transcode.encoders.hardware import NOT_TRIED
from transcode.pages.preset_groups import group_fields
from transcode.pages.preset_labels import (
    HDR_LABELS,
    LEVELS,
    PROFILES,
    QUALITY_WAYS,
    SUBTITLE_LABELS,
    between,
    choices,
    crf_help,
    encoder_choices,
    hardware_rows,
    option_rows,
    target_help,
)
from transcode.presets import rules
from transcode.presets.rules import VideoRule
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.presets.validation import (
    AUDIO_RATE_RANGE_KBPS,
    BIT_RATE_RANGE_KBPS,
    CHANNELS_RANGE,
    SAVING_RANGE_PCT,
    VMAF_RANGE,
)

if TYPE_CHECKING:
    from django.forms.boundfield import BoundField

    from transcode.models import Preset
    from transcode.pages.preset_groups import FieldGroup
    from transcode.pages.preset_labels import EncoderRow, OptionRow

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
NOT_OF_THE_SPEC: Final = frozenset({"name", "description", "quality_by"})
# way -> its field; the words stand in preset_labels.QUALITY_WAYS
QUALITY_FIELDS: Final = {
    "crf": "video__crf",
    "target": "video__target_vmaf",
    "bit_rate": "video__bit_rate_kbps",
}
# What a preset that copies the picture says of everything else about it.
_OF_A_COPY: Final[dict[str, Any]] = {
    f"video__{name}": value for name, value in asdict(VideoRule(encoder="copy", crf=None)).items()
}


def _integer(
    label: str, limits: tuple[float, float], help_text: str, *, is_required: bool = True
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, help_text=help_text, required=is_required, widget=_number_input(limits, 1)
    )


def _number(
    label: str, limits: tuple[float, float] | None, help_text: str, *, is_required: bool = True
) -> forms.FloatField:
    return forms.FloatField(
        label=label, help_text=help_text, required=is_required, widget=_number_input(limits, "any")
    )


def _number_input(limits: tuple[float, float] | None, step: object) -> forms.NumberInput:
    """The browser's own arrows keep to the limits; what is allowed is decided by the spec."""
    attrs = {"step": step} | ({"min": f"{limits[0]:g}", "max": str(limits[1])} if limits else {})
    return forms.NumberInput(attrs=attrs)


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
        choices=choices(values, labels),
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


class PresetForm(PlainWords, forms.Form):
    """Names are those of the spec with `__` for the dot. `spec` is there after validation."""

    name = forms.CharField(label="Name", max_length=80)
    description = forms.CharField(label="Description", max_length=400, required=False)

    # Not of the spec: which of three fields counts. Left out (a script): one may be given.
    quality_by = forms.ChoiceField(
        label="How good", choices=QUALITY_WAYS, widget=forms.RadioSelect, required=False
    )
    video__encoder = forms.ChoiceField(label="Encoder", choices=encoder_choices())
    video__crf = _number("CRF", None, crf_help(), is_required=False)
    video__bit_rate_kbps = _integer(
        "Bit rate, kb/s",
        BIT_RATE_RANGE_KBPS,
        f"{between(BIT_RATE_RANGE_KBPS, 'kb/s')}.",
        is_required=False,
    )
    video__target_vmaf = _number("Target quality", None, target_help(), is_required=False)
    video__target_metric = _choice(
        "Measured as", rules.TARGET_METRICS, "XPSNR where VMAF says little, as with HDR."
    )
    video__two_pass = _flag("Two passes", "The first plans, the second encodes; software only.")
    video__hardware = _choice(
        "Hardware in place of software",
        rules.HARDWARE_USE,
        f"The hardware encoder of the same codec, {NOT_TRIED}.",
    )
    video__speed = forms.ChoiceField(
        label="Speed", choices=choices(rules.SPEEDS), help_text="Slower is smaller."
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
    video__hdr = forms.ChoiceField(label="HDR", choices=choices(rules.HDR_HANDLING, HDR_LABELS))
    video__profile = forms.ChoiceField(
        label="H.264 profile", choices=choices(PROFILES), required=False, help_text="x264 only."
    )
    video__level = forms.ChoiceField(
        label="H.264 level", choices=choices(LEVELS), required=False, help_text="x264 only."
    )
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
        "More encoder options", "name=value name=value, of those in the list below."
    )

    audio__codec = forms.ChoiceField(
        label="Codec", choices=choices(rules.AUDIO_CODECS, {"copy": "Copy every track"})
    )
    audio__bit_rate_kbps_per_channel = _integer(
        "Bit rate per channel, kb/s",
        AUDIO_RATE_RANGE_KBPS,
        f"{between(AUDIO_RATE_RANGE_KBPS, 'kb/s')}.",
    )
    audio__max_channels = _integer(
        "Most channels", CHANNELS_RANGE, f"{between(CHANNELS_RANGE)}; 0 keeps them."
    )
    audio__copy_codecs = forms.MultipleChoiceField(
        label="Copy tracks that are already",
        choices=choices((*(c for c in rules.AUDIO_CODECS if c != "copy"), "dts", "mp3")),
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
        label="Subtitles", choices=choices(rules.SUBTITLE_MODES, SUBTITLE_LABELS)
    )
    subtitles__languages = _languages("Languages")
    subtitles__keep_forced = _flag("Keep forced subtitles", "Whatever their language.")
    subtitles__convert_to = _choice(
        "Convert to", rules.SUBTITLE_FORMATS, labels={"": "What the container wants"}
    )
    subtitles__image_subtitles = _choice(
        "Picture subtitles", rules.IMAGE_SUBTITLES, "PGS and VobSub.", labels={"keep": "Keep"}
    )
    subtitles__drop_titles = _words("Leave out tracks titled", "Words, with commas between.")
    subtitles__default_language = _words("Shown by default", "A language; empty keeps the flags.")

    min_saving_pct = _integer(
        "At least smaller by, %",
        SAVING_RANGE_PCT,
        f"{between(SAVING_RANGE_PCT, '%')}. Otherwise the original stays. Below 0: how much"
        " larger it may be.",
    )
    is_vmaf_checked = _flag("Check the quality with VMAF")
    min_vmaf_mean = _number("Lowest mean VMAF", VMAF_RANGE, f"{between(VMAF_RANGE)}.")
    min_vmaf_p5 = _number("Lowest 5 % VMAF", VMAF_RANGE, f"{between(VMAF_RANGE)}.")

    container = forms.ChoiceField(label="Container", choices=choices(rules.CONTAINERS))
    output = forms.ChoiceField(label="Result", choices=choices(rules.OUTPUT_MODES))
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
        return group_fields(self, initial_values(None))

    def hardware_rows(self) -> list[EncoderRow]:
        return hardware_rows()

    def option_rows(self) -> list[OptionRow]:
        return option_rows()

    def problems(self) -> list[tuple[BoundField, str]]:
        """Each field that needs another value, with what is wrong, for the list on top."""
        return [(self[name], " ".join(map(str, texts))) for name, texts in self.errors.items()
                if name in self.fields]  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Build the spec; a problem of the spec becomes an error of its field."""
        values: dict[str, Any] = super().clean() or {}
        if values.get("quality_by"):
            self._keep_what_counts(values)
        if self.errors.keys() - NOT_OF_THE_SPEC:
            return values
        try:
            self.spec = PresetSpec.from_json(to_spec_json(values))
        except PresetProblem as problem:
            self.add_problem(problem)
        return values

    def _keep_what_counts(self, values: dict[str, Any]) -> None:
        """The page hides what the chosen way does not need; whatever is left there is no matter."""
        is_copied = values.get("video__encoder") == "copy"
        chosen = "" if is_copied else QUALITY_FIELDS[values["quality_by"]]
        ignored = [name for name in QUALITY_FIELDS.values() if name != chosen]
        if is_copied:
            ignored = [n for n in self.fields if n.startswith("video__") and n != "video__encoder"]
        for name in ignored:
            self.errors.pop(name, None)
            values[name] = _OF_A_COPY[name] if is_copied else None
        if chosen != "video__bit_rate_kbps":
            values["video__two_pass"] = False
        if chosen and chosen not in self.errors and values.get(chosen) is None:
            self.add_error(chosen, "It is missing: give a value, or choose another way.")

    def add_problem(self, problem: PresetProblem) -> None:
        """Show what the services refuse at the field it is about."""
        name = problem.field_name.replace(".", "__")
        self.add_error(name if name in self.fields else None, f"It {problem.text}")


def to_spec_json(values: dict[str, Any]) -> dict[str, Any]:
    """What the form's values say, as `PresetSpec.from_json` takes it."""
    raw: dict[str, Any] = {}
    for name, value in values.items():
        if name in NOT_OF_THE_SPEC:
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
        "quality_by": _quality_by(spec),
    }
    for name, value in spec.to_json().items():
        if not isinstance(value, dict):
            values[name] = ", ".join(value) if name in LIST_FIELDS else value
            continue
        for field, inner in value.items():
            values[f"{name}__{field}"] = ", ".join(inner) if field in LIST_FIELDS else inner
    return values


def _quality_by(spec: PresetSpec) -> str:
    given = (way for way, name in QUALITY_FIELDS.items() if _video_value(spec, name) is not None)
    return next(given, "crf")


def _video_value(spec: PresetSpec, name: str) -> object:
    value: object = getattr(spec.video, name.removeprefix("video__"))
    return value


class ImportForm(forms.Form):
    """A preset as a file or as pasted text."""

    file = forms.FileField(label="File", required=False)
    text = forms.CharField(
        label="or its text", required=False, widget=forms.Textarea(attrs={"rows": 8})
    )
