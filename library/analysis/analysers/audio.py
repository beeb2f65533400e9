"""Audio: lossless sound, and tracks in languages that nobody here asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, F, Q, Value, When
from django.db.models.functions import Greatest, Least, Length

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.language_columns import count_languages, count_named, has_any, wanted_codes
from library.analysis.wording import gain_words, rate, sized
from library.listing.labels import audio_codec_label, channels_label
from mediaflow.base.film_hooks import SavedBytes

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

# Usual rates of lossless tracks in kb/s: up to 5.1, and with more channels.
LOSSLESS_KBPS: Final = {"truehd": (2_500, 4_000), "mlp": (2_500, 4_000)}
DTS_HD_KBPS: Final = (2_600, 4_200)  # DTS with one of these labels
DTS_HD_LABELS: Final = ("DTS-HD", "DTS:X")
# And of those whose rate goes with the channels.
PER_CHANNEL_KBPS: Final = {
    "flac": 400, "alac": 400, "pcm_s16le": 768, "pcm_s16be": 768, "pcm_bluray": 1_152,
    "pcm_s24le": 1_152, "pcm_s24be": 1_152, "pcm_dvd": 768,
}  # fmt: skip
# What is put in its place, and what a track in another language usually takes.
SURROUND_KBPS, STEREO_KBPS, DUB_KBPS = 640, 192, 448
LOW_PCT, HIGH_PCT = 50, 140
ONE_LANGUAGE: Final = len(",eng,")
CONFIDENCE_PCT: Final = 45


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    figures = found.figures
    words = []
    if before := figures["before_kbps"]:  # none where only languages are too many
        usual = f"usually takes {rate(before)}, {rate(figures['after_kbps'])} as E-AC-3"
        words.append(f"Its best track is {_sound(file)}; such sound {usual}.")
    if extra := figures.get("extra_languages", 0):
        kept = f"{extra} more {'language' if extra == 1 else 'languages'} than you want"
        words.append(f"It has {kept}.")
    words += [f"The film takes {sized(file.size_bytes)}.", gain_words(found)]
    return " ".join(words).strip()


def _sound(file: MediaFile) -> str:
    parts = (
        file.audio_label,
        "" if file.audio_label == "TrueHD" else audio_codec_label(file.audio_codec),
        channels_label(file.audio_channels),
    )
    return " ".join(part for part in parts if part)


KIND = AnalysisKind(
    slug="audio",
    title="Sound that takes much space",
    icon="audio",
    blurb="Lossless tracks and unwanted languages. A preset that copies the picture does it.",
    order=6,
    sentence=sentence,
)


def find(look: Look) -> int:
    """By columns alone: the rates of single tracks are in no column that a list could read."""
    saved_kbps = Greatest(_before_kbps() - _after_kbps(), Value(0))
    extra = _extra_languages(look.settings["insights_audio_languages"])
    bits = (saved_kbps + extra * Value(DUB_KBPS)) * F("duration_ms")
    expected = Least(bits / Value(8), F("size_bytes") / Value(2))
    saved = SavedBytes(
        expected=expected,
        low=expected * Value(LOW_PCT) / Value(100),
        high=Least(expected * Value(HIGH_PCT) / Value(100), F("size_bytes") / Value(2)),
        basis=Value("typical"),
    )
    least_bytes = max(1, look.settings["insights_sound_mb"] * 1_000_000)
    films = look.free_films.alias(text_length=Length("audio_languages")).filter(_may_save())
    films = films.alias(saved_bytes=expected).filter(saved_bytes__gte=least_bytes)
    figures = {
        "before_kbps": _before_kbps(), "after_kbps": _after_kbps(), "extra_languages": extra
    }  # fmt: skip
    finding = Finding(confidence_pct=CONFIDENCE_PCT, weight_pct=70, saved=saved, figures=figures)
    return add_films(KIND, films, finding)


def _may_save() -> Q:
    """True wherever something is saved, and soon told: most films save nothing."""
    is_lossless = Q(audio_codec__in=(*LOSSLESS_KBPS, "dts", *PER_CHANNEL_KBPS))
    return is_lossless | Q(text_length__gt=ONE_LANGUAGE)


def _before_kbps() -> Case:
    """Of a lossless best track; 0 for others."""
    whens = []
    for codec, (up_to_six, more) in LOSSLESS_KBPS.items():
        whens.append(When(audio_codec=codec, audio_channels__gt=6, then=Value(more)))
        whens.append(When(audio_codec=codec, then=Value(up_to_six)))
    is_dts = Q(audio_codec="dts", audio_label__in=DTS_HD_LABELS)
    whens.append(When(is_dts & Q(audio_channels__gt=6), then=Value(DTS_HD_KBPS[1])))
    whens.append(When(is_dts, then=Value(DTS_HD_KBPS[0])))
    for codec, kbps in PER_CHANNEL_KBPS.items():
        whens.append(When(audio_codec=codec, then=F("audio_channels") * Value(kbps)))
    return Case(*whens, default=Value(0), output_field=BigIntegerField())


def _after_kbps() -> Case:
    return Case(
        When(audio_channels__lte=2, then=Value(STEREO_KBPS)),
        default=Value(SURROUND_KBPS),
        output_field=BigIntegerField(),
    )


def _extra_languages(wanted: str) -> Combinable:
    """Languages beyond the wanted ones; none where nothing is wanted or no wanted one is there."""
    codes = wanted_codes(wanted)
    if not codes:
        return Value(0, output_field=BigIntegerField())
    named = count_named("audio_languages", codes)
    return Case(
        When(audio_languages="", then=Value(0)),
        When(has_any("audio_languages", codes), then=count_languages("audio_languages") - named),
        default=Value(0),
        output_field=BigIntegerField(),
    )
