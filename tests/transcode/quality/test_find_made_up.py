"""Searches whose probes are made up: what is asked, known from before, kept and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.transcode.encode import films
from tests.transcode.quality.films import even, film
from transcode.models import QualityProbe, QualitySearch
from transcode.outcomes import JobSkipped
from transcode.presets.spec import PresetSpec, VideoRule
from transcode.quality import find
from transcode.quality.bias import EncoderHabits
from transcode.quality.cache import LEARNED_LEAST
from transcode.quality.find import Calls, find_quality
from transcode.quality.found import FilmSource, Probe, SampleScore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from transcode.planning.model import Plan
    from transcode.quality.found import FoundQuality

SHA256 = "ab" * 32


class MadeUp:
    """A film of ten minutes (or one second) whose score falls with the CRF that is tried."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.tried = folder, list[float]()
        self.score: Callable[[float], float] = lambda crf: 104 - 0.4 * crf
        monkeypatch.setattr(find, "cut_reference", lambda *_a, **_k: None)
        monkeypatch.setattr(find, "try_quality", self._try)

    def _try(self, _reference: object, plan: Plan, _metric: str, **_calls: object) -> Probe:
        assert plan.video is not None
        assert plan.video.crf is not None
        crf = plan.video.crf
        self.tried.append(crf)
        score = self.score(crf)
        samples = (SampleScore(n * 25, 25, score, score, 4000, 20_000, 0) for n in range(3))
        return Probe(crf, score, score - 2, tuple(samples), 0.1)

    def find(
        self,
        *,
        encoder: str = "x265",
        metric: str = "vmaf",
        target: float = 95.0,
        seconds: float = 1,
        sha256: str = SHA256,
        **values: Any,
    ) -> FoundQuality:
        info = films.film(films.video())
        source = FilmSource(b"/films/film.mkv", info, film(even(seconds), sha256=sha256))

        def plan_for(crf: float) -> Plan:
            return films.plan_for(info, PresetSpec(video=VideoRule(encoder=encoder, crf=crf)))

        options: dict[str, Any] = {"target": target, "metric": metric, "work_dir": self.folder}
        return find_quality(source, plan_for, **options | values)


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    return MadeUp(tmp_path, monkeypatch)


def test_a_film_that_nobody_named_asks_and_fills_no_database(made_up: MadeUp) -> None:
    """Without its mark a test that touches the database fails."""
    found = made_up.find(sha256="")
    assert 94.75 <= made_up.score(found.crf) <= 95.5
    assert found.probes == len(made_up.tried)


def test_xpsnr_is_searched_in_its_own_unit(made_up: MadeUp) -> None:
    made_up.score = lambda crf: 50 - 0.38 * crf
    found = made_up.find(metric="xpsnr", target=40.0, sha256="")
    assert 39.9 <= made_up.score(found.crf) <= 40.5
    assert "XPSNR" in found.text
    assert (found.metric, found.model) == ("xpsnr", "xpsnr")


@pytest.mark.parametrize("metric", ["vmaf", "xpsnr"])
def test_samples_are_held_to_more_than_the_film_as_they_score_higher(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    """By what was measured of the encoder; where they are the film there is no difference."""
    biased = EncoderHabits(0.15, 23.0, vmaf_bias=0.5, xpsnr_bias=0.5)
    monkeypatch.setattr(find, "habits", lambda *_: biased)
    made_up.score = lambda crf: (104 if metric == "vmaf" else 50) - 0.4 * crf
    target = 95.0 if metric == "vmaf" else 40.0
    whole = made_up.find(sha256="", metric=metric, target=target)
    sampled = made_up.find(sha256="", metric=metric, target=target, seconds=600)
    assert sampled.crf < whole.crf
    assert sampled.predicted_vmaf < made_up.score(sampled.crf) - 0.3


@pytest.mark.django_db
def test_a_search_begins_where_others_of_its_kind_ended(made_up: MadeUp) -> None:
    for number in range(LEARNED_LEAST):
        made_up.find(sha256=f"{number:064x}", guess=22.5)
    ended = QualitySearch.objects.values_list("result", flat=True)[0]["crf"]
    made_up.tried.clear()
    made_up.find()
    assert made_up.tried[0] == pytest.approx(ended, abs=0.1)


@pytest.mark.django_db
def test_what_another_version_kept_is_searched_again(made_up: MadeUp) -> None:
    first = made_up.find()
    assert made_up.find().is_cached
    QualitySearch.objects.update(result={"crf": 22, "was_called": "otherwise"})
    QualityProbe.objects.update(result={"number": 22})
    made_up.tried.clear()
    again = made_up.find()
    assert (again.is_cached, again.crf) == (False, first.crf)
    assert made_up.tried
    assert made_up.find().is_cached


@pytest.mark.parametrize(
    ("encoder", "best"), [("x265", "at 8"), ("hevc_videotoolbox", "at 86")], ids=["crf", "higher"]
)
def test_the_best_that_can_be_had_is_said_in_the_encoder_s_own_number(
    made_up: MadeUp, encoder: str, best: str
) -> None:
    made_up.score = lambda _crf: 90.0
    with pytest.raises(JobSkipped) as skipped:
        made_up.find(encoder=encoder, sha256="")
    assert skipped.value.reason_code == "target_unreachable"
    assert f"the best is VMAF 90.00 {best}." in skipped.value.reason


def test_each_try_is_told(made_up: MadeUp) -> None:
    notes: list[str] = []
    calls = Calls(report=lambda note, _pct: notes.append(note))
    made_up.find(sha256="", calls=calls)
    assert [n.partition(" (")[0] for n in notes] == [f"Trying CRF {n:g}" for n in made_up.tried]
