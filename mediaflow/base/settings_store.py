"""Settings that people change while MediaFlow runs: typed, bounded, audited.

Environment variables say where MediaFlow lives (mediaflow/base/env.py); these say how it behaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mediaflow.base.audit import record_audit
from mediaflow.base.hours import HoursProblem, parse_hours, split_hours
from mediaflow.base.insight_settings import INSIGHT_SETTINGS
from mediaflow.base.models import Setting
from mediaflow.base.setting_definition import SettingDefinition

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

GIB: Final = 1024**3
_MAX_BYTES: Final = 2**60


class SettingProblem(ValueError):
    """A value that cannot be taken. `field` is the setting's key; `text` says what is allowed."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(f"{field}: {text}")
        self.field = field
        self.text = text


_ALL: Final = (
    SettingDefinition(
        "queue_paused", "bool", False, "Queue paused", "No new job starts.", "queue", is_shown=False
    ),
    SettingDefinition(
        "queue_paused_reason",
        "str",
        "",
        "Why the queue is paused",
        "Shown above the queue.",
        "queue",
        high=300,
        is_shown=False,
    ),
    SettingDefinition(
        "jobs_parallel",
        "int",
        None,
        "Films at once",
        "Empty: as MEDIAFLOW_JOBS says.",
        "queue",
        low=1,
        high=64,
        is_optional=True,
    ),
    SettingDefinition(
        "queue_hours",
        "hours",
        "",
        "Encode only at",
        "22:00-06:00 or mon-fri 22:00-06:00, with commas between. Empty: always.",
        "queue",
        high=400,
    ),
    SettingDefinition(
        "queue_at_hours_end",
        "choice",
        "finish",
        "At the end of the hours",
        "What happens to films that are being encoded then.",
        "queue",
        choices=(
            ("finish", "Finish them"),
            ("pause", "Pause them; they still take memory"),
            ("hand_back", "Stop them and keep their chunks"),
        ),
    ),
    SettingDefinition(
        "gpu_sessions",
        "int",
        None,
        "Encodes at once on a GPU",
        "Whoever runs them, as nvidia-smi counts. Empty: two for each encoding unit.",
        "machine",
        low=1,
        high=64,
        is_optional=True,
    ),
    SettingDefinition(
        "ffmpeg_nice",
        "int",
        10,
        "Priority of ffmpeg",
        "0 is as important as everything else, 19 only when nothing else runs.",
        "machine",
        low=0,
        high=19,
    ),
    SettingDefinition(
        "ffmpeg_disk_priority",
        "choice",
        "low",
        "Disk priority of ffmpeg",
        "Idle: only when nobody else reads or writes. Not every disk scheduler heeds it.",
        "machine",
        choices=(("low", "Low"), ("idle", "Idle"), ("normal", "Normal")),
    ),
    SettingDefinition(
        "ffmpeg_cores",
        "int",
        None,
        "Processor cores for ffmpeg",
        "Empty: all of them.",
        "machine",
        low=1,
        high=1024,
        is_optional=True,
    ),
    SettingDefinition(
        "ffmpeg_memory_mib",
        "int",
        None,
        "Memory for each ffmpeg",
        "One that needs more is ended, and the job says so. Empty: no limit.",
        "machine",
        low=256,
        high=1024 * 1024,
        unit="MiB",
        is_optional=True,
    ),
    SettingDefinition(
        "chunk_seconds",
        "int",
        60,
        "Length of a chunk",
        "Films are encoded in chunks of about this length, cut at keyframes. A crash costs at most"
        " one for each that was running.",
        "encoding",
        low=1,
        high=3600,
        unit="seconds",
    ),
    SettingDefinition(
        "chunks_parallel",
        "int",
        None,
        "Chunks of one film at once",
        "Empty: as many as the encoder, the cores and the memory allow.",
        "encoding",
        low=1,
        high=64,
        is_optional=True,
    ),
    SettingDefinition(
        "threads_per_chunk",
        "int",
        None,
        "Threads for each chunk",
        "Empty: the cores are shared out. Many chunks with few threads are fastest.",
        "encoding",
        low=1,
        high=64,
        is_optional=True,
    ),
    SettingDefinition(
        "chunk_keep_days",
        "int",
        7,
        "Keep chunks of stopped jobs for",
        "A new job of the same film goes on with them. Afterwards they are removed.",
        "encoding",
        low=0,
        high=365,
        unit="days",
    ),
    SettingDefinition(
        "trash_retention_days",
        "int",
        14,
        "Keep originals for",
        "Undo is possible until the original is purged.",
        "trash",
        low=0,
        high=3650,
        unit="days",
    ),
    SettingDefinition(
        "trash_cap_bytes",
        "int",
        0,
        "Trash size limit",
        "0: no limit. Counted per file system.",
        "trash",
        low=0,
        high=_MAX_BYTES,
        unit="bytes",
    ),
    SettingDefinition(
        "trash_cap_policy",
        "choice",
        "pause",
        "When the trash is full",
        "Nothing is purged early unless you choose so.",
        "trash",
        choices=(("pause", "Pause the queue"), ("oldest_first", "Purge the oldest originals")),
    ),
    SettingDefinition(
        "reserve_bytes",
        "int",
        2 * GIB,
        "Space kept free",
        "A job starts only if this much stays free on every disk it writes to.",
        "disk",
        low=0,
        high=_MAX_BYTES,
        unit="bytes",
    ),
    SettingDefinition(
        "scan_worker_count",
        "int",
        None,
        "Files probed at once",
        "Empty: one for each processor core.",
        "library",
        low=1,
        high=64,
        is_optional=True,
    ),
    SettingDefinition(
        "display_capacity_bytes",
        "int",
        0,
        "Capacity shown",
        "0: what the disks say. For shares that report a wrong size.",
        "disk",
        low=0,
        high=_MAX_BYTES,
        unit="bytes",
    ),
    *INSIGHT_SETTINGS,
)
DEFINITIONS: Final[dict[str, SettingDefinition]] = {d.key: d for d in _ALL}


