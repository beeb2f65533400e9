"""A stand-in Plex Media Server and plex.tv, for tests, benchmarks and the demo.

In a test (its own server on a loopback port, empty):

    from tests.plex_stand_in.fixture import plex as plex

    def test_something(plex: PlexStandIn) -> None:
        films = plex.world.add_section("Movies", location="/data/films", folder=tmp_path)
        film = plex.world.add_movie(films, "Amélie", 2001, labels=["Kept"], plays=2)
        shows = plex.world.add_section("Series", kind="show")
        plex.world.add_episode(shows, "Lost", 1, 2)

- `plex.url`, `plex.token` (of the server), `plex.account_token` (of plex.tv). plex.tv and
  app.plex.tv are the same address: `{url}/api/v2/pins`, `/api/v2/user`, `/api/v2/resources`,
  `/api/v2/user/webhooks`, and `{url}/auth#?code=…&forwardUrl=…` with one button "Sign in".
  `plex.tv.approve(code)` does what a person does there; `plex.tv.accounts.clear()` kills the token;
  `plex.tv.more_connections`, `.more_resources`, `.is_owned`, `.webhooks` as their names say.
- `plex.world` is what the server holds (tests/plex_stand_in/world.py): sections, items (`find`,
  `touch`, `remove`, `renumber`, `play`, `watch`, `stop_watching`), `collection`, `members`, and
  switches: `tag_mode` ("append"/"replace"), `knows_updated_at`, `auto_empty_trash`,
  `analyzes_on_scan`, `scan_s`, `tokens`. `media(...)` makes versions and stacked parts
  (`add_movie(…, media=[world.media("/a.mkv"), world.media(["/cd1.avi", "/cd2.avi"])])`).
- A section with a `folder` is really scanned: `GET /library/sections/1/refresh?path=/data/films/X`
  looks into it as plex.md describes; `plex.wait_until_calm()` waits for that.
- `plex.fail(match, status=503, retry_after="1", times=2, after=1)` and its other keys (`cut`,
  `hang_up`, `garbage`, `empty`, `delay_s`) make calls fail whose "METHOD /path?query" contains
  `match`; `plex.before(match, do, nth=2)` runs something between two pages;
  `section.overlap = 3` repeats items on the next page; `section.refreshing = True`.
- `plex.requests`, `plex.calls("/all", "PUT")`, `plex.edits` (each PUT of metadata with its ids),
  `plex.scans` say what was asked for.

As a process: `python -m tests.plex_stand_in --port 0 --movies 1000` prints one line of JSON
(`url`, `token`, `account_token`); `tests.plex_stand_in.process.stand_in_process` does that in code.
"""

from tests.plex_stand_in.server import PlexStandIn

__all__ = ["PlexStandIn"]
