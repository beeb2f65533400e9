"""Every command, variable and dependency is documented."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

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
