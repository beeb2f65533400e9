"""Whose word about a visitor's address counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from mediaflow.accounts.proxies import FORWARDED_HEADERS, TrustedProxyMiddleware, visitor_address

if TYPE_CHECKING:
    from django.http import HttpRequest
    from pytest_django import Settings


def seen(peer: str, forwarded_for: str, **headers: str) -> HttpRequest:
    request = RequestFactory().get("/")
    request.META.update(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded_for, **headers)
    TrustedProxyMiddleware(lambda _request: HttpResponse())(request)
    return request


@pytest.fixture(autouse=True)
def trusted(settings: Settings) -> None:
    settings.ENVIRONMENT = replace(
        settings.ENVIRONMENT, trusted_proxies=("10.0.0.0/8", "192.168.1.1")
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        ("203.0.113.5", "198.51.100.7", "203.0.113.5"),  # not a proxy of ours
        ("10.1.2.3", "198.51.100.7", "198.51.100.7"),
        ("10.1.2.3", "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # left of it may be invented
        ("192.168.1.1", "198.51.100.7, 10.9.9.9", "198.51.100.7"),  # two proxies of ours
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "nonsense", "10.1.2.3"),
        ("10.1.2.3", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_the_last_hop_that_no_trusted_proxy_vouches_for(
    peer: str, forwarded: str, visitor: str
) -> None:
    assert visitor_address(seen(peer, forwarded)) == visitor


def test_forwarded_headers_of_strangers_are_removed() -> None:
    request = seen("203.0.113.5", "x", HTTP_X_FORWARDED_PROTO="https", HTTP_X_FORWARDED_HOST="evil")
    assert not any(header in request.META for header in FORWARDED_HEADERS)


def test_forwarded_headers_of_a_trusted_proxy_are_kept() -> None:
    request = seen("10.1.2.3", "198.51.100.7", HTTP_X_FORWARDED_PROTO="https")
    assert request.META["HTTP_X_FORWARDED_PROTO"] == "https"
