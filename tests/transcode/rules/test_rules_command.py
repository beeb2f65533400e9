"""`mediaflow rules`: one JSON document, plain words, code 2 for what does not exist."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.transcode.makers import make_file, make_library
from tests.transcode.rules.makers import make_rule
from transcode.models import Job

pytestmark = pytest.mark.django_db


def run(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    call_command("rules", *args, "--json")
    return json.loads(capsys.readouterr().out)


def test_rules_are_listed_forecast_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    library = make_library()
    make_file(library)
    make_file(library, "b.mkv", kind="sample")
    make_rule(query="kind=video,sample")
    assert [row["name"] for row in run(capsys)["rules"]] == ["Old codecs"]
    dry = run(capsys, "--run", "old codecs", "--dry-run")
    assert (dry["matched"], dry["would_queue"], dry["left_out"]) == (2, 1, {"sample": 1})
    assert Job.objects.count() == 0
    done = run(capsys, "--run", "Old codecs")
    assert (done["queued"], done["by_verdict"]) == (1, {"queued": 1, "sample": 1})
    assert Job.objects.get().origin == "rule: Old codecs"


@pytest.mark.parametrize("args", [("--run", "Nobody"), ("--dry-run",)])
def test_what_does_not_exist_is_code_2(args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("rules", *args)
    assert caught.value.returncode == 2


def test_a_rule_that_cannot_run_is_code_1_and_says_why() -> None:
    make_rule(query="tag=gone")
    with pytest.raises(CommandError, match="no tag 'gone'") as caught:
        call_command("rules", "--run", "Old codecs")
    assert caught.value.returncode == 1
