"""`python -m tests.plex_stand_in --port 0 --movies N`: prints its address, serves until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.plex_stand_in.disk import scan
from tests.plex_stand_in.server import PlexStandIn
from tests.plex_stand_in.synthetic import add_many_movies


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.plex_stand_in", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--movies", type=int, default=0, help="how many synthetic films")
    parser.add_argument("--folder", default="", help="a folder of films, listed as /data/Movies")
    parser.add_argument("--location", default="/data/Movies", help="how the server names it")
    chosen = parser.parse_args()
    stand_in = PlexStandIn(port=chosen.port, keeps_log=False)
    folder = Path(chosen.folder) if chosen.folder else None
    section = stand_in.world.add_section("Movies", location=chosen.location, folder=folder)
    if folder is not None:
        scan(stand_in.world, section)
    add_many_movies(stand_in.world, section, chosen.movies)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: ended.set())
    with stand_in:
        about = {
            "url": stand_in.url,
            "token": stand_in.token,
            "account_token": stand_in.account_token,
        }
        sys.stdout.write(json.dumps(about) + "\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
