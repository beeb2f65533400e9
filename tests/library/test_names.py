"""What names say: titles, years, episodes, editions, parts; extras, samples, discs."""

from __future__ import annotations

import pytest

from library.scanning.names import ParsedName, file_kind, parse_disc, parse_name


@pytest.mark.parametrize(
    ("path", "title", "year"),
    [
        ("Blade Rider (1982)/Blade.Rider.1982.1080p.BluRay.x264-GRP.mkv", "Blade Rider", 1982),
        ("1917 (2019)/1917.mkv", "1917", 2019),
        ("1917 (2019)/1917.2019.2160p.mkv", "1917", 2019),
        ("2001 A Space Odyssey (1968).mkv", "2001 A Space Odyssey", 1968),
        ("Up (2009).mkv", "Up", 2009),
        ("千と千尋の神隠し (2001).mkv", "千と千尋の神隠し", 2001),
        ("Amélie.2001.mkv", "Amélie", 2001),
        ("holiday.mkv", "holiday", None),
    ],
)
def test_films_have_title_and_year(path: str, title: str, year: int | None) -> None:
    found = parse_name(path)
    assert (found.kind, found.title, found.year) == ("movie", title, year)


@pytest.mark.parametrize(
    ("path", "show", "season", "episodes"),
    [
        ("The Office/Season 01/The.Office.S01E02.Diversity.720p.mkv", "The Office", 1, (2,)),
        ("The Office/Season 01/The.Office.S01E02E03.mkv", "The Office", 1, (2, 3)),
        ("Show/Season 2/Show - S02E05-E07 - Name.mkv", "Show", 2, (5, 6, 7)),
        ("Doctor Who (2005)/Season 00/Doctor Who (2005) - S00E01.mkv", "Doctor Who", 0, (1,)),
    ],
)
def test_episodes_have_show_season_and_numbers(
    path: str, show: str, season: int, episodes: tuple[int, ...]
) -> None:
    found = parse_name(path)
    assert found.kind == "episode"
    assert (found.show_title, found.season, found.episodes) == (show, season, episodes)


def test_a_file_of_two_episodes_has_two_identities() -> None:
    keys = parse_name("Show/Show - S01E01-E02.mkv").identity_keys()
    assert keys == ("episode|show||1|1", "episode|show||1|2")


def test_a_backward_episode_range_counts_as_its_first() -> None:
    assert parse_name("Show - S01E09-E02.mkv").episodes == (9,)


def test_an_absurd_episode_range_makes_no_thousand_items() -> None:
    assert parse_name("Show - S01E01-E9999.mkv").episodes == (1,)


def test_two_shows_of_one_name_are_told_apart_by_the_year_of_their_folder() -> None:
    old = parse_name("Doctor Who (1963)/Season 1/Doctor Who - S01E01.mkv")
    new = parse_name("Doctor Who (2005)/Season 1/Doctor Who - S01E01.mkv")
    assert old.identity_keys() != new.identity_keys()


def test_spelling_of_a_film_does_not_change_its_identity() -> None:
    keys = {parse_name(name).identity_keys() for name in ("Amélie (2001).mkv", "AMELIE (2001).mp4")}
    assert keys == {("movie|amelie|2001",)}


def test_edition_and_part_are_read() -> None:
    assert parse_name("Alien (1979) {edition-Final Cut}/Alien (1979).mkv").edition == "Final Cut"
    assert parse_name("Movie (1999) cd2.avi").part == 2


@pytest.mark.parametrize(
    "path", [".mkv", "(((.mkv", "\\n.mkv", "\\xff\\xfe.mkv", "a" * 3000 + ".mkv", "/", "- - -.mkv"]
)
def test_no_name_makes_parsing_fail(path: str) -> None:
    found = parse_name(path)
    assert found.title
    assert all(len(key) <= 700 for key in found.identity_keys())


def test_a_parsed_name_survives_json() -> None:
    found = parse_name("Show/Show - S01E01-E02 - Two.mkv")
    assert ParsedName.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"Film (2000)/Film (2000).mkv", "video"),
        (b"Film (2000)/sample.mkv", "sample"),
        (b"Film (2000)/film.sample.mkv", "sample"),
        (b"Film (2000)/Sample/film.mkv", "sample"),
        (b"Film (2000)/Examples.mkv", "video"),
        (b"Film (2000)/Film-trailer.mkv", "extra"),
        (b"Films/Film (2000)/Featurettes/Making of.mkv", "extra"),
        (b"Shorts/A short film.mkv", "video"),
        (b"Film.iso", "disc"),
        (b"Film (2000)/BDMV", "disc"),
        (b"Film (2000)/VIDEO_TS", "disc"),
    ],
)
def test_kind_of_file_by_rule(path: bytes, kind: str) -> None:
    assert file_kind(path, 1000) == kind


def test_a_large_file_named_sample_is_a_film() -> None:
    assert file_kind(b"Sample (1999).mkv", 5_000_000_000) == "video"


def test_a_disc_is_named_by_the_folder_that_holds_it() -> None:
    assert parse_disc("Heat (1995)/BDMV") == ParsedName("disc", "Heat", 1995)
    assert parse_disc("Heat.1995.iso") == ParsedName("disc", "Heat", 1995)
