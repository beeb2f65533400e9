"""The tags and components every page is made of."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone

from mediaflow.templatetags import _text, mf_ui

GB = 10**9
STATIC = Path(settings.BASE_DIR) / "mediaflow" / "static" / "mediaflow"


def render(source: str, **context: Any) -> str:
    return engines["django"].from_string("{% load mf_ui %}" + source).render(context)


@pytest.mark.parametrize(
    ("byte_count", "number", "unit"),
    [
        (0, "0", "B"),
        (999, "999", "B"),
        (94_400, "94", "kB"),
        (58_000_000, "58.0", "MB"),
        (999_960_000, "1.0", "GB"),
        (80_600_000_000, "80.6", "GB"),
        (286 * GB, "286", "GB"),
        (1_380 * GB, "1.38", "TB"),
        (1_800 * GB, "1.8", "TB"),
        (40_000 * GB, "40.0", "TB"),
        (-2 * GB, "−2.0", "GB"),
    ],
)
def test_sizes_are_decimal_with_three_figures(byte_count: int, number: str, unit: str) -> None:
    assert _text.size(byte_count) == (number, unit)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (33 * GB, 44 * GB, "33–44 GB"),
        (5 * GB, 7 * GB, "5.0–7.0 GB"),
        (900 * 10**6, 2 * GB, "900 MB–2.0 GB"),
    ],
)
def test_a_range_names_its_unit_once(low: int, high: int, text: str) -> None:
    assert _text.size_range(low, high).replace(_text.NBSP, " ") == text


def test_a_range_beside_its_figure_repeats_no_unit() -> None:
    assert mf_ui.range_beside(33 * GB, 44 * GB, 39 * GB) == "33–44"
    both = mf_ui.range_beside(900 * 10**6, 2 * GB, GB)
    assert both.replace(_text.NBSP, " ") == "900 MB–2.0 GB"
    assert mf_ui.range_beside(None, None, GB) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (45, "45 s"),
        (1740, "29 min"),
        (9_060, "2 h 31 min"),
        (7_200, "2 h"),
        (3_599, "1 h"),
        (187_200, "2 d 4 h"),
    ],
)
def test_spans_use_two_units_at_most(seconds: float, text: str) -> None:
    assert _text.span(seconds).replace(_text.NBSP, " ") == text


def test_clock_shows_hours_only_when_there_are_any() -> None:
    assert _text.clock(4324.9) == "1:12:04"
    assert _text.clock(41) == "0:41"


def test_frame_rates_keep_three_places_only_where_they_say_something() -> None:
    assert [_text.frame_rate(fps) for fps in (24000 / 1001, 25.0, 29.97)] == [
        "23.976",
        "25",
        "29.97",
    ]


def test_times_get_shorter_the_nearer_they_are() -> None:
    now = datetime(2026, 11, 21, 16, 46)  # noqa: DTZ001
    assert _text.short_time(now - timedelta(hours=1), now) == "15:46"
    assert _text.short_time(now - timedelta(days=7), now) == "14 Nov".replace(" ", _text.NBSP)
    assert _text.short_time(now - timedelta(days=400), now).endswith("2025")
    assert _text.ago(now - timedelta(minutes=12), now).replace(_text.NBSP, " ") == "12 min ago"
    assert _text.ago(now - timedelta(hours=30), now).replace(_text.NBSP, " ") == "30 h ago"
    assert _text.ago(now - timedelta(days=3), now).replace(_text.NBSP, " ") == "3 d ago"
    assert _text.ago(now + timedelta(minutes=5), now).replace(_text.NBSP, " ") == "in 5 min"
    assert _text.ago(now, now) == "just now"


def test_counted_forms_the_plural() -> None:
    assert [_text.counted(n, "film").replace(_text.NBSP, " ") for n in (1, 3482)] == [
        "1 film",
        "3,482 films",
    ]
    assert _text.counted(2, "entry,entries").endswith("entries")


def test_unknown_values_print_a_dash_never_none() -> None:
    source = (
        "{{ a|bytes }}{{ a|bytes_text }}{{ a|bitrate }}{{ a|mbps }}{{ a|fps }}{{ a|duration }}"
        "{{ a|timecode }}{{ a|number }}{{ a|pct }}{{ a|when }}{{ a|when_full }}{{ a|bytes_exact }}"
    )
    assert render(source, a=None) == "–" * 12
    assert render(source) == "–" * 12


def test_figures_keep_their_unit_quiet() -> None:
    assert render("{{ n|bytes }}", n=80_600_000_000) == '80.6<span class="u">GB</span>'
    assert render('{{ n|bytes:"b" }}', n=GB) == '<b>1.0</b><span class="u">GB</span>'
    assert render("{{ n|bitrate }}", n=640) == '640<span class="u">kb/s</span>'


def test_times_carry_the_full_moment_in_the_title() -> None:
    html = render("{{ t|when }}", t=timezone.now())
    assert html.startswith("<time datetime=")
    assert "title=" in html


def test_icon_is_decoration_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in render('{% icon "clock" %}')
    labelled = render('{% icon "clock" size="s" label="waiting" %}')
    assert 'role="img" aria-label="waiting"' in labelled
    assert "icons.svg#i-clock" in labelled


@pytest.mark.parametrize(
    ("text", "colour"),
    [("4K", "b-4k"), ("HDR10+", "b-hdr"), ("DV", "b-dv"), ("hevc", "b-hevc"), ("Atmos", "b-atmos")],
)
def test_a_badge_has_one_colour_by_its_text(text: str, colour: str) -> None:
    assert f'class="badge {colour}"' in render("{% badge t %}", t=text)


def test_a_badge_escapes_what_a_file_said() -> None:
    assert "<script>" not in render("{% badge t %}", t="<script>alert(1)</script>")


def test_badge_slots_keep_their_four_places() -> None:
    html = render("{% badges_slots s %}", s={"resolution": "4K", "range": ["DV", "HDR10"]})
    assert html.count("<span>") == 4
    assert html.index("b-dv") < html.index("b-hdr")
    same = render("{% badges_slots s %}", s=SimpleNamespace(resolution="4K", range=["DV", "HDR10"]))
    assert same == html


def test_range_bar_lies_between_nothing_and_everything() -> None:
    bar = mf_ui.range_geometry(100, 38, 58, 48)
    assert (bar.certain, bar.possible, bar.tick, bar.actual) == ("38%", "20%", "48%", "")
    assert mf_ui.range_geometry(None, 1, 2).certain == "0%"
    assert mf_ui.range_geometry(100, 90, 140).possible == "10%"


def test_chunks_fill_the_whole_width() -> None:
    boxes = mf_ui.chunk_boxes(
        [
            {"weight": 30, "state": "done", "server": "b"},
            SimpleNamespace(weight=10, state="run", progress=0.5, server="zz", title="Chunk 2"),
        ]
    )
    assert [(b.x, b.width, b.letter) for b in boxes] == [
        ("0.00%", "75.00%", "b"),
        ("75.00%", "25.00%", "a"),
    ]
    assert float(boxes[1].done.rstrip("%")) < 12.6
    assert mf_ui.chunk_boxes([]) == []


def test_every_icon_a_template_names_is_in_the_sprite() -> None:
    sprite = (STATIC / "icons.svg").read_text()
    templates = Path(settings.BASE_DIR) / "templates"
    named = {
        name
        for path in templates.rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', path.read_text())
    }
    assert sorted(name for name in named if f'id="i-{name}"' not in sprite) == []


NOTHING_WITHOUT_SUBJECT = {"_disk.html", "_form_field.html", "_icon.html"}
COMPONENTS = sorted(
    path.name
    for path in (Path(settings.BASE_DIR) / "templates" / "components").glob("_*.html")
    if path.name not in NOTHING_WITHOUT_SUBJECT
)


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_renders_without_context(name: str) -> None:
    html = render_to_string(f"components/{name}", {}, request=RequestFactory().get("/"))
    assert "None" not in html


@pytest.mark.parametrize("code", [400, 403, 404, 500])
def test_error_pages_need_no_request_and_no_user(code: int) -> None:
    html = render_to_string(f"{code}.html")
    assert "<h1>" in html
    assert "MediaFlow" in html


def test_form_field_ties_help_and_error_to_the_widget() -> None:
    class PresetForm(forms.Form):
        vmaf = forms.IntegerField(max_value=100, help_text="93 to 97 is usual.")

    html = render_to_string(
        "components/_form_field.html", {"field": PresetForm({"vmaf": "130"})["vmaf"]}
    )
    assert 'id="id_vmaf_helptext"' in html
    assert 'id="id_vmaf_error"' in html
    assert 'aria-describedby="id_vmaf_helptext id_vmaf_error"' in html
    assert 'aria-invalid="true"' in html
