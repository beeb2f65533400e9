"""Plex as a person sets it up: sign in at Plex, choose a library, map its folder, test, sync."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.arr_stand_in import API_KEY, arr_stand_in
from tests.e2e.conftest import running_site
from tests.e2e.test_first_film import (
    PASSWORD,
    WAIT_MS,
    assert_accessible,
    assert_fits,
    sign_in,
    watched_page,
)
from tests.plex_stand_in.server import PlexStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.e2e.conftest import RunningSite

pytestmark = [pytest.mark.e2e, pytest.mark.service("chromium"), pytest.mark.slow]

FILMS = ("Heat", "Big", "Alien")
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder: pictures for people who look at them


@pytest.fixture(scope="module")
def plex() -> Iterator[PlexStandIn]:
    with PlexStandIn() as stand_in:
        stand_in.world.name = "Living room"
        films = stand_in.world.add_section("Movies", location="/data/Movies")
        for title in FILMS:
            stand_in.world.add_movie(films, title, 1990, genres=["Drama"], labels=["Keep"], plays=2)
        stand_in.tv.more_connections.append(("https://relay.example:443", "relay"))
        yield stand_in


@pytest.fixture(scope="module")
def site(
    plex: PlexStandIn, tmp_path_factory: pytest.TempPathFactory, migrated_data_dir: Path
) -> Iterator[RunningSite]:
    folder = tmp_path_factory.mktemp("plex-site")
    with running_site(folder, migrated_data_dir, MEDIAFLOW_PLEX_TV_URL=plex.url) as running:
        running.instance.run(
            "createsuperuser", "--noinput", "--username=mara", check=True,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip
        yield running


def look(page: Page, name: str) -> None:
    assert_accessible(page)
    assert_fits(page)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_plex_is_signed_in_to_mapped_tested_and_synced(
    browser: Browser, site: RunningSite, plex: PlexStandIn, tmp_path: Path
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        look(page, "home-empty")
        page.get_by_role("link", name="Sign in to Plex").click()
        page.wait_for_url(f"{site.address}/plex/")
        look(page, "plex-empty")
        page.locator("main").get_by_role("button", name="Sign in with Plex").first.click()
        page.get_by_role("link", name="Go on at Plex").wait_for()
        look(page, "plex-sign-in")
        page.get_by_role("link", name="Go on at Plex").click()
        page.wait_for_url(f"{plex.url}/auth**")
        page.click("#approve")
        # Back by the address that Plex was given; the page asks and goes on by itself.
        page.wait_for_url(f"{site.address}/plex/", timeout=WAIT_MS)
        page.get_by_role("cell", name="ada", exact=True).wait_for()

        # The stand-in runs on this machine, which an admin has to say.
        page.get_by_text("is this machine; say so").first.wait_for(timeout=WAIT_MS)
        look(page, "plex-no-answer")
        page.get_by_role("link", name="Settings and folders").click()
        page.get_by_text("As last tested").wait_for()
        look(page, "plex-server")
        page.get_by_label("Plex runs on this machine").check()
        page.click("main .form .btn-primary")
        page.get_by_role("button", name="Sync this: Movies").wait_for(timeout=WAIT_MS)
        page.get_by_role("button", name="Sync this: Movies").click()
        page.get_by_role("button", name="Sync now: Movies").wait_for(timeout=WAIT_MS)
        page.locator("#plex-live:not([hx-get])").wait_for(timeout=WAIT_MS)
        look(page, "plex-synced")
        assert page.get_by_text("3 not reachable here").count() == 1

        page.get_by_text("3 not reachable here").click()
        page.wait_for_url("**/library/inaccessible/**")
        page.get_by_text("no path mapping leads there").first.wait_for()
        look(page, "inaccessible")

        map_and_test(page, site, tmp_path)
        page.goto(f"{site.address}/library/?q=heat")
        page.locator("[data-list-link]").first.click()
        page.get_by_text("Movies on Living room").wait_for()
        look(page, "film")
        page.goto(f"{site.address}/library/folders/")
        look(page, "folders")


def map_and_test(page: Page, site: RunningSite, films: Path) -> None:
    there = films / "Movies" / "Heat (1990)"
    there.mkdir(parents=True)
    for name in ("Heat (1990).mkv", "Heat.mkv"):
        (there / name).write_bytes(b"film")
    page.goto(f"{site.address}/plex/mappings/")
    look(page, "mappings-empty")
    page.get_by_role("link", name="Add a mapping").click()
    page.fill("[name=source]", "Movies")
    page.fill("[name=local]", str(films))
    page.click("main .form .btn-primary")
    page.get_by_text("as the other program writes it").wait_for()
    look(page, "mapping-wrong")
    page.fill("[name=source]", "/data")
    page.click("main .form .btn-primary")
    page.get_by_role("button", name="Test Living room").click()
    page.get_by_text("1 of 3 files were found here.").wait_for(timeout=WAIT_MS)
    page.get_by_role(
        "columnheader", name="In Plex", exact=True
    ).wait_for()  # each file, without a reload
    look(page, "mappings-tested")


def test_radarr_is_connected_and_a_webhook_made(browser: Browser, site: RunningSite) -> None:
    with arr_stand_in() as radarr, watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/connections/")
        look(page, "connections-empty")
        page.get_by_role("link", name="Add a server").click()
        page.fill("[name=name]", "Films")
        page.fill("[name=url]", radarr.url)
        page.fill("[name=api_key]", "wrong")
        page.get_by_label("It runs on this machine").check()
        page.click("main .form .btn-primary")
        page.get_by_text("does not accept the API key").wait_for()
        look(page, "connection-wrong")
        page.fill("[name=api_key]", API_KEY)
        page.click("main .form .btn-primary")
        page.get_by_text("Films is saved").wait_for()
        page.get_by_role("button", name="Test").click()
        page.get_by_text("Films answers").wait_for()
        look(page, "connections")
        # Its key is not sent to an address that it was not given for.
        page.get_by_role("link", name="Change").click()
        page.fill("[name=url]", "http://127.0.0.1:9")
        page.click("main .form .btn-primary")
        page.get_by_text("type the API key as well").wait_for()

        page.goto(f"{site.address}/connections/webhooks/")
        look(page, "webhooks-empty")
        page.select_option("[name=kind]", "radarr")
        page.fill("[name=name]", "Radarr")
        page.click("main .form .btn-primary")
        page.get_by_text("Give Radarr this address.").wait_for()
        assert page.locator(".hook-address").inner_text().startswith(f"{site.address}/hooks/")
        look(page, "webhook-made")


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1440, "light")])
def test_its_pages_fit_a_phone(browser: Browser, site: RunningSite, width: int, theme: str) -> None:
    with watched_page(browser, width=width, theme=theme) as page:
        sign_in(page, site)
        addresses = ["/plex/", "/plex/mappings/", "/plex/mappings/add/", "/plex/servers/add/"]
        addresses += ["/connections/", "/connections/arr/add/", "/connections/webhooks/"]
        page.goto(f"{site.address}/plex/")
        addresses += [
            str(link.get_attribute("href"))
            for link in page.get_by_role("link", name="Settings and folders").all()
        ]
        for number, address in enumerate(addresses):
            response = page.goto(site.address + address)
            assert response is not None and response.status == 200, address
            look(page, f"narrow-{width}-{theme}-{number}")
