"""The last check of the encoders, as the page and `doctor` say it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from transcode.encoders import ENCODERS
from transcode.encoders.availability import THIS_SERVER
from transcode.encoders.hardware import API_TITLES, NOT_TRIED
from transcode.encoders.model import SOFTWARE
from transcode.models import EncoderCheck

if TYPE_CHECKING:
    from datetime import datetime

    from transcode.encoders import VideoEncoder


@dataclass(frozen=True, slots=True)
class EncoderLine:
    title: str
    family: str
    device: str
    kind: str  # of components/_state.html
    word: str
    depths: str  # "8, 10"
    reason: str
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class EncoderGroup:
    api: str
    title: str
    note: str
    reason: str  # what all of them lack; "" where it stands beside each
    lines: tuple[EncoderLine, ...]


def encoder_groups() -> list[EncoderGroup]:
    """One for the processor and one for each hardware interface. One query."""
    rows: dict[str, list[EncoderCheck]] = {}
    for row in EncoderCheck.objects.filter(server_name=THIS_SERVER).order_by("device"):
        rows.setdefault(row.encoder, []).append(row)
    apis = dict.fromkeys(encoder.api for encoder in ENCODERS.values())
    return [_group(api, rows) for api in apis]


def _group(api: str, rows: dict[str, list[EncoderCheck]]) -> EncoderGroup:
    lines = [
        line
        for encoder in ENCODERS.values()
        if encoder.api == api
        for line in _lines(encoder, rows.get(encoder.family, []))
    ]
    reasons = {line.reason for line in lines}
    shared = reasons.pop() if len(reasons) == 1 else ""
    if shared:
        lines = [replace(line, reason="") for line in lines]
    title = "Processor" if api == SOFTWARE else API_TITLES[api]
    note = "" if api == SOFTWARE else f"{NOT_TRIED.capitalize()} by MediaFlow's makers"
    return EncoderGroup(api, title, note, shared, tuple(lines))


def _lines(encoder: VideoEncoder, rows: list[EncoderCheck]) -> list[EncoderLine]:
    if not rows:
        return [
            EncoderLine(encoder.title, encoder.family, "", "idle", "Not checked yet", "", "", None)
        ]
    return [
        EncoderLine(
            title=encoder.title,
            family=encoder.family,
            device=_device(encoder, row.device),
            kind="ok" if row.is_working else "skip",
            word="Works" if row.is_working else "Not here",
            depths=", ".join(map(str, row.depths)),
            reason=row.reason,
            checked_at=row.checked_at,
        )
        for row in rows
    ]


def _device(encoder: VideoEncoder, device: str) -> str:
    return f"GPU {device}" if device.isdigit() and encoder.api == "nvenc" else device
