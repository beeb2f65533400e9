"""Calls that plex.tv answers, and two of the stand-in's own."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.plex_stand_in import accounts
from tests.plex_stand_in.answers import Answer, rendered

if TYPE_CHECKING:
    from tests.plex_stand_in.faults import Seen
    from tests.plex_stand_in.server import PlexStandIn


def _account(stand_in: PlexStandIn, seen: Seen) -> accounts.Account | None:
    token = seen.headers.get("X-Plex-Token") or seen.param("X-Plex-Token") or ""
    return stand_in.tv.account_of(token)


_UNKNOWN_USER = Answer(
    401,
    b'{"errors":[{"code":1001,"message":"User could not be authenticated","status":401}]}',
    "application/json",
)


def new_pin(stand_in: PlexStandIn, seen: Seen) -> Answer:
    client = seen.headers.get("X-Plex-Client-Identifier") or seen.param("X-Plex-Client-Identifier")
    if not client:
        return Answer(400, b'{"errors":[{"code":1000}]}', "application/json")
    form = parse_qs(seen.body.decode())
    is_strong = (seen.param("strong") or form.get("strong", [""])[0]).lower() in ("true", "1")
    made_pin = stand_in.tv.new_pin(client, is_strong=is_strong)
    made = rendered(seen, accounts.pin_tree(made_pin), "pin")
    return Answer(201, made.body, made.content_type)


def pin(stand_in: PlexStandIn, seen: Seen, number: str) -> Answer:
    found = stand_in.tv.pins.get(int(number))
    if found is None or found.expires_at < time.time():
        return Answer(404, b'{"errors":[{"code":1020,"message":"Code not found or expired"}]}')
    return rendered(seen, accounts.pin_tree(found), "pin")


def user(stand_in: PlexStandIn, seen: Seen) -> Answer:
    account = _account(stand_in, seen)
    if account is None:
        return _UNKNOWN_USER
    tree = accounts.user_tree(account)
    if "json" not in seen.headers.get("Accept", ""):  # names become elements in XML
        features = tree["subscription"]["features"]
        tree["subscription"] = {
            **tree["subscription"],
            "features": [{"feature": [{"id": name} for name in features]}],
        }
        tree |= {"entitlements": [], "roles": [], "services": []}
    return rendered(seen, tree, "user")


def resources(stand_in: PlexStandIn, seen: Seen) -> Answer:
    if _account(stand_in, seen) is None:
        return _UNKNOWN_USER
    world = stand_in.world
    trees = accounts.resource_trees(
        stand_in.tv, url=stand_in.url, name=world.name, machine_id=world.machine_id,
        version=world.version,
    )  # fmt: skip
    if "json" not in seen.headers.get("Accept", ""):
        trees = [{**t, "connections": [{"connection": t["connections"]}]} for t in trees]
    return rendered(seen, trees, "resources")


def webhooks(stand_in: PlexStandIn, seen: Seen) -> Answer:
    account = _account(stand_in, seen)
    if account is None:
        return _UNKNOWN_USER
    if not account.has_plex_pass:
        return Answer(403, b'{"errors":[{"code":1003}]}', "application/json")
    if seen.method == "POST":  # replaces the whole list
        form = parse_qs(seen.body.decode())
        stand_in.tv.webhooks[:] = form.get("urls[]", [])
    return rendered(seen, [{"url": url} for url in stand_in.tv.webhooks], "webhooks")


def sign_out(stand_in: PlexStandIn, seen: Seen) -> Answer:
    account = _account(stand_in, seen)
    if account is None:
        return _UNKNOWN_USER
    stand_in.tv.accounts.remove(account)
    return Answer(204)


def auth_page(_stand_in: PlexStandIn, _seen: Seen) -> Answer:
    return Answer(200, accounts.AUTH_PAGE, "text/html")


def approve(stand_in: PlexStandIn, seen: Seen) -> Answer:
    return Answer(200 if stand_in.tv.approve(seen.param("code") or "") else 404)


def stats(stand_in: PlexStandIn, _seen: Seen) -> Answer:
    """For measuring from another process: calls so far, without this one."""
    counts = {"requests": stand_in.request_count}
    return Answer(200, json.dumps(counts).encode(), "application/json")
