"""What a preset says, as a pure value: validated, JSON in and out. No Django.

A problem names its field ("video.crf"), so that the form and the command line can point at it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from transcode.presets.rules import AudioRule, PresetProblem, SubtitleRule, VideoRule
from transcode.presets.validation import validate


@dataclass(frozen=True, slots=True)
class PresetSpec:
    container: str = "mkv"
    video: VideoRule = field(default_factory=VideoRule)
    audio: AudioRule = field(default_factory=AudioRule)
    subtitles: SubtitleRule = field(default_factory=SubtitleRule)
    keep_chapters: bool = True
    keep_attachments: bool = True
    # Keep the original unless the output is at least so much smaller. Negative, for presets that
    # are about playing and not about size: it may be so much larger.
    min_saving_pct: int = 10
    output: str = "replace"
    # When encoding may run: "mon-fri 22:00-06:00"; () always. Local time of the server's settings.
    hours: tuple[str, ...] = ()
    at_hours_end: str = "finish"  # what happens to a running job then
    skip_if_chromecast_ready: bool = False  # a film that Chromecast 2 and 3 play is left alone
    is_vmaf_checked: bool = True
    min_vmaf_mean: float = 88.0
    min_vmaf_p5: float = 75.0

    def to_json(self) -> dict[str, Any]:
        raw = asdict(self)
        for group in (raw, raw["video"], raw["audio"], raw["subtitles"]):
            for name, value in group.items():
                if isinstance(value, tuple):
                    group[name] = list(value)
        return raw

    @classmethod
    def from_json(cls, raw: object) -> PresetSpec:
        """Read and validate. Raises PresetProblem for the first wrong or unknown field."""
        values = _object(raw, "preset", cls)
        groups: dict[str, type] = {
            "video": VideoRule,
            "audio": AudioRule,
            "subtitles": SubtitleRule,
        }
        for name, kind in groups.items():
            if name in values:
                values[name] = kind(**_read_fields(_object(values[name], name, kind), name, kind))
        plain = {name: value for name, value in values.items() if name not in groups}
        spec = cls(**_read_fields(plain, "", cls), **{n: values[n] for n in groups if n in values})
        validate(spec)
        return spec


def _object(raw: object, name: str, kind: type) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise PresetProblem(name, "must be an object with named fields.")
    known = {f.name for f in fields(kind)}
    for key in raw:
        if key not in known:
            prefix = "" if name == "preset" else f"{name}."
            raise PresetProblem(f"{prefix}{key}"[:80], "is not a field of a preset.")
    return dict(raw)


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "int | None": ((int, type(None)), "a whole number or nothing"),
    "float | None": ((int, float, type(None)), "a number or nothing"),
    "tuple[str, ...]": ((list, tuple), "a list of texts"),
}


def _read_fields(raw: dict[str, Any], group: str, kind: type) -> dict[str, Any]:
    types = {f.name: str(f.type) for f in fields(kind)}
    result: dict[str, Any] = {}
    for name, value in raw.items():
        dotted = f"{group}.{name}" if group else name
        allowed, words = _KINDS[types[name]]
        is_bad_bool = isinstance(value, bool) and bool not in allowed
        if not isinstance(value, allowed) or is_bad_bool or value != value:  # NaN is not itself
            raise PresetProblem(dotted, f"must be {words}.")
        if isinstance(value, (list, tuple)):
            if not all(isinstance(v, str) and len(v) <= 40 for v in value) or len(value) > 50:
                raise PresetProblem(dotted, "must be a list of at most 50 short texts.")
            value = tuple(value)
        if isinstance(value, str) and len(value) > (400 if name == "extra_options" else 40):
            raise PresetProblem(dotted, "is too long.")
        result[name] = value
    return result


__all__ = [
    "AudioRule",
    "PresetProblem",
    "PresetSpec",
    "SubtitleRule",
    "VideoRule",
    "validate",
]
