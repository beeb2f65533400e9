"""Secrets at rest: readable with the key of this data directory only, and lost without a crash."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings

from mediaflow.base.encryption import KEY_NAME, SecretLost, decrypt_secret, encrypt_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "tok-Ü-5f2a9c"


@pytest.fixture
def in_folder(settings: Any, tmp_path: Path) -> Callable[[str], Path]:
    """Puts the keys of the process into a data directory of that name."""

    def put(name: str) -> Path:
        settings.ENVIRONMENT = replace(django_settings.ENVIRONMENT, data_dir=tmp_path / name)
        return tmp_path / name / "keys" / KEY_NAME

    return put


def test_a_secret_comes_back_and_is_not_in_what_is_stored(
    in_folder: Callable[[str], Path],
) -> None:
    key = in_folder("one")
    stored = encrypt_secret(SECRET)

    assert SECRET not in stored and stored.isascii()
    assert decrypt_secret(stored) == SECRET
    assert encrypt_secret(SECRET) != stored  # two equal tokens do not look alike
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_stays_nothing(in_folder: Callable[[str], Path]) -> None:
    in_folder("one")
    assert encrypt_secret("") == ""
    assert decrypt_secret("") == ""


def test_without_its_key_a_secret_is_lost_and_a_new_one_can_be_kept(
    in_folder: Callable[[str], Path],
) -> None:
    in_folder("one")
    stored = encrypt_secret(SECRET)
    in_folder("two")

    with pytest.raises(SecretLost):
        decrypt_secret(stored)
    assert decrypt_secret(encrypt_secret("again")) == "again"


@pytest.mark.parametrize("damage", ["cut", "changed", "nonsense", "letters beyond ASCII: é"])
def test_a_damaged_text_is_lost(in_folder: Callable[[str], Path], damage: str) -> None:
    in_folder("one")
    stored = encrypt_secret(SECRET)
    broken = {"cut": stored[:-9], "changed": stored[:20] + "AAAA" + stored[24:]}.get(damage, damage)

    with pytest.raises(SecretLost):
        decrypt_secret(broken)


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 60])
def test_a_damaged_key_is_put_aside_for_a_new_one(
    in_folder: Callable[[str], Path], content: bytes
) -> None:
    key = in_folder("one")
    key.parent.mkdir(parents=True)
    key.write_bytes(content)

    assert decrypt_secret(encrypt_secret(SECRET)) == SECRET
    assert len(key.read_bytes()) >= 32
    assert key.with_name(f"{KEY_NAME}.damaged").read_bytes() == content
