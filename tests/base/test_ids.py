"""Which texts are row numbers."""

from __future__ import annotations

import pytest

from mediaflow.base.ids import read_id


def test_a_row_number_is_read_up_to_eighteen_digits() -> None:
    assert read_id("7") == 7
    assert read_id("9" * 18) == 10**18 - 1


@pytest.mark.parametrize("text", ["", "-1", "1.5", " 1", "1\n", "x", "²", "٣", "9" * 19])
def test_anything_else_is_none(text: str) -> None:
    assert read_id(text) is None
