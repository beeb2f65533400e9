"""Secrets at rest: tokens and keys of other programs, encrypted with a key of the data directory.

Fernet (AES-128-CBC with HMAC-SHA-256) through `cryptography`. The key lies in `keys/encryption_key`
(0700) and is left out of backups unless they are made `--with-keys`: a text that cannot be read any
more is "enter it again", never a crash.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from mediaflow.base.keys import read_or_create_secret

KEY_NAME = "encryption_key"
_SHORTEST = 32


class SecretLost(Exception):
    """The text was encrypted with another key, or is damaged: it must be entered again."""


def encrypt_secret(text: str) -> str:
    """For a column that ends in `_encrypted`. "" stays "": nothing is kept."""
    return _fernet().encrypt(text.encode()).decode("ascii") if text else ""


def decrypt_secret(encrypted: str) -> str:
    """ "" for "". Raises SecretLost."""
    if not encrypted:
        return ""
    try:
        return _fernet().decrypt(encrypted.encode("ascii", "replace")).decode()
    except InvalidToken:
        raise SecretLost from None


def _fernet() -> Fernet:
    return _fernet_of(str(settings.ENVIRONMENT.keys_dir))


@lru_cache(maxsize=4)
def _fernet_of(keys_dir: str) -> Fernet:
    path = Path(keys_dir) / KEY_NAME
    if path.exists() and not _is_whole(path):
        path.replace(path.with_name(f"{KEY_NAME}.damaged"))
    secret = read_or_create_secret(path)
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def _is_whole(path: Path) -> bool:
    """An empty key is one that everybody knows, and half a file is no key."""
    text = path.read_bytes().strip()
    return len(text) >= _SHORTEST and text.isascii()
