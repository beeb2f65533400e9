"""What a file's name says: film or episode, title, year, edition, part; extras, samples, discs.

No Django here: names are parsed in the worker processes, because guessit takes some 6 ms per name.
Names in the two layouts that media servers document ("Film (Year)", "Show - S01E02 - Title") are
read without it; they win over guessit's guess (which takes the film "1917 (2019)" for one of 1917).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from library.folding import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

# Containers that films come in. Anything else in a folder is no film and is not listed.
VIDEO_SUFFIXES = frozenset(
    (
        b".3g2 .3gp .asf .avi .divx .dv .evo .f4v .flv .ivf .m1v .m2t .m2ts .m2v .m4v .mk3d .mkv"
        b" .mov .mp4 .mpe .mpeg .mpg .mts .mxf .nut .ogm .ogv .qt .rm .rmvb .tp .trp .ts .vob"
        b" .webm .wmv .wtv"
    ).split()
)
DISC_IMAGE_SUFFIXES = frozenset((b".iso", b".img"))
DISC_FOLDERS = frozenset((b"bdmv", b"video_ts", b"avchd", b"hvdvd_ts"))
# Never walked: system folders of NAS boxes and desktops. Names with a leading dot are hidden too.
SKIPPED_FOLDERS = frozenset(
    (
        b"@eadir", b"#recycle", b"#snapshot", b"@recycle", b"$recycle.bin", b"lost+found",
        b"system volume information", b"@tmp", b"@sharebin",
    )
)  # fmt: skip

_EXTRA_FOLDERS = frozenset(
    (
        "extras", "extra", "featurettes", "behind the scenes", "deleted scenes", "interviews",
        "scenes", "shorts", "trailers", "bonus",
    )
)  # fmt: skip
_EXTRA_SUFFIX = re.compile(
    r"[-.](?:trailer|behindthescenes|deleted|deletedscene|featurette|interview|scene|short|extra)$",
    re.IGNORECASE,
)
_SAMPLE_NAME = re.compile(r"(?:^|[-._ \[(])sample(?:[-._ \])]|$)", re.IGNORECASE)
SAMPLE_MAX_BYTES = 300_000_000

_FILM = re.compile(r"^(?P<title>[^()\[\]{}]*[^()\[\]{}\s]) \((?P<year>(?:18|19|20)\d\d)\)")
_FILM_ONLY = re.compile(_FILM.pattern + r"$")
_EPISODE = re.compile(
    r"^(?P<show>[^\[\]{}]*?\S)(?: \((?P<year>(?:19|20)\d\d)\))? - [Ss](?P<season>\d{1,4})"
    r"[Ee](?P<first>\d{1,4})(?:-?[Ee](?P<last>\d{1,4}))?(?: - (?P<title>.+))?$"
)
_EDITION = re.compile(r"\{edition-([^}]{1,80})\}", re.IGNORECASE)
_MAX_EPISODES = 50
_MAX_NAME = 400


@dataclass(frozen=True, slots=True)
class ParsedName:
    """One file's name, read. Numbers are None when the name does not tell."""

    kind: str  # library.models.ItemKind value: movie, episode, extra, disc
    title: str
    year: int | None = None
    show_title: str = ""
    season: int | None = None
    episodes: tuple[int, ...] = ()
    air_date: str = ""  # of shows named by date, "2021-03-04"
    edition: str = ""
    part: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> ParsedName:
        return cls(**{**raw, "episodes": tuple(raw["episodes"])})

    def identity_keys(self) -> tuple[str, ...]:
        """Folded identity of each item that this file belongs to; one per episode."""
        if self.kind != "episode":
            return (f"{self.kind}|{_folded(self.title)}|{self.year or ''}"[:700],)
        show = f"episode|{_folded(self.show_title)}|{self.year or ''}|"
        if not self.episodes:
            return (f"{show}{self.air_date or _folded(self.title)}"[:700],)
        season = "" if self.season is None else self.season
        return tuple(f"{show}{season}|{number}"[:700] for number in self.episodes)


def _folded(text: str) -> str:
    folded = fold(text)
    return (re.sub(r"[\W_]+", " ", folded).strip() or folded)[:300]


def parse_name(path: str) -> ParsedName:
    """Read a path below the library root (text for people). Never raises for any name."""
    parts = path.split("/")
    stem = parts[-1].rpartition(".")[0] or parts[-1]
    edition = _EDITION.search(path)
    known = _documented(stem, parts)
    if known is None:
        known = _guessed([*parts[-3:-1], parts[-1]], stem)
    if edition:
        known = ParsedName.from_json({**known.to_json(), "edition": edition[1].strip()})
    return known


