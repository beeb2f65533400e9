"""The main job as a person does it: set up, add a folder, scan, filter, queue, see the proof, undo.

Every page on the way is looked at by axe-core, and the browser's console must stay empty.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.e2e.conftest import Complaints, running_site
from tests.media import make_clip

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

PASSWORD = "correct horse battery"
WAIT_MS = 240_000  # for work in the background; the machine may be busy


def make_films(folder: Path) -> Path:
    for kind, name in (
        ("h264_mkv", "Heavy Rain (2010)/Heavy Rain (2010).mkv"),
        ("hevc_hdr10", "Amélie's Sun (2001)/Amélie's Sun (2001).mkv"),
        ("mpeg4_avi", "Old Street (1999)/Old Street (1999).avi"),
    ):
        target = folder / name
        target.parent.mkdir(parents=True)
        make_clip(kind, target, seconds=4)
    (folder / "Broken (2000)").mkdir()
    (folder / "Broken (2000)" / "Broken (2000).mkv").write_bytes(b"no film at all " * 5000)
    return folder


@pytest.fixture
def fresh_site(tmp_path: Path, migrated_data_dir: Path) -> Iterator[RunningSite]:
    """Never set up: its one-time link is unused."""
    with running_site(tmp_path, migrated_data_dir) as running:
        yield running


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, migrated_data_dir: Path
) -> Iterator[RunningSite]:
    """With an admin, a scanned library, and one film that was optimised."""
    folder = tmp_path_factory.mktemp("site")
    films = make_films(folder / "films")
    with running_site(folder, migrated_data_dir) as running:
        run = running.instance.run
        run(
            "createsuperuser",
            "--noinput",
            "--username=mara",
            check=True,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        run("scan", str(films), check=True)
        heavy = films / "Heavy Rain (2010)" / "Heavy Rain (2010).mkv"
        run("optimize", str(heavy), "--preset", "balanced", check=True)
        yield running


@contextmanager
def watched_page(browser: Browser, *, width: int = 1440, theme: str = "dark") -> Iterator[Page]:
    """A page in a context of its own; a warning, an error or a CSP violation fails the test."""
    scheme = "dark" if theme == "dark" else "light"
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]  # a literal to playwright
    )
    context.set_default_timeout(120_000)
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page)
    yield page
    context.close()
    assert complaints.lines == []


def assert_accessible(page: Page) -> None:
    """axe-core finds nothing serious; the failure names rule and element."""
    found = Axe().run(page).response["violations"]
    serious = [
        f"{page.url}: {rule['id']}: {rule['nodes'][0]['html'][:200]}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    widest = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 120)).slice(0, 4)"""
    )
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0, f"{page.url} is {wider} px too wide: {widest}"


def sign_in(page: Page, site: RunningSite) -> None:
    page.goto(f"{site.address}/login/")
    page.fill("input[name=username]", "mara")
    page.fill("input[name=password]", PASSWORD)
    page.click("form .btn-primary")
    page.wait_for_url(f"{site.address}/")


def test_a_film_is_found_encoded_proven_swapped_in_and_put_back(
    browser: Browser, fresh_site: RunningSite, tmp_path: Path
) -> None:
    site, films = fresh_site, make_films(tmp_path / "films")
    original = films / "Heavy Rain (2010)" / "Heavy Rain (2010).mkv"
    before = original.read_bytes()
    with watched_page(browser) as page:
        page.goto(site.setup_link)
        assert_accessible(page)
        page.fill("input[name=username]", "mara")
        page.fill("input[name=password]", PASSWORD)
        page.fill("input[name=repeated]", PASSWORD)
        page.click("text=Save and go on")
        page.wait_for_url(f"{site.address}/")
        assert_accessible(page)

        page.get_by_role("link", name="Add a folder").click()
        page.fill("main input[name=root]", str(films / "no such folder"))
        page.click("main form .btn-primary")
        page.locator("main").get_by_text("no such folder").first.wait_for()
        page.fill("main input[name=root]", str(films))
        page.click("main form .btn-primary")
        page.goto(f"{site.address}/library/")
        page.get_by_text("Heavy Rain").first.wait_for(timeout=WAIT_MS)
        assert_accessible(page)

        page.goto(f"{site.address}/library/?q=amelie")
        page.get_by_text("Amélie's Sun").first.wait_for()
        assert page.locator("[data-row]").count() == 1
        page.goto(f"{site.address}/library/?q=heavy")
        page.check("[data-row]")
        page.click(".bulk .btn-primary")
        page.get_by_text("ffmpeg command").first.wait_for()  # the dry run
        assert_accessible(page)
        assert original.read_bytes() == before
        page.get_by_role("button", name=re.compile("^Queue 1 film")).click()
        page.wait_for_url(re.compile(r"/(queue|library)/"))

        page.goto(f"{site.address}/queue/")
        assert_accessible(page)
        page.get_by_text("Done today").first.wait_for()
        page.locator("main a", has_text="Heavy Rain").first.wait_for(timeout=WAIT_MS)
        page.goto(f"{site.address}/history/")
        wait_until(page, "text=Heavy Rain")
        assert_accessible(page)
        page.click("main a:has-text('Heavy Rain')")
        page.get_by_text("rungs passed").first.wait_for()
        assert_accessible(page)
        assert original.read_bytes() != before

        page.click("main >> text=Undo")
        page.locator("#dialog .btn-danger, #dialog .btn-primary").first.click()
        page.get_by_text("put back", exact=False).first.wait_for(timeout=WAIT_MS)
        wait_for_bytes(page, original, before)
        page.locator("main").get_by_text("Undone").first.wait_for()  # by itself, without a reload
        assert page.locator("main a", has_text="Undo").count() == 0


