"""The frame around every page: navigation, banners, disk. Lazy: fragments do not pay for it."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Sum
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from library.models import Library, LibraryKind
from mediaflow.base.hooks import hooked
from mediaflow.base.settings_store import get_settings
from mediaflow.disks import gauge_of, low_disks
from transcode.models import IN_TRASH, TrashEntry
from transcode.queue.opening import opens_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest

    from mediaflow.accounts.models import User
    from mediaflow.base.navigation import NavCount


@dataclass(frozen=True, slots=True)
class NavLink:
    """A place in the sidebar; `names` are tried until one is an address of this version."""

    label: str
    icon: str
    names: tuple[str, ...]
    group: str
    is_admin_only: bool = False


NAV_LINKS = (
    NavLink("Home", "home", ("home",), ""),
    NavLink("Library", "film", ("library:file_list", "file_list"), ""),
    NavLink("Insights", "bulb", ("insights",), ""),
    NavLink("Queue", "queue", ("transcode:queue", "queue"), ""),
    NavLink("History", "history", ("transcode:history", "history"), ""),
    NavLink("Rules", "bolt", ("transcode:rule_list",), "Automation"),
    NavLink("Presets", "sliders", ("transcode:preset_list", "preset_list"), "Manage"),
    NavLink("Libraries", "folder", ("library:folder_list", "folder_list"), "Manage"),
    NavLink("Plex", "plex", ("library:plex",), "Manage"),
    NavLink("Connections", "link", ("library:connection_list",), "Manage", is_admin_only=True),
    NavLink("Analytics", "chart", ("analytics",), "Manage"),
    NavLink("Settings", "nut", ("settings",), "Manage", is_admin_only=True),
    NavLink("Logs", "term", ("logs",), "Manage", is_admin_only=True),
)


@dataclass(frozen=True, slots=True)
class NavItem:
    url: str
    label: str
    icon: str
    group: str
    is_active: bool
    count: int
    is_running: bool
    live_id: str


@dataclass(frozen=True, slots=True)
class Banner:
    level: str
    title: str
    text: str
    link: str = ""
    link_text: str = ""


def shell(request: HttpRequest) -> dict[str, Any]:
    """`nav`, `banners`, `nav_disk` for signed-in people."""
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {
        "nav": SimpleLazyObject(lambda: _nav(request, user)),
        "banners": SimpleLazyObject(lambda: list(_banners(request, user))),
        "nav_disk": SimpleLazyObject(_nav_disk),
    }


def _nav(request: HttpRequest, user: User) -> list[NavItem]:
    counts: dict[str, NavCount] = {}
    for callee in hooked("nav_counts"):
        counts.update(callee(user))
    links = [
        (link, url)
        for link in NAV_LINKS
        if (url := first_url(*link.names)) and (user.is_admin or not link.is_admin_only)
    ]
    here = _here(request.path, [url for _, url in links])
    items = []
    for link, url in links:
        figure = next((counts[name] for name in link.names if name in counts), None)
        items.append(
            NavItem(
                url=url,
                label=link.label,
                icon=link.icon,
                group=link.group,
                is_active=url == here,
                count=figure.count if figure else 0,
                is_running=bool(figure and figure.is_running),
                live_id=figure.live_id if figure else "",
            )
        )
    return items


def first_url(*names: str) -> str:
    """The address of the first name that exists; "" when none does."""
    for name in names:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""


def _here(path: str, urls: list[str]) -> str:
    """The place that the address lies in: the longest that it begins with; home only for itself."""
    inside = [url for url in urls if path == url or (url != "/" and path.startswith(url))]
    return max(inside, key=len, default="")


def _banners(request: HttpRequest, user: User) -> Iterator[Banner]:
    if user.is_admin and is_exposed_http(request.get_host()):
        yield Banner(
            "warn",
            "Your password crosses the network unencrypted.",
            "MediaFlow is reached over plain http. Put it behind a reverse proxy with https and set"
            " MEDIAFLOW_PUBLIC_URL, or reach it through a VPN.",
        )
    for library in Library.objects.exclude(frozen_reason="").only("name", "frozen_reason")[:5]:
        yield Banner(
            "bad",
            f"{library.name} is frozen.",
            f"{library.frozen_reason} Nothing in it is changed until this is settled.",
            first_url("library:folder_list", "folder_list"),
            "Look",
        )
    values = get_settings("queue_paused", "queue_paused_reason", "queue_hours")
    queue = first_url("transcode:queue", "queue")
    # The queue page says so itself, with the button to resume.
    if values["queue_paused"] and request.path != queue:
        reason = values["queue_paused_reason"] or "No new job starts until it is resumed."
        yield Banner("warn", "The queue is paused.", reason, queue, "Queue")
    again = opens_at(values["queue_hours"], timezone.now())
    if again is not None and not values["queue_paused"]:
        yield Banner(
            "info",
            f"Encoding goes on at {again:%H:%M} on {again:%A}.",
            f"The queue's hours are {values['queue_hours']}.",
            first_url("settings"),
            "Settings",
        )
    for name, use in low_disks():
        free_mb = use.free_bytes // 1024**2
        yield Banner(
            "bad",
            f"The disk of the {name} folder is almost full.",
            f"{free_mb:,} MB are free. Jobs wait until there is more; make room on it.",
        )


def is_exposed_http(host: str) -> bool:
    """Plain http on an address that other machines can reach."""
    if settings.ENVIRONMENT.is_https:
        return False
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 else host
    name = name.partition("]")[0].strip("[]") if name.startswith("[") else name
    try:
        return not ip_address(name).is_loopback
    except ValueError:
        return name != "localhost" and not name.endswith((".localhost", "testserver"))


def _nav_disk() -> dict[str, Any] | None:
    """The disk of the largest folder library."""
    folders = Library.objects.filter(kind=LibraryKind.FOLDER)
    library = folders.order_by("-total_bytes").only("name", "root_raw").first()
    if library is None:
        return None
    gauge = gauge_of(bytes(library.root_raw))
    use = gauge.read()
    if use is None:
        return None
    kept = TrashEntry.objects.filter(state__in=IN_TRASH).aggregate(total=Sum("size_bytes"))
    capacity = int(get_settings("display_capacity_bytes")["display_capacity_bytes"])
    return {
        "name": library.name,
        "used_bytes": use.used_bytes,
        "total_bytes": capacity or use.total_bytes,
        "will_be_freed_bytes": kept["total"] or 0,
        "note": "The disk does not answer" if gauge.is_hanging else "",
    }
