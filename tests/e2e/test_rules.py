"""A rule and a collection as a person makes them: one queues a film, the other is in Plex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import running_site
from tests.e2e.test_first_film import (
    PASSWORD,
    assert_accessible,
    assert_fits,
    sign_in,
    watched_page,
)
from tests.media import make_clip
from tests.plex_stand_in.server import PlexStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.e2e.conftest import RunningSite

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.service("chromium"),
    pytest.mark.ffmpeg,
    pytest.mark.slow,
]

_PAUSE = "from transcode.services import pause_queue; pause_queue('Nothing is encoded here.')"


@pytest.fixture(scope="module")
def plex() -> Iterator[PlexStandIn]:
    with PlexStandIn() as stand_in:
        films = stand_in.world.add_section("Movies", location="/data/Movies")
        for title in ("Heat", "Alien"):
            stand_in.world.add_movie(films, title, 1990, labels=["Keep"])
        yield stand_in


@pytest.fixture(scope="module")
def site(
    plex: PlexStandIn, tmp_path_factory: pytest.TempPathFactory, migrated_data_dir: Path
) -> Iterator[RunningSite]:
    """One film on the disk and two in Plex; the queue is paused, so that nothing is encoded."""
    folder: Path = tmp_path_factory.mktemp("rules-site")
    film = folder / "films" / "Heavy Rain (2010)" / "Heavy Rain (2010).mkv"
    film.parent.mkdir(parents=True)
    make_clip("h264_mkv", film, seconds=4)
    token = folder / "token"
    token.write_text(plex.token)
    with running_site(folder, migrated_data_dir) as running:
        run = running.instance.run
        run(
            "createsuperuser", "--noinput", "--username=mara", check=True,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip
        run("shell", "--no-imports", "-c", _PAUSE, check=True)
        run("scan", str(folder / "films"), check=True)
        run("plex_add", plex.url, "--token-file", str(token), "--on-this-machine", check=True)
        run("plex_sync", check=True)
        yield running


def look(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)


def test_a_rule_is_made_of_a_filter_and_queues_what_matches(
    browser: Browser, site: RunningSite
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/library/?codec=h264")
        page.get_by_role("link", name="Make a rule of it").click()
        page.get_by_text("Matches").wait_for()
        look(page)
        page.fill("#id_name", "Old codecs")
        page.fill("#id_hours", "at night")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Nothing was saved.").wait_for()
        page.fill("#id_hours", "")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url(f"{site.address}/rules/*/")
        page.get_by_role("link", name="What it would do").click()
        page.get_by_role("heading", name="To be queued").wait_for()
        look(page)
        page.go_back()
        page.get_by_role("button", name="Run now").click()
        page.locator("#rule-log").get_by_text("It is in the queue through this rule.").wait_for()
        look(page)
        page.goto(f"{site.address}/queue/")
        page.get_by_text("Heavy Rain").first.wait_for()
        page.goto(f"{site.address}/rules/")
        look(page)


def test_a_rule_works_at_390_pixels(browser: Browser, site: RunningSite) -> None:
    with watched_page(browser, width=390) as page:
        sign_in(page, site)
        for path in ("/rules/", "/rules/new/", "/plex/collections/", "/plex/edits/"):
            page.goto(site.address + path)
            look(page)


def test_a_filter_becomes_a_collection_in_plex(
    browser: Browser, site: RunningSite, plex: PlexStandIn
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/library/?q=heat")
        page.get_by_role("link", name="Collection in Plex").click()
        page.fill("#id_title", "Crime")
        page.check("#id_is_kept_in_step")
        look(page)
        page.get_by_role("button", name="Make it").click()
        page.wait_for_url(f"{site.address}/plex/collections/")
        for _ in range(60):
            if page.get_by_text("In step").count():
                break
            page.wait_for_timeout(500)
            page.reload()
        page.get_by_text("In step").wait_for()
        look(page)
    section = next(iter(plex.world.sections.values()))
    members = [item.title for item in section.of_type("movie") if item.tags("Collection")]
    assert members == ["Heat"]
    assert all(item.tags("Label") == ["Keep"] for item in section.of_type("movie"))
