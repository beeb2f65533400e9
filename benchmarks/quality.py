"""Target quality: what comes out against what was promised, what the search costs, what it saves.

Two halves of the clips of `quality_clips`: constants are tuned on one, the other is reported. Each
result is kept as JSON beside the clips, so a run that was stopped goes on where it was. Clips of
30 s are sampled as a film of ten minutes is (16 s of them), not taken as a whole.

`python -m benchmarks.quality tune` prints the figures that `transcode/quality/bias.py` and
`size.py` are set by.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.quality_clips import CLIPS, Clip, fetch_material, make_clip
from benchmarks.result import Row

if TYPE_CHECKING:
    from transcode.planning.model import Plan
    from transcode.quality.found import FilmSource, FoundQuality, Probe

TARGET = 95.0
SAMPLED_S = 16.2  # what a film of ten minutes is sampled by: as many samples, of two seconds
COST_FILM_S = 600.0
_CACHE = Path(os.environ.get("MEDIAFLOW_BENCH_CACHE", "var/bench-quality")).absolute()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One clip searched, then encoded and scored as a whole."""

    clip: str
    kind: str
    crf: float
    predicted: float
    measured: float
    sampled: float  # what the samples themselves are expected to score at this CRF
    bytes_expected: int
    bytes_low: int
    bytes_high: int
    bytes_actual: int
    probes: int
    is_whole: bool

    @property
    def error(self) -> float:
        return self.measured - TARGET

    @property
    def size_error_pct(self) -> float:
        return 100 * abs(self.bytes_expected / self.bytes_actual - 1)

    @property
    def is_size_in_range(self) -> bool:
        return self.bytes_low <= self.bytes_actual <= self.bytes_high


def run() -> list[Row]:
    _set_up()
    reported = [outcome_of(clip) for clip in CLIPS if not clip.is_for_tuning]
    return [*quality_rows(reported), *size_rows(reported), fixed_row(reported), cost_row()]


def quality_rows(outcomes: list[Outcome]) -> list[Row]:
    met = [o for o in outcomes if -0.5 <= o.error <= 1.0]
    share = 100 * len(met) / len(outcomes)
    worst = max(outcomes, key=lambda o: abs(o.error))
    kinds = ", ".join(f"{o.clip} ({o.kind}) {o.error:+.2f}" for o in outcomes)
    return [
        Row("whole VMAF within −0.5/+1.0 of the target", share, "at least 90", "% of clips",
            share >= 90, f"target {TARGET:g}, x265; {kinds}; worst: {worst.clip}"),
    ]  # fmt: skip


def size_rows(outcomes: list[Outcome]) -> list[Row]:
    inside = 100 * sum(o.is_size_in_range for o in outcomes) / len(outcomes)
    middle = median(o.size_error_pct for o in outcomes)
    note = ", ".join(f"{o.clip} {100 * (o.bytes_expected / o.bytes_actual - 1):+.1f} %"
                     for o in outcomes)  # fmt: skip
    return [
        Row("size inside its 80 % range", inside, "at least 80", "% of clips", inside >= 80, note),
        Row("error of the predicted size, median", middle, "under 8", "%", middle < 8),
    ]


def fixed_row(outcomes: list[Outcome]) -> Row:
    """Against the largest fixed CRF at which the worst clip still meets the target."""
    crf = min(o.crf for o in outcomes)
    fixed = sum(encoded(clip, crf)[0] for clip in CLIPS if not clip.is_for_tuning)
    ratio = sum(o.bytes_actual for o in outcomes) / fixed
    return Row("bytes of the target preset / fixed CRF", ratio, "under 1", "×", ratio < 1,
               f"fixed CRF {crf:g}, which the hardest clip needs")  # fmt: skip


def cost_row() -> Row:
    """CPU time of a search at x265 slow against that of the encode, for a film of ten minutes."""

    def measure() -> dict[str, float]:
        path = _clip_path(next(c for c in CLIPS if c.name == "bunny and clips"))
        film = film_of(path)
        before = _child_seconds()
        found = search(film, speed="slow")
        searched_s = _child_seconds() - before
        before = _child_seconds()
        _encode(film, plan_for(film, "slow", found.crf), path.with_suffix(".slow.mkv"))
        length_s = film.index.frames / 25
        return {
            "search": searched_s,
            "encode": (_child_seconds() - before) * COST_FILM_S / length_s,
            "probes": found.probes,
        }

    cost = _kept("cost", measure)
    share = 100 * cost["search"] / cost["encode"]
    return Row("search / encode of ten minutes, x265 slow", share, "under 15", "%", share < 15,
               f"CPU time; {cost['probes']:.0f} probes; scaled up from 24 s at 360p")  # fmt: skip


def outcome_of(clip: Clip) -> Outcome:
    def measure() -> dict[str, object]:
        film = film_of(_clip_path(clip))
        found = search(film)
        size, score = encoded(clip, found.crf)
        return asdict(
            Outcome(
                clip=clip.name,
                kind=clip.kind,
                crf=found.crf,
                predicted=found.predicted_vmaf,
                measured=score,
                sampled=found.predicted_vmaf,
                bytes_expected=found.bytes_expected,
                bytes_low=found.bytes_low,
                bytes_high=found.bytes_high,
                bytes_actual=size,
                probes=found.probes,
                is_whole=sum(s.count for s in found.samples) == film.index.frames,
            )
        )

    return Outcome(**_kept(f"found-{clip.name}", measure))


