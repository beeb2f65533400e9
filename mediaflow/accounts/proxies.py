"""Whom to believe about the address of a visitor: only `MEDIAFLOW_TRUSTED_PROXIES`.

`X-Forwarded-*` from anybody else is removed before another middleware sees it.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

FORWARDED_HEADERS = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)
UNKNOWN_ADDRESS = "unknown"


class TrustedProxyMiddleware:
    """Sets `REMOTE_ADDR` to the visitor's address when a trusted proxy names it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        peer = str(request.META.get("REMOTE_ADDR", ""))
        if _is_trusted(peer):
            request.META["REMOTE_ADDR"] = _visitor(
                peer, str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
            )
        else:
            for header in FORWARDED_HEADERS:
                request.META.pop(header, None)
        return self.get_response(request)


def visitor_address(request: HttpRequest) -> str:
    """The visitor's address after the middleware above, for limits and the audit log."""
    return str(request.META.get("REMOTE_ADDR", "")) or UNKNOWN_ADDRESS


def _visitor(peer: str, forwarded_for: str) -> str:
    """The last hop that is not a trusted proxy: anything left of it may be invented."""
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    for hop in reversed(hops):
        if _parsed(hop) is None:
            return peer
        if not _is_trusted(hop):
            return hop
    return peer


def _is_trusted(address: str) -> bool:
    parsed = _parsed(address)
    if parsed is None:
        return False
    return any(parsed in network for network in _networks(settings.ENVIRONMENT.trusted_proxies))


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


@lru_cache(maxsize=4)
def _networks(words: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(word, strict=False) for word in words)
