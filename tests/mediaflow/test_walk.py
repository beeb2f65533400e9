"""Walks every address: login, CSRF token, no change by GET, roles, security headers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from library.models import (
    Library,
    MediaFile,
    PathMapping,
    PlexAccount,
    PlexCollection,
    PlexEditBatch,
    PlexSection,
    PlexServer,
)
from mediaflow.base.models import Operation
from transcode.models import Job, Preset, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db

OPEN_TO_ALL = {
    "healthz", "favicon", "accounts:login", "accounts:setup", "accounts:password_link",
    # Whoever knows the secret in the address may call; nobody else learns anything.
    "library:hook", "library:hook_bare",
}  # fmt: skip
# What a viewer changes is their own: session, password, look, filters.
VIEWER_MAY = re.compile(r"^(accounts:(login|logout|account|theme|setup|password_link))$")
VIEWER_MAY_OWN = re.compile(r"(saved_filter_\w+|columns)$")
SAMPLES = {"slug": "balanced", "uuid": "6f1d7d3e-0a8f-4c63-9a1b-1f6f6e0e7f11", "int": "1"}


def walk(
    resolver: URLResolver | None = None, prefix: str = "/", space: str = ""
) -> Iterator[tuple[str, str]]:
    """(name with namespace, address with sample arguments) of every pattern."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + filled(str(entry.pattern))
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from walk(entry, route, inner)
        elif isinstance(entry, URLPattern):
            yield f"{space}{entry.name}", route


def filled(route: str) -> str:
    def sample(match: re.Match[str]) -> str:
        return SAMPLES.get(match[1] or "str", "x")

    # Django's admin uses regular expressions for its list of apps and its catch-all.
    if route.startswith("^"):
        return "accounts/"
    if route.startswith("(?P"):
        return "nothing"
    return re.sub(r"<(?:(\w+):)?\w+>", sample, route)


ADDRESSES = sorted(set(walk()))
OURS = [(name, path) for name, path in ADDRESSES if not path.startswith("/admin/")]


@pytest.fixture(autouse=True)
def rows(admin_user: User) -> None:
    """Row number one of each kind, so that pages are found."""
    library = Library.objects.create(
        id=1, name="Films", root="/films", root_raw=b"/films", root_digest="d"
    )
    file = MediaFile.objects.create(
        id=1, library=library, path_raw=b"up.mkv", path_digest="p", path="up.mkv"
    )
    preset = Preset.objects.filter(slug="balanced").first()
    Job.objects.create(
        id=1, file=file, file_path="/films/up.mkv", preset=preset,
        preset_slug="balanced", preset_spec=preset.spec if preset else {},
    )  # fmt: skip
    Operation.objects.create(id=1, kind="scan", title="Scan of Films")
    server = PlexServer.objects.create(id=1, machine_id="m", name="Home")
    PlexAccount.objects.create(id=1, plex_uuid="u", username="ada")
    PlexSection.objects.create(id=1, server=server, key="1", title="Movies", type="movie")
    PlexEditBatch.objects.create(id=1, section_id=1, title="Add labels", changes={})
    PlexCollection.objects.create(id=1, section_id=1, title="Crime", query="q=heat")
    assert preset is not None
    Rule.objects.create(id=1, name="Old codecs", preset=preset, query="codec=h264")
    PathMapping.objects.create(id=1, source="/data", local="/films", local_raw=b"/films")


def test_the_walk_finds_the_pages() -> None:
    names = {name for name, _ in ADDRESSES}
    assert {"home", "settings", "logs", "healthz", "accounts:login", "admin:index"} <= names


# One test walks all addresses, and names all that are wrong: making its rows anew for each of a
# thousand would be most of what it costs.


def test_every_address_needs_a_login() -> None:
    wrong = []
    for name, path in ADDRESSES:
        response = Client().get(path)
        target = response.headers.get("Location", "")
        if name in OPEN_TO_ALL:
            is_right = target != f"/login/?next={path}"
        else:
            to_login = target.startswith(("/login/", "/admin/login/"))
            is_right = response.status_code == 302 and to_login
        if not is_right:
            wrong.append((path, response.status_code, target))
    assert wrong == []


