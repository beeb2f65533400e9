"""One film's MediaInfo, read with PyAV in this process. Scans use `library.probing.pool`.

No Django here: worker processes import this module and must start fast.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import av
import av.error

from library.media_info import Chapter, HdrKind, MediaInfo, TimingKind, VideoStream
from library.probing import color as probe_color
from library.probing.dump import Dump, DumpedStream, read_dump
from library.probing.streams import (
    read_attachment,
    read_audio,
    read_cover,
    read_data,
    read_subtitle,
    read_video,
)
from library.probing.timing import judge_timing, pick_frame_rate
from mediaflow.base.input_guard import InputRefused, is_decoder_allowed, open_guarded

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

PROBER_VERSION = f"pyav-{av.__version__}/3"  # the last number moves when this code reads more

# Packets looked at beyond what opening read anyway: enough to see variable spacing and captions.
_SAMPLE_PACKETS = 48
_SAMPLE_BYTES = 1 << 20
# However large they are: fewer say nothing of the spacing. 20 pictures of a 4K disc have 10 MB.
_LEAST_PACKETS = 20
_MOST_BYTES = 16 << 20
_INDEX_SLICE = 400
_MAX_DURATION_S = 14 * 24 * 3600
_MAX_TAGS = 200
_MAX_CHAPTERS = 5000
# Matroska and MP4 name all streams in their headers: half a second of packets and the first key
# frame tell the rest (2.4 ms instead of 8). Where they do not, the film is opened again without.
_QUICK_SUFFIXES = frozenset({".mkv", ".mk3d", ".webm", ".mp4", ".m4v", ".mov"})
_QUICK_LOOK = {"analyzeduration": "500000", "skip_frame": "nokey"}
_CAPTION_BYTES = 4096  # captions stand before the first slice
# ATSC A/53 captions: ITU-T T.35 SEI of H.264 and HEVC, user data of MPEG-2.
_CAPTION_MARKS = (b"\xb5\x00\x31GA94\x03", b"\x00\x00\x01\xb2GA94\x03")
_CAPTION_CODECS = frozenset({"h264", "hevc", "mpeg2video"})
_MAY_BE_INTERLACED = frozenset({"h264", "mpeg2video", "mpeg4", "vc1", "dvvideo", "ffv1", "prores"})
_SHORT_NAMES = {
    "matroska,webm": "mkv",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "mpegts": "ts",
    "mpeg": "mpg",
    "mpegvideo": "mpg",
}


class ProbeProblem(Exception):
    """Why a file could not be read. `text` is a sentence for people.

    kind: unreadable, encrypted, not_media, crashed, timeout, vanished.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)  # both, so that it travels between processes
        self.kind = kind
        self.text = text

    def __str__(self) -> str:
        return self.text


