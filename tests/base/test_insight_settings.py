from __future__ import annotations

import pytest

from library.analysis.kinds import KINDS
from mediaflow.base.settings_store import DEFINITIONS, SettingProblem, parse_setting


def test_every_kind_has_its_switch() -> None:
    switches = {key for key, d in DEFINITIONS.items() if d.group == "insights" and d.kind == "bool"}
    assert switches - {"insights_after_scan"} == {f"insights_{slug}" for slug in KINDS}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("", ""), ("eng", "eng"), (" Eng, DEU deu ", "eng,deu"), ("ger;", None), ("english", None)],
)
def test_languages_are_codes_of_three_letters(typed: str, kept: str | None) -> None:
    if kept is not None:
        assert parse_setting("insights_audio_languages", typed) == kept
        return
    with pytest.raises(SettingProblem, match="codes of three letters"):
        parse_setting("insights_audio_languages", typed)


@pytest.mark.parametrize("typed", ["", "many", "-1", "96", "1.5"])
def test_a_wrong_threshold_is_told_the_bounds(typed: str) -> None:
    with pytest.raises(SettingProblem, match="whole number from 0 to 95"):
        parse_setting("insights_min_saving_pct", typed)
