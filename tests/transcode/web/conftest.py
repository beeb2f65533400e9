"""Pages of the queue: what one test rendered is forgotten before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from transcode.pages.live import live_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from mediaflow.accounts.models import User


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    live_parts.forget()


@pytest.fixture
def page(client_for: Callable[[User], Client], operator: User) -> Client:
    """Signed in as an operator."""
    return client_for(operator)
