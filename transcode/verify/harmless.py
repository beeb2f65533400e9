"""What ffmpeg's standard error may say without anything being wrong, and what always is wrong.

The texts were seen from the bundled build on good films. A line in neither table is unknown: the
process rung then asks whether decoding the source says the same.
"""

from __future__ import annotations

import re

# "[libx264 @ 0x55d0] [warning] text" and "[warning] text": the parts before the text.
_PREFIX = re.compile(r"^(?:\[(?P<part>[^\]@]+)(?:@ [^\]]*)?\] )*(?:\[(?P<level>[a-z]+)\] )?")

_HARMLESS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^$",
        r"^Last message repeated \d+ times$",
        # Encoders' own talk. SVT-AV1 prints its banner whatever -v says.
        r"^Svt\[(info|warn)\]",
        r"^-{10,}$",
        r"^SVT \[(version|build|config|warn)",
        r"^x265 \[info\]|^encoded \d+ frames",
        r"^x265 \[warning\]: Source height < 720p; disabling lookahead-slices",
        r"^x265 \[warning\]: (--\S+|Specified|level|Limit|Min CU|Turning|halving|VBV)",
        r"^x265 \[warning\]: (No thread|UHD)",
        r"^x265 \[warning\]: (Disabl|Rate|rc-lookahead|bframes|Lookahead|Resetting|Setting)",
        r"^(frame )?MB (rate|size).*> level limit|^DPB size .*> level limit|^VBV (maxrate|bitrate)",
        r"^No bit rate set\. Defaulting to",
        # Decoding an open GOP from its start.
        r"^mmco: unref short failure$",
        r"^(co located POCs unavailable|Skipping invalid undecodable NAL)",
        # Demuxers' notes: subtitle tracks without a packet in the first seconds, guessed durations.
        r"^Could not find codec parameters for stream \d+ \((Subtitle|Attachment|Data|Unknown)",
        r"^Consider increasing the value for the 'analyzeduration'",
        r"^Stream #\d+: not enough frames to estimate rate",
        r"^start time for stream \d+ is not set in estimate_timings_from_pts",
        r"^Estimating duration from bitrate, this may be inaccurate",
        r"^Guessed Channel Layout",
        r"^stream \d+, timescale not set",  # MP4's cover art
        # Muxers' notes on what the plan decides and other rungs measure.
        r"^Timestamps are unset in a packet for stream \d+\. This is deprecated",
        r"^Starting second pass: moving the moov atom",
        r"^track \d+: codec frame size is not set$",
        r"^Frame rate very high for a muxer not efficiently supporting it",
        # MP4: a track's title is read back in a second try; a cover picture has no timescale.
        r"^UDTA parsing failed retrying raw$",
        r"^stream \d+, timescale not set$",
        r"^deprecated pixel format used, make sure you did set range correctly",
        r"^No accelerated colorspace conversion found",
    )
)

# Damage in what was read or written. Never harmless, also when the source says the same: such a
# film is refused rather than replaced by a copy of its damage (trust.md, fault 24).
_DAMAGE = re.compile(
    r"error while decoding|concealing \d+|corrupt|invalid nal|invalid data found|damaged|"
    r"error submitting|error decoding|ended prematurely|decode_slice_header error|"
    r"invalid mb type|missing reference picture|truncat|non-existing pps|partial file|"
    r"no space left|input/output error|error reading|error writing|conversion failed|"
    r"error muxing|packet corrupt|invalid data",
    re.IGNORECASE,
)

_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def message(line: str) -> str:
    """The text of a line without component, address and level."""
    return _PREFIX.sub("", line.strip())


def normalised(line: str) -> str:
    """The line without what differs between two runs of the same thing (addresses in memory)."""
    return _ADDRESS.sub("0x", line.strip())


def is_harmless(line: str) -> bool:
    text = message(line)
    return any(pattern.search(text) for pattern in _HARMLESS)


def is_damage(line: str) -> bool:
    """Whether the line tells of broken bytes, lost writes or missing pictures."""
    return not is_harmless(line) and _DAMAGE.search(line) is not None


def unknown_lines(lines: tuple[str, ...] | list[str]) -> list[str]:
    """The lines that no entry of the harmless table explains, in order."""
    return [line for line in lines if not is_harmless(line)]
