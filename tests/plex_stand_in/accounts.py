"""plex.tv: PINs, the account, its servers, its webhooks.

`app_url` of the stand-in takes the place of https://app.plex.tv: its page has one button that
approves the PIN and goes on to `forwardUrl`, as Plex's own page does after a sign-in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.plex_stand_in.world import SERVER_TOKEN

if TYPE_CHECKING:
    from tests.plex_stand_in.trees import Tree

ACCOUNT_TOKEN = "stand-in-account-token"
AUTH_PAGE = b"""<!doctype html><html lang="en"><head><title>Plex (stand-in)</title>
<link rel="icon" href="data:,"></head><body>
<h1>Sign in to Plex</h1><button id="approve">Sign in</button><script>
document.getElementById("approve").onclick = async () => {
  const text = location.hash.replace(/^#!?\\??/, "");
  const asked = new URLSearchParams(text);
  await fetch("/stand-in/approve?code=" + encodeURIComponent(asked.get("code")), {method: "POST"});
  const next = asked.get("forwardUrl");
  if (next) location.href = next; else document.body.textContent = "You can close this window.";
};
</script></body></html>"""


@dataclass
class Account:
    username: str = "ada"
    uuid: str = "stand-in-account-1"
    token: str = ACCOUNT_TOKEN
    has_plex_pass: bool = True


@dataclass
class Pin:
    id: int
    code: str
    client: str
    expires_at: float
    token: str = ""


@dataclass
class PlexTv:
    """What tests set: `accounts` (take one out and its token is dead), `resources`, `webhooks`."""

    accounts: list[Account] = field(default_factory=lambda: [Account()])
    pins: dict[int, Pin] = field(default_factory=dict)
    pin_lifetime_s: int = 1800
    webhooks: list[str] = field(default_factory=list)
    # Further resources, as plex.tv lists them, beside the stand-in's own server.
    more_resources: list[Tree] = field(default_factory=list)
    # Further connections of the own server: [("http://172.17.0.2:32400", "local"), …].
    more_connections: list[tuple[str, str]] = field(default_factory=list)
    is_owned: bool = True
    access_token: str = SERVER_TOKEN

    def new_pin(self, client: str, *, is_strong: bool) -> Pin:
        number = 111_222_000 + len(self.pins)
        code = f"code-of-{number}-strong-and-long" if is_strong else f"{number % 10_000:04d}"
        pin = Pin(number, code, client, time.time() + self.pin_lifetime_s)
        self.pins[number] = pin
        return pin

    def approve(self, code: str, account: Account | None = None) -> bool:
        """What a person does at app.plex.tv. False: no such PIN, or it is too old."""
        for pin in self.pins.values():
            if pin.code == code and pin.expires_at > time.time():
                pin.token = (account or self.accounts[0]).token
                return True
        return False

    def account_of(self, token: str) -> Account | None:
        return next((a for a in self.accounts if a.token and a.token == token), None)


def pin_tree(pin: Pin) -> Tree:
    left = max(0, int(pin.expires_at - time.time()))
    return {
        "id": pin.id, "code": pin.code, "product": "MediaFlow", "trusted": False,
        "clientIdentifier": pin.client, "expiresIn": left, "createdAt": _date(time.time()),
        "expiresAt": _date(pin.expires_at), "authToken": pin.token or None,
        "newRegistration": False if pin.token else None,
        "location": {"code": "GB", "country": "United Kingdom", "city": "London"},
    }  # fmt: skip


def user_tree(account: Account) -> Tree:
    features = ["webhooks", "pass"] if account.has_plex_pass else []
    return {
        "id": 4711, "uuid": account.uuid, "username": account.username, "title": account.username,
        "email": f"{account.username}@example.com", "friendlyName": "", "locale": None,
        "confirmed": True, "emailOnlyAuth": False, "hasPassword": True, "protected": False,
        "authToken": account.token, "mailingListStatus": "unsubscribed",
        "mailingListActive": False, "scrobbleTypes": "", "country": "GB", "restricted": False,
        "home": False, "guest": False, "homeSize": 1, "homeAdmin": False, "maxHomeSize": 15,
        "rememberExpiresAt": 1_900_000_000, "joinedAt": 1_500_000_000,
        "subscription": {
            "active": account.has_plex_pass,
            "status": "Active" if account.has_plex_pass else "Inactive",
            "plan": "lifetime" if account.has_plex_pass else None,
            "features": features,
        },
        "profile": {
            "autoSelectAudio": True, "defaultAudioLanguage": "en", "defaultSubtitleLanguage": "",
            "autoSelectSubtitle": 0, "defaultSubtitleAccessibility": 0, "defaultSubtitleForced": 0,
        },
        "entitlements": [], "roles": ["plexpass"] if account.has_plex_pass else [],
        "services": [],
    }  # fmt: skip


def resource_trees(tv: PlexTv, *, url: str, name: str, machine_id: str, version: str) -> list[Tree]:
    connections = [(url, "local"), *tv.more_connections]
    own: Tree = {
        "name": name, "product": "Plex Media Server", "productVersion": version,
        "platform": "Linux", "platformVersion": "6.1", "device": "PC",
        "clientIdentifier": machine_id, "createdAt": "2020-01-12T15:30:18Z",
        "lastSeenAt": _date(time.time()), "provides": "server", "ownerId": None,
        "sourceTitle": None, "publicAddress": "203.0.113.7", "accessToken": tv.access_token,
        "owned": tv.is_owned, "home": False, "synced": False, "relay": True, "presence": True,
        "httpsRequired": False, "publicAddressMatches": True, "dnsRebindingProtection": False,
        "natLoopbackSupported": False,
        "connections": [_connection(address, kind) for address, kind in connections],
    }  # fmt: skip
    return [own, *tv.more_resources]


def _connection(address: str, kind: str) -> Tree:
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    return {
        "protocol": scheme, "address": host or rest, "port": int(port) if port.isdigit() else 443,
        "uri": address, "local": kind == "local", "relay": kind == "relay", "IPv6": False,
    }  # fmt: skip


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def listed_values(name: str, values: list[str]) -> dict[str, Any]:
    return {name: [{"url": value} for value in values]}
