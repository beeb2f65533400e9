"""Paths of other machines: which mapping wins, what is a prefix, and the way back."""

from __future__ import annotations

import itertools
import random

import pytest

from library.models import ArrServer, PathMapping, PlexServer
from library.plex.mapping import Mapping, MappingProblem, MappingTable


def _table(*rows: tuple[str, bytes], own: bool = True) -> MappingTable:
    return MappingTable.of(Mapping.of(source, local, is_own=own) for source, local in rows)


@pytest.mark.parametrize(
    ("source", "local", "text", "expected"),
    [
        ("/data", b"/films", "/data/A/a.mkv", b"/films/A/a.mkv"),
        ("/data/", b"/films/", "/data/a.mkv", b"/films/a.mkv"),
        ("/data", b"/films", "/data", b"/films"),
        ("/data", b"/films", "/data/", b"/films"),
        ("/data", b"/films", "/data//A/./a.mkv", b"/films/A/a.mkv"),
        ("/", b"/mnt/nas", "/films/a.mkv", b"/mnt/nas/films/a.mkv"),
        ("/data", b"/", "/data/a.mkv", b"/a.mkv"),
        ("/data", b"/", "/data", b"/"),
        ("/data", b"/f\xff", "/data/\u00e9.mkv", b"/f\xff/\xc3\xa9.mkv"),
        ("D:\\Films", b"/films", "d:\\FILMS\\Heat\\Heat.mkv", b"/films/Heat/Heat.mkv"),
        ("D:/Films", b"/films", "D:\\films\\a.mkv", b"/films/a.mkv"),
        ("D:\\Films\\", b"/films", "D:/Films/a.mkv", b"/films/a.mkv"),
        ("D:\\", b"/disk", "D:\\a.mkv", b"/disk/a.mkv"),
        ("D:", b"/disk", "d:/x/a.mkv", b"/disk/x/a.mkv"),
        ("\\\\NAS\\films", b"/nas", "\\\\nas\\Films\\a.mkv", b"/nas/a.mkv"),
        ("\\\\NAS\\films", b"/nas", "//nas/films/a.mkv", b"/nas/a.mkv"),
        # A backslash is a letter in a Unix name.
        ("/data", b"/films", "/data/a\\b.mkv", b"/films/a\\b.mkv"),
    ],
)
def test_a_path_below_a_source_is_called_by_its_local_folder(
    source: str, local: bytes, text: str, expected: bytes
) -> None:
    assert _table((source, local)).local_path(text) == expected


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("/data/film", "/data/films/a.mkv", b"/data/films/a.mkv"),
        ("/data/films2", "/data/films/a.mkv", b"/data/films/a.mkv"),
        ("/Data", "/data/a.mkv", b"/data/a.mkv"),
        ("D:\\Film", "D:\\Films\\a.mkv", None),
        ("D:\\Films", "E:\\Films\\a.mkv", None),
        ("\\\\nas\\films", "\\\\nas2\\films\\a.mkv", None),
        ("\\\\nas\\films", "/nas/films/a.mkv", b"/nas/films/a.mkv"),
        ("/", "D:\\a.mkv", None),
        ("/", "\\\\nas\\films\\a.mkv", None),
    ],
)
def test_a_prefix_that_only_looks_alike_does_not_count(
    source: str, text: str, expected: bytes | None
) -> None:
    assert _table((source, b"/here")).local_path(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "films/a.mkv",
        "D:films",
        "D:\\a.mkv",
        "//nas/x",
        "/a\0b",
        "/data/../etc/passwd",
        "/\udc80",
    ],
)
def test_what_has_no_name_here_is_none(text: str) -> None:
    assert MappingTable().local_path(text) is None
    assert _table(("/data", b"/films")).local_path(text) is None


def test_without_a_mapping_a_unix_path_is_taken_as_it_is() -> None:
    assert MappingTable().local_path("/films/é/a.mkv") == "/films/é/a.mkv".encode()
    assert MappingTable().remote_path("/films/é/a.mkv".encode()) == "/films/é/a.mkv"


def test_the_longest_source_wins_in_any_order() -> None:
    rows = [("/data", b"/a"), ("/data/films", b"/b"), ("/data/films/new", b"/c"), ("/", b"/d")]
    for order in itertools.permutations(rows):
        table = _table(*order)
        assert table.local_path("/data/films/new/x") == b"/c/x"
        assert table.local_path("/data/films/newer/x") == b"/b/newer/x"
        assert table.local_path("/data/x") == b"/a/x"
        assert table.local_path("/x") == b"/d/x"


def test_own_mappings_go_before_those_for_all() -> None:
    table = MappingTable.of(
        [
            Mapping.of("/data/films", b"/for-all", is_own=False),
            Mapping.of("/data", b"/own", is_own=True),
        ]
    )

    assert table.local_path("/data/films/a.mkv") == b"/own/films/a.mkv"
    mapping = table.mapping_of("/data/films/a.mkv")
    assert mapping is not None
    assert mapping.source == "/data"


