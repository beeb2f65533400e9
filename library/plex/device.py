"""What MediaFlow says about itself to Plex: one device for ever, wherever its container moves."""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from django.conf import settings

from mediaflow.base.keys import read_or_create_secret

PRODUCT: Final = "MediaFlow"
_KEY_NAME: Final = "plex_device"


def client_identifier() -> str:
    """The UUID of this installation. Made once; kept beside the keys, as the tokens need it."""
    return _identifier_of(str(settings.ENVIRONMENT.keys_dir))


@lru_cache(maxsize=4)
def _identifier_of(keys_dir: str) -> str:
    secret = read_or_create_secret(Path(keys_dir) / _KEY_NAME)
    return str(uuid.UUID(bytes=hashlib.sha256(secret.encode()).digest()[:16]))


def plex_headers(token: str = "") -> dict[str, str]:
    """Headers of every call to Plex and plex.tv. The token goes nowhere else, never into a URL."""
    headers = {
        "Accept": "application/json",
        "X-Plex-Client-Identifier": client_identifier(),
        "X-Plex-Product": PRODUCT,
        "X-Plex-Version": _version(),
        "X-Plex-Platform": "Linux",
        "X-Plex-Device": "Server",
        "X-Plex-Device-Name": PRODUCT,
    }
    if token:
        headers["X-Plex-Token"] = token
    return headers


def _version() -> str:
    try:
        return version("mediaflow")
    except PackageNotFoundError:  # run from a bare checkout
        return "0"
