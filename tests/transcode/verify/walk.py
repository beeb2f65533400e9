"""Ways to climb the ladder in tests: to its end whatever fails, or as the runner does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transcode.verify import RUNGS, run_ladder
from transcode.verify.evidence import Evidence
from transcode.verify.ladder import climb

if TYPE_CHECKING:
    from tests.transcode.verify.pairs import Pair
    from transcode.running.context import RunContext
    from transcode.verify import Proof, RungResult


def all_rungs(pair: Pair, context: RunContext | None = None) -> dict[int, RungResult]:
    """Every rung, also behind a failed one."""
    evidence = Evidence(context or pair.context(), pair.prepared, pair.output, pair.result)
    return {rung.verdict.number: climb(rung, evidence) for rung in RUNGS}


def failed_rungs(pair: Pair, context: RunContext | None = None) -> dict[int, str]:
    """Number to sentence of those that fail."""
    return {n: r.text for n, r in all_rungs(pair, context).items() if r.is_failed}


def prove(pair: Pair, context: RunContext | None = None) -> Proof:
    return run_ladder(context or pair.context(), pair.prepared, pair.output, pair.result)
