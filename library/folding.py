"""Text of names: folded for search and sorting, and made visible for people. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Left out at the start of a title when sorting. German "die" is not here: "Die Hard" stays under D.
_ARTICLES = re.compile(r"^(?:the|an?|le|la|les|der|el|los|las|il|lo|gli|de|het|den|det)\s+(?=\S)")
_ELISIONS = re.compile(r"^l['’](?=\S)")
_NOT_WORD = re.compile(r"[^\w]+", re.UNICODE)
_DIGITS = re.compile(r"\d+")
# Letters that NFKD leaves whole although people type them without the stroke.
_STROKES = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_LATIN_END = 0x0370
SORT_KEY_LENGTH = 300


def fold(text: str) -> str:
    """For search: case, width and Latin accents do not count ("Amélie" and "AMELIE" fold alike).

    Marks that change the letter elsewhere stay: Japanese が is not か.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if text.isascii():
        return text
    return _strip_accents(text).translate(_STROKES)


def _strip_accents(text: str) -> str:
    kept: list[str] = []
    base_takes_no_mark = False
    for char in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(char) == 0:
            base_takes_no_mark = _loses_accents(char)
            kept.append(char)
        elif not base_takes_no_mark:
            kept.append(char)
    return unicodedata.normalize("NFC", "".join(kept))


@lru_cache(maxsize=4096)
def _loses_accents(char: str) -> bool:
    return ord(char) < _LATIN_END or unicodedata.name(char, "").startswith(("LATIN", "GREEK"))


def search_text(*parts: str) -> str:
    """The folded words of all parts, separated by one space, each part once."""
    folded = (" ".join(_NOT_WORD.sub(" ", fold(part).replace("_", " ")).split()) for part in parts)
    return " ".join(dict.fromkeys(part for part in folded if part))


def sort_key(title: str) -> str:
    """Folded title without its leading article; numbers padded: "Rocky 2" precedes "Rocky 10"."""
    folded = " ".join(_NOT_WORD.sub(" ", fold(_ELISIONS.sub("", title.strip().casefold()))).split())
    folded = _ARTICLES.sub("", folded) or folded
    return _DIGITS.sub(lambda number: number[0].lstrip("0").zfill(6), folded)[:SORT_KEY_LENGTH]


def display_path(path: bytes) -> str:
    r"""A name as people may read it: undecodable bytes as `\xNN`, control characters as `\n`."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if _is_shown(char) else _escaped(char) for char in text)


def _is_shown(char: str) -> bool:
    # Zs: the no-break spaces of real names. Cf (bidi overrides) could make a name lie: escaped.
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
