"""A sync whose process is killed: the next one goes on where it was."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.plex_stand_in.fixture import plex as plex
from tests.plex_stand_in.synthetic import add_many_movies

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Instance
    from tests.plex_stand_in import PlexStandIn

FILMS = 3_200
_REQUEUE = (
    "from mediaflow.base.models import Operation; from mediaflow.base.operations import *;"
    "row = Operation.objects.get(kind='plex_sync', status='running');"
    "print(requeue_lost(row.pk, row.lease_token))"
)
_COUNT = (
    "from library.models import *; print('COUNTS', PlexItem.objects.count(),"
    " PlexPart.objects.count(), MediaFile.objects.count(), MediaItem.objects.count(),"
    " PlexItem.objects.exclude(missing_since=None).count())"
)


@pytest.mark.slow
def test_a_killed_sync_goes_on_where_it_was(
    instance: Instance, plex: PlexStandIn, tmp_path: Path
) -> None:
    section = plex.world.add_section("Movies")
    add_many_movies(plex.world, section, FILMS)
    token = tmp_path / "token"
    token.write_text(plex.token)
    instance.run("plex_add", plex.url, "--token-file", str(token), "--on-this-machine", check=True)
    process = instance.start("plex_sync")
    plex.before("/library/metadata/", lambda: process.send_signal(signal.SIGKILL), nth=14)
    process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL

    instance.run("shell", "--no-imports", "-c", _REQUEUE, check=True)
    plex.requests.clear()
    done = instance.run("plex_sync", "--json", check=True)

    assert json.loads(done.stdout)["sections"][0]["missing"] == 0
    starts = [int(seen.headers["X-Plex-Container-Start"]) for seen in plex.calls("/all")]
    assert min(starts) > 0
    counted = instance.run("shell", "--no-imports", "-c", _COUNT, check=True).stdout
    numbers = counted.rpartition("COUNTS ")[2].split()
    assert numbers == [str(FILMS)] * 4 + ["0"]
