"""Pages of the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from mediaflow.accounts.models import User


@pytest.fixture
def page(client_for: Callable[[User], Client], operator: User) -> Client:
    """Signed in as an operator."""
    return client_for(operator)
