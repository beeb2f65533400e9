"""Target quality: what comes out against what was promised, what the search costs, what it saves.

Two halves of the clips of `quality_clips`, each a real video, photographs moved with grain, or
synthetic: constants are tuned on one, the other is reported. "Measured" is VMAF over every picture
of the whole output. Each probe and encode is kept as JSON beside the clips, under a name that says
how it was made, so a run that was stopped goes on where it was. Clips of 30 s are sampled as a film
of ten minutes is (16 s of them), not taken as a whole.

`python -m benchmarks.quality tune` prints the figures that `transcode/quality/bias.py` and
`size.py` are set by.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.quality_clips import CLIPS, Clip, fetch_material, make_clip
from benchmarks.result import Row

if TYPE_CHECKING:
    from transcode.planning.model import Plan
    from transcode.quality.found import FilmSource, FoundQuality, Probe

TARGETS = (95.0, 90.0)
LEAST_BELOW, MOST_ABOVE = -0.5, 1.0
FIXED_STEP = 0.5
SAMPLED_S = 16.2  # what a film of ten minutes is sampled by: as many samples, of two seconds
COST_FILM_S = 600.0
_CACHE = Path(os.environ.get("MEDIAFLOW_BENCH_CACHE", "var/bench-quality")).absolute()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One clip searched, then encoded and scored as a whole."""

    clip: str
    kind: str
    target: float
    crf: float
    predicted: float
    measured: float
    bytes_expected: int
    bytes_low: int
    bytes_high: int
    bytes_actual: int
    probes: int
    is_whole: bool  # so short that all of it was tried, not samples

    @property
    def error(self) -> float:
        return self.measured - self.target

    @property
    def is_met(self) -> bool:
        return LEAST_BELOW <= self.error <= MOST_ABOVE

    @property
    def size_error_pct(self) -> float:
        return 100 * (self.bytes_expected / self.bytes_actual - 1)

    @property
    def is_size_in_range(self) -> bool:
        return self.bytes_low <= self.bytes_actual <= self.bytes_high


def run() -> list[Row]:
    _set_up()
    reported = outcomes(is_for_tuning=False)
    by_target = [[o for o in reported if o.target == target] for target in TARGETS]
    return [
        quality_row(reported),
        *size_rows(reported),
        *(fixed_row(outcomes) for outcomes in by_target),
        cost_row(),
    ]


