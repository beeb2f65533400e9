"""From what a film is and what a preset wants to the frozen plan of a job. Pure: no I/O, no Django.

Every stream is kept unless the preset or the container says otherwise; each one that is dropped
says why. HDR, frames, times, languages, flags are kept, or the film is skipped with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.outcomes import JobFailed, JobSkipped
from transcode.planning.audio import plan_audio
from transcode.planning.borders import NOT_LOOKED_AT, Borders
from transcode.planning.chromecast import spec_for_chromecast
from transcode.planning.containers import output_container
from transcode.planning.draft import Draft
from transcode.planning.model import Plan, StreamKind
from transcode.planning.streams import plan_attachments, plan_covers, plan_data
from transcode.planning.subtitles import plan_subtitles
from transcode.planning.video import plan_video

if TYPE_CHECKING:
    from uuid import UUID

    from library.media_info import MediaInfo, VideoStream
    from transcode.planning.packet_index import PacketIndex
    from transcode.presets.spec import PresetSpec

# Tags of the source's container format that would be wrong in the output.
_STALE_TAGS = ("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS")


def make_plan(
    info: MediaInfo,
    index: PacketIndex,
    spec: PresetSpec,
    *,
    preset_slug: str,
    job_uuid: UUID,
    fingerprint: str,
    ffmpeg_version: str,
    borders: Borders = NOT_LOOKED_AT,
) -> Plan:
    """The plan. Raises JobSkipped or JobFailed with the reason where there can be none.

    `borders` is what `black_bars.find_borders` saw, where the preset wants bars cut off.
    """
    film = _film_stream(info, index)
    spec, reasons = spec_for_chromecast(info, index, spec)
    draft = Draft(info, index, spec, output_container(spec.container, info.container), borders)
    draft.notes += reasons
    video = plan_video(draft, film)
    for add_streams in (plan_audio, plan_subtitles, plan_attachments, plan_covers, plan_data):
        add_streams(draft)
    if draft.container.has_default_of_each_kind:
        draft.mark_defaults()
    chapters = len(info.chapters) if spec.keep_chapters else 0
    if info.chapters and not spec.keep_chapters:
        draft.losses.append(f"{len(info.chapters)} chapters, as the preset says")
    return Plan(
        container=draft.container.name,
        extension=draft.container.extension,
        streams=tuple(sorted(draft.streams, key=lambda s: s.source_index)),
        video=video,
        input_options=tuple(draft.input_options),
        output_options=_output_options(draft, chapters, f"{job_uuid};{preset_slug}"),
        duration_s=draft.duration_s,
        chapters=chapters,
        source_fingerprint=fingerprint,
        source_sha256=index.sha256,
        ffmpeg_version=ffmpeg_version,
        min_saving_pct=spec.min_saving_pct,
        is_vmaf_checked=spec.is_vmaf_checked,
        min_vmaf_mean=spec.min_vmaf_mean,
        min_vmaf_p5=spec.min_vmaf_p5,
        losses=tuple(dict.fromkeys(draft.losses)),
        notes=tuple(dict.fromkeys(draft.notes)),
    )


def _output_options(draft: Draft, chapters: int, tag: str) -> tuple[str, ...]:
    """Everything between the input and the output's name, in a fixed order."""
    # Track tags are written one by one: Matroska's statistics of the source would be stale.
    tags = ["-map_metadata", "0", "-map_metadata:s", "-1"]
    for name in _STALE_TAGS:
        if name in draft.info.tags:
            tags += ["-metadata", f"{name.lower()}="]
    return (
        *draft.maps,
        *tags,
        *("-map_chapters", "0" if chapters else "-1"),
        *draft.options,
        # A subtitle or a late track may come minutes after the first picture.
        *("-max_muxing_queue_size", "4096"),
        *_tag_options(draft, tag),
        *("-f", draft.container.muxer),
    )


def _tag_options(draft: Draft, tag: str) -> tuple[str, ...]:
    """MediaFlow's own tag. MP4 takes unknown tags only in a form that excludes cover art."""
    if draft.container.name != "mp4":
        return ("-metadata", f"MEDIAFLOW={tag}")
    if any(s.kind == StreamKind.COVER and s.output_index is not None for s in draft.streams):
        return ("-metadata", f"keywords=MEDIAFLOW={tag}", "-movflags", "+faststart")
    return ("-metadata", f"MEDIAFLOW={tag}", "-movflags", "+faststart+use_metadata_tags")


def _film_stream(info: MediaInfo, index: PacketIndex) -> VideoStream:
    """The one picture stream. Raises JobSkipped for what must not be touched."""
    film = info.main_video
    if film is None:
        raise JobSkipped("no_video", "There is no video track in it.")
    if len(info.video) > 1:
        raise JobSkipped(
            "several_videos",
            f"It holds {len(info.video)} video tracks (angles or programs); encoding would keep"
            " one of them. It is left alone.",
        )
    words = " ".join(info.warnings).lower()
    if "encrypted" in words:
        raise JobSkipped("encrypted", "The film is encrypted; MediaFlow cannot read it.")
    if "is not decoded" in words:
        raise JobSkipped(
            "codec_not_decoded",
            f"MediaFlow does not decode {film.codec or 'its video codec'}; it is left alone.",
        )
    if "stereo high" in film.profile.lower() or "multiview" in film.profile.lower():
        raise JobSkipped("stereo_3d", "It is a 3D film (MVC); encoding would lose the second eye.")
    if not film.width or not film.height:
        raise JobFailed("size_unknown", "The size of its picture cannot be read.")
    if index.video_index != film.index:
        raise JobFailed("streams_unclear", "Its video track cannot be told for certain.")
    if not index.frames:
        raise JobFailed("no_frames", "Its video track holds no picture that could be shown.")
    return film