def encoded(clip: Clip, crf: float) -> tuple[int, float]:
    """Bytes of the picture and VMAF of all pictures of the whole clip at a CRF."""

    def measure() -> dict[str, float]:
        film = film_of(_clip_path(clip))
        probe = whole_probe(film, crf)
        size = sum(s.start_bytes + s.rest_bytes for s in probe.samples)
        return {"bytes": size, "vmaf": probe.mean}

    result = _kept(f"whole-{clip.name}-{crf:g}", measure)
    return int(result["bytes"]), result["vmaf"]


def search(film: FilmSource, speed: str = "fastest") -> FoundQuality:
    from transcode.quality.find import Calls, find_quality

    _keep_probes(film, speed)
    return find_quality(
        film,
        lambda crf: plan_for(film, speed, crf),
        target=TARGET,
        metric="vmaf",
        work_dir=_work(),
        calls=Calls(log=lambda line: print(f"    {line}", file=sys.stderr)),  # noqa: T201
        total_s=SAMPLED_S,
    )


def _keep_probes(film: FilmSource, speed: str) -> None:
    """Probes are kept beside the clips: constants can be tuned without encoding again."""
    from transcode.quality import find, trial
    from transcode.quality.found import Probe

    def kept(reference, plan, metric, **calls):  # type: ignore[no-untyped-def]
        where = hash(tuple((s.first, s.count) for s in reference.samples))
        name = f"probe-{Path(os.fsdecode(film.path)).stem}-{speed}-{plan.video.crf:g}-{where}"
        measure = lambda: trial.try_quality(reference, plan, metric, **calls).to_json()  # noqa: E731
        return Probe.from_json(_kept(name, measure))

    find.try_quality = kept  # type: ignore[attr-defined]  # not exported, replaced here only


def whole_probe(film: FilmSource, crf: float) -> Probe:
    """The whole clip by the same road: a reference without loss, one encode, every picture."""
    import tempfile

    from transcode.quality.reference import cut_reference
    from transcode.quality.sampling import Sample
    from transcode.quality.trial import try_quality

    plan = plan_for(film, "fastest", crf)
    with tempfile.TemporaryDirectory(dir=_work()) as folder:
        reference = cut_reference(film, plan, [Sample(0, film.index.frames)], Path(folder))
        return try_quality(reference, plan, "vmaf")


def plan_for(film: FilmSource, speed: str, crf: float) -> Plan:
    from transcode.planning.plan import make_plan
    from transcode.presets.spec import PresetSpec, VideoRule

    spec = PresetSpec(video=VideoRule(encoder="x265", crf=crf, speed=speed))
    return make_plan(
        film.info,
        film.index,
        spec,
        preset_slug="bench",
        job_uuid=UUID(int=0),
        fingerprint="",
        ffmpeg_version="",
    )


def film_of(path: Path) -> FilmSource:
    from library.probing.probe import probe_file
    from transcode.planning.packet_index import read_packet_index
    from transcode.quality.found import FilmSource

    raw = os.fsencode(path)
    # Without a hash nothing is looked up in a database.
    return FilmSource(raw, probe_file(raw), replace(read_packet_index(raw), sha256=""))


def _encode(film: FilmSource, plan: Plan, target: Path) -> None:
    from transcode.encoding.encode import encode_argv
    from transcode.encoding.process import run_ffmpeg

    result = run_ffmpeg(encode_argv(plan, film.path, target.name), cwd=target.parent)
    assert result.is_ok, result.stderr_lines[-3:]
    target.unlink()


def _kept(name: str, measure):  # type: ignore[no-untyped-def]
    path = _CACHE / "results" / f"{name.replace(' ', '_')}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        result = measure()
        path.write_text(json.dumps(result), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def _clip_path(clip: Clip) -> Path:
    folder = _CACHE / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    name = clip.name.replace(" ", "_").replace(",", "")
    return make_clip(clip, fetch_material(_CACHE), folder / f"{name}.mkv")


def _work() -> Path:
    folder = _CACHE / "work" / str(os.getpid())  # a search has its folder for itself
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _set_up() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()


def tune() -> None:
    """Print what the constants should be, by the half that is for tuning."""
    _set_up()
    outcomes = [outcome_of(clip) for clip in CLIPS if clip.is_for_tuning]
    sampled = [o for o in outcomes if not o.is_whole]
    for o in outcomes:
        size = 100 * (o.bytes_expected / o.bytes_actual - 1)
        print(f"{o.clip:28} CRF {o.crf:5g} predicted {o.predicted:6.2f} measured"  # noqa: T201
              f" {o.measured:6.2f} size {size:+6.1f} % in {o.bytes_low / o.bytes_expected - 1:+.0%}"
              f"…{o.bytes_high / o.bytes_expected - 1:+.0%} probes {o.probes}")  # fmt: skip
    print("bias", round(fmean(o.predicted - o.measured for o in sampled), 3))  # noqa: T201
    errors = sorted(
        abs(math.log(o.bytes_actual / o.bytes_expected)) / math.log(o.bytes_high / o.bytes_expected)
        for o in sampled
    )
    print("size errors by half range", [round(e, 2) for e in errors])  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1:] == ["tune"]:
        tune()
