"""What an encoder's failure means, read from what ffmpeg printed. Pure.

Texts are matched, not exit codes: up to ffmpeg 6 every failure ends with 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL_EXTRAS = "*"  # in `Failure.drop`: everything that only makes the picture better
_SIGKILL = -9


class FailureKind(StrEnum):
    NO_DRIVER = "no_driver"
    OLD_DRIVER = "old_driver"
    NOT_BUILT = "not_built"  # this ffmpeg has no such encoder
    UNSUPPORTED = "unsupported"  # the device has no such encoder
    SESSION_LIMIT = "session_limit"
    CAPABILITY = "capability"  # the device cannot do what was asked for
    OUT_OF_MEMORY = "out_of_memory"
    DECODE_DEVICE = "decode_device"  # decoding on the device failed
    CRASHED = "crashed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    text: str  # one sentence for people
    line: str = ""  # what ffmpeg said
    drop: tuple[str, ...] = ()  # options to leave out, without hyphen: "temporal-aq"


@dataclass(frozen=True, slots=True)
class _Row:
    pattern: str
    kind: FailureKind
    text: str
    drop: tuple[str, ...] = ()


_NO, _OLD, _CAN = FailureKind.NO_DRIVER, FailureKind.OLD_DRIVER, FailureKind.CAPABILITY
_NOT, _LIMIT = FailureKind.UNSUPPORTED, FailureKind.SESSION_LIMIT
_MEMORY = FailureKind.OUT_OF_MEMORY
# The first row that fits any line wins: causes stand before what follows from them.
_ROWS = (
    _Row(
        r"Hardware device setup failed for decoder|No device available for decoder"
        r"|hwaccel initiali[sz]ation returned error",
        FailureKind.DECODE_DEVICE,
        "Decoding on the device does not work.",
    ),
    _Row(
        r"Unknown encoder '",
        FailureKind.NOT_BUILT,
        "This ffmpeg is built without the encoder.",
    ),
    _Row(
        r"Cannot load libcuda|Could not dynamically load CUDA",
        _NO,
        "There is no NVIDIA driver here, or the container was started without the GPU.",
    ),
    _Row(
        r"Cannot load (libnvidia-encode|nvEncodeAPI)",
        _NO,
        "The NVIDIA driver lacks its video part; give the container the capability “video”.",
    ),
    _Row(
        r"does not support the required nvenc API version|minimum required Nvidia driver",
        _OLD,
        "The NVIDIA driver is older than this ffmpeg needs; upgrade the driver.",
    ),
    _Row(
        r"CUDA_ERROR_OUT_OF_MEMORY",
        _MEMORY,
        "The GPU's memory is full.",
    ),
    _Row(
        r"cuInit\(0\) failed|CUDA_ERROR_NO_DEVICE|CUDA_ERROR_UNKNOWN|CUDA_ERROR_SYSTEM_DRIVER",
        _NO,
        "The NVIDIA driver finds no GPU or does not fit its kernel module; restart the machine.",
    ),
    _Row(
        r"OpenEncodeSessionEx failed: (out of memory \(10\)|incompatible client key \(21\))",
        _LIMIT,
        "The GPU takes no further encode: its session limit is reached or its memory is full.",
    ),
    _Row(
        r"OpenEncodeSessionEx failed: unsupported device|Codec not supported"
        r"|Provided device doesn't support required NVENC features",
        _NOT,
        "This GPU has no encoder for the codec.",
    ),
    _Row(r"10 bit encode not supported", _CAN, "The device does not encode 10 bits."),
    _Row(
        r"(Each )?B frames? as references? (are|is) not supported",
        _CAN,
        "The device takes no B-frames as references.",
        ("b_ref_mode",),
    ),
    _Row(
        r"Temporal AQ not supported",
        _CAN,
        "The device has no temporal adaptive quantization.",
        ("temporal-aq",),
    ),
    _Row(
        r"Max B-frames \d+ exceed \d+",
        _CAN,
        "The device makes no B-frames or fewer.",
        ("bf", "b_ref_mode"),
    ),
    _Row(
        r"RC lookahead not supported|Lookahead not supported",
        _CAN,
        "The device does not look ahead.",
        ("rc-lookahead",),
    ),
    _Row(
        r"(Width|Height) \d+ exceeds \d+|Hardware does not support encoding at size",
        _CAN,
        "The picture is larger than the device encodes.",
    ),
    _Row(
        r"No usable encoding (profile|entrypoint) found",
        _NOT,
        "The device has no encoder for the codec or its bit depth.",
    ),
    _Row(
        r"Driver does not support (any RC mode|\S+ RC mode|the requested|any)",
        _CAN,
        "The driver does not offer what was asked for.",
    ),
    _Row(
        r"(Selected ratecontrol mode|Low power mode|Current \w+( \w+)?) is unsupported"
        r"|Error initializing the encoder: (unsupported|invalid video parameters)",
        _CAN,
        "The device does not encode with these options.",
        (ALL_EXTRAS,),
    ),
    _Row(
        r"InitializeEncoder failed: invalid param|Invalid Level|InitializeEncoder failed",
        _CAN,
        "The device refuses the size or the options.",
        (ALL_EXTRAS,),
    ),
    _Row(
        r"No VA display found|Failed to initiali[sz]e VAAPI connection|vaInitialize",
        _NO,
        "There is no VAAPI device here, or this user may not open it.",
    ),
    _Row(
        r"Error creating a MFX session|Error during set display handle|No suitable MFX",
        _NO,
        "There is no Intel Quick Sync device here, or its driver is missing.",
    ),
    _Row(
        r"libamfrt64\S* failed to open|amfrt64\.dll failed to open|AMF.*(failed to initiali[sz]e)",
        _NO,
        "The driver of AMD's encoder (AMF) is not installed.",
    ),
    _Row(
        r"cannot create compression session|qscale not available for encoder",
        _NOT,
        "This Mac has no encoder for the codec, or none that takes a quality.",
    ),
    _Row(r"No capable devices found", _NOT, "No GPU here can do it."),
    _Row(
        r"Cannot allocate memory|[Oo]ut of memory|failed to allocate|malloc of size \d+ failed",
        _MEMORY,
        "There was not enough memory.",
    ),
    _Row(r"Device creation failed", _NO, "The device could not be opened."),
)
_COMPILED = tuple((re.compile(row.pattern), row) for row in _ROWS)
# An option that this build or driver does not know names itself.
_NAMED_OPTION = re.compile(
    r"Error setting option (?P<set>[\w-]+) to value"
    r"|Unrecognized option '(?P<unknown>[\w-]+?)(?::\S*)?'"
    r"|Failed to set value '[^']*' for option '(?P<failed>[\w-]+?)(?::\S*)?'"
)
_UNPARSED = re.compile(r"Unable to parse (?:\"(?P<option>[\w-]+)\" )?option value \"")
_PREFIX = re.compile(r"^(\[[^\]]*\] )*")


def classify(stderr_lines: Sequence[str], return_code: int = 1) -> Failure:
    """The cause of a failed encode; kind OTHER where nobody knows it."""
    for pattern, row in _COMPILED:
        for line in stderr_lines:
            if pattern.search(line):
                return Failure(row.kind, row.text, _plain(line), row.drop)
    named = _refused_option(stderr_lines)
    if named is not None:
        return named
    if return_code == _SIGKILL:
        text = "It was ended by the system, most likely because memory ran out."
        return Failure(FailureKind.OUT_OF_MEMORY, text)
    if return_code < 0:
        return Failure(FailureKind.CRASHED, f"ffmpeg crashed (signal {-return_code}).")
    last = next((line for line in reversed(stderr_lines) if line.strip()), "")
    text = "The encoder failed for a reason that MediaFlow does not know."
    return Failure(FailureKind.OTHER, text, _plain(last))


def _refused_option(lines: Sequence[str]) -> Failure | None:
    for line in lines:
        match = _NAMED_OPTION.search(line)
        if match is not None:
            name = next(value for value in match.groups() if value)
            text = f"This ffmpeg does not take the option {name} as it was given."
            return Failure(FailureKind.CAPABILITY, text, _plain(line), (name,))
    for line in lines:
        match = _UNPARSED.search(line)
        if match is not None:
            text = "This ffmpeg does not know a value that was given."
            drop = (match["option"] or ALL_EXTRAS,)
            return Failure(FailureKind.CAPABILITY, text, _plain(line), drop)
    return None


def _plain(line: str) -> str:
    """Without the components and addresses in front."""
    return _PREFIX.sub("", line.strip())[:300]
