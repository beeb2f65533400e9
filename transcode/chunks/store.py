"""Finished chunks on disk: `<work folder>/chunks/<key>.<ext>` and a record beside each.

The key says what a chunk was made of and how (the film's SHA-256, the range, the options, the
ffmpeg), so a chunk is found again by whoever plans the same: after a crash, by a new job of the
same film, by a newer MediaFlow. The record is written last and carries the hash of the bytes; what
does not fit its record was never finished. It is written twice: when the chunk is encoded, and with
its parameter sets when they have been read and the disk has all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from transcode.encoding.records import result_from_json
from transcode.outcomes import JobFailed
from transcode.running.work_folders import CHUNKS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from transcode.encoding.process import FfmpegResult
    from transcode.planning.model import Plan, PlannedChunk

CHUNK_VERSION = 1  # of what lies on disk and of how chunks are cut; another one uses none of ours
HASH_BLOCK_BYTES = 4 * 1024 * 1024
_KEY_DIGITS = 32


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """What is said beside a finished chunk."""

    key: str
    sha256: str
    size_bytes: int
    frames: int
    extradata_sha256: str  # empty: kept, but nobody has looked into it yet
    seconds: float
    result: FfmpegResult  # for rung 0 of the ladder, also when an earlier attempt ran it

    @property
    def is_read(self) -> bool:
        return bool(self.extradata_sha256)

    def to_json(self) -> dict[str, Any]:
        return {"version": CHUNK_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ChunkRecord:
        """Raises KeyError, TypeError or ValueError for what is no record of this version."""
        values = dict(raw)
        if values.pop("version") != CHUNK_VERSION:
            raise ValueError("a record of another version")
        return cls(**{**values, "result": result_from_json(values["result"])})


def chunk_key(plan: Plan, chunk: PlannedChunk) -> str:
    """Names a chunk by all that its bytes depend on. Threads and file names are no part of it."""
    made_of = {
        "version": CHUNK_VERSION,
        "source": plan.source_sha256,
        "ffmpeg": plan.ffmpeg_version,
        "input": plan.input_options,
        "video": plan.video_options,
        "container": plan.container,
        "range": (chunk.start_pts, chunk.end_pts, chunk.frames),
    }
    text = json.dumps(made_of, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


@dataclass(frozen=True, slots=True)
class ChunkStore:
    """The chunks of one work folder."""

    folder: Path
    extension: str

    @classmethod
    def of(cls, work_dir: Path, plan: Plan) -> ChunkStore:
        return cls(work_dir / CHUNKS_FOLDER, plan.extension)

    def make(self) -> None:
        """The folder, 0700. Raises JobFailed."""
        try:
            self.folder.mkdir(exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise _unwritable(error) from error

    def path(self, key: str) -> Path:
        return self.folder / f"{key}{self.extension}"

    def part(self, key: str) -> Path:
        return self.folder / f"{key}.part{self.extension}"

    def times(self, key: str) -> Path:
        """Where ffmpeg writes the time of each picture."""
        return self.folder / f"{key}.pts"

    def _record(self, key: str) -> Path:
        return self.folder / f"{key}.json"

    def keep(self, record: ChunkRecord) -> None:
        """Write the record of an encoded chunk: no kill costs it any more. Raises JobFailed."""
        try:
            self._write(record, is_forced=False)
        except OSError as error:
            raise _unwritable(error) from error

    def finish(self, record: ChunkRecord) -> None:
        """Put all of it onto the disk; from here on the chunk counts. Raises JobFailed."""
        try:
            force_file(self.path(record.key))
            self._write(record, is_forced=True)
            force_folder(self.folder)
        except OSError as error:
            raise _unwritable(error) from error

    def _write(self, record: ChunkRecord, *, is_forced: bool) -> None:
        fresh = self._record(record.key).with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(record.to_json(), file)
            file.flush()
            if is_forced:
                os.fsync(file.fileno())
        fresh.replace(self._record(record.key))

    def read(self, key: str) -> ChunkRecord | None:
        """The record of a chunk whose file is there; None for anything else."""
        try:
            raw = json.loads(self._record(key).read_text(encoding="utf-8"))
            record = ChunkRecord.from_json(raw)
            size = self.path(key).stat().st_size
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if record.key == key and record.size_bytes == size else None

    def proven(self, key: str, checkpoint: Callable[[], None]) -> ChunkRecord | None:
        """The record, when the file is byte for byte what it says. Reads the whole chunk."""
        record = self.read(key)
        if record is None or sha256_of(self.path(key), checkpoint) != record.sha256:
            return None
        return record

    def drop(self, key: str) -> None:
        """Remove all of a chunk, its record first."""
        for path in (self._record(key), self.path(key), self.part(key), self.times(key)):
            path.unlink(missing_ok=True)

    def drop_others(self, keys: set[str]) -> None:
        """Remove what no chunk of this plan is: another plan's, and halves of killed runs."""
        finished = {key for key in keys if self.read(key) is not None}
        for path in list(self._files()):
            key, _dot, rest = path.name.partition(".")
            if key not in finished or rest not in ("json", self.extension[1:]):
                path.unlink(missing_ok=True)

    def adopt(self, other: Path, key: str) -> bool:
        """Take a finished chunk over from another work folder, record last. False: not there."""
        theirs = ChunkStore(other, self.extension)
        if theirs.read(key) is None:
            return False
        try:
            os.rename(theirs.path(key), self.path(key))  # noqa: PTH104  # never a copy
            os.rename(theirs._record(key), self._record(key))  # noqa: PTH104  # the same
        except OSError:
            return False  # on another disk, or gone meanwhile: encoded again
        return True

    def _files(self) -> Iterator[Path]:
        try:
            yield from self.folder.iterdir()
        except FileNotFoundError:
            return


def sha256_of(path: Path, checkpoint: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
            checkpoint()
    return digest.hexdigest()


def force_file(path: Path) -> None:
    """fsync of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


force_folder = force_file


def _unwritable(error: OSError) -> JobFailed:
    return JobFailed(
        "work_folder",
        f"The work folder cannot be written: {error.strerror}.",
        is_retryable=True,
    )
