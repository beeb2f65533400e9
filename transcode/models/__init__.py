"""What is done to films: presets, jobs, chunks, learning, journal. Import from here."""

from __future__ import annotations

from transcode.models.chunks import (
    Chunk,
    ChunkAttempt,
    ChunkAttemptStatus,
    ChunkStatus,
)
from transcode.models.jobs import (
    Job,
    JobAttempt,
    JobEvent,
    JobPhase,
    JobStatus,
    OutputMode,
)
from transcode.models.journal import (
    IN_TRASH,
    JournalState,
    OutboxEntry,
    ProofRecord,
    Replacement,
    TrashEntry,
    TrashState,
)
from transcode.models.learning import (
    EncoderCheck,
    Prediction,
    QualityProbe,
    QualitySearch,
)
from transcode.models.presets import (
    Preset,
)
from transcode.models.rules import (
    Rule,
    RuleDecision,
    RuleKind,
    RuleRun,
)

__all__ = [
    "IN_TRASH",
    "Chunk",
    "ChunkAttempt",
    "ChunkAttemptStatus",
    "ChunkStatus",
    "EncoderCheck",
    "Job",
    "JobAttempt",
    "JobEvent",
    "JobPhase",
    "JobStatus",
    "JournalState",
    "OutboxEntry",
    "OutputMode",
    "Prediction",
    "Preset",
    "ProofRecord",
    "QualityProbe",
    "QualitySearch",
    "Replacement",
    "Rule",
    "RuleDecision",
    "RuleKind",
    "RuleRun",
    "TrashEntry",
    "TrashState",
]