def test_htmx_without_a_login_is_sent_to_the_login_page_everywhere() -> None:
    wrong = []
    for name, path in OURS:
        response = Client().get(path, headers={"HX-Request": "true"})
        target = response.headers.get("HX-Redirect", "")
        is_sent = response.status_code == 204 and target.startswith("/login/")
        if name not in OPEN_TO_ALL and not is_sent:
            wrong.append((path, response.status_code, target))
    assert wrong == []


@pytest.mark.parametrize("is_htmx", [False, True], ids=["plain", "htmx's header is no permission"])
def test_a_post_without_token_is_refused_everywhere(admin_user: User, is_htmx: bool) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    headers = {"HX-Request": "true"} if is_htmx else {}
    wrong = []
    for _name, path in ADDRESSES:
        status = client.post(path, {"username": "x"}, headers=headers).status_code
        if status != 403:
            wrong.append((path, status))
    assert wrong == []


def test_no_get_changes_anything(admin_user: User) -> None:
    client = Client(raise_request_exception=False)
    wrong = []
    for name, path in ADDRESSES:
        client.force_login(admin_user)  # one of the addresses signs out
        with CaptureQueriesContext(connection) as queries:
            response = client.get(path)
        written = [query["sql"] for query in queries if is_change(query["sql"])]
        if written or (response.status_code >= 500 and name != "healthz"):
            wrong.append((path, response.status_code, written))
    assert wrong == []


def is_change(sql: str) -> bool:
    """Sessions and the audit log are written by looking, too."""
    return (
        re.match(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", sql, re.IGNORECASE) is not None
        and "django_session" not in sql
        and "base_auditevent" not in sql
    )


def test_a_viewer_changes_nothing_but_their_own(as_viewer: Client) -> None:
    wrong = []
    for name, path in OURS:
        if VIEWER_MAY.search(name) or VIEWER_MAY_OWN.search(name):
            continue
        status = as_viewer.post(path).status_code
        if status not in {403, 405}:
            wrong.append((path, status))
    assert wrong == []


def test_the_admin_is_for_admins(operator: User) -> None:
    client = Client()
    wrong = []
    for name, path in ADDRESSES:
        if not path.startswith("/admin/"):
            continue
        client.force_login(operator)
        response = client.get(path)
        target = response.headers.get("Location", "")
        is_sent = response.status_code == 302 and ("/login/" in target or "logout" in name)
        if not is_sent and response.status_code not in {403, 404}:
            wrong.append((path, response.status_code, target))
    assert wrong == []


@pytest.mark.parametrize("path", ["/settings/", "/logs/", "/people/", "/logs/web.log"])
def test_pages_for_admins_answer_403_to_others(path: str, as_operator: Client) -> None:
    response = as_operator.get(path)
    assert response.status_code == 403
    assert "You may not do that" in response.text
    fragment = as_operator.get(path, headers={"HX-Request": "true"})
    assert fragment.status_code == 403
    assert "mf:toast" in fragment.headers["HX-Trigger"]


@pytest.mark.parametrize("path", ["/", "/login/", "/settings/", "/admin/", "/healthz", "/nothing"])
def test_every_answer_carries_a_strict_policy(path: str, as_admin: Client) -> None:
    headers = as_admin.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def test_a_foreign_origin_is_refused_even_with_a_token(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    client.get("/account/")
    token = client.cookies["mediaflow-csrf"].value
    values = {"csrfmiddlewaretoken": token, "theme": "dark"}
    assert client.post("/account/theme/", values).status_code == 302
    foreign = {"Origin": "https://evil.example"}
    assert client.post("/account/theme/", values, headers=foreign).status_code == 403


def test_the_token_in_the_header_is_enough_for_htmx(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    client.get("/account/")
    headers = {"X-CSRFToken": client.cookies["mediaflow-csrf"].value, "HX-Request": "true"}
    assert client.post("/account/theme/", {"theme": "dark"}, headers=headers).status_code == 204


def test_cookies_are_kept_from_scripts(client: Client, admin_user: User) -> None:
    client.post("/login/", {"username": "ada", "password": "correct horse battery"})
    for cookie in client.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
