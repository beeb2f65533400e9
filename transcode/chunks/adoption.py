"""Chunks that an earlier job of the same film left behind, taken over by the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.models import Chunk
from transcode.running.work_folders import CHUNKS_FOLDER, jobs_folder
from transcode.states import TERMINAL

if TYPE_CHECKING:
    from transcode.chunks.store import ChunkStore
    from transcode.running.context import RunContext


def adopt_chunks(ctx: RunContext, store: ChunkStore, keys: set[str]) -> int:
    """Move what fits out of the work folders of jobs that have ended. Returns how many.

    The key names film, options and ffmpeg; the record and its hash are looked at afterwards.
    """
    missing = {key for key in keys if store.read(key) is None}
    if not missing:
        return 0
    # Whatever its row says: the record on the disk counts, also of one that was not proven yet.
    found = Chunk.objects.filter(plan_hash__in=missing, job__status__in=TERMINAL).exclude(
        job_id=ctx.job_id
    )
    adopted = 0
    for key, job_uuid in found.order_by("-pk").values_list("plan_hash", "job__uuid"):
        if key in missing and store.adopt(jobs_folder() / str(job_uuid) / CHUNKS_FOLDER, key):
            missing.discard(key)
            adopted += 1
    if adopted:
        ctx.log(f"{adopted} chunks were taken over from an earlier job of this film")
    return adopted
