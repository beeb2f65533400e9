"""The report as a PDF: A4, a page of figures, then a chart and a table for each dimension."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone
from reportlab.graphics.shapes import Drawing, Line, PolyLine, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from mediaflow.analytics.charts import axis
from mediaflow.analytics.fonts import LATIN, LATIN_BOLD, Setter
from mediaflow.templatetags._text import bit_rate, full_time, size, size_range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mediaflow.analytics.dimensions import Dimension
    from mediaflow.analytics.report import Report

INK, QUIET, LINE = HexColor("#14181f"), HexColor("#5b6472"), HexColor("#d9dee6")
ACCENT, GREEN, TRACK = HexColor("#256af4"), HexColor("#2aa06a"), HexColor("#eef1f5")
MARGIN: Final = 18 * mm
PADDING: Final = 6.0  # of the frame that reportlab flows into
WIDTH: Final = A4[0] - 2 * MARGIN - 2 * PADDING
MOST_ROWS: Final = 14
BAR_H: Final = 7.0

TITLE = ParagraphStyle("title", fontName=LATIN_BOLD, fontSize=20, leading=25, textColor=INK)
HEADING = ParagraphStyle(
    "heading", fontName=LATIN_BOLD, fontSize=12, leading=16, textColor=INK, spaceBefore=10,
    spaceAfter=4,
)  # fmt: skip
BODY = ParagraphStyle("body", fontName=LATIN, fontSize=9, leading=13, textColor=INK)
SMALL = ParagraphStyle("small", parent=BODY, fontSize=7.5, leading=10, textColor=QUIET)
FIGURE = ParagraphStyle("figure", fontName=LATIN_BOLD, fontSize=15, leading=19, textColor=INK)
RIGHT = ParagraphStyle("right", parent=BODY, alignment=TA_RIGHT, fontSize=8, leading=10)
SMALL_RIGHT = ParagraphStyle("small_right", parent=SMALL, alignment=TA_RIGHT)
CELL = ParagraphStyle("cell", parent=BODY, fontSize=8, leading=10)


def write_pdf(report: Report) -> bytes:
    """The whole document."""
    out = BytesIO()
    setter = Setter()
    name = report.library.name if report.library else "All libraries"
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN,
        bottomMargin=MARGIN, title=f"Storage and quality report: {name}", author="MediaFlow",
    )  # fmt: skip
    parts: list[Any] = [*_front(report, name, setter), *_savings(report), *_growth(report)]
    for dimension in report.dimensions:
        parts += _dimension(dimension, setter)
    if setter.has_replaced:
        text = "□ stands for letters that the fonts of this document lack."
        parts += [Spacer(1, 8), Paragraph(setter.markup(text), SMALL)]
    stamp = full_time(timezone.localtime(report.made_at))
    footer = _footer(f"MediaFlow · counted {stamp}")
    document.build(parts, onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def _footer(text: str) -> Callable[[Any, Any], None]:
    def draw(canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont(LATIN, 7.5)
        canvas.setFillColor(QUIET)
        canvas.drawString(MARGIN, 10 * mm, text)
        canvas.drawRightString(A4[0] - MARGIN, 10 * mm, f"Page {document.page}")
        canvas.restoreState()

    return draw


def _front(report: Report, name: str, setter: Setter) -> list[Any]:
    stamp = full_time(timezone.localtime(report.made_at))
    figures = [
        ("Films", f"{report.files:,}", f"{_rate(report.average_kbps)} on average"),
        ("Size", size(report.bytes).text, _capacity_words(report)),
        ("Freed", size(report.savings.freed_bytes).text, "originals purged"),
        ("Will be freed", size(report.savings.trash_bytes).text, "originals in the trash"),
    ]
    cells = [
        [Paragraph(label, SMALL) for label, _value, _note in figures],
        [Paragraph(value, FIGURE) for _label, value, _note in figures],
        [Paragraph(note, SMALL) for _label, _value, note in figures],
    ]
    table = Table(cells, colWidths=[WIDTH / 4] * 4)
    table.setStyle(
        TableStyle(
            [
                ("BOX", (0, 0), (-1, -1), 0.6, LINE),
                ("LINEBEFORE", (1, 0), (-1, -1), 0.6, LINE),
                ("TOPPADDING", (0, 0), (-1, 0), 6),
            ]
        )
    )
    return [
        Paragraph("Storage and quality report", TITLE),
        Paragraph(setter.markup(f"{name} · counted {stamp}"), BODY),
        Spacer(1, 10),
        table,
        *_health(report, setter),
        *_potential(report),
    ]


def _capacity_words(report: Report) -> str:
    capacity = report.capacity
    if not capacity.source:
        return "capacity not known"
    return f"{capacity.used_pct:.0f} % of {size(capacity.total_bytes).text} used"


def _health(report: Report, setter: Setter) -> list[Any]:
    health = report.health
    if health is None:
        return []
    parts = " · ".join(f"{part.label} {part.score} ({part.grade})" for part in health.parts)
    steps = "; ".join(f"{step.text} (+{step.points:.1f})" for step in health.steps[:3])
    text = f"{parts}. " + (f"To raise it: {steps}." if steps else "Nothing would raise it.")
    return [
        Paragraph(f"Health: {health.grade}, {health.score} of 100", HEADING),
        Paragraph(setter.markup(text), BODY),
    ]


def _potential(report: Report) -> list[Any]:
    found = report.potential
    if found is None:
        return []
    saving = found.saving
    how = f"reckoned from {found.sampled:,} of them" if found.sampled else "reckoned film by film"
    between = size_range(saving.low, saving.high)
    text = (
        f"{found.files:,} films in H.264 take {size(found.bytes).text}. As HEVC of like quality"
        f" they would save about <b>{size(saving.expected).text}</b> ({between}), {how}."
    )
    bar = _range_bar(found.bytes, saving.low, saving.high)
    return [Paragraph("H.264 to HEVC", HEADING), Paragraph(text, BODY), Spacer(1, 4), bar]


def _range_bar(whole: int, low: int, high: int) -> Drawing:
    drawing = Drawing(WIDTH, BAR_H + 2)
    drawing.add(Rect(0, 0, WIDTH, BAR_H, fillColor=TRACK, strokeColor=None))
    drawing.add(
        Rect(0, 0, WIDTH * high / whole, BAR_H, fillColor=HexColor("#a9dcc2"), strokeColor=None)
    )
    drawing.add(Rect(0, 0, WIDTH * low / whole, BAR_H, fillColor=GREEN, strokeColor=None))
    return drawing


def _savings(report: Report) -> list[Any]:
    savings = report.savings
    if not savings.days:
        return []
    total = saved = 0
    days, amounts = [], []
    for day in savings.days:
        total += day.saved_bytes
        saved += day.freed_bytes
        days.append(day.day)
        amounts.append(total)
    text = f"{size(total).text} saved so far, of it {size(saved).text} freed."
    if len(days) < 2:
        return [Paragraph("Savings", HEADING), Paragraph(text, BODY)]
    return [
        KeepTogether(
            [Paragraph("Savings", HEADING), Paragraph(text, BODY), _line(days, amounts, GREEN)]
        )
    ]


def _growth(report: Report) -> list[Any]:
    if not report.growth.has_chart:
        return []
    days = report.growth.days
    month = report.growth.bytes_per_month
    text = f"{size(days[0].bytes).text} on {days[0].day}, {size(days[-1].bytes).text} now."
    if month is not None:
        text += f" A month adds about {size(month).text}."
    chart = _line([day.day for day in days], [day.bytes for day in days], ACCENT)
    return [KeepTogether([Paragraph("Growth", HEADING), Paragraph(text, BODY), chart])]


def _line(days: Sequence[Any], amounts: Sequence[int], color: Any) -> Drawing:
    """A line over time with the axis of the page's charts."""
    height, left, bottom = 95.0, 34.0, 16.0
    top, unit, factor, ticks = axis(max(amounts))
    span = max((days[-1] - days[0]).days, 1)
    drawing = Drawing(WIDTH, height + bottom + 8)
    for number, tick in enumerate(ticks):
        y = bottom + height * number / (len(ticks) - 1)
        drawing.add(Line(left, y, WIDTH, y, strokeColor=LINE, strokeWidth=0.5))
        text = f"{tick.text} {unit}" if number == len(ticks) - 1 else tick.text
        drawing.add(String(left - 4, y - 2.5, text, fontName=LATIN, fontSize=6.5,
                           fillColor=QUIET, textAnchor="end"))  # fmt: skip
    places: list[float] = []
    for day, amount in zip(days, amounts, strict=True):
        places += [left + (WIDTH - left) * (day - days[0]).days / span,
                   bottom + height * amount / top]  # fmt: skip
    drawing.add(PolyLine(places, strokeColor=color, strokeWidth=1.5))
    for x, day, anchor in ((left, days[0], "start"), (WIDTH, days[-1], "end")):
        drawing.add(String(x, 2, f"{day}", fontName=LATIN, fontSize=6.5, fillColor=QUIET,
                           textAnchor=anchor))  # fmt: skip
    assert factor
    return drawing


