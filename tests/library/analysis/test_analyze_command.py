"""`mediaflow analyze` from the outside."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from library.analysis.kinds import KINDS
from tests.library.analysis.films import film, idle, mpeg2
from tests.library.file_rows import make_library

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    out = StringIO()
    call_command("analyze", *args, stdout=out)
    return out.getvalue()


def test_json_has_the_keys_that_the_interface_promises() -> None:
    library = make_library()
    film(library, "Old", **mpeg2())
    film(library, "Large", **idle(**mpeg2(size_bytes=40_000_000_000, bit_rate_kbps=50_000)))
    document: dict[str, Any] = json.loads(run("--json"))
    assert list(document) == [
        "items", "recommendations", "estimated_savings_bytes", "seconds", "by_type"
    ]  # fmt: skip
    by_type = document["by_type"]
    assert list(by_type) == list(KINDS)
    assert (document["items"], by_type["codec"]["open"], by_type["overkill"]["open"]) == (2, 2, 1)
    assert document["recommendations"] == sum(entry["open"] for entry in by_type.values())
    # The large film is counted once, with the analyser that saves most of it.
    more = max(by_type["codec"]["savings_bytes"], by_type["overkill"]["savings_bytes"])
    both = by_type["codec"]["savings_bytes"] + by_type["overkill"]["savings_bytes"]
    assert more <= document["estimated_savings_bytes"] < both


def test_in_words_each_kind_has_its_line_and_what_changed() -> None:
    film(make_library(), "Old", **mpeg2())
    lines = run().replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[0].startswith("1 film, 1 recommendation in ")
    assert any(
        line.startswith("  Old or wasteful codecs: 1, about ") and line.endswith("(1 new, 0 gone)")
        for line in lines
    )


def test_one_library_can_be_named() -> None:
    film(make_library("Films"), "Old", **mpeg2())
    film(make_library("Shows"), "Old", **mpeg2())
    assert json.loads(run("--library", "shows", "--json"))["items"] == 1


def test_an_unknown_library_is_named_with_those_that_there_are() -> None:
    make_library("Films")
    with pytest.raises(CommandError, match=r"--library 'Nope': .* There are: Films\.") as raised:
        run("--library", "Nope")
    assert raised.value.returncode == 2


def test_without_any_library_nothing_is_found_and_nothing_fails() -> None:
    assert json.loads(run("--json"))["items"] == 0
