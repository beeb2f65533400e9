"""Every analyser against a plain recount of random films, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.library.analysis.recount import differences
from tests.services import make_database, postgresql_address  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from tests.conftest import Instance

FILMS = 900
ON_POSTGRESQL = f"""
from tests.library.analysis.recount import differences
print(differences({FILMS}, 13))
"""


@pytest.mark.parametrize("seed", [11, 12])
def test_analysers_find_what_a_plain_recount_finds(db: None, seed: int) -> None:
    assert differences(FILMS, seed) == {}


@pytest.mark.service("postgresql")
def test_postgresql_finds_the_same(instance: Instance, postgresql_address: str) -> None:  # noqa: F811
    instance.env["MEDIAFLOW_DATABASE_URL"] = make_database(postgresql_address, f"mf{uuid4().hex}")
    instance.run("migrate", "--verbosity", "0", check=True)
    result = instance.run("shell", "-v0", "--no-imports", "-c", ON_POSTGRESQL)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "{}"
