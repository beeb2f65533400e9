"""An estimate tries the encoders that the job would try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.encode.films import film, index_of
from transcode.encoders.choice import WorkingEncoder
from transcode.outcomes import JobSkipped
from transcode.prediction import sample_film
from transcode.presets.spec import VideoRule
from transcode.quality.find import Calls
from transcode.quality.found import FilmSource

if TYPE_CHECKING:
    from pathlib import Path

NVENC = {"hevc_nvenc": WorkingEncoder("hevc_nvenc", ("",), (8, 10))}


def search(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rule: VideoRule, *, reaches: set[str]
) -> tuple[str, list[str]]:
    """The family that was taken, and those that were tried; only some reach the target."""
    tried: list[str] = []

    def find_quality(_film: FilmSource, plan_for: Any, **_values: Any) -> str:
        family = plan_for(25.0)
        tried.append(family)
        if family not in reaches:
            raise JobSkipped("target_unreachable", "Not good enough.")
        return "found"

    monkeypatch.setattr(sample_film, "find_quality", find_quality)
    monkeypatch.setattr(sample_film, "working_for", lambda _rule: NVENC)
    info = film()
    source = FilmSource(b"film.mkv", info, index_of(info))
    plan_for: Any = lambda _crf, family: family  # noqa: E731
    _found, family = sample_film._search(source, plan_for, rule, tmp_path, Calls())
    return family, tried


def rule_with(hardware: str) -> VideoRule:
    return VideoRule(crf=None, target_vmaf=95.0, hardware=hardware)


def test_hardware_is_tried_first_where_the_preset_prefers_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = search(monkeypatch, tmp_path, rule_with("prefer"), reaches={"hevc_nvenc", "x265"})
    assert found == ("hevc_nvenc", ["hevc_nvenc"])


def test_software_takes_over_where_hardware_misses_the_target(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = search(monkeypatch, tmp_path, rule_with("prefer"), reaches={"x265"})
    assert found == ("x265", ["hevc_nvenc", "x265"])


def test_a_target_that_nothing_reaches_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(JobSkipped):
        search(monkeypatch, tmp_path, rule_with("never"), reaches=set())
