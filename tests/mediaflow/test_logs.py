"""Log files: rotation among processes, no secrets, reading backwards, the page."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.logging_setup import (
    SharedRotatingFileHandler,
    UtcFormatter,
    log_source,
    redact,
)
from mediaflow.logs.files import LogQuery, ScanBudget, lines_backwards, read_page, source_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django import Settings

PROJECT = Path(__file__).resolve().parents[2]


def stamp(second: int) -> str:
    return f"2026-11-21T01:{second // 60:02d}:{second % 60:02d}.000Z"


def write(folder: Path, source: str, *lines: str, number: int = 0) -> None:
    name = f"{source}.log" + (f".{number}" if number else "")
    (folder / name).write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://mediaflow:hunter2hunter2@db/x",
        "password=hunter2hunter2",
        "{'token': 'hunter2hunter2'}",
        "Authorization: Bearer hunter2hunter2",
        "X-Api-Key: hunter2hunter2",
        "cookie: sessionid=hunter2hunter2",
        "GET /setup/hunter2hunter2hunter2/ 200",
        "the key is hunter2hunter2",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "hunter2" not in redact(text, ["hunter2hunter2"])


def test_ordinary_text_is_left_alone() -> None:
    text = "job 17: /films/The Secret of NIMH (1982).mkv, 3 tokens left, http://nas:8080/path"
    assert redact(text) == text


def test_a_message_with_line_breaks_cannot_pass_for_another_record() -> None:
    forged = f"x\n{stamp(1)} ERROR web[1] a: forged"
    record = logging.LogRecord("a", logging.INFO, "", 0, forged, (), None)
    lines = UtcFormatter("web").format(record).splitlines()
    assert lines[1].startswith("    ")


def test_a_secret_in_a_traceback_is_taken_out() -> None:
    try:
        raise ValueError("key hunter2hunter2")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "broke", (), sys.exc_info())
    text = UtcFormatter("web", ["hunter2hunter2"]).format(record)
    assert "ValueError" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("argv", "source"),
    [
        (["/x/gunicorn/__main__.py"], "web"),
        (["manage.py", "run_huey"], "consumer"),
        (["manage.py", "run_job", "3"], "runner"),
        (["manage.py", "scan"], "command"),
        ([], "command"),
    ],
)
def test_each_kind_of_process_has_its_file(argv: list[str], source: str) -> None:
    assert log_source(argv) == source


def test_processes_that_rotate_together_lose_no_record(tmp_path: Path) -> None:
    code = (
        "import logging, sys\n"
        "from mediaflow.base.logging_setup import SharedRotatingFileHandler, UtcFormatter\n"
        f"h = SharedRotatingFileHandler({str(tmp_path / 'web.log')!r},"
        " max_bytes=4000, files_kept=50)\n"
        "h.setFormatter(UtcFormatter('web'))\n"
        "log = logging.getLogger('x'); log.addHandler(h); log.setLevel('INFO')\n"
        "for n in range(150): log.info('%s-%d', sys.argv[1], n)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=PROJECT) for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    files = list(tmp_path.glob("web.log*"))
    text = "".join(path.read_text() for path in files)
    assert len(files) > 3
    assert sum(f"a-{n}\n" in text for n in range(150)) == 150
    assert sum(f"b-{n}\n" in text for n in range(150)) == 150


def test_a_full_disk_costs_the_record_not_the_work(tmp_path: Path) -> None:
    handler = SharedRotatingFileHandler(str(tmp_path / "no" / "web.log"))
    (tmp_path / "no").write_text("a file in place of the folder")
    handler.emit(logging.LogRecord("a", logging.INFO, "", 0, "x", (), None))


def test_lines_come_backwards_over_block_borders(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    wanted = [f"{number} " + "é" * (number % 300) for number in range(2000)]
    path.write_text("\n".join(wanted) + "\n", encoding="utf-8")
    assert list(lines_backwards(path, ScanBudget())) == wanted[::-1]


def test_a_file_that_vanished_has_no_lines(tmp_path: Path) -> None:
    assert list(lines_backwards(tmp_path / "gone.log", ScanBudget())) == []


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    write(
        tmp_path, "web",
        f"{stamp(3)} INFO web[1] a.b: third",
        f"{stamp(5)} ERROR web[1] a.b: fifth",
        "    Traceback (most recent call last):",
        "    ValueError: deep",
    )  # fmt: skip
    write(tmp_path, "web", f"{stamp(1)} WARNING web[1] a: first", number=1)
    write(tmp_path, "consumer", f"{stamp(4)} INFO consumer[2] huey: fourth")
    return tmp_path


def texts(log_dir: Path, size: int = 200, **query: object) -> list[str]:
    return [r.text for r in read_page(log_dir, LogQuery(**query), size=size).records]  # type: ignore[arg-type]


def test_all_files_are_one_list_newest_first(log_dir: Path) -> None:
    assert texts(log_dir) == ["fifth", "fourth", "third", "first"]


def test_level_source_and_text_filter(log_dir: Path) -> None:
    assert texts(log_dir, min_level="WARNING") == ["fifth", "first"]
    assert texts(log_dir, sources=["consumer"]) == ["fourth"]
    assert texts(log_dir, text="FIF") == ["fifth"]
    assert texts(log_dir, text="deep") == ["fifth"]


def test_lines_below_a_record_are_its_detail(log_dir: Path) -> None:
    first = read_page(log_dir, LogQuery()).records[0]
    assert first.detail == "Traceback (most recent call last):\nValueError: deep"


def test_pages_go_on_where_the_one_before_stopped(log_dir: Path) -> None:
    page = read_page(log_dir, LogQuery(), size=2)
    assert [r.text for r in page.records] == ["fifth", "fourth"]
    rest = read_page(log_dir, LogQuery(before=page.next_before), size=2)
    assert [r.text for r in rest.records] == ["third", "first"]
    assert rest.next_before == ""


def test_no_file_outside_the_log_folder_is_ever_named(log_dir: Path) -> None:
    assert source_files(log_dir, "../../etc/passwd") == []


@pytest.fixture
def page_client(log_dir: Path, settings: Settings, as_admin: Client) -> Iterator[Client]:
    from dataclasses import replace

    logs = log_dir / "logs"
    logs.mkdir()
    for path in log_dir.glob("*.log*"):
        path.rename(logs / path.name)
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data_dir=log_dir)
    yield as_admin


@pytest.mark.django_db
def test_the_page_filters_and_escapes(page_client: Client, log_dir: Path) -> None:
    with (log_dir / "logs" / "web.log").open("a") as handle:
        handle.write(f"{stamp(9)} INFO web[1] a: <img src=x onerror=alert(1)>\n")
    page = page_client.get("/logs/?level=INFO&q=img").text
    assert "<img src=x" not in page
    assert "&lt;img" in page
    assert "fourth" not in page
    fragment = page_client.get("/logs/", headers={"HX-Request": "true"}).text
    assert "<html" not in fragment
    assert "fourth" in fragment


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["level=LOUD", "source=../etc", "before=%00", "q=" + "x" * 300])
def test_a_wrong_filter_is_a_form_error(page_client: Client, query: str) -> None:
    assert page_client.get(f"/logs/?{query}").status_code == 422


@pytest.mark.django_db
def test_a_download_is_the_whole_file_oldest_first(page_client: Client) -> None:
    response = page_client.get("/logs/web.log")
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert body.index(b"first") < body.index(b"fifth")
    assert "attachment" in response.headers["Content-Disposition"]
    assert page_client.get("/logs/nothing.log").status_code == 404