def wait_until(page: Page, selector: str) -> None:
    """Reload until it is there: history does not poll."""
    for _ in range(90):
        if page.locator(f"main >> {selector}").count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    raise AssertionError(f"{selector} did not appear on {page.url}: {page.inner_text('main')}")


def wait_for_bytes(page: Page, path: Path, expected: bytes) -> None:
    for _ in range(60):
        if path.exists() and path.read_bytes() == expected:
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{path} was not put back")


PAGES = (
    "/",
    "/library/",
    "/library/folders/",
    "/library/folders/add/",
    "/library/inaccessible/",
    "/library/tags/",
    "/library/filters/",
    "/queue/",
    "/history/",
    "/presets/",
    "/presets/of/balanced/",
    "/presets/new/",
    "/presets/import/",
    "/settings/",
    "/logs/",
    "/account/",
    "/people/",
    "/admin/",
    "/admin/transcode/job/",
)


def own_pages(page: Page, site: RunningSite) -> list[str]:
    """The pages of one film and of one job."""
    page.goto(f"{site.address}/library/?q=heavy")
    film = page.locator("[data-list-link]").first.get_attribute("href")
    page.goto(f"{site.address}/history/")
    job = page.locator("main a", has_text="Heavy Rain").first.get_attribute("href")
    assert film is not None and job is not None
    return [film, job]


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_accessible_and_fits_on_a_desktop_and_a_phone(
    browser: Browser, site: RunningSite, width: int, theme: str
) -> None:
    with watched_page(browser, width=width, theme=theme) as page:
        sign_in(page, site)
        for address in (*PAGES, *own_pages(page, site)):
            response = page.goto(site.address + address)
            assert response is not None and response.status == 200, address
            page.wait_for_timeout(150)
            if not address.startswith("/admin/"):
                assert_accessible(page)
                assert_fits(page)


def test_the_line_between_before_and_after_moves_by_keyboard_on_every_picture(
    browser: Browser, site: RunningSite
) -> None:
    cut = "() => getComputedStyle(document.querySelector('.compare')).getPropertyValue('--cut')"
    with watched_page(browser) as page:
        sign_in(page, site)
        _film, job = own_pages(page, site)
        page.goto(site.address + job)
        page.locator(".compare-range").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(cut) == "51%"
        page.click("#picture-best")
        page.locator("#picture-best[aria-current]").wait_for()
        assert page.url.endswith("?picture=best")
        # Swapped in, the other picture is cut where the first one was.
        page.wait_for_function(f"({cut})() === '51%'")
        for image in page.locator(".compare img").all():
            image.evaluate("image => image.decode()")


_ENDED = "document.body.dispatchEvent(new CustomEvent('mf:operation-ended', {bubbles: true}))"


def test_the_end_of_an_operation_renews_its_page_and_none_that_somebody_types_in(
    browser: Browser, site: RunningSite
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/settings/")
        page.get_by_role("button", name="Back up now").click()
        page.wait_for_url("**/operations/**")
        page.locator("main").get_by_text("Done").first.wait_for(timeout=WAIT_MS)
        for address in (page.url, f"{site.address}/library/"):
            page.goto(address)
            with page.expect_response(lambda found: "hx-boosted" in found.request.headers):
                page.evaluate(_ENDED)
            page.locator(".col main h2, .col main h3, .col main tbody tr").first.wait_for()

        page.goto(f"{site.address}/settings/")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.fill("[name=trash_retention_days]", "30")
        page.locator("h1").click()
        page.evaluate(_ENDED)
        page.wait_for_timeout(1000)
        assert page.input_value("[name=trash_retention_days]") == "30"
        assert not [url for url in asked if url.endswith("/settings/")]


def test_pages_work_without_javascript(browser: Browser, site: RunningSite) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site)
    page.goto(f"{site.address}/library/?q=old")
    page.check("[data-row]")
    page.locator("form[data-select-table] button.btn-primary").first.click()
    page.wait_for_url(re.compile("/queue/add/"))
    assert page.locator("main", has_text="Old Street").count() == 1
    context.close()


def test_a_polled_fragment_after_logout_sends_the_page_to_the_login(
    browser: Browser, site: RunningSite
) -> None:
    with watched_page(browser) as page:
        sign_in(page, site)
        page.goto(f"{site.address}/queue/")
        page.context.clear_cookies()
        page.wait_for_url(re.compile("/login/"), timeout=WAIT_MS)