def details() -> str:
    """Every clip that counts, and the names of those that constants were tuned on."""
    _set_up()
    tuned = ", ".join(f"{clip.name} ({clip.kind})" for clip in CLIPS if clip.is_for_tuning)
    lines = [
        "Clips of 360p, x265 `fastest`. *Whole*: so short that all of the clip was tried instead of"
        " samples. The other half, which constants were tuned on and which counts in no row:"
        f" {tuned}.",
        "",
        "| clip | kind | target | CRF | VMAF measured | size said | size measured |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    return "\n".join([*lines, *map(_line, outcomes(is_for_tuning=False))])


def _line(o: Outcome) -> str:
    said = f"{o.bytes_expected:,} ({o.bytes_low:,} to {o.bytes_high:,})"
    how = ", whole" if o.is_whole else ""
    return (
        f"| {o.clip} | {o.kind}{how} | {o.target:g} | {o.crf:g}"
        f" | {o.measured:.2f} ({o.error:+.2f}) | {said} | {o.bytes_actual:,} |"
    )


def outcomes(*, is_for_tuning: bool) -> list[Outcome]:
    clips = [clip for clip in CLIPS if clip.is_for_tuning == is_for_tuning]
    return [outcome_of(clip, target) for target in TARGETS for clip in clips]


def quality_row(reported: list[Outcome]) -> Row:
    share = 100 * sum(o.is_met for o in reported) / len(reported)
    worst = max(reported, key=lambda o: abs(o.error))
    clips = len({o.clip for o in reported})
    targets = " and ".join(f"{target:g}" for target in TARGETS)
    note = f"{clips} clips, targets {targets}, x265; worst: {worst.clip} {worst.error:+.2f}"
    return Row("whole VMAF within −0.5/+1.0 of the target", share, "at least 90", "%",
               share >= 90, note)  # fmt: skip


def size_rows(reported: list[Outcome]) -> list[Row]:
    inside = 100 * sum(o.is_size_in_range for o in reported) / len(reported)
    middle = median(abs(o.size_error_pct) for o in reported)
    worst = max(reported, key=lambda o: abs(o.size_error_pct))
    note = f"worst: {worst.clip} {worst.size_error_pct:+.1f} %"
    return [
        Row("size inside its 80 % range", inside, "at least 80", "%", inside >= 80),
        Row("error of the predicted size, median", middle, "under 8", "%", middle < 8, note),
    ]


def fixed_row(of_target: list[Outcome]) -> Row:
    """Against the largest fixed CRF at which the worst clip still reaches what ours reach."""
    target = of_target[0].target
    least = min(target, *(o.measured for o in of_target))
    hardest_first = sorted(of_target, key=lambda o: o.crf)
    clips = {clip.name: clip for clip in CLIPS}
    crf = math.floor(hardest_first[0].crf / FIXED_STEP) * FIXED_STEP
    while all(encoded(clips[o.clip], crf + FIXED_STEP)[1] >= least for o in hardest_first):
        crf += FIXED_STEP
    fixed = sum(encoded(clips[o.clip], crf)[0] for o in of_target)
    ratio = sum(o.bytes_actual for o in of_target) / fixed
    worst = min(o.error for o in of_target)
    note = f"CRF {crf:g}; the lowest VMAF of all is {least:.2f}"
    return Row(f"bytes of the preset with target {target:g} / fixed CRF", ratio, "under 1", "×",
               ratio < 1 and worst >= LEAST_BELOW, note)  # fmt: skip


def cost_row() -> Row:
    """CPU time of a search at x265 slow against that of the encode, for a film of ten minutes."""
    film = film_of(_clip_path(next(c for c in CLIPS if c.name == "bunny and clips")))

    def measure() -> dict[str, float]:
        before = _child_seconds()
        found = search(film, TARGETS[0], speed="slow", are_probes_kept=False)
        searched_s = _child_seconds() - before
        before = _child_seconds()
        _encode(film, plan_for(film, "slow", found.crf), _work() / "slow.mkv")
        length_s = film.index.frames / 25
        return {
            "search": searched_s,
            "encode": (_child_seconds() - before) * COST_FILM_S / length_s,
            "probes": found.probes,
        }

    cost = _kept(f"cost-{_made_by(plan_for(film, 'slow', 20))}", measure)
    share = 100 * cost["search"] / cost["encode"]
    return Row("search / encode of ten minutes, x265 slow", share, "under 15", "%", share < 15,
               f"CPU time; {cost['probes']:.0f} probes; scaled up from {film.index.frames / 25:.0f}"
               " s at 360p")  # fmt: skip


@cache
def outcome_of(clip: Clip, target: float) -> Outcome:
    film = film_of(_clip_path(clip))
    found = search(film, target)
    size, score = encoded(clip, found.crf)
    return Outcome(
        clip=clip.name,
        kind=clip.kind,
        target=target,
        crf=found.crf,
        predicted=found.predicted_vmaf,
        measured=score,
        bytes_expected=found.bytes_expected,
        bytes_low=found.bytes_low,
        bytes_high=found.bytes_high,
        bytes_actual=size,
        probes=found.probes,
        is_whole=sum(s.count for s in found.samples) == film.index.frames,
    )


def encoded(clip: Clip, crf: float) -> tuple[int, float]:
    """Bytes of the picture and VMAF of all pictures of the whole clip at a CRF."""
    film = film_of(_clip_path(clip))

    def measure() -> dict[str, float]:
        probe = whole_probe(film, crf)
        size = sum(s.start_bytes + s.rest_bytes for s in probe.samples)
        return {"bytes": size, "vmaf": probe.mean}

    result = _kept(f"whole-{clip.name}-{_made_by(plan_for(film, 'fastest', crf))}", measure)
    return int(result["bytes"]), result["vmaf"]


def search(
    film: FilmSource, target: float, speed: str = "fastest", *, are_probes_kept: bool = True
) -> FoundQuality:
    from transcode.quality.find import Calls, find_quality

    _keep_probes(film, speed, are_kept=are_probes_kept)
    return find_quality(
        film,
        lambda crf: plan_for(film, speed, crf),
        target=target,
        metric="vmaf",
        work_dir=_work(),
        calls=Calls(log=lambda line: print(f"    {line}", file=sys.stderr)),  # noqa: T201
        total_s=SAMPLED_S,
    )


def _keep_probes(film: FilmSource, speed: str, *, are_kept: bool) -> None:
    """Probes are kept beside the clips: constants can be tuned without encoding again."""
    from transcode.quality import find, trial
    from transcode.quality.found import Probe

    def kept(reference, plan, metric, **calls):  # type: ignore[no-untyped-def]
        where = hash(tuple((s.first, s.count) for s in reference.samples))
        name = f"probe-{Path(os.fsdecode(film.path)).stem}-{_made_by(plan)}-{where}"
        measure = lambda: trial.try_quality(reference, plan, metric, **calls).to_json()  # noqa: E731
        return Probe.from_json(_kept(name, measure))

    find.try_quality = kept if are_kept else trial.try_quality  # type: ignore[attr-defined]  # not exported, replaced here only


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


def _made_by(plan: Plan) -> str:
    """CRF and a hash of all options and of the ffmpeg: what was made in another way is not used."""
    from transcode.encoding.ffmpeg import find_ffmpeg

    assert plan.video is not None
    made_by = json.dumps([find_ffmpeg().version, plan.input_options, plan.video_options])
    return f"{plan.video.crf:g}-{hashlib.sha256(made_by.encode()).hexdigest()[:12]}"


@cache
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
    found = outcomes(is_for_tuning=True)
    sampled = [o for o in found if not o.is_whole]
    for o in found:
        size = o.size_error_pct
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
