"""The verification ladder: no output takes a film's place before it climbed every rung (trust.md).

`run_ladder` makes the Proof, `save_proof` writes it down, `check_swapped` is rung 12. The rungs are
listed in `ladder.RUNGS`; each is a function from Evidence to RungResult.
"""

from transcode.verify.ladder import RUNGS, run_ladder
from transcode.verify.records import save_proof
from transcode.verify.results import Proof, RungResult
from transcode.verify.swapped import check_swapped

__all__ = ["RUNGS", "Proof", "RungResult", "check_swapped", "run_ladder", "save_proof"]
