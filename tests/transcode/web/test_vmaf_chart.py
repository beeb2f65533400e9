"""VMAF as a chart: what is drawn, marked and said of a curve."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from transcode.pages.quality_words import quality_promise
from transcode.pages.vmaf_chart import MOST_POINTS, Asked, VmafChart, make_chart, read_curve

NOTHING_ASKED = Asked()


def chart_of(curve: object, asked: Asked = NOTHING_ASKED, **values: Any) -> VmafChart:
    chart = make_chart(curve, asked, **values)
    assert chart is not None
    return chart


def whole_film(seconds: int = 600) -> list[list[float]]:
    """95 all over but for a dip to 80 at the third minute."""
    return [[float(s), 80.0 if s == 180 else 95.0] for s in range(0, seconds, 2)]


def test_a_curve_without_gaps_is_one_line_over_the_whole_width() -> None:
    chart = chart_of(whole_film(), duration_s=598.0)
    assert chart.line.count("M") == 1
    assert chart.line.startswith("M0.0 ")
    assert re.search(r"L1000\.0 [\d.]+$", chart.line)
    assert chart.between == ""
    assert chart.windows == ()


def test_windows_far_apart_are_not_joined_as_if_measured() -> None:
    curve = [[start + n / 24, 94.0] for start in (100.0, 3000.0, 6000.0) for n in range(48)]
    chart = chart_of(curve, duration_s=7200.0)
    assert chart.line.count("M") == 3
    assert chart.between.count("L") == 2
    assert len(chart.windows) == 3
    assert "Measured in 3 places" in chart.text
    assert [part.start for part in chart.parts] == ["1:40", "50:00", "1:40:00"]


def test_the_worst_place_is_marked_first_and_said_with_its_time() -> None:
    chart = chart_of(whole_film())
    assert (chart.marks[0].time, chart.marks[0].vmaf) == ("3:00", "80.0")
    assert "worst 80.0 at 3:00" in chart.text
    assert (chart.lowest, chart.lowest_at) == ("80.0", "3:00")


def test_marks_stand_apart_from_each_other() -> None:
    curve = [[float(s), 60.0 + abs(s - 300) / 10] for s in range(600)]
    times = [float(mark.x.rstrip("%")) for mark in chart_of(curve).marks]
    assert times[0] == pytest.approx(50, abs=1)
    assert all(abs(a - b) > 2.9 for a in times for b in times if a != b)


def test_mean_and_low_end_are_those_that_the_ladder_measured() -> None:
    chart = chart_of(whole_film(), mean=94.25, p5=91.4)
    assert chart.text.startswith("Mean 94.2, 91.4 in the lowest 5 %")
    assert chart_of([[0, 90.0], [1, 92.0]]).mean == "91.0"


def test_what_was_asked_stands_as_lines_inside_the_chart() -> None:
    chart = chart_of(whole_film(), Asked(target=95.0, min_mean=88.0, min_p5=75.0))
    assert [(limit.kind, limit.text) for limit in chart.limits] == [
        ("goal", "target 95"),
        ("mean", "lowest mean 88"),
        ("low", "lowest 5 % 75"),
    ]
    places = [float(limit.place.rstrip("%")) for limit in chart.limits]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert "Asked for: 95." in chart.text


def test_a_floor_of_nothing_is_no_line() -> None:
    assert chart_of(whole_film(), Asked(min_mean=0.0, min_p5=0.0)).limits == ()


@pytest.mark.parametrize(
    ("lowest", "bottom"),
    [(97.0, "90"), (85.0, "80"), (61.0, "60"), (75.0, "70"), (44.0, "40"), (3.0, "0")],
)
def test_the_axis_holds_everything_and_no_more(lowest: float, bottom: str) -> None:
    chart = chart_of([[0, 99.0], [1, lowest]])
    assert [chart.values[0].text, chart.values[-1].text] == ["100", bottom]
    assert [chart.values[0].place, chart.values[-1].place] == ["0.00%", "100.00%"]


def test_times_are_few_and_round_and_none_stands_at_the_very_end() -> None:
    ticks = chart_of(whole_film(), duration_s=7200.0).times
    assert [tick.text for tick in ticks] == [
        "0:00",
        "20:00",
        "40:00",
        "1:00:00",
        "1:20:00",
        "1:40:00",
    ]
    assert len(chart_of([[0, 90], [0.9, 91]]).times) >= 1


def test_a_very_long_curve_is_thinned_and_keeps_its_worst() -> None:
    curve = [[float(s), 30.0 if s == 4321 else 95.0] for s in range(9000)]
    chart = chart_of(curve)
    assert chart.line.count("L") < MOST_POINTS
    assert chart.lowest == "30.0"
    assert chart.lowest_at == "1:12:01"


@pytest.mark.parametrize(
    "curve",
    [
        None,
        "x",
        {},
        [],
        [[1, 90]],
        [[1], [2, "x"], [None, 3], 5, [True, 90], [float("nan"), 1], [1, float("inf")]],
    ],
)
def test_what_is_no_curve_is_no_chart(curve: object) -> None:
    assert make_chart(curve, NOTHING_ASKED) is None


def test_values_outside_of_vmaf_stay_in_the_chart() -> None:
    assert read_curve([[-5, 180], [3, -1]]) == [(0.0, 100.0), (3.0, 0.0)]
    chart = chart_of([[0, 180], [0, -1]])
    assert "nan" not in chart.line


def job(**values: Any) -> Any:
    defaults = {
        "target_vmaf": 95.0,
        "target_metric": "vmaf",
        "predicted_vmaf": None,
        "vmaf_mean": None,
        "crf": None,
    }
    return cast("Any", SimpleNamespace(**(defaults | values)))


def promised(**values: Any) -> tuple[str, str]:
    promise = quality_promise(job(**values))
    assert promise is not None
    return promise.text, promise.tone


def test_what_was_promised_stands_beside_what_came() -> None:
    text, tone = promised(predicted_vmaf=95.1, crf=24.5, vmaf_mean=94.8)
    assert text == (
        "VMAF 95 was asked for; samples promised 95.1 at CRF 24.5, 94.8 was measured:"
        " 0.2 below the target."
    )
    assert tone == "ok"


def test_far_below_and_far_above_the_target_are_said_and_marked() -> None:
    assert promised(predicted_vmaf=95.0, vmaf_mean=93.9)[1] == "warn"
    text, tone = promised(predicted_vmaf=95.0, vmaf_mean=96.5)
    assert "1.5 above the target" in text
    assert tone == "warn"
    assert "as asked" in promised(predicted_vmaf=95.0, vmaf_mean=95.01)[0]


def test_before_the_work_the_promise_says_what_is_known() -> None:
    assert promised() == ("VMAF 95 is asked for; samples of the film will say which CRF.", "")
    text, _tone = promised(predicted_vmaf=95.0, crf=24.0)
    assert "not measured yet" in text


def test_decibels_are_not_held_against_vmaf() -> None:
    text, tone = promised(
        target_vmaf=42.0, target_metric="xpsnr", predicted_vmaf=42.3, crf=22, vmaf_mean=96.0
    )
    assert text == (
        "XPSNR 42 dB was asked for; samples promised 42.3 dB at CRF 22."
        " The result measures VMAF 96.0."
    )
    assert tone == ""


def test_without_a_target_nothing_is_promised() -> None:
    assert quality_promise(job(target_vmaf=None)) is None
