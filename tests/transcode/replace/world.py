"""A library with one film, a verified output and a job, on real files; and what must hold then.

The original is made of plain bytes (nothing here decodes it), the output is a small real clip.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from library.models import FileState, Library, MediaFile
from library.probing.probe import probe_file
from library.scanning.marker import write_marker
from mediaflow.base.fs import fs
from tests.library.file_rows import path_columns
from tests.media import make_clip
from transcode.models import (
    Job,
    JobStatus,
    OutputMode,
    ProofRecord,
    Replacement,
)
from transcode.outcomes import JobFailed, JobOutcome, LeaseLost
from transcode.planning.model import Plan
from transcode.presets.spec import PresetSpec
from transcode.queue import job_queue
from transcode.replacing.journal import OPEN
from transcode.replacing.recovery import recover_job
from transcode.replacing.snapshot import SourceSnapshot, take_source_snapshot
from transcode.replacing.swap import publish_beside, replace_original
from transcode.running.context import RunContext
from transcode.running.runner import settle_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from library.media_info import MediaInfo
    from mediaflow.base.fs import Watcher

ORIGINAL_BYTES = b"the original film " * 5000
SIDECARS = {"film.srt": b"1\nsubtitle", "film.nfo": b"<movie/>", "film-poster.jpg": b"jpeg"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tree(root: Path) -> dict[bytes, str]:
    """SHA-256 of every file below a folder, by relative path."""
    found = {}
    for folder, _folders, names in os.walk(os.fsencode(root)):
        for name in names:
            path = os.path.join(folder, name)
            relative = path.removeprefix(os.fsencode(root) + b"/")
            with open(path, "rb") as handle:
                found[relative] = digest(handle.read())
    return found


def is_ours_to_keep(relative: bytes) -> bool:
    """The marker and the files that make media servers look away."""
    name = relative.rpartition(b"/")[2]
    return name in {b"id", b".ignore", b".plexignore", b".nomedia"} and b".mediaflow/" in relative


@dataclass
class World:
    """One film and its job. Everything can be found again from the rows and the folder."""

    folder: Path
    library: Library
    file: MediaFile
    job: Job
    proof: ProofRecord
    film: bytes  # absolute
    extension: str
    output_folder: bytes | None = None
    sidecars: dict[bytes, str] = field(default_factory=dict)

    def note_neighbours(self) -> None:
        """Whatever lies there now, but the film, must lie there for ever."""
        film = self.film.removeprefix(os.fsencode(self.root) + b"/")
        self.sidecars = {path: sha for path, sha in tree(self.root).items() if path != film}
        facts = {
            "film": self.film.hex(),
            "extension": self.extension,
            "sidecars": {path.hex(): sha for path, sha in self.sidecars.items()},
        }
        (self.folder / "world.json").write_text(json.dumps(facts))

    @property
    def root(self) -> Path:
        return self.folder / "films"

    @property
    def work(self) -> Path:
        return self.folder / "work" / str(self.job.uuid)

    @property
    def output(self) -> Path:
        return self.work / f"final{self.extension}"

    @property
    def output_sha256(self) -> str:
        return self.proof.output_sha256

    @property
    def final(self) -> bytes:
        stem = self.film.rpartition(b".")[0] or self.film
        return stem + self.extension.encode()

    def journal(self) -> Replacement:
        return Replacement.objects.get(job=self.job)

    def context(self, token: str, snapshot: SourceSnapshot | None = None) -> RunContext:
        taken = snapshot or replace(
            take_source_snapshot(self.film), sha256=self.proof.source_sha256
        )
        return RunContext(
            job_id=self.job.pk,
            job_uuid=self.job.uuid,
            token=token,
            preset_slug="small",
            spec=PresetSpec(),
            source=self.film,
            library_root=os.fsencode(self.root),
            work_dir=self.work,
            snapshot=taken,
        )

    def plan(self) -> Plan:
        return make_plan(self.extension)

    def swap(self, *, context: RunContext | None = None) -> Replacement:
        """Claim the job and replace its film (or write beside it). Raises JobOutcome."""
        claim = job_queue.claim_job(self.job.pk, "test/boot/ns/1/1")
        assert claim is not None, "the job is not waiting"
        ctx = context or self.context(claim.token)
        ctx.token = claim.token
        return self.publish(ctx)

    def publish(self, ctx: RunContext) -> Replacement:
        if self.job.output_mode == OutputMode.REPLACE:
            return replace_original(ctx, self.plan(), self.output, self.proof)
        folder = self.output_folder or os.path.dirname(self.film)
        return publish_beside(ctx, self.plan(), self.output, self.proof, folder=folder)

    def run(self, watcher: Watcher | None = None) -> str:
        """One attempt as the runner makes it: recovery first. Returns the job's status after it.

        `watcher` sees (and spoils) the file system's calls of recovery and replacement.
        """
        claim = job_queue.claim_job(self.job.pk, "test/boot/ns/1/1")
        assert claim is not None, f"the job cannot be claimed: {self.status()}"
        try:
            if not self._recover(claim.token, watcher):
                context = self.context(claim.token)
                with watched_by(watcher):
                    self.publish(context)
        except LeaseLost:
            pass
        except JobOutcome as outcome:
            settle_outcome(self.job.pk, claim.token, outcome)
        except FileNotFoundError:  # of the film, when the runner looks at it
            failure = JobFailed("source_missing", "The film is gone.")
            settle_outcome(self.job.pk, claim.token, failure)
        return self.status()

    def run_recovery(self) -> str:
        """The first half of `run`."""
        claim = job_queue.claim_job(self.job.pk, "test/boot/ns/1/1")
        assert claim is not None
        try:
            self._recover(claim.token, None)
        except JobOutcome as outcome:
            settle_outcome(self.job.pk, claim.token, outcome)
        return self.status()

    def _recover(self, token: str, watcher: Watcher | None) -> bool:
        row = Replacement.objects.filter(job=self.job, state__in=OPEN).first()
        if row is None:
            return False
        snapshot = SourceSnapshot.from_json(row.source_snapshot)
        with watched_by(watcher):
            return recover_job(self.context(token, snapshot), row) == "finished"

    def restart(self) -> str:
        restart_job(Job.objects.get(pk=self.job.pk), self.run)
        return self.status()

    def status(self) -> str:
        return Job.objects.get(pk=self.job.pk).status


def restart_job(job: Job, run: Callable[[], object]) -> None:
    """What the reaper and the next runners do about a runner that died; `run`: one attempt."""
    if job.status == JobStatus.RUNNING:
        job_queue.take_over(job.pk, job.lease_token)
    for _ in range(3):
        job.refresh_from_db()
        if job.status == JobStatus.RETRY_WAIT:
            job_queue.release(job.pk)
        elif job.status != JobStatus.QUEUED:
            break
        run()


def make_plan(extension: str) -> Plan:
    return Plan(
        container=extension.lstrip("."),
        extension=extension,
        streams=(),
        video=None,
        input_options=(),
        output_options=(),
        duration_s=1.0,
        chapters=0,
        source_fingerprint="",
        ffmpeg_version="9",
        min_saving_pct=0,
        is_vmaf_checked=False,
        min_vmaf_mean=0,
        min_vmaf_p5=0,
    )


@contextmanager
def watched_by(watcher: Watcher | None) -> Iterator[None]:
    before, fs.watcher = fs.watcher, watcher or fs.watcher
    try:
        yield
    finally:
        fs.watcher = before


_probed: list[MediaInfo] = []


def make_output(path: Path) -> tuple[Path, MediaInfo]:
    """A small film as an encoder leaves it, and what a probe says about it (made once)."""
    make_clip("h264_mkv", path, 0.4, width=160, height=90)
    if not _probed:
        _probed.append(probe_file(os.fsencode(path)))
    return path, _probed[0]


def make_world(
    folder: Path,
    *,
    name: bytes = b"Film (2001)/film.mkv",
    extension: str = ".mkv",
    original: bytes = ORIGINAL_BYTES,
    mode: str = OutputMode.REPLACE,
    output_folder: bytes | None = None,
    neighbours: dict[str, str] | None = None,
    **library_values: Any,
) -> World:
    """A library at `<folder>/films` with one film and its sidecars, and a job with an output."""
    root = folder / "films"
    film = os.path.join(os.fsencode(root), name)
    os.makedirs(os.path.dirname(film), exist_ok=True)
    with open(film, "wb") as handle:
        handle.write(original)
    for sidecar, content in SIDECARS.items():
        (Path(os.fsdecode(os.path.dirname(film))) / sidecar).write_bytes(content)
    for neighbour, text in (neighbours or {}).items():
        (Path(os.fsdecode(os.path.dirname(film))) / neighbour).write_text(text)
    library = make_library_at(root, **library_values)
    file = make_file_row(library, name, original)
    job = Job.objects.create(
        file=file,
        file_path=os.fsdecode(film).encode("utf-8", "replace").decode(),
        preset_slug="small",
        preset_spec=PresetSpec().to_json(),
        output_mode=mode,
        output_dir_raw=output_folder,
        source_bytes=len(original),
    )
    MediaFile.objects.filter(pk=file.pk).update(state=FileState.QUEUED)
    proof = make_proof(job, folder / "work" / str(job.uuid), extension, original)
    world = World(folder, library, file, job, proof, film, extension, output_folder)
    world.note_neighbours()
    return world


def make_proof(job: Job, work: Path, extension: str, original: bytes) -> ProofRecord:
    """The job's output in its work folder, and the passed proof of it."""
    work.mkdir(parents=True)
    output, info = make_output(work / f"final{extension}")
    content = output.read_bytes()
    return ProofRecord.objects.create(
        job=job,
        is_passed=True,
        source_sha256=digest(original),
        output_sha256=digest(content),
        output_bytes=len(content),
        streams_after=info.to_json(),
    )


def name_of(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def make_library_at(root: Path, **values: Any) -> Library:
    raw = os.fsencode(root)
    library = Library.objects.create(
        name=f"Films {uuid4().hex[:8]}", **path_columns(raw, "root"), **values
    )
    write_marker(raw, library.marker_id)
    return library


def make_file_row(library: Library, name: bytes, content: bytes) -> MediaFile:
    return MediaFile.objects.create(
        library=library,
        **path_columns(name),
        size_bytes=len(content),
        state=FileState.NEW,
    )


def load_world(folder: Path) -> World:
    """The world of a folder, from the rows (another process made it)."""
    job = Job.objects.select_related("file__library").order_by("pk").first()
    assert job is not None
    assert job.file is not None
    proof = ProofRecord.objects.filter(job=job).order_by("pk").first()
    assert proof is not None
    facts = json.loads((folder / "world.json").read_text())
    return World(
        folder=folder,
        library=job.file.library,
        file=job.file,
        job=job,
        proof=proof,
        film=bytes.fromhex(facts["film"]),
        extension=facts["extension"],
        output_folder=bytes(job.output_dir_raw) if job.output_dir_raw else None,
        sidecars={bytes.fromhex(path): sha for path, sha in facts["sidecars"].items()},
    )
