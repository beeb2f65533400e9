"""Pictures of a film before and after encoding: which there are, and where they lie.

A job names its pictures in `sample_frames`; only those are ever served, and only out of the job's
own folder. Nothing of an address becomes part of a path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from django.urls import reverse

from mediaflow.templatetags._text import clock
from transcode.quality.pictures import frames_folder

if TYPE_CHECKING:
    from pathlib import Path

    from transcode.models import Job

SIDES: Final = ("before", "after")
# kind -> word, in the order of the tabs
KINDS: Final = {"worst": "Worst", "median": "Median", "best": "Best"}
CONTENT_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
MOST_BYTES: Final = 64 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,80}\.(?:png|jpe?g|webp)")
_RATE = re.compile(r"(\d{1,9})(?:/(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class PicturePair:
    """One picture of the film, before and after."""

    kind: str
    word: str
    frame: int
    time: str  # place in the film; "" when the frame rate is unknown
    vmaf: str
    before_url: str
    after_url: str


@dataclass(frozen=True, slots=True)
class QualityPictures:
    """The pairs that can be shown, one of them chosen."""

    job_id: int
    pairs: tuple[PicturePair, ...]
    shown: PicturePair | None  # None: there were pictures, but they are gone
    width: int  # of the result's picture; 0: unknown
    height: int
    is_hdr: bool  # a browser's picture is not: both sides are tone-mapped alike


def picture_path(job: Job, kind: str, side: str) -> Path | None:
    """The file of one side of one pair; None when the job names none, or it is not there."""
    row = _rows(job.sample_frames).get(kind)
    return _file(job, row[side]) if row and side in SIDES else None


def content_type(path: Path) -> str:
    return CONTENT_TYPES[path.suffix]


def read_pictures(job: Job, wanted: str = "") -> QualityPictures | None:
    """None when this job never took pictures. `wanted`: a kind, else the first there is."""
    rows = _rows(job.sample_frames)
    if not rows:
        return None
    video = _planned_video(job.plan)
    rate = _frame_rate(video)
    pairs = tuple(_pair(job, rows[kind], rate) for kind in KINDS if _is_there(job, rows.get(kind)))
    chosen = next((pair for pair in pairs if pair.kind == wanted), pairs[0] if pairs else None)
    width, height = (_whole(video.get(name)) for name in ("width", "height"))
    return QualityPictures(job.pk, pairs, chosen, width, height, _is_hdr(video))


def _rows(raw: object) -> dict[str, dict[str, Any]]:
    """By kind; rows that another version wrote, or that name no plain file, are left out."""
    rows: dict[str, dict[str, Any]] = {}
    for row in raw if isinstance(raw, list) else ():
        if not isinstance(row, dict) or row.get("kind") not in list(KINDS):
            continue
        names = [row.get(side) for side in SIDES]
        if all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
            rows.setdefault(row["kind"], row)
    return rows


def _is_there(job: Job, row: dict[str, Any] | None) -> bool:
    return row is not None and all(_file(job, row[side]) for side in SIDES)


def _file(job: Job, name: str) -> Path | None:
    """A plain file right in the job's folder, no link to elsewhere."""
    path = frames_folder(job.uuid) / name
    try:
        is_fit = not path.is_symlink() and path.is_file() and path.stat().st_size <= MOST_BYTES
    except OSError:
        return None
    return path if is_fit else None


def _pair(job: Job, row: dict[str, Any], rate: float) -> PicturePair:
    frame = _whole(row.get("frame"))
    vmaf = row.get("vmaf")
    is_scored = isinstance(vmaf, (int, float)) and not isinstance(vmaf, bool)
    seconds = row.get("seconds")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds < 1e7:
        seconds = frame / rate if rate else None
    before, after = (_url(job, row, side) for side in SIDES)
    return PicturePair(
        kind=row["kind"],
        word=KINDS[row["kind"]],
        frame=frame,
        time="" if seconds is None else clock(seconds),
        vmaf=f"{vmaf:.1f}" if is_scored else "",
        before_url=before,
        after_url=after,
    )


def _url(job: Job, row: dict[str, Any], side: str) -> str:
    """Pictures are kept by browsers for good, so another picture needs another address."""
    mark = crc32(f"{job.uuid} {row.get('frame')} {row[side]} {job.finished_at}".encode())
    path = reverse("transcode:job_picture", args=[job.pk, row["kind"], side])
    return f"{path}?v={mark:08x}"


def _planned_video(plan: object) -> dict[str, Any]:
    video = plan.get("video") if isinstance(plan, dict) else None
    return video if isinstance(video, dict) else {}


def _is_hdr(video: dict[str, Any]) -> bool:
    color = video.get("color")
    return isinstance(color, dict) and color.get("hdr", "sdr") not in {"", "sdr"}


def _frame_rate(video: dict[str, Any]) -> float:
    """0.0 when the plan says none."""
    found = _RATE.fullmatch(str(video.get("frame_rate", "")))
    if found is None or int(found[2] or 1) == 0:
        return 0.0
    return int(found[1]) / int(found[2] or 1)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0
