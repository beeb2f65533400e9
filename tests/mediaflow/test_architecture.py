"""The arrows of docs/architecture.md, kept by walking the imports."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("mediaflow", "library", "transcode", "servers", "cloud")
# Who may import whom; `mediaflow.base` is below everything, the rest of `mediaflow` above.
ALLOWED = {
    "mediaflow.base": set(),
    "library": {"mediaflow.base"},
    "transcode": {"mediaflow.base", "library"},
    "servers": {"mediaflow.base", "library", "transcode"},
    "cloud": {"mediaflow.base", "library", "transcode", "servers"},
    "mediaflow": {"mediaflow.base", "library", "transcode", "servers", "cloud"},
}
# The person who is signed in: typed below the accounts room, imported only for type checking there.
ALLOWED_FOR_TYPES = {"mediaflow.accounts.models"}
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?)(_|$)")
MODULE_LINES, FUNCTION_LINES, FUNCTION_LINES_P90 = 600, 60, 30
# Tags and figures of the interface, used by every room's pages; imports no room itself.
SHARED_BY_ALL = "mediaflow.templatetags"
TOP_LEVEL = {"benchmarks", "cloud", "library", "mediaflow", "servers", "tests", "transcode"}


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [PROJECT / line for line in listed if (PROJECT / line).is_file()]


SOURCES = [
    path
    for path in tracked("*.py")
    if path.relative_to(PROJECT).parts[0] in ROOMS and "migrations" not in path.parts
]


def module_of(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    if module == "mediaflow.base" or module.startswith("mediaflow.base."):
        return "mediaflow.base"
    return module.partition(".")[0]


def is_type_checking(node: ast.If) -> bool:
    test = node.test
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def imports_of(path: Path) -> list[tuple[str, int, bool]]:
    """(module, line, only for type checking) of every import, also those inside functions."""
    found: list[tuple[str, int, bool]] = []

    def visit(node: ast.AST, for_types: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, child.lineno, for_types) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                found.append((child.module, child.lineno, for_types))
                found.extend(
                    (f"{child.module}.{alias.name}", child.lineno, for_types)
                    for alias in child.names
                )
            elif isinstance(child, ast.If) and is_type_checking(child):
                for inner in child.body:
                    visit(ast.Module([inner], []), True)
                for inner in child.orelse:
                    visit(ast.Module([inner], []), for_types)
            else:
                visit(child, for_types)

    visit(ast.parse(path.read_bytes()), False)
    return found


def wrong_arrows(path: Path) -> list[str]:
    room = room_of(module_of(path))
    wrong = []
    for module, line, for_types in imports_of(path):
        target = room_of(module)
        if module.partition(".")[0] not in ROOMS or target == room:
            continue
        if module.startswith(SHARED_BY_ALL):
            continue
        if for_types and any(module.startswith(name) for name in ALLOWED_FOR_TYPES):
            continue
        if target not in ALLOWED[room]:
            wrong.append(f"{path.relative_to(PROJECT)}:{line} imports {module}")
    return wrong


def test_the_walk_sees_a_wrong_arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mediaflow.test_architecture.PROJECT", tmp_path)
    (tmp_path / "library").mkdir()
    bad = tmp_path / "library" / "x.py"
    bad.write_text("def f():\n    from transcode.models import Job\n    return Job\n")
    assert wrong_arrows(bad)
    bad.write_text("from mediaflow.settings import DATA_DIR\n")
    assert wrong_arrows(bad)
    bad.write_text("from mediaflow.base.hooks import hooked\n")
    assert wrong_arrows(bad) == []


def test_imports_go_one_way() -> None:
    assert [wrong for path in SOURCES for wrong in wrong_arrows(path)] == []


def test_nobody_imports_the_views_or_tasks_of_another_app() -> None:
    wrong = []
    for path in SOURCES:
        own = room_of(module_of(path))
        for module, line, _ in imports_of(path):
            parts = module.split(".")
            is_private = any(re.fullmatch(r"views\w*|tasks|\w+_views", part) for part in parts[1:])
            if parts[0] in ROOMS and is_private and room_of(module) != own and own != "mediaflow":
                wrong.append(f"{path.relative_to(PROJECT)}:{line} imports {module}")
    assert wrong == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    bad = []
    for path in tracked("*.py"):
        inside = path.relative_to(PROJECT)
        if "migrations" not in inside.parts:
            words = [*inside.parts[:-1], inside.stem]
            bad += [str(inside) for word in words if FORBIDDEN_NAMES.search(word)]
    assert bad == []


def test_no_other_package_lies_at_the_top() -> None:
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")}
    assert packages <= TOP_LEVEL


def test_no_command_goes_through_a_shell() -> None:
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                wrong.append(f"{path.relative_to(PROJECT)}:{node.value.lineno}")
            if isinstance(node, ast.Attribute) and node.attr in {"system", "popen"}:
                is_os = isinstance(node.value, ast.Name) and node.value.id == "os"
                wrong += [f"{path.relative_to(PROJECT)}:{node.lineno}"] if is_os else []
            if isinstance(node, ast.Attribute) and node.attr == "create_subprocess_shell":
                wrong.append(f"{path.relative_to(PROJECT)}:{node.lineno}")
    assert wrong == []


def test_job_and_journal_states_are_written_as_enum_members_not_as_texts() -> None:
    """Literals stand in the models and states.py; elsewhere a typing error would pass."""
    values = {"retry_wait", "copying", "staged", "swapping", "undoing", "purging"}
    home = {"models.py", "states.py", "transitions.py"}
    wrong = []
    for path in SOURCES:
        is_model = path.name in home or path.parent.name == "models"
        if is_model or room_of(module_of(path)) not in {
            "transcode",
            "servers",
            "mediaflow",
        }:
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and node.value in values:
                wrong.append(f"{path.relative_to(PROJECT)}:{node.lineno} {node.value!r}")
    assert wrong == []


def test_every_ignored_finding_names_its_reason() -> None:
    bare = re.compile(r"# (?:type: ignore|noqa)(?!\S* ?[\w, ]*\]?  # \w)")
    wrong = [
        f"{path.relative_to(PROJECT)}:{number} {line.strip()}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert wrong == []


# The models themselves are told their own values: in constraints of the database.
STATE_COLUMNS = {"status", "state", "availability"}


def literals_beside(node: ast.AST) -> list[ast.expr]:
    """What a status is compared with, or a filter or a row is given for one."""
    if isinstance(node, ast.keyword) and (node.arg or "").rpartition("__")[2] in STATE_COLUMNS:
        found = [node.value]
    elif isinstance(node, ast.Compare) and any(
        isinstance(side, ast.Attribute) and side.attr in STATE_COLUMNS
        for side in (node.left, *node.comparators)
    ):
        found = [node.left, *node.comparators]
    else:
        return []
    groups = [part.elts if isinstance(part, (ast.Set, ast.Tuple)) else [part] for part in found]
    return [part for group in groups for part in group]


def test_states_are_named_by_their_enums() -> None:
    from library.models import Availability, FileState
    from mediaflow.base.models import OperationStatus
    from transcode.models import JobStatus, JournalState, TrashState

    enums = (Availability, FileState, OperationStatus, JobStatus, JournalState, TrashState)
    words = {value for enum in enums for value in enum.values}
    wrong = [
        f"{path.relative_to(PROJECT)}:{part.lineno} {part.value!r}"
        for path in SOURCES
        if "models" not in path.parts and path.name != "models.py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        for part in literals_beside(node)
        if isinstance(part, ast.Constant) and part.value in words
    ]
    assert wrong == []


def test_modules_and_functions_stay_readable() -> None:
    """docs/development.md: modules of 400 lines, functions of 40; here stands the hard limit."""
    long, lengths = [], []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if (count := len(text.splitlines())) > MODULE_LINES:
            long.append(f"{path.relative_to(PROJECT)} {count}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lengths.append(node.end_lineno - node.lineno + 1)
                if lengths[-1] > FUNCTION_LINES:
                    long.append(f"{path.relative_to(PROJECT)}:{node.lineno} {node.name}")
    assert long == []
    assert sorted(lengths)[len(lengths) * 9 // 10] <= FUNCTION_LINES_P90


def test_templates_work_under_the_strict_policy() -> None:
    """Inline scripts and styles, and what htmx would have to eval, are dropped or refused."""
    banned = re.compile(
        r"\sstyle=|<style|\son[a-z]+=|hx-on|hx-vals=.js:|hx-trigger=\"[^\"(]*\[|javascript:|<script(?![^>]*\ssrc=)"
        r"|https?://(?!www\.w3\.org)"
    )
    wrong = []
    for path in tracked("templates/*.html", "templates/**/*.html"):
        text = re.sub(
            r"{% comment %}.*?{% endcomment %}",
            "",
            path.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        wrong += [f"{path.relative_to(PROJECT)}: {found[0]!r}" for found in banned.finditer(text)]
    assert wrong == []
