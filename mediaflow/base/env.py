"""The environment, read once and validated: a wrong value stops the start with a sentence."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class EnvironmentProblem(ValueError):
    """A variable holds something that cannot be used. The text names it and says what would do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything MediaFlow takes from its environment. Paths are absolute."""

    data_dir: Path
    work_dir: Path
    public_url: str  # "" when the user named none
    time_zone: str
    puid: int | None
    pgid: int | None
    umask: int | None
    port: int
    host: str
    database_url: str  # "" means the embedded SQLite
    redis_url: str  # "" means Huey's SQLite storage
    ffmpeg: str  # "" means the build that comes with imageio-ffmpeg
    secret_key: str  # "" means: made once and kept in keys/
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    jobs: int
    plex_tv_url: str  # "" means Plex's own; a stand-in for tests otherwise
    debug: bool

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")


def read_environment(source: Mapping[str, str] | None = None) -> Environment:
    """Read and validate. Raises EnvironmentProblem with one sentence for the first wrong value."""
    env = os.environ if source is None else source
    data_dir = _path(env, "MEDIAFLOW_DATA_DIR", PROJECT_ROOT / "var")
    return Environment(
        data_dir=data_dir,
        work_dir=_path(env, "MEDIAFLOW_WORK_DIR", data_dir / "work"),
        public_url=_url(env, "MEDIAFLOW_PUBLIC_URL"),
        time_zone=_time_zone(env),
        puid=_optional_int(env, "MEDIAFLOW_PUID", 0, 2**32 - 2),
        pgid=_optional_int(env, "MEDIAFLOW_PGID", 0, 2**32 - 2),
        umask=_umask(env),
        port=_int(env, "MEDIAFLOW_PORT", 9876, 1, 65535),
        host=_host(env),
        database_url=_database_url(env),
        redis_url=_redis_url(env),
        ffmpeg=_executable(env, "MEDIAFLOW_FFMPEG"),
        secret_key=_secret(env, "MEDIAFLOW_SECRET_KEY"),
        allowed_hosts=_host_names(env, "MEDIAFLOW_ALLOWED_HOSTS"),
        trusted_proxies=_networks(env, "MEDIAFLOW_TRUSTED_PROXIES"),
        jobs=_int(env, "MEDIAFLOW_JOBS", 1, 1, 64),
        plex_tv_url=_url(env, "MEDIAFLOW_PLEX_TV_URL"),
        debug=_bool(env, "MEDIAFLOW_DEBUG"),
    )


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if "\0" in value:
        raise EnvironmentProblem(f"{name} contains a NUL character; remove it.")
    return value


def _path(env: Mapping[str, str], name: str, default: Path) -> Path:
    value = _text(env, name)
    if not value:
        return default
    path = Path(value).expanduser()
    # Relative to the project, never to the working directory: cron and systemd start elsewhere.
    path = path if path.is_absolute() else PROJECT_ROOT / path
    if path.exists() and not path.is_dir():
        raise EnvironmentProblem(f"{name} is {value!r}, which is a file; give it a folder.")
    return path


def _int(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = _optional_int(env, name, low, high)
    return default if value is None else value


def _optional_int(env: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    value = _text(env, name)
    if not value:
        return None
    if not re.fullmatch(r"-?[0-9]{1,12}", value) or not low <= int(value) <= high:
        raise EnvironmentProblem(
            f"{name} is {value!r}; give it a whole number from {low} to {high}."
        )
    return int(value)


def _umask(env: Mapping[str, str]) -> int | None:
    value = _text(env, "MEDIAFLOW_UMASK")
    if not value:
        return None
    if not re.fullmatch(r"0?o?[0-7]{1,4}", value):
        raise EnvironmentProblem(f"MEDIAFLOW_UMASK is {value!r}; give it octal digits such as 022.")
    return int(value.replace("o", ""), 8)


def _bool(env: Mapping[str, str], name: str) -> bool:
    value = _text(env, name).lower()
    if value in {"", "0", "no", "false", "off"}:
        return False
    if value in {"1", "yes", "true", "on"}:
        return True
    raise EnvironmentProblem(f"{name} is {value!r}; give it 1 or 0.")


def _url(env: Mapping[str, str], name: str) -> str:
    value = _text(env, name).rstrip("/")
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        port_ok, parts = False, urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_ok or parts.path:
        raise EnvironmentProblem(
            f"{name} is {value!r}; give it an address such as https://films.example.org."
        )
    return value


def _time_zone(env: Mapping[str, str]) -> str:
    value = _text(env, "MEDIAFLOW_TIME_ZONE") or "UTC"
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise EnvironmentProblem(
            f"MEDIAFLOW_TIME_ZONE is {value!r}; give it a name such as Europe/Berlin."
        ) from None
    return value


def _host(env: Mapping[str, str]) -> str:
    value = _text(env, "MEDIAFLOW_HOST") or "127.0.0.1"
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", value):
        raise EnvironmentProblem(
            f"MEDIAFLOW_HOST is {value!r}; give it an address such as 0.0.0.0 or 127.0.0.1."
        )
    return value


def _database_url(env: Mapping[str, str]) -> str:
    value = _text(env, "MEDIAFLOW_DATABASE_URL")
    if value and not value.startswith(("postgres://", "postgresql://")):
        raise EnvironmentProblem(
            "MEDIAFLOW_DATABASE_URL must begin with postgresql:// (leave it empty for the"
            " embedded SQLite)."
        )
    return value


def _redis_url(env: Mapping[str, str]) -> str:
    value = _text(env, "MEDIAFLOW_REDIS_URL")
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise EnvironmentProblem(
            "MEDIAFLOW_REDIS_URL must begin with redis://, rediss:// or unix://."
        )
    return value


def _executable(env: Mapping[str, str], name: str) -> str:
    value = _text(env, name)
    if value and not (Path(value).is_file() and os.access(value, os.X_OK)):
        raise EnvironmentProblem(f"{name} is {value!r}, which is no program that can be run.")
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    value = _text(env, name)
    file_name = _text(env, name + "_FILE")
    if not value and file_name:
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise EnvironmentProblem(
                f"{name}_FILE is {file_name!r}, which cannot be read: {reason}."
            ) from None
        if not value:
            raise EnvironmentProblem(f"{name}_FILE names an empty file.")
    if value and len(value) < 32:
        raise EnvironmentProblem(f"{name} is too short; give it at least 32 random characters.")
    return value


def _words(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", _text(env, name)) if word)


def _host_names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    words = _words(env, name)
    for word in words:
        if not re.fullmatch(r"\*|\.?[\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\]", word):
            raise EnvironmentProblem(
                f"{name} holds {word!r}; give it names such as films.example.org, without"
                " http:// and port."
            )
    return words


def _networks(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    words = _words(env, name)
    for word in words:
        try:
            ip_network(word, strict=False)
        except ValueError:
            raise EnvironmentProblem(
                f"{name} holds {word!r}; give it addresses or networks such as 10.0.0.2 or"
                " 172.16.0.0/12."
            ) from None
    return words