def _documented(stem: str, parts: list[str]) -> ParsedName | None:
    if film := _FILM_ONLY.match(stem):
        return ParsedName("movie", film["title"].strip(), int(film["year"]))
    if episode := _EPISODE.match(stem):
        return _episode_of(episode, parts)
    # "1917 (2019)/1917.mkv": the folder names the film, and the file repeats its title.
    folder = _FILM.match(parts[-2]) if len(parts) > 1 else None
    if folder and stem.casefold() == folder["title"].strip().casefold():
        return ParsedName("movie", folder["title"].strip(), int(folder["year"]))
    return None


def _episode_of(found: re.Match[str], parts: list[str]) -> ParsedName:
    show = found["show"].strip()
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if not first <= last < first + _MAX_EPISODES:
        last = first
    return ParsedName(
        "episode",
        (found["title"] or "").strip(),
        int(found["year"]) if found["year"] else _folder_year(parts, show),
        show_title=show,
        season=int(found["season"]),
        episodes=tuple(range(first, last + 1)),
    )


def _folder_year(parts: list[str], show: str) -> int | None:
    """Of a folder "Show (2005)" above an episode: tells two shows of one name apart."""
    for folder in parts[:-1]:
        named = _FILM.match(folder)
        if named and _folded(named["title"]) == _folded(show):
            return int(named["year"])
    return None


@cache
def _guesser() -> Any:
    from guessit.api import GuessItApi  # 100 ms to import: only for names that need it

    return GuessItApi()


def _guessed(parts: list[str], stem: str) -> ParsedName:
    try:
        raw = _guesser().guessit("/".join(parts)[-_MAX_NAME:], {"no_user_config": True})
    except Exception:  # noqa: BLE001  # guessit wraps whatever its rules raise; the stem still names it
        raw = {}
    title, year = _text(raw.get("title")), _number(raw.get("year"))
    edition, part = _text(raw.get("edition")), _number(raw.get("cd")) or _number(raw.get("part"))
    episodes = tuple(n for n in map(_number, _list(raw.get("episode"))) if n is not None)
    if raw.get("type") == "episode" and title and (episodes or raw.get("date")):
        return ParsedName(
            "episode",
            _text(raw.get("episode_title")),
            year or _folder_year(parts, title),
            show_title=title,
            season=_number(raw.get("season")),
            episodes=episodes[:_MAX_EPISODES],
            air_date=str(raw.get("date", "")),
            edition=edition,
            part=part or 0,
        )
    folder = _FILM.match(parts[-2]) if len(parts) > 1 else None
    if folder:  # the folder's "Title (Year)" is what a person wrote by hand
        title, year = folder["title"].strip(), int(folder["year"])
    return ParsedName("movie", title or stem.strip() or "?", year, edition=edition, part=part or 0)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    return ", ".join(str(part) for part in _list(value))[:500].strip()


def _number(value: Any) -> int | None:
    value = _list(value)[0] if _list(value) else None
    return value if isinstance(value, int) and 0 <= value < 100_000 else None


def file_kind(path_rel: bytes, size_bytes: int) -> str:
    """library.models.FileKind value of a film's path: video, extra, sample or disc."""
    *folders, name = path_rel.decode("utf-8", "replace").split("/")
    stem, _, suffix = name.rpartition(".")
    if (
        f".{suffix.lower()}".encode() in DISC_IMAGE_SUFFIXES
        or name.lower().encode() in DISC_FOLDERS
    ):
        return "disc"
    inner = {folder.casefold() for folder in folders}
    is_sample = _SAMPLE_NAME.search(stem) or inner & {"sample", "samples"}
    if is_sample and size_bytes < SAMPLE_MAX_BYTES:
        return "sample"
    # At the top a folder "Shorts" holds films; inside a film's folder it holds extras.
    is_in_extras = {folder.casefold() for folder in folders[1:]} & _EXTRA_FOLDERS
    return "extra" if is_in_extras or _EXTRA_SUFFIX.search(stem) else "video"


def parse_disc(path: str) -> ParsedName:
    """A disc is named by its image's stem, or by the folder that holds BDMV or VIDEO_TS."""
    parts = path.split("/")
    if parts[-1].lower().encode() in DISC_FOLDERS:
        parts = [part for part in parts[:-1] if part.casefold() != "private"] or parts
        parts[-1] += ".iso"  # guessit wants a file name
    named = parse_name("/".join(parts))
    return ParsedName("disc", named.show_title or named.title, named.year)


def outermost(folders: Iterable[bytes]) -> list[bytes]:
    """Without those that lie in others of them."""
    kept: list[bytes] = []
    for folder in sorted({folder.strip(b"/") for folder in folders}, key=len):
        if not any(other in (b"", folder) or folder.startswith(other + b"/") for other in kept):
            kept.append(folder)
    return kept