def get_setting(key: str) -> Any:
    """The stored value, or the default. Raises KeyError for an unknown key. One query."""
    return get_settings(key)[key]


def get_settings(*keys: str) -> dict[str, Any]:
    """Several settings (all when none is named) in one query. Raises KeyError."""
    wanted = {key: DEFINITIONS[key] for key in keys} if keys else DEFINITIONS
    stored = dict(Setting.objects.filter(key__in=wanted).values_list("key", "value"))
    return {key: _stored_or_default(d, stored) for key, d in wanted.items()}


def _stored_or_default(definition: SettingDefinition, stored: dict[str, Any]) -> Any:
    if definition.key not in stored:
        return definition.default
    try:
        return parse_setting(definition.key, stored[definition.key])
    except SettingProblem:
        return definition.default  # an older version allowed it; the page shows the default


def set_setting(key: str, value: object, actor: AbstractBaseUser | None) -> None:
    """Check and store one value. Raises SettingProblem (unknown key, wrong type, out of bounds)."""
    parsed = parse_setting(key, value)
    before = get_setting(key)
    if parsed == DEFINITIONS[key].default:
        Setting.objects.filter(key=key).delete()  # follows the default of later versions
    else:
        Setting.objects.update_or_create(key=key, defaults={"value": parsed})
    if before != parsed:
        record_audit("settings.change", actor=actor, subject=key, detail=f"{before!r} → {parsed!r}")


def parse_setting(key: str, value: object) -> Any:
    """The typed value of what a form, a file or the database gave. Raises SettingProblem."""
    definition = DEFINITIONS.get(key)
    if definition is None:
        raise SettingProblem(key[:60], "is not a setting of MediaFlow.")
    if definition.is_optional and value in (None, ""):
        return None
    match definition.kind:
        case "bool":
            return _parse_bool(definition, value)
        case "int":
            return _parse_int(definition, value)
        case "choice":
            return _parse_choice(definition, value)
        case "hours":
            return _parse_hours(definition, value)
        case "languages":
            return _parse_languages(definition, value)
        case _:
            return _parse_text(definition, value)


def _parse_bool(definition: SettingDefinition, value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise SettingProblem(definition.key, "give on or off.")


def _parse_int(definition: SettingDefinition, value: object) -> int:
    text = f"give it a whole number from {definition.low} to {definition.high}."
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise SettingProblem(definition.key, text)
    # int() of a text of unbounded length is slow and may raise: look before.
    if isinstance(value, str) and not (len(value.strip()) <= 20 and _is_decimal(value.strip())):
        raise SettingProblem(definition.key, text)
    number = int(value)
    if not definition.low <= number <= definition.high:
        raise SettingProblem(definition.key, text)
    return number


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _parse_choice(definition: SettingDefinition, value: object) -> str:
    allowed = [name for name, _label in definition.choices]
    if value not in allowed:
        raise SettingProblem(definition.key, f"give one of {', '.join(allowed)}.")
    return str(value)


def _parse_hours(definition: SettingDefinition, value: object) -> str:
    text = _parse_text(definition, value)
    try:
        parse_hours(split_hours(text))
    except HoursProblem as problem:
        raise SettingProblem(definition.key, f"{problem}") from None
    return text


def _parse_languages(definition: SettingDefinition, value: object) -> str:
    """ "eng,deu", whatever stood between the codes."""
    codes = _parse_text(definition, value).lower().replace(",", " ").split()
    if not all(len(code) == 3 and code.isascii() and code.isalpha() for code in codes):
        text = "give codes of three letters with commas between, such as eng,deu."
        raise SettingProblem(definition.key, text)
    return ",".join(dict.fromkeys(codes))


def _parse_text(definition: SettingDefinition, value: object) -> str:
    if not isinstance(value, str) or len(value) > definition.high:
        raise SettingProblem(
            definition.key, f"give a text of at most {definition.high} characters."
        )
    return value
