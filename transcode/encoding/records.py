"""What is said on disk beside an encoded film: made by which plan, hashing to what, ended how."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from transcode.encoding.process import FfmpegResult
from transcode.encoding.progress import FfmpegProgress
from transcode.outcomes import JobFailed

if TYPE_CHECKING:
    from pathlib import Path

RECORD_NAME = "encoded.json"
RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class EncodeRecord:
    """What `encoded.json` says."""

    plan_hash: str
    sha256: str
    size_bytes: int
    result: FfmpegResult


def write_record(path: Path, record: EncodeRecord) -> None:
    """Raises JobFailed when the work folder cannot be written."""
    raw = {"version": RECORD_VERSION, **asdict(record)}
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(raw), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise JobFailed(
            "work_folder",
            f"The work folder cannot be written: {error.strerror}.",
            is_retryable=True,
        ) from error


def read_record(path: Path) -> EncodeRecord | None:
    """None for a record that is not there, broken, or of another version."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("version") != RECORD_VERSION:
            return None
        return EncodeRecord(**{**raw, "result": result_from_json(raw["result"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def result_from_json(raw: dict[str, Any]) -> FfmpegResult:
    """Raises KeyError or TypeError for what is none."""
    last = raw["last_progress"]
    return FfmpegResult(
        **{
            **raw,
            "argv": tuple(raw["argv"]),
            "stderr_lines": tuple(raw["stderr_lines"]),
            "last_progress": FfmpegProgress(**last) if last else None,
        }
    )
