"""The size rung's arithmetic at its edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from transcode.verify.evidence import Evidence
from transcode.verify.size_rungs import check_size

if TYPE_CHECKING:
    from pathlib import Path

    from tests.transcode.verify.pairs import Pair
    from transcode.verify import RungResult


def weighed(rich: Pair, folder: Path, *, before: int, after: int, saving_pct: int) -> RungResult:
    output = folder / "output.mkv"
    output.write_bytes(bytes(after))
    pair = rich.with_output(output).with_plan(min_saving_pct=saving_pct)
    context = pair.context()
    context.snapshot = replace(context.snapshot, size_bytes=before)
    return check_size(Evidence(context, pair.prepared, output, None))


@pytest.mark.ffmpeg
@pytest.mark.parametrize(
    ("after", "saving_pct", "code"),
    [
        (9000, 10, ""),
        (9001, 10, "not_worth_it"),
        (10_000, 0, ""),
        (10_001, 0, "not_worth_it"),
        (10_500, -5, ""),
        (10_501, -5, "not_worth_it"),
        (100, 10, ""),
        (99, 10, "tiny"),
    ],
)
def test_the_share_of_the_source_decides(
    rich: Pair, tmp_path: Path, after: int, saving_pct: int, code: str
) -> None:
    result = weighed(rich, tmp_path, before=10_000, after=after, saving_pct=saving_pct)
    assert result.code == code
    assert result.is_failed is bool(code)
