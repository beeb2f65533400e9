"""The one builder of inputs for ffmpeg and PyAV: local files, known containers, known decoders.

A film folder is hostile input. CVE-2026-8461 (MagicYUV heap write) and CVE-2026-107697 (HLS leaves
its protocol list) are reached by merely opening a file, and the libraries inside PyAV are older
than the newest fix: so what films never use is not reachable at all. That each list takes effect in
both programs is proven by `tests/base/test_input_guard.py`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from av.container import InputContainer
    from av.stream import Stream

PROTOCOLS = "file"
# 8192 × 8192: twice an 8K film. 65535 × 65535 would ask for 6 GB per frame.
MAX_PIXELS = 8192 * 8192
MAX_STREAMS = 1000

# Demuxers by their own names. None opens a second file (no hls, dash, concat, image2, sdp, …).
_FORMATS = (
    "matroska webm mov mp4 m4a 3gp 3g2 mj2 avi mpegts mpeg mpegvideo asf asf_o ogg flv rm ivf mxf"
    " mxf_opatom gxf nut dv wtv h264 hevc m4v vc1 obu av1"
)
GUARDED_FORMATS: frozenset[str] = frozenset(_FORMATS.split())

_VIDEO = (
    "h264 hevc vvc libdav1d libaom-av1 av1 vp3 vp6 vp6a vp6f vp8 vp9 libvpx libvpx-vp9 mpeg1video"
    " mpeg2video mpegvideo mpeg4 msmpeg4 msmpeg4v1 msmpeg4v2 h261 h263 h263i h263p flv vc1 wmv1"
    " wmv2 wmv3 theora prores dnxhd ffv1 huffyuv ffvhuff utvideo dvvideo rv10 rv20 rv30 rv40"
    " svq1 svq3 cinepak rawvideo mjpeg png bmp gif webp"
)
_AUDIO = (
    "aac aac_latm ac3 eac3 dca truehd mlp flac alac opus libopus vorbis libvorbis mp1 mp1float mp2"
    " mp2float mp3 mp3float wmav1 wmav2 wmapro wmalossless wmavoice cook sipr real_144 real_288"
    " ralf atrac3 atrac3plus wavpack tta ape speex nellymoser amrnb amrwb"
    " libopencore_amrnb libopencore_amrwb gsm gsm_ms g722 s302m adpcm_ms adpcm_ima_wav adpcm_ima_qt"
    " adpcm_swf qdm2 qdmc"
    " pcm_alaw pcm_mulaw pcm_bluray pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_s16be"
    " pcm_s16be_planar pcm_s16le pcm_s16le_planar pcm_s24be pcm_s24le pcm_s24le_planar pcm_s32be"
    " pcm_s32le pcm_s32le_planar pcm_s8 pcm_s8_planar pcm_u16be pcm_u16le pcm_u24be pcm_u24le"
    " pcm_u32be pcm_u32le pcm_u8"
)
_SUBTITLE = (
    "subrip srt ass ssa mov_text webvtt text pgssub dvdsub dvbsub xsub cc_dec libzvbi_teletextdec"
)
# Decoder names, not codec names: AV1 is decoded by libdav1d. No magicyuv, no game formats.
GUARDED_DECODERS: frozenset[str] = frozenset(f"{_VIDEO} {_AUDIO} {_SUBTITLE}".split())

_FORMAT_LIST = ",".join(sorted(GUARDED_FORMATS))
_DECODER_LIST = ",".join(sorted(GUARDED_DECODERS))


class InputRefused(ValueError):
    """A path that cannot be given to a demuxer at all: empty, relative or with a NUL byte."""


def guard_options() -> dict[str, str]:
    """Options for `av.open`: they reach the demuxer and the decoders tried while opening."""
    return {
        "protocol_whitelist": PROTOCOLS,
        "format_whitelist": _FORMAT_LIST,
        "codec_whitelist": _DECODER_LIST,
        "max_pixels": str(MAX_PIXELS),
        "max_streams": str(MAX_STREAMS),
    }


def decoder_options() -> dict[str, str]:
    """Options for a codec context opened later: PyAV does not hand on those of the container."""
    return {"codec_whitelist": _DECODER_LIST, "max_pixels": str(MAX_PIXELS)}


def input_url(path: bytes | str) -> str:
    """`file:` and the absolute path. Names like `-i`, `http:x`, `100%d` are then only names.

    Undecodable bytes travel as surrogate escapes; `os.fsencode` makes the same bytes of them.
    Raises InputRefused for a path that is not absolute or holds a NUL byte.
    """
    text = os.fsdecode(path)
    if not text.startswith("/") or "\0" in text:
        raise InputRefused(f"not an absolute path: {text!a}")
    return "file:" + text


def open_guarded(path: bytes, *, options: Mapping[str, str] | None = None) -> InputContainer:
    """Open one local film. The caller closes it (`with open_guarded(path) as film:`).

    `options` may add to the guard, never replace a part of it. Every stream's decoder carries the
    allow-list too, so decoding another one raises `av.error.ArgumentError`. Raises InputRefused,
    `av.error.FFmpegError` (also an OSError for those with an errno of the system).
    """
    chosen = {**(options or {}), **guard_options()}
    film = av.open(input_url(path), mode="r", options=chosen, metadata_errors="replace")
    for stream in film.streams:
        # None for codecs that the libraries do not know (AC-4, MPEG-H): stays without a decoder.
        if stream.codec_context is not None:
            stream.codec_context.options = decoder_options()
    return film


def is_decoder_allowed(stream: Stream) -> bool:
    """Whether this stream's decoder exists and is on the list."""
    context = stream.codec_context
    return context is not None and context.name in GUARDED_DECODERS


def guarded_input(path: bytes | str, *, options: Sequence[str] = ()) -> list[str]:
    """The ffmpeg arguments of one input: allow-lists, `options` (such as `-ss`), `-i`, the film.

    Raises InputRefused like `input_url`.
    """
    guard = [
        *("-protocol_whitelist", PROTOCOLS),
        *("-format_whitelist", _FORMAT_LIST),
        *("-codec_whitelist", _DECODER_LIST),
        *("-max_pixels", str(MAX_PIXELS)),
        *("-max_streams", str(MAX_STREAMS)),
    ]
    return [*guard, *options, "-i", input_url(path)]
