"""Items as Plex describes them: one tree of plain values, rendered as JSON or as XML.

Keys are Plex's own. Keys that begin with "_" are the stand-in's and never leave it:
`_exists` of a Part (False: its file is gone).
"""

from __future__ import annotations

import hashlib
from typing import Any

Tree = dict[str, Any]
SECTION_OF_TYPE = {"movie": 1, "show": 2, "season": 3, "episode": 4, "collection": 18}
TYPE_OF_NUMBER = {number: name for name, number in SECTION_OF_TYPE.items()}


def guid_of(kind: str, *parts: object) -> str:
    """The same film has the same guid wherever and whenever it is found."""
    text = "|".join(str(part).casefold() for part in parts)
    return f"plex://{kind}/{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def video_stream(codec: str = "h264", **values: Any) -> Tree:
    """A video stream of 1080p SDR; `hdr` "hdr10", "hlg", "dv5", "dv7", "dv8", "hdr10plus"."""
    hdr = values.pop("hdr", "")
    width, height = values.pop("width", 1920), values.pop("height", 1080)
    tree: Tree = {
        "id": 1, "streamType": 1, "default": True, "codec": codec, "index": 0,
        "bitrate": 8000, "bitDepth": 8, "chromaLocation": "left", "chromaSubsampling": "4:2:0",
        "codedHeight": height, "codedWidth": width, "frameRate": 23.976, "height": height,
        "width": width, "level": 41, "profile": "high" if codec == "h264" else "main",
        "refFrames": 4, "scanType": "progressive",
        "displayTitle": f"{_name_of_size(width)} ({codec.upper()})",
        "extendedDisplayTitle": f"{_name_of_size(width)} ({codec.upper()})",
    }  # fmt: skip
    if hdr:
        tree |= _HDR[hdr] | {"bitDepth": 10, "profile": "main 10"}
        label = {"hdr10": "HDR10", "hlg": "HLG", "hdr10plus": "HDR10+"}.get(hdr, "DoVi")
        title = f"{_name_of_size(width)} {label} ({codec.upper()} Main 10)"
        tree |= {"displayTitle": title, "extendedDisplayTitle": title}
    return tree | values


_BT2020 = {"colorPrimaries": "bt2020", "colorRange": "tv", "colorSpace": "bt2020nc"}
_PQ = {**_BT2020, "colorTrc": "smpte2084"}
_DOVI = {
    "DOVIPresent": True, "DOVILevel": 6, "DOVIVersion": "1.0", "DOVIBLPresent": True,
    "DOVIRPUPresent": True,
}  # fmt: skip
_HDR: dict[str, Tree] = {
    "hdr10": _PQ,
    "hdr10plus": _PQ,
    "hlg": {**_BT2020, "colorTrc": "arib-std-b67"},
    # Profile 5 has no transfer characteristics of its own.
    "dv5": {**_DOVI, "DOVIProfile": 5, "DOVIBLCompatID": 0, "DOVIELPresent": False},
    "dv7": {**_PQ, **_DOVI, "DOVIProfile": 7, "DOVIBLCompatID": 6, "DOVIELPresent": True},
    "dv8": {**_PQ, **_DOVI, "DOVIProfile": 8, "DOVIBLCompatID": 1, "DOVIELPresent": False},
}


def audio_stream(codec: str = "ac3", **values: Any) -> Tree:
    channels = values.pop("channels", 6)
    return {
        "id": 2, "streamType": 2, "selected": True, "default": True, "codec": codec, "index": 1,
        "channels": channels, "bitrate": 640, "language": "English", "languageTag": "en",
        "languageCode": "eng", "audioChannelLayout": "5.1(side)" if channels == 6 else "stereo",
        "samplingRate": 48000, "displayTitle": f"English ({codec.upper()})",
        "extendedDisplayTitle": f"English ({codec.upper()})", **values,
    }  # fmt: skip


def subtitle_stream(codec: str = "srt", **values: Any) -> Tree:
    return {
        "id": 3, "streamType": 3, "codec": codec, "index": 2, "bitrate": 0, "language": "English",
        "languageTag": "en", "languageCode": "eng", "displayTitle": f"English ({codec.upper()})",
        "extendedDisplayTitle": f"English ({codec.upper()})", **values,
    }  # fmt: skip


def part_tree(
    file: str,
    *,
    part_id: int,
    size: int = 8_000_000_000,
    mtime: int = 1_700_000_000,
    duration: int = 6_000_000,
    streams: list[Tree] | None = None,
) -> Tree:
    """One file. Without streams Plex has not analysed it."""
    suffix = file.rpartition(".")[2]
    tree: Tree = {
        "id": part_id,
        "key": f"/library/parts/{part_id}/{mtime}/file.{suffix}",
        "duration": duration,
        "file": file,
        "size": size,
    }
    if streams:
        tree |= {"container": suffix, "videoProfile": streams[0].get("profile", "")}
        tree["Stream"] = streams
    return tree


def media_tree(media_id: int, parts: list[Tree], **values: Any) -> Tree:
    """One version. What Plex says about it follows from the streams of its first part."""
    tree: Tree = {"id": media_id, "duration": sum(part.get("duration", 0) for part in parts)}
    streams = parts[0].get("Stream", []) if parts else []
    video = next((s for s in streams if s["streamType"] == 1), None)
    audio = next((s for s in streams if s["streamType"] == 2), None)
    if video:
        tree |= {
            "bitrate": sum(stream.get("bitrate") or 0 for stream in streams),
            "width": video["width"],
            "height": video["height"],
            "aspectRatio": 1.78,
            "videoCodec": video["codec"],
            "videoResolution": resolution_text(video["width"]),
            "container": parts[0].get("container", ""),
            "videoFrameRate": "24p",
            "videoProfile": video.get("profile", ""),
            "hasVoiceActivity": False,
        }
    if audio:
        tree |= {"audioChannels": audio["channels"], "audioCodec": audio["codec"]}
    return {**tree, **values, "Part": parts}


def resolution_text(width: int) -> str:
    """As Plex writes it: 4k, 1080, 720, 480, sd."""
    for least, text in ((3000, "4k"), (1600, "1080"), (1100, "720"), (700, "480")):
        if width >= least:
            return text
    return "sd"


def _name_of_size(width: int) -> str:
    return {"4k": "4K", "sd": "SD"}.get(text := resolution_text(width), f"{text}p")


def tag(name: str, tag_id: int, kind: str) -> Tree:
    return {"id": tag_id, "filter": f"{kind.lower()}={tag_id}", "tag": name}
