"""The settings of the insights: which analysers look, from when something is worth a sentence."""

from __future__ import annotations

from typing import Final

from mediaflow.base.setting_definition import SettingDefinition

_GROUP: Final = "insights"


def _switch(slug: str, label: str, text: str) -> SettingDefinition:
    """One for each kind in `library.analysis.kinds`, by its slug."""
    return SettingDefinition(f"insights_{slug}", "bool", True, label, text, _GROUP)


def _number(
    name: str, default: int, label: str, text: str, high: int, unit: str, low: int = 0
) -> SettingDefinition:
    return SettingDefinition(
        f"insights_{name}", "int", default, label, text, _GROUP, low=low, high=high, unit=unit
    )


INSIGHT_SETTINGS: Final = (
    SettingDefinition(
        "insights_schedule",
        "choice",
        "daily",
        "Analyse all libraries",
        "By itself, at the time of the last one.",
        _GROUP,
        choices=(("off", "Only by hand"), ("daily", "Every day"), ("weekly", "Every week")),
    ),
    SettingDefinition(
        "insights_after_scan",
        "bool",
        True,
        "Analyse a library after its scan",
        "Only where the scan has found a change. After a sync: see each Plex server.",
        _GROUP,
    ),
    _number(
        "min_saving_mb", 300, "Smallest saving", "Less is not worth a sentence.", 1_000_000, "MB"
    ),
    _number("min_saving_pct", 20, "Smallest saving of a film", "Its share of the film.", 95, "%"),
    _switch("codec", "Old or wasteful codecs", "MPEG-2, VC-1, MPEG-4, and H.264 above a rate."),
    _number(
        "h264_kbps",
        6_000,
        "H.264 is wasteful above",
        "At 1080p; other sizes in proportion.",
        200_000,
        "kb/s",
        low=500,
    ),
    _switch("overkill", "More quality than is watched", "4K and high bit rates with few plays."),
    _number(
        "overkill_kbps",
        25_000,
        "High is a bit rate from",
        "4K counts at any rate.",
        500_000,
        "kb/s",
        low=1_000,
    ),
    _number(
        "overkill_plays", 1, "Few are at most so many plays", "As Plex counts them.", 1_000, ""
    ),
    _switch("storage", "Large and rarely watched", "Where Plex says how often."),
    _number("large_gb", 20, "Large is a film from", "Of 1,000,000,000 bytes.", 10_000, "GB", low=1),
    _number("idle_days", 365, "Rarely is nobody for", "Or since it was added.", 3_650, "days"),
    _switch("duplicates", "Several versions of one film", "Also across libraries."),
    _switch("quality_gap", "Far below the usual quality", "Better to download again."),
    _number("gap_pct", 40, "Far is below", "Of the middle film of its size.", 90, "%", low=5),
    _switch("audio", "Sound that takes much space", "Lossless sound and unwanted languages."),
    _number("sound_mb", 500, "Smallest saving of sound", "Of one film.", 100_000, "MB"),
    _switch("container", "Old containers", "AVI, MPEG, TS, WMV."),
    _switch("batch", "Batches of similar films", "Seasons and films alike."),
    _number(
        "batch_films",
        10,
        "Films of a batch, at least",
        "Fewer are shown one by one.",
        10_000,
        "",
        low=2,
    ),
    _switch("hdr_to_sdr", "HDR without an SDR copy", "An offer for screens without HDR."),
    _switch("inaccessible", "Inaccessible or damaged", "Missing, unreadable, without picture."),
    _switch("chromecast", "Nearly ready for Chromecast", "Generations 2 and 3."),
    SettingDefinition(
        "insights_chromecast_scope",
        "choice",
        "container",
        "For Chromecast, films that need",
        "Copying takes minutes, another picture takes hours.",
        _GROUP,
        choices=(
            ("container", "Only another container"),
            ("sound", "At most another sound"),
            ("all", "Whatever it is"),
        ),
    ),
    _switch("languages", "Languages missing", "Of those that you name below."),
    SettingDefinition(
        "insights_audio_languages",
        "languages",
        "",
        "Wanted languages of sound",
        "Codes of three letters, such as eng,deu; one of them is enough. Empty: any.",
        _GROUP,
        high=100,
    ),
    SettingDefinition(
        "insights_subtitle_languages",
        "languages",
        "",
        "Wanted languages of subtitles",
        "As above. Empty: none are missed.",
        _GROUP,
        high=100,
    ),
)
