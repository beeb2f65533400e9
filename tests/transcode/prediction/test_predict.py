"""Samples before finished jobs before the rule of thumb; what was wrong is corrected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from library.models import MediaFile
from mediaflow.base.film_hooks import estimate_savings
from tests.transcode.prediction.facts import GB, facts, past
from transcode.prediction.estimate import estimate_size
from transcode.prediction.lessons import NO_LESSONS, current_lessons
from transcode.prediction.predict import predict
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

SPEC = PresetSpec()
COPY = PresetSpec(video=VideoRule(encoder="copy", crf=None))


@dataclass(frozen=True)
class Found:
    bytes_expected: int = 2 * GB
    bytes_low: int = round(1.9 * GB)
    bytes_high: int = round(2.1 * GB)
    predicted_vmaf: float = 95.2
    metric: str = "vmaf"
    text: str = "Sampled at 12 places of this film."


def test_samples_of_this_film_come_first(db: None) -> None:
    for _ in range(5):
        past(0.5)
    estimate = predict(facts(), SPEC, found=Found(), rest_bytes=1000)
    assert (estimate.basis, estimate.bytes, estimate.vmaf) == ("sampled", 2 * GB + 1000, 95.2)
    assert estimate.text == Found().text
    assert estimate.rule_bytes == estimate_size(facts(), SPEC).bytes


def test_without_a_plan_the_sound_is_reckoned(db: None) -> None:
    estimate = predict(facts(audio_kbps=800), SPEC, found=Found())
    assert estimate.bytes == 2 * GB + 800 * 125 * 3600


def test_an_xpsnr_is_not_called_a_vmaf(db: None) -> None:
    assert predict(facts(), SPEC, found=Found(predicted_vmaf=41.0, metric="xpsnr")).vmaf is None


def test_finished_jobs_come_before_the_rule_of_thumb(db: None) -> None:
    rule = estimate_size(facts(), SPEC)
    for _ in range(14):
        past(0.6)
    estimate = predict(facts(), SPEC)
    assert estimate.basis == "learned"
    assert 0.6 * rule.bytes < estimate.bytes < 0.8 * rule.bytes
    assert rule.low / rule.bytes < estimate.low / estimate.bytes
    assert estimate.learned_jobs == 14
    assert "Learned from 14 films like this one: H.264 at 1080p" in estimate.text
    assert "x265 at CRF 22" in estimate.text


@pytest.mark.parametrize(
    ("film", "words"),
    [
        ({"width": 1280, "height": 720}, "of other sizes, too"),
        ({"video_codec": "mpeg2video"}, "Rule of thumb"),
    ],
)
def test_coarser_knowledge_says_so(db: None, film: dict[str, object], words: str) -> None:
    for _ in range(4):
        past(0.7)
    assert words in predict(facts(**film), SPEC).text


def test_another_quality_of_the_same_kind_is_said(db: None) -> None:
    for _ in range(4):
        past(0.7, quality_key="crf27")
    assert "at other qualities, too" in predict(facts(), SPEC).text


def test_with_nothing_finished_it_is_the_rule_of_thumb(db: None) -> None:
    past(0.5, actual_bytes=None, ended_at=None)
    estimate = predict(facts(), SPEC)
    assert estimate.basis == "rule"
    assert estimate.bytes == estimate_size(facts(), SPEC).bytes


def test_what_the_rule_gets_wrong_as_a_habit_is_corrected(db: None) -> None:
    """Films of one codec teach the rule; a film of another is no film like them."""
    for _ in range(20):
        past(0.8, source_codec="vc1", encoder="svtav1")
    rule, estimate = estimate_size(facts(), SPEC), predict(facts(), SPEC)
    assert estimate.basis == "rule"
    assert 0.8 * rule.bytes < estimate.bytes < 0.9 * rule.bytes
    assert estimate.plain_bytes == rule.bytes
    assert estimate.range_factor < 1
    assert "Corrected by 20 finished jobs" in estimate.text


def test_what_was_corrected_already_teaches_no_second_time(db: None) -> None:
    """The lesson is drawn from what the source said by itself."""
    for _ in range(30):
        past(0.8, source_codec="vc1", predicted_bytes=round(0.8 * GB), plain_bytes=GB)
    before = predict(facts(), SPEC).bytes
    for _ in range(30):
        past(0.8, source_codec="vc1", predicted_bytes=round(0.82 * GB), plain_bytes=GB)
    assert predict(facts(), SPEC).bytes == pytest.approx(before, rel=0.05)


def test_samples_that_say_too_little_are_raised(db: None) -> None:
    for _ in range(20):
        past(1.1, basis="sampled", low_bytes=round(0.95 * GB), high_bytes=round(1.05 * GB))
    estimate = predict(facts(), SPEC, found=Found(), rest_bytes=0)
    assert 2.05 * GB < estimate.bytes <= 2.2 * GB
    assert estimate.plain_bytes == 2 * GB
    assert estimate.low < estimate.bytes < estimate.high


def test_finished_jobs_say_how_long_it_takes(db: None) -> None:
    film = facts()
    pixels = round(film.duration_s * film.frames_per_s * film.width * film.height)
    for _ in range(3):
        past(pixels=pixels, actual_seconds=1234.0)
    assert predict(film, SPEC).seconds == pytest.approx(1234.0)


def test_a_copy_is_not_learned_about(db: None) -> None:
    for _ in range(5):
        past(0.5, encoder="copy", quality_key="")
    assert predict(facts(), COPY).bytes == 4 * GB


def test_a_film_of_unknown_length_keeps_its_honest_range(db: None) -> None:
    for _ in range(5):
        past(0.5)
    estimate = predict(facts(duration_s=0.0), SPEC)
    assert (estimate.low, estimate.high) == (4 * GB // 10, 4 * GB)
    assert estimate.seconds is None


def test_lessons_are_read_anew_only_when_a_job_has_ended(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert current_lessons() is NO_LESSONS
    past()
    with django_assert_num_queries(4):
        first = current_lessons()
    with django_assert_num_queries(1):
        assert current_lessons() is first
    past()
    with django_assert_num_queries(4):
        assert current_lessons() is not first


def test_a_freak_film_teaches_little(db: None) -> None:
    for _ in range(9):
        past(1.0)
    past(5000.0)
    rule = estimate_size(facts(), SPEC)
    assert predict(facts(), SPEC).bytes < 1.4 * rule.bytes


def test_the_library_asks_for_a_page_of_films_with_two_statements(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        past(0.7)
    files = [
        MediaFile(
            pk=number,
            size_bytes=4 * GB,
            duration_ms=3_600_000,
            video_codec="h264",
            width=1920,
            height=1080,
            frame_rate_milli=24000,
        )
        for number in range(1, 101)
    ]
    current_lessons()
    with django_assert_num_queries(2):
        found = estimate_savings(files, "balanced")
    assert len(found) == 100
    assert {saving.basis for saving in found.values()} == {"learned"}
