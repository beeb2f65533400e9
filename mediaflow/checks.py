"""System checks: what `manage.py check` and every start look at. Each has an id and a hint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from mediaflow.context_processors import is_exposed_http
from mediaflow.supervisor.preflight import network_file_system
from transcode.encoding.ffmpeg import FfmpegMissing, find_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS_MODE_MASK = 0o077
# What the commands of people ask for: Django's own checks load every page, which takes longer than
# many a command.
OWN = "mediaflow"


@register(OWN)
def check_ffmpeg(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    try:
        find_ffmpeg()
    except FfmpegMissing as problem:
        return [
            Error(
                str(problem),
                hint="Leave MEDIAFLOW_FFMPEG empty, or name an ffmpeg that runs here.",
                id="mediaflow.E001",
            )
        ]
    return []


@register(OWN)
def check_huey_is_not_immediate(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if settings.HUEY.get("immediate") is not False:
        return [
            Error(
                "HUEY['immediate'] is not False: jobs would run inside web requests.",
                hint="Write it out: its default follows DEBUG.",
                id="mediaflow.E002",
            )
        ]
    return []


@register(OWN)
def check_sqlite_place(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if settings.ENVIRONMENT.database_url:
        return []
    kind = network_file_system(settings.DATA_DIR)
    if not kind:
        return []
    return [
        Error(
            f"MEDIAFLOW_DATA_DIR lies on a network file system ({kind}), where SQLite loses data.",
            hint="Use a local disk, or PostgreSQL by MEDIAFLOW_DATABASE_URL.",
            id="mediaflow.E003",
        )
    ]


@register(OWN, Tags.security)
def check_keys_are_private(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    keys_dir = settings.ENVIRONMENT.keys_dir
    try:
        mode = keys_dir.stat().st_mode
    except OSError:
        return []
    if mode & KEYS_MODE_MASK and os.name == "posix":
        return [
            Warning(
                f"{keys_dir} can be read by others (mode {mode & 0o777:o}).",
                hint=f"chmod 700 {keys_dir}",
                id="mediaflow.W001",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_public_url(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    environment = settings.ENVIRONMENT
    if is_exposed_http(environment.host) and not environment.public_url:
        return [
            Warning(
                f"MediaFlow listens on {environment.host} and MEDIAFLOW_PUBLIC_URL is not set.",
                hint="Set it to the https address under which a reverse proxy serves MediaFlow.",
                id="mediaflow.W002",
            )
        ]
    return []


@register(Tags.security, deploy=True)
def check_proxies(app_configs: Any, **kwargs: Any) -> Sequence[CheckMessage]:
    if any(word in {"0.0.0.0/0", "::/0"} for word in settings.ENVIRONMENT.trusted_proxies):
        return [
            Warning(
                "MEDIAFLOW_TRUSTED_PROXIES trusts everybody: anyone can pretend to be anyone.",
                hint="Name the addresses of your reverse proxies only.",
                id="mediaflow.W003",
            )
        ]
    return []
