"""Insights as a person uses them: look, read why, queue a kind, put off and dismiss; and tags."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import running_site
from tests.e2e.test_first_film import (
    PASSWORD,
    WAIT_MS,
    assert_accessible,
    assert_fits,
    sign_in,
    watched_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.e2e.conftest import RunningSite

pytestmark = [pytest.mark.e2e, pytest.mark.service("chromium"), pytest.mark.slow]

# What the live part does by itself every five seconds while an analysis runs.
POLL = """() => htmx.ajax(
    "GET", location.href, {target: "#insights-live", swap: "morph:outerHTML"}
)"""
SHOTS = os.environ.get("SCREENSHOTS", "")  # a folder: pictures for people who look at them
# Two films in an old codec, one lean one; the queue is paused, so that nothing is encoded.
ROWS = """
from django.utils import timezone
from mediaflow.base.settings_store import set_setting
from tests.library.file_rows import make_file, make_library
set_setting("queue_paused", True, None)
films = make_library(
    "Films", root={root!r}, is_watched=False, last_scan_at=timezone.now(),
    file_count=3, total_bytes=34 * 10**9,
)
shape = dict(width=1920, height=1080, frame_rate_milli=24_000, mtime_ns=1, bit_depth=8)
for title in ("Amber Road", "Basalt"):
    make_file(films, title, video_codec="mpeg2video", size_bytes=15 * 10**9,
              bit_rate_kbps=20_000, **shape)
make_file(films, "Cinder", video_codec="hevc", size_bytes=4 * 10**9, bit_rate_kbps=5_300, **shape)
"""


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, migrated_data_dir: Path
) -> Iterator[RunningSite]:
    folder = tmp_path_factory.mktemp("insights-site")
    films = folder / "films"
    films.mkdir()
    with running_site(folder, migrated_data_dir) as running:
        run = running.instance.run
        run(
            "createsuperuser", "--noinput", "--username=mara", check=True,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip
        run("shell", "--no-imports", "-c", ROWS.format(root=str(films)), check=True)
        yield running


def look(page: Page, name: str) -> None:
    assert_accessible(page)
    assert_fits(page)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def jobs_of(site: RunningSite) -> list[dict[str, str]]:
    printed = site.instance.run("jobs", "--json", check=True).stdout
    found: list[dict[str, str]] = json.loads(printed)["jobs"]
    return found


def test_what_is_worth_doing_is_found_read_queued_and_dismissed(
    browser: Browser, site: RunningSite
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/insights/")
        page.get_by_role("button", name="Look again").click()  # MediaFlow may have begun by itself
        kind = page.locator("#kind-codec")
        kind.wait_for(timeout=WAIT_MS)  # the page asks by itself until the analysis has ended
        page.reload()
        assert kind.get_by_role("link", name="Amber Road", exact=True).is_visible()
        assert "MPEG-2 at 1080p" in kind.inner_text()
        look(page, "insights")

        # What a person closes stays closed when the page asks anew while an analysis runs.
        heading = kind.locator("summary")
        heading.click()
        page.evaluate(POLL)
        assert kind.get_attribute("open") is None
        heading.click()
        page.evaluate(POLL)
        assert kind.get_attribute("open") is not None

        # One is dismissed, with a reason, in a dialog.
        kind.get_by_label("Dismiss for Basalt").click()
        page.get_by_label("Why").fill("Only copy")
        look(page, "insights-dismiss")
        page.get_by_role("button", name="Dismiss it").click()
        page.get_by_text("1 recommendation dismissed.").wait_for()
        page.get_by_role("link", name=re.compile("^Dismissed")).click()
        page.get_by_text("Dismissed: Only copy").wait_for()
        look(page, "insights-dismissed")

        # The kind is queued: first a preview, then the jobs, which name it.
        page.goto(f"{site.address}/insights/")
        kind.get_by_role("button", name=re.compile("^Queue (it|all)")).click()
        page.get_by_text("Follows the recommendation: Old or wasteful codecs").wait_for()
        assert jobs_of(site) == []
        look(page, "insights-preview")
        page.get_by_role("button", name="Queue 1 film").click()
        page.wait_for_url(f"{site.address}/queue/")
        assert [job["file"].rpartition("/")[2] for job in jobs_of(site)] == ["Amber Road.mkv"]
        page.goto(f"{site.address}/insights/list/?state=accepted")
        page.get_by_role("link", name="Amber Road", exact=True).wait_for()

        page.goto(f"{site.address}/analytics/")
        page.get_by_role("heading", name="Video codec").wait_for()
        look(page, "analytics")
    for theme in ("dark", "light"):
        with watched_page(browser, width=390, theme=theme) as page:
            sign_in(page, site)
            for name, path in (("insights", "/insights/"), ("analytics", "/analytics/"),
                               ("list", "/insights/list/?state=dismissed")):  # fmt: skip
                page.goto(f"{site.address}{path}")
                look(page, f"{name}-390-{theme}")


def test_a_tag_with_a_colour_is_put_on_films_and_found_by(
    browser: Browser, site: RunningSite
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/library/tags/")
        page.get_by_label("Name").fill("Keep")
        page.get_by_label("Colour").select_option("violet")
        page.get_by_role("button", name="Add tag").click()
        page.locator(".tag-violet", has_text="Keep").wait_for()

        page.goto(f"{site.address}/library/")
        page.get_by_label("Select Basalt").check()
        page.get_by_label("Select Cinder").check()
        page.locator(".bulk").get_by_role("button", name=re.compile("Tag", re.I)).click()
        page.get_by_label("Tag", exact=True).fill("Keep")
        page.get_by_role("button", name="Do it for 2 films").click()
        page.get_by_text("2 films tagged.").wait_for()

        page.goto(f"{site.address}/library/?tag=Keep")
        assert page.get_by_role("link", name="Basalt").is_visible()
        assert page.get_by_role("link", name="Amber Road", exact=True).count() == 0
        look(page, "library-tag")
        page.get_by_label("Select Basalt").check()
        page.locator(".bulk").get_by_role("button", name=re.compile("Tag", re.I)).click()
        page.get_by_label("Tag", exact=True).fill("Keep")
        page.get_by_label("Remove the tag").check()
        page.get_by_role("button", name="Do it for 1 film").click()
        page.get_by_text("1 film untagged.").wait_for()
        page.goto(f"{site.address}/library/?tag=Keep")
        assert page.get_by_role("link", name="Basalt").count() == 0
