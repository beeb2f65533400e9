"""A stand-in in the place of plex.tv, as `MEDIAFLOW_PLEX_TV_URL` would put it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings

if TYPE_CHECKING:
    from tests.plex_stand_in import PlexStandIn


@pytest.fixture
def at_plex_tv(plex: PlexStandIn, settings: Any) -> PlexStandIn:
    settings.ENVIRONMENT = replace(django_settings.ENVIRONMENT, plex_tv_url=plex.url)
    return plex
