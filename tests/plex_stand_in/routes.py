"""Which call is answered how. One function per call; the table is at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.plex_stand_in import disk, edits, plex_tv
from tests.plex_stand_in.answers import NOT_FOUND, Answer, problem, rendered
from tests.plex_stand_in.listing import choices, list_section, meta, page_of
from tests.plex_stand_in.render import container, listed, whole
from tests.plex_stand_in.trees import SECTION_OF_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plex_stand_in.faults import Seen
    from tests.plex_stand_in.server import PlexStandIn
    from tests.plex_stand_in.trees import Tree
    from tests.plex_stand_in.world import Item, Section


def answer(stand_in: PlexStandIn, seen: Seen) -> Answer:
    for method, pattern, call, needs_owner in _ROUTES:
        found = pattern.fullmatch(seen.path)
        if found is None or seen.method not in method:
            continue
        if refusal := _refusal(stand_in, seen, needs_owner):
            return refusal
        with stand_in.world.lock:
            made = call(stand_in, seen, *found.groups())
        return made if isinstance(made, Answer) else rendered(seen, made)
    return NOT_FOUND


def _refusal(stand_in: PlexStandIn, seen: Seen, needs_owner: bool) -> Answer | None:
    if seen.path in ("/identity", "/auth") or seen.path.startswith(("/api/", "/stand-in/")):
        return None  # plex.tv looks for itself
    token = seen.headers.get("X-Plex-Token") or seen.param("X-Plex-Token") or ""
    if token not in stand_in.world.tokens:
        return problem(401, "Unauthorized")
    if needs_owner and not stand_in.world.tokens[token]:
        return problem(403, "Forbidden")
    return None


def _section(stand_in: PlexStandIn, key: str) -> Section:
    return stand_in.world.sections[key]


# The server itself


def _root(stand_in: PlexStandIn, _seen: Seen) -> Tree:
    world = stand_in.world
    return {
        "size": 2, "allowMediaDeletion": True, "allowSync": True, "friendlyName": world.name,
        "machineIdentifier": world.machine_id, "multiuser": True, "myPlex": True,
        "myPlexMappingState": "mapped", "myPlexSigninState": "ok", "myPlexSubscription": True,
        "myPlexUsername": stand_in.tv.accounts[0].username if stand_in.tv.accounts else "",
        "platform": "Linux", "platformVersion": "6.1", "transcoderActiveVideoSessions": 0,
        "updatedAt": 1_700_000_000, "version": world.version,
        "Directory": [{"count": 1, "key": "library", "title": "library"}],
    }  # fmt: skip


def _identity(stand_in: PlexStandIn, _seen: Seen) -> Tree:
    world = stand_in.world
    return {
        "size": 0, "claimed": True, "machineIdentifier": world.machine_id,
        "version": world.version,
    }  # fmt: skip


def _prefs(stand_in: PlexStandIn, _seen: Seen) -> Tree:
    value = stand_in.world.auto_empty_trash
    setting = {
        "id": "autoEmptyTrash", "label": "Empty trash automatically after every scan",
        "summary": "", "type": "bool", "default": True, "value": value, "hidden": False,
        "advanced": False, "group": "library", "enumValues": "",
    }  # fmt: skip
    return {"size": 1, "Setting": [setting]}


def _library(_stand_in: PlexStandIn, _seen: Seen) -> Tree:
    entries = [{"key": "sections", "title": "Library Sections"}]
    return container({"Directory": entries}, size=1, title1="Plex Library")


def _sections(stand_in: PlexStandIn, _seen: Seen) -> Tree:
    entries = [_section_tree(section) for section in stand_in.world.sections.values()]
    return {"size": len(entries), "allowSync": False, "title1": "Plex Library",
            "Directory": entries}  # fmt: skip


def _section_tree(section: Section) -> Tree:
    return {
        "allowSync": True, "art": f"/:/resources/{section.type}-fanart.jpg",
        "composite": f"/library/sections/{section.key}/composite/{section.scanned_at}",
        "filters": True, "refreshing": section.refreshing,
        "thumb": f"/:/resources/{section.type}.png", "key": section.key, "type": section.type,
        "title": section.title,
        "agent": "tv.plex.agents.movie" if section.type == "movie" else "tv.plex.agents.series",
        "scanner": "Plex Movie" if section.type == "movie" else "Plex TV Series",
        "language": "en-US", "uuid": section.uuid, "updatedAt": section.scanned_at,
        "createdAt": 1_600_000_000, "scannedAt": section.scanned_at, "content": True,
        "directory": True, "contentChangedAt": section.content_changed_at, "hidden": 0,
        "Location": [
            {"id": number, "path": path} for number, path in enumerate(section.locations, 1)
        ],
    }  # fmt: skip


def _section_details(stand_in: PlexStandIn, seen: Seen, key: str) -> Tree:
    section = _section(stand_in, key)
    entries: list[Tree] = [{"key": name, "title": name} for name in ("all", "unwatched", "folder")]
    found = container(
        {"Directory": entries}, size=len(entries), librarySectionID=int(key), title1=section.title
    )
    if seen.param("includeDetails") == "1":
        found["Directory"] = [_section_tree(section), *entries]
    return found


# Items


def _all(stand_in: PlexStandIn, seen: Seen, key: str) -> Answer:
    section = _section(stand_in, key)
    page = page_of(list(seen.params), seen.headers)
    tree = list_section(stand_in.world, section, list(seen.params), page)
    made = rendered(seen, tree)
    if page.is_paged:
        made.headers.update(
            {
                "X-Plex-Container-Start": str(page.start),
                "X-Plex-Container-Total-Size": str(tree["totalSize"]),
            }
        )
    return made


def _collections(stand_in: PlexStandIn, seen: Seen, key: str) -> Tree:
    section = _section(stand_in, key)
    params = [pair for pair in seen.params if pair[0] != "type"]
    found = list_section(
        stand_in.world, section, [*params, ("type", "18")], page_of(params, seen.headers)
    )
    if seen.param("includeMeta") == "1":
        found["Meta"] = meta(section)
    return found


def _edit(stand_in: PlexStandIn, seen: Seen, key: str) -> Answer:
    params = [pair for pair in seen.params if not pair[0].startswith("X-Plex-")]
    stand_in.edits.append(edits.apply_edit(stand_in.world, _section(stand_in, key), params))
    return Answer()


def _edit_one(stand_in: PlexStandIn, seen: Seen, key: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    kind = section.items[key].type
    params = [pair for pair in seen.params if pair[0] not in ("id", "type")]
    params += [("id", key), ("type", str(SECTION_OF_TYPE[kind]))]
    stand_in.edits.append(edits.apply_edit(stand_in.world, section, params))
    return Answer()


def _choices(stand_in: PlexStandIn, _seen: Seen, key: str, field_name: str) -> Tree:
    return choices(stand_in.world, _section(stand_in, key), field_name)


def _metadata(stand_in: PlexStandIn, seen: Seen, ids: str) -> Tree | Answer:
    """Deleted ids are simply not in the answer; of one alone it is 404."""
    world = stand_in.world
    excluded = {name for name in (seen.param("excludeElements") or "").split(",") if name}
    checks = "1" in (seen.param("checkFiles"), seen.param("checkFileAvailability"))
    found: list[Tree] = []
    section: Section | None = None
    for key in ids.split(","):
        if section is None or key not in section.items:
            section = world.section_of(key)
        if section is not None:
            item = section.items[key]
            found.append(whole(world, section, item, checks_files=checks, excluded=excluded))
    if not found:
        return NOT_FOUND
    values = {"librarySectionID": found[0]["librarySectionID"],
              "librarySectionTitle": found[0]["librarySectionTitle"]}  # fmt: skip
    return container({"Metadata": found}, size=len(found), **values)


def _children(stand_in: PlexStandIn, seen: Seen, key: str) -> Tree | Answer:
    world, section = stand_in.world, stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    parent = section.items[key]
    if parent.type == "collection":
        chosen = world.members(section, parent)
    else:
        wanted = "grandparentRatingKey" if "allLeaves" in seen.path else "parentRatingKey"
        chosen = [i for i in section.items.values() if i.tree.get(wanted) == key]
    return _listing(stand_in, section, chosen, seen)


def _listing(stand_in: PlexStandIn, section: Section, chosen: list[Item], seen: Seen) -> Tree:
    page = page_of(list(seen.params), seen.headers)
    end = None if page.size is None else page.start + page.size
    shown = [listed(stand_in.world, section, i, with_guids=False) for i in chosen[page.start : end]]
    values: dict[str, Any] = {"totalSize": len(chosen), "offset": page.start}
    return container(
        {"Metadata": shown}, size=len(shown), librarySectionID=int(section.key),
        **(values if page.is_paged else {}),
    )  # fmt: skip


def _delete(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    item = section.items[key]
    for member in stand_in.world.members(section, item) if item.type == "collection" else []:
        edits.take_from_collection(stand_in.world, section, item, member.rating_key)
    section.items.pop(key, None)
    section.change()
    return Answer()


def _analyze(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    disk.analyze(section, section.items[key])
    return Answer()


def _refresh_item(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    stand_in.world.touch(section.items[key])
    return Answer()


# Sections: scans, trash


def _refresh(stand_in: PlexStandIn, seen: Seen, key: str) -> Answer:
    for section in stand_in.world.sections.values():
        if key in ("all", section.key):
            path = seen.param("path") or ""
            stand_in.scans.append((section.key, path))
            disk.start_scan(stand_in.world, section, path)
    return Answer()


def _stop_refresh(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    _section(stand_in, key).refreshing = False
    return Answer()


def _empty_trash(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    disk.empty_trash(stand_in.world, _section(stand_in, key))
    return Answer()


def _analyze_section(stand_in: PlexStandIn, _seen: Seen, key: str) -> Answer:
    section = _section(stand_in, key)
    for item in list(section.items.values()):
        if "Media" in item.tree:
            disk.analyze(section, item)
    return Answer()


# Collections


def _make_collection(stand_in: PlexStandIn, seen: Seen) -> Tree | Answer:
    world = stand_in.world
    section = _section(stand_in, seen.param("sectionId") or "")
    keys = edits.keys_in(seen.param("uri") or "")
    if not keys or seen.param("smart") == "1":
        return problem(400, "Bad Request")
    item = world.collection(section, seen.param("title") or "")
    edits.put_in_collection(world, section, item, keys)
    return container({"Metadata": [whole(world, section, item)]}, size=1)


def _add_to_collection(stand_in: PlexStandIn, seen: Seen, key: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    keys = edits.keys_in(seen.param("uri") or "")
    edits.put_in_collection(stand_in.world, section, section.items[key], keys)
    return Answer()


def _take_from_collection(stand_in: PlexStandIn, _seen: Seen, key: str, member: str) -> Answer:
    section = stand_in.world.section_of(key)
    if section is None:
        return NOT_FOUND
    taken = edits.take_from_collection(stand_in.world, section, section.items[key], member)
    return Answer() if taken else NOT_FOUND


# Plays


def _sessions(stand_in: PlexStandIn, _seen: Seen) -> Tree:
    world = stand_in.world
    shown = []
    for number, session in enumerate(world.sessions, 1):
        section = world.section_of(session["ratingKey"])
        if section is None:
            continue
        tree = whole(world, section, section.items[session["ratingKey"]])
        shown.append(
            {**tree, "sessionKey": str(number), "viewOffset": 60_000,
             "User": {"id": "1", "title": session["user"]},
             "Player": {"machineIdentifier": "tv", "title": "TV", "state": session["state"]},
             "Session": {"id": f"session-{number}", "bandwidth": 8000, "location": "lan"}}
        )  # fmt: skip
    return {"size": len(shown), "Metadata": shown}


def _scrobble(stand_in: PlexStandIn, seen: Seen, verb: str) -> Answer:
    world, key = stand_in.world, seen.param("key") or ""
    section = world.section_of(key)
    if section is None:
        return NOT_FOUND
    item = section.items[key]
    if verb == "scrobble":
        world.play(item)
    else:
        world.views.pop(item.guid, None)
    return Answer()


_GET, _PUT, _POST, _DELETE = ("GET", "HEAD"), ("PUT",), ("POST",), ("DELETE",)
_S = r"/library/sections/(\w+)"
_M = r"/library/(?:metadata|collections)/(\d+)"


def _route(
    methods: tuple[str, ...], pattern: str, call: Callable[..., Any], *, owner: bool = False
) -> tuple[tuple[str, ...], re.Pattern[str], Callable[..., Any], bool]:
    return methods, re.compile(pattern), call, owner


_ROUTES = [
    _route(_GET, "/", _root),
    _route(_GET, "/identity", _identity),
    _route(_GET, "/:/prefs", _prefs),
    _route(_GET, "/library", _library),
    _route(_GET, "/library/sections/?", _sections),
    _route(_GET, "/library/sections/all", _sections),
    _route((*_GET, *_POST), f"{_S}/refresh", _refresh, owner=True),
    _route(_DELETE, f"{_S}/refresh", _stop_refresh, owner=True),
    _route(_PUT, f"{_S}/emptyTrash", _empty_trash, owner=True),
    _route(_PUT, f"{_S}/analyze", _analyze_section, owner=True),
    _route(_GET, f"{_S}/all", _all),
    _route(_PUT, f"{_S}/all", _edit, owner=True),
    _route(_GET, f"{_S}/collections", _collections),
    _route(_GET, f"{_S}/(\\w+)", _choices),
    _route(_GET, _S, _section_details),
    _route(_POST, "/library/collections", _make_collection, owner=True),
    _route(_PUT, f"{_M}/items", _add_to_collection, owner=True),
    _route(_DELETE, f"{_M}/(?:items|children)/(\\d+)", _take_from_collection, owner=True),
    _route(_GET, f"{_M}/(?:children|items|allLeaves)", _children),
    _route(_PUT, f"{_M}/analyze", _analyze, owner=True),
    _route(_PUT, f"{_M}/refresh", _refresh_item, owner=True),
    _route(_GET, r"/library/(?:metadata|collections)/([\d,]+)", _metadata),
    _route(_PUT, _M, _edit_one, owner=True),
    _route(_DELETE, _M, _delete, owner=True),
    _route(_GET, "/status/sessions", _sessions),
    _route((*_GET, *_PUT), "/:/(scrobble|unscrobble)", _scrobble),
    _route(_POST, "/api/v2/pins", plex_tv.new_pin),
    _route(_GET, r"/api/v2/pins/(\d+)", plex_tv.pin),
    _route(_GET, "/api/v2/user", plex_tv.user),
    _route(_GET, "/api/v2/resources", plex_tv.resources),
    _route((*_GET, *_POST), "/api/v2/user/webhooks", plex_tv.webhooks),
    _route(_DELETE, "/api/v2/users/signout", plex_tv.sign_out),
    _route(_GET, "/auth", plex_tv.auth_page),
    _route(_POST, "/stand-in/approve", plex_tv.approve),
    _route(_GET, "/stand-in/stats", plex_tv.stats),
]
