"""Fonts of the PDF: a Latin one that is embedded, and a Japanese one that readers bring along.

A text is cut into runs, each set in a font that has its letters. Letters that neither has are
printed as an empty box, and the report says so at its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

LATIN: Final = "Vera"
LATIN_BOLD: Final = "VeraBd"
EAST_ASIAN: Final = "HeiseiKakuGo-W5"
BOX: Final = "\N{WHITE SQUARE}"


@cache
def register_fonts() -> frozenset[int]:
    """Once per process. Returns the code points of the Latin font."""
    latin = TTFont(LATIN, "Vera.ttf")
    pdfmetrics.registerFont(latin)
    pdfmetrics.registerFont(TTFont(LATIN_BOLD, "VeraBd.ttf"))
    pdfmetrics.registerFontFamily(LATIN, normal=LATIN, bold=LATIN_BOLD)
    pdfmetrics.registerFont(UnicodeCIDFont(EAST_ASIAN))
    return frozenset(latin.face.charToGlyph)


@dataclass(slots=True)
class Setter:
    """Sets texts; remembers whether a letter had to be replaced."""

    known: frozenset[int] = field(default_factory=register_fonts)
    has_replaced: bool = False

    def markup(self, text: str) -> str:
        """For a Paragraph: runs in the font that has their letters."""
        runs = []
        for font, letters in groupby(text, self._font):
            run = "".join(letters)
            if not font:
                self.has_replaced = True
                run, font = BOX * len(run), EAST_ASIAN
            inner = escape(run)
            runs.append(inner if font == LATIN else f'<font name="{font}">{inner}</font>')
        return "".join(runs)

    def _font(self, letter: str) -> str:
        """ "" where no font has it."""
        if ord(letter) in self.known:
            return LATIN
        return EAST_ASIAN if _is_japanese(letter) else ""


def _is_japanese(letter: str) -> bool:
    """What the Japanese font holds: asked of the encoding that its character set follows."""
    try:
        letter.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True
