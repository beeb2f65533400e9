"""Scans that really look at a folder, and analysis that really opens a file.

As plex.md describes: a file that changed in place keeps what Plex knew of its streams until it is
analysed; a new name is a new Part, merged into the item of the same film while that is there; an
item whose last file is gone goes with it when the trash is emptied by itself, and comes back as a
new item, with a new rating key and without labels.
"""

from __future__ import annotations

import os
import re
import threading
import time
from typing import TYPE_CHECKING

import av

from tests.plex_stand_in.trees import (
    Tree,
    audio_stream,
    guid_of,
    media_tree,
    part_tree,
    subtitle_stream,
    video_stream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plex_stand_in.world import Item, Section, World

_SUFFIXES = frozenset((".mkv", ".mp4", ".m4v", ".avi", ".mov", ".ts", ".webm", ".mpg"))
_FILM = re.compile(r"^(?P<title>.+?) \((?P<year>\d{4})\)")
_EPISODE = re.compile(
    r"^(?P<show>.+?) - S(?P<season>\d+)E(?P<first>\d+)(?:-?E(?P<last>\d+))?", re.I
)


def start_scan(world: World, section: Section, path: str = "") -> None:
    """Queue it; the call of a client is answered at once."""
    section.refreshing = True
    thread = threading.Thread(target=_scan_later, args=(world, section, path), daemon=True)
    thread.start()


def _scan_later(world: World, section: Section, path: str) -> None:
    time.sleep(world.scan_s)
    with world.lock:
        try:
            scan(world, section, path)
        finally:
            section.scanned_at = max(int(time.time()), section.scanned_at + 1)
            section.refreshing = False


def scan(world: World, section: Section, path: str = "") -> None:
    """Look at the folders of a section, or at one below them."""
    scope = path.rstrip("/")
    places = [loc for loc in section.locations if not scope or f"{scope}/".startswith(f"{loc}/")]
    if not places:
        world.log.append(f"{scope} was not inside any known section location")
        return
    for location in places:
        folder = section.folders.get(location)
        if folder is None or not folder.is_dir():
            world.log.append(f"{location} is not available")
            continue
        if scope and (folder / scope[len(location) :].lstrip("/")).is_file():
            world.log.append(f"{scope} is a file: the wrong root was scanned")
            continue
        _scan_location(world, section, location, folder, scope or location)


def _scan_location(world: World, section: Section, location: str, folder: Path, scope: str) -> None:
    found = dict(_walk(location, folder, scope))
    known = _known(section, scope)
    for name, status in found.items():
        for item, _media, part in known.get(name, []):
            _update(world, section, item, part, status)
        if name not in known:
            _add_file(world, section, name, status)
    for name, holders in known.items():
        for item, media, part in holders if name not in found else []:
            _lose(world, section, item, media, part)


def _known(section: Section, scope: str) -> dict[str, list[tuple[Item, Tree, Tree]]]:
    known: dict[str, list[tuple[Item, Tree, Tree]]] = {}
    for item in section.items.values():
        for media in item.own()["Media"] if "Media" in item.tree else []:
            for part in media["Part"]:
                if part["file"].startswith(f"{scope}/"):
                    known.setdefault(part["file"], []).append((item, media, part))
    return known


def _walk(location: str, folder: Path, scope: str) -> Iterator[tuple[str, os.stat_result]]:
    below = scope[len(location) :].lstrip("/")
    for place, folders, names in os.walk(folder / below):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in _SUFFIXES:
                full = os.path.join(place, name)
                yield f"{location}/{os.path.relpath(full, folder)}", os.stat(full)


def _update(world: World, section: Section, item: Item, part: Tree, status: os.stat_result) -> None:
    suffix = part["file"].rpartition(".")[2]
    key = f"/library/parts/{part['id']}/{int(status.st_mtime)}/file.{suffix}"
    part.pop("_exists", None)
    item.deleted_at = 0
    if part["key"] == key and part["size"] == status.st_size:
        return
    part |= {"key": key, "size": status.st_size}  # its streams stay as they were
    if world.swap_moves_updated_at:
        item.updated_at = max(int(time.time()), item.updated_at + 1)
    section.change()


def _add_file(world: World, section: Section, name: str, status: os.stat_result) -> None:
    for item in _items_for(world, section, name):
        size, mtime = status.st_size, int(status.st_mtime)
        part = part_tree(name, part_id=world.new_id(), size=size, mtime=mtime)
        media = media_tree(world.new_id(), [part])
        item.own().setdefault("Media", []).append(media)
        item.deleted_at = 0
        if world.analyzes_on_scan:
            analyze(section, item)
    section.change()


def _items_for(world: World, section: Section, name: str) -> list[Item]:
    """Items that the file's name says; those of the same guid while they are there."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    if section.type == "show":
        named = _EPISODE.match(stem)
        if named is None:
            return []
        first, last = int(named["first"]), int(named["last"] or named["first"])
        return [
            _episode(world, section, named["show"], int(named["season"]), number)
            for number in range(first, last + 1)
        ]
    film = _FILM.match(stem) or _FILM.match(name.split("/")[-2])
    title, year = (film["title"], int(film["year"])) if film else (stem, 0)
    guid = guid_of("movie", title, year)
    same = next((i for i in section.of_type("movie") if i.guid == guid), None)
    return [same or _bare(world.add_movie(section, title, year, added_at=int(time.time())))]


def _episode(world: World, section: Section, show: str, season: int, number: int) -> Item:
    guid = guid_of("episode", show, season, number)
    same = next((i for i in section.of_type("episode") if i.guid == guid), None)
    return same or _bare(
        world.add_episode(section, show, season, number, added_at=int(time.time()))
    )


def _bare(item: Item) -> Item:
    item.own()["Media"] = []
    return item


def _lose(world: World, section: Section, item: Item, media: Tree, part: Tree) -> None:
    part["_exists"] = False
    if any(p.get("_exists", True) for p in media["Part"]):
        return
    alive = any(p.get("_exists", True) for m in item.own()["Media"] for p in m["Part"])
    if world.auto_empty_trash:
        item.own()["Media"].remove(media)
        if not item.tree["Media"]:
            section.items.pop(item.rating_key, None)
            world.drop_empty_collections(section)
    elif not alive:
        item.deleted_at = int(time.time())
    section.change()


def empty_trash(world: World, section: Section) -> None:
    for item in list(section.items.values()):
        if "Media" not in item.tree:
            continue
        kept = [m for m in item.tree["Media"] if any(p.get("_exists", True) for p in m["Part"])]
        if len(kept) == len(item.tree["Media"]):
            continue
        item.own()["Media"] = kept
        if not kept:
            del section.items[item.rating_key]
        section.change()
    world.drop_empty_collections(section)


def analyze(section: Section, item: Item) -> None:
    """Open each file of an item. What is no film stays unanalysed."""
    tree = item.own()
    fresh = []
    for media in tree.get("Media", []):
        for part in media["Part"]:
            path = real_path(section, part["file"])
            streams = _streams_of(path) if path is not None else None
            if streams:
                part |= {"Stream": streams, "container": part["file"].rpartition(".")[2]}
        fresh.append(media_tree(media["id"], media["Part"]))
    if section.folders:
        tree["Media"] = fresh
    item.updated_at = max(int(time.time()), item.updated_at + 1)
    section.change()


def real_path(section: Section, file: str) -> Path | None:
    for location, folder in section.folders.items():
        if file.startswith(f"{location}/"):
            return folder / file[len(location) + 1 :]
    return None


def _streams_of(path: Path) -> list[Tree] | None:
    try:
        with av.open(os.fspath(path)) as film:
            return [tree for stream in film.streams if (tree := _stream(stream)) is not None]
    except (OSError, av.FFmpegError):
        return None


def _stream(stream: av.stream.Stream) -> Tree | None:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
    common = {"id": 10_000 + stream.index, "index": stream.index}
    if isinstance(stream, av.VideoStream):
        return video_stream(codec, width=stream.width, height=stream.height, **common)
    if isinstance(stream, av.AudioStream):
        return audio_stream(codec, channels=stream.channels, **common)
    if stream.type == "subtitle":
        return subtitle_stream("srt" if codec == "subrip" else codec, **common)
    return None