@pytest.mark.parametrize(
    ("source", "local", "path", "expected"),
    [
        ("/data", b"/films", b"/films/A/a.mkv", "/data/A/a.mkv"),
        ("/data/", b"/films", b"/films/", "/data"),
        ("/", b"/mnt", b"/mnt/a.mkv", "/a.mkv"),
        ("/", b"/mnt", b"/mnt", "/"),
        ("/data", b"/", b"/a.mkv", "/data/a.mkv"),
        ("D:\\Films", b"/films", b"/films/A/a.mkv", "D:\\Films\\A\\a.mkv"),
        ("D:/Films", b"/films", b"/films/A/a.mkv", "D:/Films/A/a.mkv"),
        ("D:", b"/films", b"/films/a.mkv", "D:\\a.mkv"),
        ("\\\\NAS\\films", b"/nas", b"/nas/a.mkv", "\\\\NAS\\films\\a.mkv"),
        ("//NAS/films", b"/nas", b"/nas/a.mkv", "//NAS/films/a.mkv"),
        ("/data", b"/f\xff", b"/f\xff/a.mkv", "/data/a.mkv"),
    ],
)
def test_a_local_path_is_called_as_the_other_side_knows_it(
    source: str, local: bytes, path: bytes, expected: str
) -> None:
    assert _table((source, local)).remote_path(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        b"films/a.mkv",
        b"",
        b"/films/\xff.mkv",
        b"/films/../a.mkv",
        b"/films/a\0",
        b"/films/a\\b.mkv",
    ],
)
def test_what_the_other_side_cannot_name_is_none(path: bytes) -> None:
    assert _table(("D:\\Films", b"/films")).remote_path(path) is None


def test_a_folder_that_a_longer_source_hides_has_no_name_there() -> None:
    table = _table(("/data", b"/films"), ("/data/new", b"/other"))

    assert table.remote_path(b"/films/new/a.mkv") is None
    assert table.remote_path(b"/other/a.mkv") == "/data/new/a.mkv"
    assert table.remote_path(b"/films/a.mkv") == "/data/a.mkv"
    # Named alike on both sides, but the other side's /data is our /films.
    assert table.remote_path(b"/data/a.mkv") is None


def test_of_two_sources_for_one_folder_one_that_leads_back_is_named() -> None:
    table = _table(("/a", b"/films"), ("/b", b"/films"))

    assert table.remote_path(b"/films/x") in {"/a/x", "/b/x"}
    assert table.local_path("/a/x") == table.local_path("/b/x") == b"/films/x"


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back_again_is_the_same_file(seed: int) -> None:
    """Random tables and paths: the way back is either the same file or no file."""
    chance = random.Random(seed)
    names = ["a", "A", "ab", "é", "new", "x y", "100%d"]
    sources = ["/", "/a", "/a/ab", "D:\\", "d:/a", "\\\\nas\\a", "//NAS/ab/é", "/a/new"]
    locals_ = [b"/", b"/a", b"/films/a", b"/films", b"/f\xff", b"/a/ab"]
    table = MappingTable.of(
        Mapping.of(source, chance.choice(locals_), is_own=chance.random() < 0.5)
        for source in chance.sample(sources, chance.randint(0, 5))
    )
    named = 0
    for _ in range(300):
        rest = [chance.choice(names) for _ in range(chance.randint(0, 4))]
        folder = chance.choice(locals_).rstrip(b"/")
        local = b"/".join([folder, *(name.encode() for name in rest)]) or b"/"
        text = table.remote_path(local)
        if text is not None:
            named += 1
            assert table.local_path(text) == local
        remote = "/".join([chance.choice(sources).rstrip("\\/"), *rest]) or "/"
        here = table.local_path(remote)
        if here is not None and (back := table.remote_path(here)) is not None:
            assert table.local_path(back) == here
    assert named > 0


@pytest.mark.parametrize("source", ["", "films", "D:films", "\\\\", "/a/../b", "C", "\\films"])
def test_a_source_that_is_no_folder_is_refused(source: str) -> None:
    with pytest.raises(MappingProblem, match="as the other program writes it"):
        Mapping.of(source, b"/films")


@pytest.mark.parametrize("local", [b"", b"films", b"D:\\films", b"/films/../x", b"/a\0b"])
def test_a_local_folder_that_is_no_full_path_is_refused(local: bytes) -> None:
    with pytest.raises(MappingProblem, match="as it is called here"):
        Mapping.of("/data", local)


@pytest.mark.django_db
def test_a_server_has_its_own_mappings_and_those_for_all() -> None:
    plex = PlexServer.objects.create(machine_id="m1", name="Plex")
    other = PlexServer.objects.create(machine_id="m2", name="Other")
    arr = ArrServer.objects.create(kind="radarr", name="Radarr", url="http://radarr:7878")
    for owner, local in (
        ({"plex_server": plex}, "/own"),
        ({"plex_server": other}, "/other"),
        ({"arr_server": arr}, "/arr"),
        ({}, "/all"),
    ):
        PathMapping.objects.create(source="/data", local=local, local_raw=local.encode(), **owner)

    assert MappingTable.load(plex).local_path("/data/x") == b"/own/x"
    assert MappingTable.load(other).local_path("/data/x") == b"/other/x"
    assert MappingTable.load(arr).local_path("/data/x") == b"/arr/x"
    assert MappingTable.load(None).local_path("/data/x") == b"/all/x"
