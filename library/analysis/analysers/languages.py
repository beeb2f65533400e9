"""Languages: films without sound or subtitles in a language that people here understand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import BigIntegerField, Case, CharField, Q, Value, When

from library.analysis.findings import Finding, add_films
from library.analysis.kind import AnalysisKind, about_film
from library.analysis.language_columns import has_any, wanted_codes
from library.analysis.wording import listed

if TYPE_CHECKING:
    from library.analysis.findings import Look
    from library.models import MediaFile, Recommendation

CONFIDENCE_PCT: Final = 70
_NEVER: Final = Q(pk__in=[])


@about_film
def sentence(found: Recommendation, file: MediaFile) -> str:
    figures = found.figures
    words = []
    if wanted := figures.get("audio"):
        has = _names(file.audio_languages) or "an unnamed language"
        words.append(f"Its sound is in {has}, not in {_names(wanted, 'or')}.")
    if wanted := figures.get("subtitles"):
        has = _names(file.subtitle_languages)
        there = f"subtitles are in {has}" if has else "file has no subtitles with a language"
        words.append(f"Its {there}; you want {_names(wanted, 'or')}.")
    return f"{' '.join(words)} Subtitles beside the film are not counted: get what is missing."


def _names(codes: str, last: str = "and") -> str:
    return listed([code for code in codes.split(",") if code], last)


KIND = AnalysisKind(
    slug="languages",
    title="Languages missing",
    icon="subs",
    blurb="Films without sound or subtitles in the languages that you named in the settings.",
    order=12,
    sentence=sentence,
    severity_words=("Subtitles missing", "Sound missing", "Not understood"),
)


def find(look: Look) -> int:
    """Tracks without a language are not counted as missing: nobody knows what they are."""
    audio = look.settings["insights_audio_languages"]
    subtitles = look.settings["insights_subtitle_languages"]
    no_audio = no_subtitles = _NEVER
    if codes := wanted_codes(audio):
        no_audio = ~Q(audio_languages="") & ~has_any("audio_languages", codes)
    if codes := wanted_codes(subtitles):
        no_subtitles = Q(is_probed=True) & ~has_any("subtitle_languages", codes)
    if not audio and not subtitles:
        return 0
    severity = Case(
        When(no_audio & no_subtitles, then=Value(3)),
        When(no_audio, then=Value(2)),
        default=Value(1),
        output_field=BigIntegerField(),
    )
    figures = {"audio": _if(no_audio, audio), "subtitles": _if(no_subtitles, subtitles)}
    finding = Finding(
        severity=severity, confidence_pct=CONFIDENCE_PCT, weight_pct=60, figures=figures
    )
    return add_films(KIND, look.films.filter(no_audio | no_subtitles), finding)


def _if(condition: Q, text: str) -> Case:
    return Case(When(condition, then=Value(text)), default=Value(""), output_field=CharField())