def probe_file(path: bytes) -> MediaInfo:
    """Read one film (absolute path). Raises ProbeProblem for whatever is wrong with it.

    A hostile file may still crash or hang the process: see `probe_in_worker`.
    """
    size_bytes = _check_plain_file(path)
    try:
        with _open(path) as film:
            return _read_film(film, path, size_bytes)
    except InputRefused as error:
        raise ProbeProblem("not_media", f"The path cannot be opened: {error}.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise _problem_of(path, error) from error
    except (MemoryError, OverflowError, ValueError, ZeroDivisionError) as error:
        text = f"Its header holds values that make no sense ({type(error).__name__})."
        raise ProbeProblem("not_media", text) from error


def _open(path: bytes) -> InputContainer:
    if PurePosixPath(os.fsdecode(path)).suffix.lower() in _QUICK_SUFFIXES:
        film = open_guarded(path, options=_QUICK_LOOK)
        if _is_complete(film):
            return film
        film.close()
    return open_guarded(path)


def _is_complete(film: InputContainer) -> bool:
    """Whether a quick look has found what a film's pictures and sound are."""
    for stream in (*film.streams.video, *film.streams.audio):
        if is_decoder_allowed(stream) and not _is_cover(stream) and not _is_known(stream):
            return False
    return True


def _is_known(stream: Any) -> bool:
    context = stream.codec_context
    if stream.start_time is None:  # none of its packets was seen
        return False
    if stream.type == "video":
        return bool(context.pix_fmt and context.width)
    has_profile = context.name != "dca" or context.profile  # DTS-HD shows in its frames only
    return bool(context.format and context.sample_rate and has_profile)


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _check_plain_file(path: bytes) -> int:
    try:
        status = os.stat(path)  # noqa: PTH116  # names are bytes
    except OSError as error:
        raise _problem_of(path, error) from error
    if not stat.S_ISREG(status.st_mode):  # a FIFO would block for ever
        raise ProbeProblem("not_media", "It is not a plain file.")
    if status.st_size == 0:
        raise ProbeProblem("not_media", "The file is empty (0 bytes).")
    return status.st_size


def _problem_of(path: bytes, error: Exception) -> ProbeProblem:
    if isinstance(error, FileNotFoundError):
        return ProbeProblem("vanished", "The file is gone.")
    if isinstance(error, PermissionError):
        return ProbeProblem("unreadable", "Permission denied: MediaFlow's user may not read it.")
    is_of_media = isinstance(error, (av.error.InvalidDataError, av.error.ArgumentError))
    if isinstance(error, OSError) and not is_of_media:
        return ProbeProblem("unreadable", f"It cannot be read: {error.strerror or error}.")
    if _looks_encrypted(path):
        return ProbeProblem("encrypted", "The film is encrypted; MediaFlow cannot read it.")
    if isinstance(error, av.error.ArgumentError):
        text = "It is not a film in a container that MediaFlow opens."
        return ProbeProblem("not_media", text)
    return ProbeProblem("not_media", "It is damaged or not a film: no container could be read.")


def _looks_encrypted(path: bytes) -> bool:
    """Boxes of common encryption near the start of an MP4. Never raises."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        head = os.pread(descriptor, 1 << 18, 0)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return head[4:8] == b"ftyp" and any(box in head for box in (b"encv", b"enca", b"pssh"))


def _read_film(film: InputContainer, path: bytes, size_bytes: int) -> MediaInfo:
    dump = read_dump(film)
    warnings = ["several programs"] if dump.programs > 1 else []
    video: list[VideoStream] = []
    found: dict[str, list[Any]] = {kind: [] for kind in _READERS}
    pictures: list[Any] = []
    for stream in film.streams:
        dumped = dump.streams.get(stream.index, DumpedStream())
        if stream.type == "video" and _is_cover(stream):
            pictures.append(read_cover(stream, dumped))
        elif stream.type == "video":
            video.append(read_video(stream, dumped))
        else:
            reader = _READERS.get(stream.type, _READERS["data"])
            found[stream.type if stream.type in found else "data"].append(reader(stream, dumped))
    if not video:
        raise ProbeProblem("not_media", "There is no video track in it.")
    info = _with_container(film, path, size_bytes, warnings)
    info = replace(
        info,
        video=tuple(video),
        audio=tuple(found["audio"]),
        subtitles=tuple(found["subtitle"]),
        attachments=tuple(found["attachment"]),
        cover_art=tuple(pictures),
        data_streams=tuple(found["data"]),
    )
    return _with_samples(film, info, dump)


_READERS: dict[str, Any] = {
    "audio": read_audio,
    "subtitle": read_subtitle,
    "attachment": lambda stream, _dumped: read_attachment(stream),
    "data": read_data,
}


def _with_container(
    film: InputContainer, path: bytes, size_bytes: int, warnings: list[str]
) -> MediaInfo:
    duration_s = film.duration / 1_000_000 if film.duration else None
    if duration_s is not None and not 0 < duration_s <= _MAX_DURATION_S:
        warnings.append("the duration in its header is impossible")
        duration_s = None
    start_s = film.start_time / 1_000_000 if film.start_time is not None else None
    tags = {key.upper()[:100]: text[:2000] for key, text in list(film.metadata.items())[:_MAX_TAGS]}
    return MediaInfo(
        container=_short_container(film, path),
        format_name=film.format.name,
        size_bytes=size_bytes,
        duration_s=duration_s,
        start_s=start_s,
        bit_rate_kbps=round(size_bytes * 8 / duration_s / 1000) if duration_s else None,
        chapters=tuple(_chapters(film)),
        tags=tags,
        warnings=tuple(warnings),
    )


def _short_container(film: InputContainer, path: bytes) -> str:
    name = film.format.name
    if name == "matroska,webm" and PurePosixPath(os.fsdecode(path)).suffix.lower() == ".webm":
        return "webm"
    if name.startswith("mov,") and film.metadata.get("major_brand", "").startswith("qt"):
        return "mov"
    return _SHORT_NAMES.get(name, name.partition(",")[0])[:12]


def _chapters(film: InputContainer) -> list[Chapter]:
    chapters = []
    for raw in film.chapters()[:_MAX_CHAPTERS]:
        base = raw["time_base"] or Fraction(0)
        title = raw["metadata"].get("title", "")[:2000]
        chapters.append(Chapter(float(raw["start"] * base), float(raw["end"] * base), title))
    return chapters


def _with_samples(film: InputContainer, info: MediaInfo, dump: Dump) -> MediaInfo:
    """Add what only packets and the first frame tell, for the main video stream."""
    main = info.main_video
    if main is None:
        return info
    stream = film.streams[main.index]
    dumped = dump.streams.get(main.index, DumpedStream())
    packets, is_whole = _first_packets(film, stream)
    if any(packet.has_sidedata("encryption_info") for packet in packets):
        raise ProbeProblem("encrypted", "The film is encrypted; MediaFlow cannot read it.")
    warnings = list(info.warnings)
    sampled = _with_timing(main, stream, packets, is_whole=is_whole)
    sampled = replace(sampled, has_closed_captions=_has_captions(main.codec, packets))
    if not is_decoder_allowed(stream):
        warnings.append(f"its video codec ({main.codec or 'unknown'}) is not decoded by MediaFlow")
    elif _wants_frame(sampled, dumped):
        sampled = _with_frame(sampled, stream, packets, dumped)
    video = tuple(sampled if v.index == main.index else v for v in info.video)
    return replace(info, video=video, warnings=tuple(warnings))


def _first_packets(film: InputContainer, stream: Any) -> tuple[list[Packet[Any]], bool]:
    """The first packets of one stream, and whether those are all. Damage ends the list early; the
    ladder judges damage."""
    packets: list[Packet[Any]] = []
    read_bytes = 0
    try:
        for packet in film.demux(stream):
            if packet.size == 0:
                break
            packets.append(packet)
            read_bytes += packet.size
            if len(packets) >= _SAMPLE_PACKETS or read_bytes >= _MOST_BYTES:
                return packets, False
            if len(packets) >= _LEAST_PACKETS and read_bytes >= _SAMPLE_BYTES:
                return packets, False
    except av.error.FFmpegError:
        pass
    return packets, True


def _with_timing(
    video: VideoStream, stream: Any, packets: list[Packet[Any]], *, is_whole: bool
) -> VideoStream:
    pts = [p.pts if p.pts is not None else p.dts for p in packets if not p.is_discard]
    kind, spacing = judge_timing(
        [t for t in pts if t is not None],
        is_whole=is_whole,
        complete_to=packets[-1].dts if packets else None,
    )
    if kind is TimingKind.CONSTANT and _index_is_uneven(stream):
        kind = TimingKind.VARIABLE
    base = stream.time_base or Fraction(0)
    # Packets of interlaced films may be single fields: their spacing is no frame rate.
    spacing_s = Fraction(0) if video.is_interlaced else spacing * base
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    if kind is TimingKind.VARIABLE and stream.frames:
        rate = stream.average_rate  # frames by duration, from an index of all frames
    else:
        rate = pick_frame_rate(spacing_s, rates)
    return replace(video, timing=kind, frame_rate=str(rate or ""))


def _index_is_uneven(stream: Any) -> bool:
    """MP4 lists every frame's decode time: slices from the middle and the end show late changes."""
    entries = stream.index_entries
    count = len(entries)
    if not stream.frames or count < stream.frames * 9 // 10 or count < 3 * _INDEX_SLICE:
        return False
    for start in (count // 3, count * 2 // 3, count - _INDEX_SLICE):
        times = [entry.timestamp for entry in entries[start : start + _INDEX_SLICE]]
        if judge_timing(times)[0] is TimingKind.VARIABLE:
            return True
    return False


def _has_captions(codec: str, packets: list[Packet[Any]]) -> bool:
    if codec not in _CAPTION_CODECS:
        return False
    heads = [bytes(memoryview(packet)[:_CAPTION_BYTES]) for packet in packets]
    return any(mark in head for head in heads for mark in _CAPTION_MARKS)


def _wants_frame(video: VideoStream, dumped: DumpedStream) -> bool:
    is_high = video.bit_depth > 8 or video.color_transfer in {probe_color.PQ, probe_color.HLG}
    is_unclear = not video.field_order and video.codec in _MAY_BE_INTERLACED
    return is_high or is_unclear or bool(dumped.dolby_vision_profile)


def _with_frame(
    video: VideoStream, stream: Any, packets: list[Packet[Any]], dumped: DumpedStream
) -> VideoStream:
    frame = _first_frame(stream, packets)
    side = {} if frame is None else {data.type.name: bytes(data) for data in frame.side_data}
    light = probe_color.read_light_level(side.get("CONTENT_LIGHT_LEVEL", b""))
    transfer = video.color_transfer
    if frame is not None:  # a raw stream's header may lack what its first frame says
        transfer = transfer or probe_color.TRANSFERS.get(int(frame.color_trc), "")
    has_dv = bool({"DOVI_METADATA", "DOVI_RPU_BUFFER"} & side.keys() or dumped.dolby_vision_profile)
    has_plus = "DYNAMIC_HDR_PLUS" in side
    kind = probe_color.hdr_kind(transfer=transfer, has_dolby_vision=has_dv, has_hdr10_plus=has_plus)
    is_interlaced = frame is not None and not video.field_order and frame.interlaced_frame
    return replace(
        video,
        color_transfer=transfer,
        hdr=kind,
        dolby_vision_profile=dumped.dolby_vision_profile if kind is HdrKind.DOLBY_VISION else "",
        has_hdr10_plus=has_plus,
        mastering_display=probe_color.read_mastering_display(
            side.get("MASTERING_DISPLAY_METADATA", b"")
        ),
        max_cll_nits=light[0] if light else None,
        max_fall_nits=light[1] if light else None,
        is_interlaced=video.is_interlaced or is_interlaced,
    )


def _first_frame(stream: Any, packets: list[Packet[Any]]) -> Any:
    """The first decoded frame, or None when the sampled packets give none."""
    context = stream.codec_context
    context.thread_count = 1  # frame threads would hold back the first frames and cost memory
    try:
        for packet in packets:
            for frame in context.decode(packet):
                return frame
        for frame in context.decode(None):
            return frame
    except av.error.FFmpegError:
        return None
    return None