def _dimension(dimension: Dimension, setter: Setter) -> list[Any]:
    rows = dimension.rows[:MOST_ROWS]
    most = max((row.bytes for row in rows), default=0)
    cells: list[list[Any]] = [
        [Paragraph(text, SMALL_RIGHT) for text in ("", "", "Films", "Size", "Share", "Average")]
    ]
    for row in rows:
        figures = (
            f"{row.files:,}", size(row.bytes).text, f"{row.share_pct:.1f} %",
            _rate(row.average_kbps),
        )  # fmt: skip
        cells.append(
            [
                Paragraph(setter.markup(row.label), CELL),
                _bar(row.bytes, most),
                *(Paragraph(text, RIGHT) for text in figures),
            ]
        )
    widths = [0.24, 0.28, 0.11, 0.13, 0.1, 0.14]
    table = Table(cells, colWidths=[WIDTH * part for part in widths])
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("TOPPADDING", (0, 0), (-1, -1), 2.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
            ]
        )
    )
    parts: list[Any] = [Paragraph(f"By {dimension.title.lower()}", HEADING), table]
    if more := len(dimension.rows) - len(rows):
        parts.append(Paragraph(f"and {more} more, smaller ones", SMALL))
    return [KeepTogether(parts)]


def _bar(amount: int, most: int) -> Drawing:
    width = WIDTH * 0.28 - 14
    drawing = Drawing(width, BAR_H)
    drawing.add(Rect(0, 0, width, BAR_H, fillColor=TRACK, strokeColor=None))
    if most:
        drawing.add(Rect(0, 0, width * amount / most, BAR_H, fillColor=ACCENT, strokeColor=None))
    return drawing


def _rate(kbps: int | None) -> str:
    return bit_rate(kbps).text if kbps else "–"
