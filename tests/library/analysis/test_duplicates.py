"""Several versions of one film: what counts as one, and which is the best."""

from __future__ import annotations

import pytest

from library.analysis.kinds import sentence_of
from library.analysis.services import recommendation_files
from library.models import Library, Recommendation, RecommendationMember
from tests.library.analysis.films import GB, film, found, link
from tests.library.file_rows import make_library

pytestmark = pytest.mark.django_db
HEAT = "movie|heat|1995"
GUID = "plex://movie/5d77"


def versions(library: Library, *keys: str, **options: str) -> None:
    for number, key in enumerate(keys):
        link(film(library, "Heat", path=f"{number}.mkv", year=1995), key, **options)  # type: ignore[arg-type]


def test_the_best_version_is_named_and_only_the_others_are_counted(library: Library) -> None:
    best = film(library, "Heat", path="4k.mkv", resolution=2160, size_bytes=20 * GB, hdr="hdr10")
    more = film(library, "Heat", path="a.mkv", bit_rate_kbps=9_000, size_bytes=8 * GB)
    less = film(library, "Heat", path="b.mkv")
    for file in (less, more, best):
        link(file, HEAT)
    (row,) = found("duplicates")
    assert (row.savings_bytes, row.member_count, row.basis) == (11 * GB, 3, "counted")
    assert RecommendationMember.objects.get(is_best=True).file == best
    assert set(recommendation_files(Recommendation.objects.all())) == {best, more, less}
    text = sentence_of(row).replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith("3 versions of “Heat” (2001) take 31.0 GB. The best is 4K HEVC HDR10")
    assert "Look before you remove one" in text


def test_one_film_in_two_libraries_is_found_and_two_editions_are_not(library: Library) -> None:
    other = make_library("Other")
    versions(library, HEAT)
    versions(other, HEAT)
    link(film(library, "Heat", path="c.mkv"), HEAT, edition="Director's Cut")
    (row,) = found("duplicates")
    assert row.member_count == 2


def test_names_that_differ_are_one_film_where_plex_says_so(library: Library) -> None:
    versions(library, HEAT, guid=GUID)
    versions(make_library("Other"), "movie|heat la sfida|1995", guid=GUID)
    assert [row.group_key for row in found("duplicates")] == [f"{GUID}|"]


def test_identities_of_one_file_alone_join_nothing(library: Library) -> None:
    versions(library, HEAT, guid="local://12")
    versions(make_library("Other"), "movie|ice|1996", guid="local://12")
    assert found("duplicates") == []


def test_parts_and_files_of_several_episodes_are_no_versions(library: Library) -> None:
    for number in (1, 2):
        link(film(library, "Heat", path=f"cd{number}.avi"), HEAT, part=number)
    double, single = film(library, "E1", path="1-2.mkv"), film(library, "E1", path="1.mkv")
    for episode in ("episode|show||1|1", "episode|show||1|2"):
        link(double, episode)
    link(single, "episode|show||1|1")
    assert found("duplicates") == []


def test_what_mediaflow_made_beside_a_film_is_no_duplicate(library: Library) -> None:
    versions(library, HEAT)
    link(film(library, "Heat", path="m.mp4", mediaflow_tag="x;mobile"), HEAT)
    assert found("duplicates") == []


@pytest.mark.parametrize(("gap_ms", "confidence"), [(120_000, 85), (120_001, 40)])
def test_lengths_that_differ_may_be_another_cut(
    library: Library, gap_ms: int, confidence: int
) -> None:
    versions(library, HEAT)
    link(film(library, "Heat", path="l.mkv", duration_ms=6_000_000 + gap_ms), HEAT)
    (row,) = found("duplicates")
    assert row.confidence_pct == confidence
    assert ("perhaps another cut" in sentence_of(row)) is (confidence == 40)


def test_long_names_that_begin_alike_stay_apart(library: Library) -> None:
    name = f"movie|{'x' * 200}"
    versions(library, f"{name}|1990", f"{name}|1991")
    versions(make_library("Other"), f"{name}|1990")
    (row,) = found("duplicates")
    assert row.member_count == 2


def test_a_version_that_left_is_no_member_any_more(library: Library) -> None:
    versions(library, HEAT, HEAT, HEAT)
    found("duplicates")
    library.files.filter(path="0.mkv").update(availability="missing")
    (row,) = found("duplicates")
    assert row.member_count == row.members.count() == 2


@pytest.mark.parametrize(
    "trouble",
    [{"state": "failed"}, {"state_reason": "The film breaks off: its end is missing. It stays."}],
)
def test_a_film_that_is_known_to_be_broken_is_never_the_best(
    library: Library, trouble: dict[str, str]
) -> None:
    broken = film(library, "Heat", path="4k.mkv", resolution=2160, size_bytes=20 * GB, **trouble)
    sound = film(library, "Heat", path="a.mkv")
    for file in (broken, sound):
        link(file, HEAT)
    (row,) = found("duplicates")
    assert RecommendationMember.objects.get(is_best=True).file == sound
    assert row.savings_bytes == 20 * GB
    assert "1 has failed or breaks off: not taken for the best." in sentence_of(row)


def test_where_all_versions_are_broken_none_is_named(library: Library) -> None:
    for name in ("a.mkv", "b.mkv"):
        link(film(library, "Heat", path=name, state="failed"), HEAT)
    assert found("duplicates") == []


def test_one_file_under_two_names_is_counted_once(library: Library) -> None:
    for name in ("a.mkv", "b.mkv"):
        same = film(library, "Heat", path=name, content_fingerprint="f" * 64, hard_link_count=2)
        link(same, HEAT)
    (row,) = found("duplicates")
    assert (row.savings_bytes, row.member_count) == (0, 2)
    assert "is not counted" in sentence_of(row)
    assert "the other" not in sentence_of(row)

    link(film(library, "Heat", path="c.mkv", size_bytes=2 * GB), HEAT)
    (row,) = found("duplicates")
    assert (row.savings_bytes, row.member_count) == (2 * GB, 3)
