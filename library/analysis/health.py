"""The health score of a library: A to F out of 100 points, and what would raise it.

| part | points | a file earns all of them | some | none |
|---|---|---|---|---|
| codecs | 40 | HEVC, AV1, VVC, VP9 | H.264: 60 % | older ones |
| bit rate | 30 | up to the first limit of its resolution | to the second 70 %, third 35 % | above |
| containers | 15 | MKV, MP4, WebM, MOV | TS: 50 % | AVI, MPG, WMV, … |
| sound | 15 | AAC, AC-3, E-AC-3, Opus, FLAC, none | DTS, TrueHD: 60 %; MP3: 80 % | others |

A part's score is the mean over the files; files that could not be read count in none. Pure: it is
reckoned from the groups of `library.analysis.figures`, not from the files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from library.listing.keys import RATE_STEPS_KBPS, step_of
from library.listing.labels import (
    AUDIO_CODECS,
    CONTAINERS,
    VIDEO_CODECS,
    container_label,
    resolution_label,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from library.analysis.figures import Figures, PictureGroup, SoundGroup

# Every limit of the score stands here.
WEIGHTS: Final = {"codecs": 40, "bitrate": 30, "containers": 15, "sound": 15}
GRADES: Final = ((90, "A"), (75, "B"), (60, "C"), (45, "D"))  # at least so many of 100; else F
MODERN_CODECS: Final = frozenset({"hevc", "av1", "vvc", "vp9"})
CODEC_POINTS: Final = {**dict.fromkeys(MODERN_CODECS, 1.0), "h264": 0.6, "ffv1": 0.6}
# Kilobits a second; each a step of `library.listing.keys`, so that a group lies on one side.
RATE_LIMITS: Final = {
    4320: (40_000, 60_000, 100_000),
    2160: (20_000, 30_000, 60_000),
    1440: (10_000, 20_000, 30_000),
    1080: (8_000, 15_000, 25_000),
    720: (4_000, 8_000, 15_000),
    576: (3_000, 5_000, 8_000),
    0: (2_000, 4_000, 8_000),  # everything smaller
}
RATE_POINTS: Final = (1.0, 0.7, 0.35, 0.0)
CONTAINER_POINTS: Final = {**dict.fromkeys(("mkv", "mp4", "webm", "mov"), 1.0), "ts": 0.5}
SOUND_POINTS: Final = {
    **dict.fromkeys(("aac", "ac3", "eac3", "ac4", "opus", "flac", "alac", "vorbis", ""), 1.0),
    "mp3": 0.8,
    "dts": 0.6,
    "truehd": 0.6,
}
LEAST_GAIN: Final = 0.5  # points that are worth a sentence

Group = TypeVar("Group", "PictureGroup", "SoundGroup")


@dataclass(frozen=True, slots=True)
class HealthPart:
    """One of the four parts: 0 to 100, and its own grade."""

    name: str
    label: str
    weight: int
    score: int
    grade: str
    note: str


@dataclass(frozen=True, slots=True)
class HealthStep:
    """Something that would raise the score: `query` selects the files in the library."""

    text: str  # after "To raise it:", a verb first
    files: int
    points: float
    query: str


@dataclass(frozen=True, slots=True)
class Health:
    score: int
    grade: str
    files: int
    parts: tuple[HealthPart, ...]
    steps: tuple[HealthStep, ...]  # what gains most first

    @property
    def next_grade(self) -> str:
        """The grade above this one; "" for the best."""
        better = [grade for limit, grade in GRADES if limit > self.score]
        return better[-1] if better else ""

    @property
    def missing_points(self) -> int:
        """How many points the next grade needs."""
        limits = {grade: limit for limit, grade in GRADES}
        return limits[self.next_grade] - self.score if self.next_grade else 0

    @property
    def reaches(self) -> str:
        """The grade after the first step alone."""
        return grade_of(round(self.score + self.steps[0].points)) if self.steps else self.grade


def grade_of(score: float) -> str:
    return next((grade for limit, grade in GRADES if score >= limit), "F")


def rate_class(resolution: int, rate_step: int) -> int:
    """0 lean to 3 far too high, for its resolution."""
    limits = RATE_LIMITS.get(resolution, RATE_LIMITS[0])
    return sum(rate_step >= step_of(limit, RATE_STEPS_KBPS) for limit in limits)


def score_health(figures: Figures) -> Health | None:
    """Of the groups given (one library's, or all). None where no file was read."""
    pictures = [group for group in figures.pictures if group.codec]
    sounds = [group for group in figures.sounds if group.container]
    if not pictures:
        return None
    shares = {
        "codecs": _mean(pictures, _codec_points),
        "bitrate": _mean(pictures, _rate_points),
        "containers": _mean(sounds, lambda g: CONTAINER_POINTS.get(g.container, 0.0)),
        "sound": _mean(sounds, lambda g: SOUND_POINTS.get(g.audio_codec, 0.0)),
    }
    score = round(sum(WEIGHTS[name] * share for name, share in shares.items()))
    notes = _notes(pictures, sounds)
    return Health(
        score=score,
        grade=grade_of(score),
        files=sum(group.files for group in pictures),
        parts=tuple(
            HealthPart(
                name, LABELS[name], WEIGHTS[name], round(100 * share),
                grade_of(100 * share), notes[name],
            )
            for name, share in shares.items()
        ),
        steps=_steps(pictures, sounds),
    )  # fmt: skip


LABELS: Final = {
    "codecs": "Codecs",
    "bitrate": "Bit rate",
    "containers": "Containers",
    "sound": "Sound",
}


def _codec_points(group: PictureGroup) -> float:
    return CODEC_POINTS.get(group.codec, 0.0)


def _rate_points(group: PictureGroup) -> float:
    return RATE_POINTS[rate_class(group.resolution, group.rate_step)]


def _mean(groups: Sequence[Group], points: Callable[[Group], float]) -> float:
    files = sum(group.files for group in groups)
    return sum(group.files * points(group) for group in groups) / files if files else 1.0


def _notes(pictures: Sequence[PictureGroup], sounds: Sequence[SoundGroup]) -> dict[str, str]:
    """What keeps each part below all points, in a few words."""
    old = sum(g.files for g in pictures if _codec_points(g) == 0)
    h264 = sum(g.files for g in pictures if 0 < _codec_points(g) < 1)
    high = sum(g.files for g in pictures if rate_class(g.resolution, g.rate_step) >= 2)
    boxes = sum(g.files for g in sounds if CONTAINER_POINTS.get(g.container, 0.0) < 1)
    heard = sum(g.files for g in sounds if SOUND_POINTS.get(g.audio_codec, 0.0) < 1)
    codecs = ", ".join(
        text for n, text in ((old, f"{old:,} old"), (h264, f"{h264:,} H.264")) if n
    )  # fmt: skip
    return {
        "codecs": codecs or "all modern",
        "bitrate": f"{high:,} far too high" if high else "none far too high",
        "containers": f"{boxes:,} old" if boxes else "all modern",
        "sound": f"{heard:,} not played by all" if heard else "played by all",
    }


def _steps(
    pictures: Sequence[PictureGroup], sounds: Sequence[SoundGroup]
) -> tuple[HealthStep, ...]:
    found = [*_codec_steps(pictures), *_rate_steps(pictures), *_sound_steps(sounds)]
    worth = [step for step in found if step.files and step.points >= LEAST_GAIN]
    return tuple(sorted(worth, key=lambda step: -step.points))


def _codec_steps(groups: Sequence[PictureGroup]) -> Iterable[HealthStep]:
    total = sum(group.files for group in groups)
    for points, words in ((0.0, "in old codecs"), (0.6, "in H.264")):
        chosen = [group for group in groups if _codec_points(group) == points]
        files = sum(group.files for group in chosen)
        codecs = ",".join(sorted({group.codec for group in chosen} & VIDEO_CODECS.keys()))
        gain = WEIGHTS["codecs"] * (1 - points) * files / total
        yield HealthStep(f"re-encode the {_films(files)} {words}", files, gain, f"codec={codecs}")


def _rate_steps(groups: Sequence[PictureGroup]) -> Iterable[HealthStep]:
    """Of one resolution each, because the limit is: a filter can say it then."""
    total = sum(group.files for group in groups)
    by_resolution: dict[int, list[PictureGroup]] = {}
    for group in groups:
        if group.resolution in RATE_LIMITS and rate_class(group.resolution, group.rate_step) >= 2:
            by_resolution.setdefault(group.resolution, []).append(group)
    for resolution, chosen in by_resolution.items():
        files = sum(group.files for group in chosen)
        lost = sum(group.files * (1 - _rate_points(group)) for group in chosen)
        limit = RATE_LIMITS[resolution][1] // 1000
        label = resolution_label(resolution)
        yield HealthStep(
            f"shrink the {_films(files)} in {label} above {limit} Mb/s",
            files,
            WEIGHTS["bitrate"] * lost / total,
            f"resolution={resolution}&bitrate_min={limit}",
        )


def _sound_steps(groups: Sequence[SoundGroup]) -> Iterable[HealthStep]:
    total = sum(group.files for group in groups)
    boxes: Counter[str] = Counter()
    tracks: Counter[str] = Counter()
    for group in groups:
        boxes[group.container] += group.files
        tracks[group.audio_codec] += group.files
    old = {name: n for name, n in boxes.items() if CONTAINER_POINTS.get(name, 0.0) < 1}
    names = sorted(old, key=lambda name: -old[name])
    lost = sum((1 - CONTAINER_POINTS.get(name, 0.0)) * n for name, n in old.items())
    words = " and ".join(dict.fromkeys(container_label(name) for name in names[:2]))
    yield HealthStep(
        f"remux the {_films(sum(old.values()))} in {words}{' and others' if names[2:] else ''}",
        sum(old.values()),
        WEIGHTS["containers"] * lost / total if total else 0.0,
        f"container={','.join(sorted(old.keys() & CONTAINERS.keys()))}",
    )
    few = {name: n for name, n in tracks.items() if SOUND_POINTS.get(name, 0.0) < 1}
    lost = sum((1 - SOUND_POINTS.get(name, 0.0)) * n for name, n in few.items())
    yield HealthStep(
        f"add sound that everything plays to {_films(sum(few.values()))}",
        sum(few.values()),
        WEIGHTS["sound"] * lost / total if total else 0.0,
        f"audio={','.join(sorted(few.keys() & AUDIO_CODECS.keys()))}",
    )


def _films(count: int) -> str:
    return "1 film" if count == 1 else f"{count:,} films"
