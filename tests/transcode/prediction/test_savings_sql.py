from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.services import make_database, postgresql_address  # noqa: F401  # a fixture
from tests.transcode.prediction.facts import past
from tests.transcode.prediction.savings_agreement import (
    disagreements,
    forget_lessons,
    make_films,
    make_lessons,
)
from transcode.prediction.savings_sql import savings_for_preset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Instance

FILMS, AT_LEAST = 400, 300
ON_POSTGRESQL = f"""
from tests.transcode.prediction import savings_agreement as check
check.make_films({FILMS}, 5)
print(check.disagreements())
check.make_lessons(6)
print(check.disagreements())
"""


@pytest.fixture
def without_lessons(db: None) -> Iterator[None]:
    forget_lessons()
    yield
    forget_lessons()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_database_says_what_python_says(without_lessons: None, seed: int) -> None:
    make_films(FILMS, seed)
    found, savings = disagreements()
    assert found == []
    assert savings > AT_LEAST


@pytest.mark.parametrize("seed", [3, 4])
def test_both_have_learned_the_same(without_lessons: None, seed: int) -> None:
    make_films(FILMS, seed)
    plain = disagreements()[1]
    make_lessons(seed)
    found, savings = disagreements()
    assert found == []
    assert savings != plain


def test_what_was_learned_for_larger_pictures_is_not_taken_for_a_smaller_output(
    without_lessons: None,
) -> None:
    make_films(FILMS, 7)
    for _ in range(4):
        past(0.3, encoder="x264", quality_key="crf23", source_codec="h264", resolution_class=2160)
        past(0.8, encoder="x264", quality_key="crf23", source_codec="h264", resolution_class=720)
    assert disagreements()[0] == []


def test_an_unknown_preset_has_no_expression(db: None) -> None:
    assert savings_for_preset("nothing-like-it") is None


@pytest.mark.service("postgresql")
def test_postgresql_says_what_python_says(instance: Instance, postgresql_address: str) -> None:  # noqa: F811
    instance.env["MEDIAFLOW_DATABASE_URL"] = make_database(postgresql_address, f"mf{uuid4().hex}")
    instance.run("migrate", "--verbosity", "0", check=True)
    result = instance.run("shell", "-v0", "--no-imports", "-c", ON_POSTGRESQL)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.strip().splitlines()
    assert [line.partition(", ")[0] for line in lines] == ["([]", "([]"]
    assert all(int(line.rpartition(" ")[2].rstrip(")")) > AT_LEAST for line in lines)
