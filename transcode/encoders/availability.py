"""Which encoders work on this machine: rows of `EncoderCheck`, written by real test encodes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from transcode.encoders.choice import WorkingEncoder, decided_by_rule
from transcode.encoders.failures import Failure, FailureKind
from transcode.encoders.gpu import gpu_states
from transcode.encoders.hardware import NVENC, QSV, VAAPI
from transcode.encoders.registry import ENCODERS, hardware_for
from transcode.encoders.trial import try_encode
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg, list_encoders
from transcode.models import EncoderCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from transcode.encoders.model import VideoEncoder
    from transcode.presets.rules import VideoRule

THIS_SERVER: Final = "This machine"  # the local row of the servers room
RENDER_NODES: Final = Path("/dev/dri")


def devices_of(encoder: VideoEncoder) -> tuple[str, ...]:
    """What to try: each render node, each GPU; ("",) lets ffmpeg look by itself."""
    if encoder.api in {QSV, VAAPI}:
        return tuple(str(p) for p in sorted(RENDER_NODES.glob("renderD*"))) or ("",)
    if encoder.api == NVENC:
        return tuple(state.index for state in gpu_states()) or ("",)
    return ("",)


def check_encoders(
    encoders: Iterable[VideoEncoder] | None = None,
    *,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> list[EncoderCheck]:
    """Try each encoder on each device and store what came of it. Idempotent; takes seconds.

    Raises FfmpegMissing. `on_progress(done, total, title)` may raise to stop.
    """
    wanted = tuple(ENCODERS.values() if encoders is None else encoders)
    devices = {api: devices_of(e) for api, e in {e.api: e for e in wanted}.items()}
    built, version = list_encoders(), find_ffmpeg().version
    rows = []
    for done, encoder in enumerate(wanted):
        if on_progress is not None:
            on_progress(done, len(wanted), encoder.title)
        for device in devices[encoder.api]:
            is_built = encoder.ffmpeg_name in built
            rows.append(_store(encoder, device, version, is_built=is_built))
        gone = EncoderCheck.objects.filter(server_name=THIS_SERVER, encoder=encoder.family)
        gone.exclude(device__in=devices[encoder.api]).delete()
    return rows


def _store(encoder: VideoEncoder, device: str, version: str, *, is_built: bool) -> EncoderCheck:
    depths, failure, dropped = _try_depths(encoder, device) if is_built else ([], _NOT_BUILT, ())
    is_working = bool(depths)
    reason = "" if is_working or failure is None else _sentence(failure)
    if is_working and dropped:
        reason = f"The device does not know {', '.join(dropped)}; films are encoded without."
    row, _made = EncoderCheck.objects.update_or_create(
        server_name=THIS_SERVER,
        encoder=encoder.family,
        device=device,
        defaults={
            "is_working": is_working,
            "depths": depths,
            "reason_code": "" if is_working or failure is None else str(failure.kind),
            "reason": reason[:500],
            "ffmpeg_version": version[:60],
            "checked_at": timezone.now(),
        },
    )
    return row


_NOT_BUILT = Failure(FailureKind.NOT_BUILT, "This ffmpeg is built without the encoder.")


def _try_depths(
    encoder: VideoEncoder, device: str
) -> tuple[list[int], Failure | None, tuple[str, ...]]:
    """(depths that work, why the first did not, options the device does not know)"""
    depths: list[int] = []
    dropped: dict[str, None] = {}
    first_failure: Failure | None = None
    for depth in sorted(encoder.pix_fmts):
        trial = try_encode(encoder, device, depth)
        if trial.is_working:
            depths.append(depth)
            dropped.update(dict.fromkeys(trial.dropped))
        else:
            first_failure = first_failure or trial.failure
            if not depths and encoder.is_hardware:
                break  # a device that does not do 8 bits does nothing
    return depths, first_failure, tuple(dropped)


def _sentence(failure: Failure) -> str:
    return f"{failure.text} ffmpeg: “{failure.line}”" if failure.line else failure.text


def working_for(rule: VideoRule) -> dict[str, WorkingEncoder]:
    """What works here for films by this rule. Raises FfmpegMissing.

    Hardware that may take the place and was never tried with this ffmpeg is tried now: seconds, so
    never in the web process.
    """
    if decided_by_rule(rule) is None:
        untried = _untried(hardware_for(ENCODERS[rule.encoder].codec))
        if untried:
            check_encoders(untried)
    return working_encoders()


def working_encoders() -> dict[str, WorkingEncoder]:
    """What works here by the last check. One query."""
    devices: defaultdict[str, list[str]] = defaultdict(list)
    depths: defaultdict[str, set[int]] = defaultdict(set)
    for row in EncoderCheck.objects.filter(server_name=THIS_SERVER, is_working=True):
        if row.encoder in ENCODERS:
            devices[row.encoder].append(row.device)
            depths[row.encoder].update(row.depths)
    return {
        family: WorkingEncoder(family, tuple(found), tuple(sorted(depths[family])))
        for family, found in devices.items()
    }


def is_check_due() -> bool:
    """Whether some encoder was never tried with this ffmpeg. Raises FfmpegMissing. One query."""
    return bool(_untried(ENCODERS.values()))


def _untried(encoders: Iterable[VideoEncoder]) -> tuple[VideoEncoder, ...]:
    version = find_ffmpeg().version[:60]
    rows = EncoderCheck.objects.filter(server_name=THIS_SERVER, ffmpeg_version=version)
    tried = set(rows.values_list("encoder", flat=True))
    return tuple(encoder for encoder in encoders if encoder.family not in tried)


def has_ffmpeg() -> bool:
    try:
        find_ffmpeg()
    except FfmpegMissing:
        return False
    return True
