"""Every command, variable and dependency is documented."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    path.stem
    for room in ("mediaflow", "mediaflow/base", "library", "transcode", "servers")
    for path in (PROJECT / room / "management" / "commands").glob("*.py")
    if not path.stem.startswith("_")
)
VARIABLES = sorted(
    {
        name
        for path in (PROJECT / "mediaflow" / "base").glob("env.py")
        for name in re.findall(r"\"(MEDIAFLOW_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
)


def test_there_is_something_to_document() -> None:
    assert {"serve", "scan", "doctor"} <= set(COMMANDS)
    assert "MEDIAFLOW_DATA_DIR" in VARIABLES


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_the_command(command: str) -> None:
    assert re.search(rf"`{command}\b", README)


@pytest.mark.parametrize("variable", VARIABLES)
def test_the_readme_names_the_variable(variable: str) -> None:
    assert f"`{variable}`" in README


def test_the_readme_begins_with_the_two_commands() -> None:
    opening = README[:1200]
    assert opening.index("make run") < opening.index("make test")


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[<>=~ ]", line)[0] for line in wanted}
    said = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert sorted(name for name in names if f"`{name}`" not in said) == []


def test_lock_files_carry_hashes_and_no_index_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (PROJECT / name).read_text(encoding="utf-8")
        pinned = re.findall(r"^[\w.\-]+(?:\[[\w,\-]+\])?==", text, re.MULTILINE)
        assert len(pinned) > 10
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "http" not in text


def test_links_inside_the_documentation_lead_somewhere() -> None:
    broken = []
    for page in [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def faults_and_tests() -> Iterator[tuple[str, str]]:
    """The table of docs/trust.md: (first cell, test) for each test that it names."""
    text = (PROJECT / "docs" / "trust.md").read_text(encoding="utf-8")
    table = text[text.index("| fault | test |") :].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        fault, tests = line.strip("| ").split(" | ", 1)
        stem = ""
        for name in re.findall(r"`([^`]+)`", tests):
            if name.startswith("…"):  # the same name with another number
                name = re.sub(r"_\d\d_…$", name.removeprefix("…"), stem)
            stem = name
            yield fault, name


def test_every_test_that_stands_for_a_fault_is_there() -> None:
    missing = []
    for fault, name in faults_and_tests():
        file, _, test = name.partition("::")
        path = PROJECT / ("" if file.startswith("tests/") else "tests/faults") / f"{file}.py"
        wanted = rf"^def {test.removesuffix('…')}" if test else "^def test_"
        if not path.exists() or not re.search(wanted, path.read_text("utf-8"), re.MULTILINE):
            missing.append(f"{fault}: {name}")
    assert missing == []


def test_every_fault_of_one_machine_has_a_test() -> None:
    """Those in between are faults of remote workers, Redis and two servers on one library."""
    named: set[int] = set()
    for fault, _name in faults_and_tests():
        first, last = re.match(r"(\d+)(?: to (\d+))?", fault).groups()  # type: ignore[union-attr]
        named.update(range(int(first), int(last or first) + 1))
        named.update(int(number) for number in re.findall(r"\d+", fault))
    assert {*range(1, 29), 36, 37, 38, 40, *range(42, 57)} <= named
