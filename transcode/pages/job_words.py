"""How a job is named and described on pages: title, phases, state word, preset, savings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from library.listing.labels import quality_badges, video_codec_label
from transcode.encoders import ENCODERS
from transcode.encoders.hardware import CODEC_TITLES
from transcode.models import Job, JobPhase, JobStatus

if TYPE_CHECKING:
    from library.models import MediaFile

PHASES: Final = (
    JobPhase.PLAN,
    JobPhase.ENCODE,
    JobPhase.ASSEMBLE,
    JobPhase.VERIFY,
    JobPhase.REPLACE,
)
# status -> `kind` of components/_state.html
STATE_KINDS: Final[dict[str, str]] = {
    JobStatus.QUEUED: "wait",
    JobStatus.RUNNING: "run",
    JobStatus.RETRY_WAIT: "wait",
    JobStatus.HELD: "held",
    JobStatus.COMPLETED: "ok",
    JobStatus.SKIPPED: "skip",
    JobStatus.FAILED: "bad",
    JobStatus.CANCELLED: "idle",
}
ENCODER_CODECS: Final = {family: CODEC_TITLES[e.codec] for family, e in ENCODERS.items()}
ENCODED_CODECS: Final = {
    **{e.ffmpeg_name: CODEC_TITLES[e.codec] for e in ENCODERS.values()},
    "copy": "",
}
FFMPEG_ENCODERS: Final = {"libx264": "x264", "libx265": "x265", "libsvtav1": "SVT-AV1"}


@dataclass(frozen=True, slots=True)
class FilmName:
    """What a film is called in lists."""

    title: str
    year: str


@dataclass(frozen=True, slots=True)
class PhaseMark:
    """One step of components/_phases.html: done, now, bad or todo."""

    label: str
    state: str


def film_name(file: MediaFile | None, path: str) -> FilmName:
    """From the library, else from the path (the file may be gone from it)."""
    stem = PurePosixPath(path).stem or path or "film"
    if file is None:
        return FilmName(stem, "")
    if file.show_title:
        number = f"S{file.season:02d}E{file.episode:02d}"
        return FilmName(f"{file.show_title} {number}", "")
    return FilmName(file.title or stem, str(file.year) if file.year else "")


def badge_texts(file: MediaFile | None) -> tuple[str, ...]:
    """Resolution, codec, range, sound: the badges of a film in a row that may wrap."""
    if file is None:
        return ()
    badges = quality_badges(file)
    texts = (badges.resolution, badges.codec, *badges.range, badges.sound)
    return tuple(text for text in texts if text)


def source_badge_texts(job: Job) -> tuple[str, ...]:
    """What the film was: after a swap the file is the result, so the codec comes from the plan."""
    texts = badge_texts(job.file)
    before = _planned_source_codec(job.plan)
    if job.status != JobStatus.COMPLETED or job.undone_at or not before or job.file is None:
        return texts
    now = quality_badges(job.file).codec
    was = video_codec_label(before)
    return tuple(was if text == now else text for text in texts)


def _planned_source_codec(plan: object) -> str:
    """The film's codec by the frozen plan; "" for a plan that this version cannot read."""
    streams = plan.get("streams") if isinstance(plan, dict) else None
    for stream in streams if isinstance(streams, list) else ():
        if isinstance(stream, dict) and stream.get("kind") == "video":
            return str(stream.get("source_codec", ""))
    return ""


def target_codec(encoder: str, spec: dict[str, Any]) -> str:
    """The badge of what the video becomes, by the plan's encoder or else the preset's; "" when it
    is copied."""
    if encoder in ENCODED_CODECS:
        return ENCODED_CODECS[encoder]
    video = spec.get("video") if isinstance(spec, dict) else None
    return ENCODER_CODECS.get(str((video or {}).get("encoder", "")), "")


def encoder_text(encoder: str, crf: float | None) -> str:
    """ "x265 CRF 20", as people write it; "" before the plan."""
    name = FFMPEG_ENCODERS.get(encoder, encoder)
    return f"{name} CRF {crf:g}" if name and crf is not None else name


@lru_cache(maxsize=64)
def phase_marks(phase: str, status: str) -> tuple[PhaseMark, ...]:
    """Where a job is, or where it ended."""
    if status == JobStatus.COMPLETED:
        return tuple(PhaseMark(str(p.label), "done") for p in PHASES)
    place = PHASES.index(JobPhase(phase)) if phase in PHASES else -1
    if status in {JobStatus.RUNNING, JobStatus.FAILED} and place < 0:
        place = 0
    here = {JobStatus.RUNNING: "now", JobStatus.FAILED: "bad"}.get(JobStatus(status), "todo")
    is_ended = status in {JobStatus.FAILED, JobStatus.RUNNING}
    return tuple(
        PhaseMark(
            str(step.label),
            ("done" if number < place else here if number == place else "todo")
            if is_ended
            else "todo",
        )
        for number, step in enumerate(PHASES)
    )


def is_swap_running(job: Job) -> bool:
    """A job that replaces now finishes that first, whatever anybody asks."""
    return job.status == JobStatus.RUNNING and job.phase == JobPhase.REPLACE


def state_word(job: Job) -> str:
    """The word beside the state's icon."""
    if job.status == JobStatus.COMPLETED and job.undone_at:
        return "Undone"
    if job.status == JobStatus.RUNNING and job.cancel_requested_at:
        return "Stopping"
    if job.is_paused and job.status in {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RETRY_WAIT}:
        return "Paused"
    return str(JobStatus(job.status).label)


def state_kind(job: Job) -> str:
    if job.status == JobStatus.COMPLETED and job.undone_at:
        return "idle"
    if job.is_paused and job.status in {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.RETRY_WAIT}:
        return "held"
    return STATE_KINDS[job.status]


def saved_bytes(job: Job) -> int | None:
    """Bytes that the result is smaller; None before there is one."""
    return None if job.output_bytes is None else job.source_bytes - job.output_bytes


def predicted_saving(job: Job) -> tuple[int, int, int] | None:
    """(expected, low, high) bytes saved as predicted; None without a prediction."""
    if job.predicted_bytes is None:
        return None
    low = job.predicted_bytes_low if job.predicted_bytes_low is not None else job.predicted_bytes
    high = job.predicted_bytes_high if job.predicted_bytes_high is not None else job.predicted_bytes
    source = job.source_bytes
    return source - job.predicted_bytes, max(source - high, 0), max(source - low, 0)
