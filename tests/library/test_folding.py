"""Search folding, sort keys and names made visible."""

from __future__ import annotations

import unicodedata

import pytest

from library.folding import display_path, fold, search_text, sort_key


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Amélie", "amelie"),
        (unicodedata.normalize("NFD", "Amélie"), "amelie"),
        ("AMÉLIE", "amelie"),
        ("Straße", "strasse"),
        ("Łódź Ångström Œuvre", "lodz angstrom oeuvre"),
        ("Ｗｉｄｅ　ｔｅｘｔ", "wide text"),
        ("Ελλάδα", "ελλαδα"),
        ("がんばれ", "がんばれ"),
        (unicodedata.normalize("NFD", "がんばれ"), "がんばれ"),
        ("千と千尋", "千と千尋"),
        ("Йошка", "йошка"),
    ],
)
def test_fold_ignores_case_width_and_latin_accents_only(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("The Matrix", "matrix"),
        ("A Few Good Men", "few good men"),
        ("A", "a"),
        ("The", "the"),
        ("L'Avventura", "avventura"),
        ("Die Hard", "die hard"),
        ("Der Untergang", "untergang"),
        ("Up", "up"),
        ("Rocky 2", "rocky 000002"),
        ("  Spaces  ", "spaces"),
    ],
)
def test_sort_key_drops_the_leading_article_and_pads_numbers(title: str, key: str) -> None:
    assert sort_key(title) == key


def test_numbers_sort_by_value() -> None:
    titles = ["Rocky 10", "Rocky 2", "Rocky"]
    assert sorted(titles, key=sort_key) == ["Rocky", "Rocky 2", "Rocky 10"]


def test_sort_key_is_bounded() -> None:
    assert len(sort_key("x" * 5000)) == 300


def test_search_text_holds_the_words_of_all_parts() -> None:
    assert search_text("Amélie", "", "Amélie (2001)/Le_Fabuleux.Destin.mkv") == (
        "amelie amelie 2001 le fabuleux destin mkv"
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain/film.mkv", "plain/film.mkv"),
        ("Amélie.mkv".encode(), "Amélie.mkv"),
        (b"bad \xff\xfe.mkv", "bad \\xff\\xfe.mkv"),
        (b"line\nbreak\t.mkv", "line\\nbreak\\t.mkv"),
        ("mirror \u202egnp.mkv".encode(), "mirror \\u202egnp.mkv"),
        ("no\u00a0break.mkv".encode(), "no\u00a0break.mkv"),
        (b"nul\x00.mkv", "nul\\x00.mkv"),
    ],
)
def test_display_path_shows_every_byte(raw: bytes, shown: str) -> None:
    assert display_path(raw) == shown
