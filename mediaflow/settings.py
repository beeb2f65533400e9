"""Django's settings, built from the validated environment (mediaflow/base/env.py)."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

from mediaflow.base.env import PROJECT_ROOT, EnvironmentProblem, read_environment
from mediaflow.base.keys import read_or_create_secret
from mediaflow.base.logging_setup import log_source, logging_config

ENVIRONMENT = read_environment()
BASE_DIR = PROJECT_ROOT
DATA_DIR = ENVIRONMENT.data_dir
WORK_DIR = ENVIRONMENT.work_dir

DEBUG = ENVIRONMENT.debug
try:
    SECRET_KEY = ENVIRONMENT.secret_key or read_or_create_secret(
        ENVIRONMENT.keys_dir / "secret_key"
    )
except OSError as _error:
    raise EnvironmentProblem(
        f"The data directory {DATA_DIR} cannot be used: {_error.strerror or _error}."
        " Make it writable for this user, free some space, or set MEDIAFLOW_DATA_DIR."
    ) from None

_public_host = urlsplit(ENVIRONMENT.public_url).hostname or ""
# Without a named host any is served: a NAS is reached by many names.
ALLOWED_HOSTS = [*ENVIRONMENT.allowed_hosts, *([_public_host] if _public_host else [])] or ["*"]
if ALLOWED_HOSTS != ["*"]:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [ENVIRONMENT.public_url] if ENVIRONMENT.public_url else []

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_filters",
    "django_htmx",
    "template_partials",
    "mediaflow.base",
    "mediaflow.accounts",
    "mediaflow",
    "library",
    "transcode",
    "servers",
]

MIDDLEWARE = [
    "mediaflow.accounts.proxies.TrustedProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mediaflow.accounts.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "mediaflow.urls"
WSGI_APPLICATION = "mediaflow.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mediaflow.context_processors.shell",
            ],
        },
    },
]

_SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": str(DATA_DIR / "mediaflow.sqlite3"),
    # WAL itself is set once, at install (mediaflow/management/commands/migrate.py): setting it on
    # every connection made 7 of 120 simultaneous first opens fail.
    "OPTIONS": {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": (
            "PRAGMA synchronous=NORMAL;PRAGMA cache_size=-32000;PRAGMA temp_store=MEMORY;"
            "PRAGMA mmap_size=134217728;PRAGMA journal_size_limit=67108864;"
        ),
    },
}
DATABASES: dict[str, Any] = {
    "default": (
        {
            **environ.Env.db_url_config(ENVIRONMENT.database_url),
            "CONN_HEALTH_CHECKS": True,
        }
        if ENVIRONMENT.database_url
        else _SQLITE
    )
}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "accounts:login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# Cookies follow the address people use: __Host- and Secure need https.
_https = ENVIRONMENT.is_https
SESSION_COOKIE_NAME = "__Host-mediaflow-session" if _https else "mediaflow-session"
CSRF_COOKIE_NAME = "__Host-mediaflow-csrf" if _https else "mediaflow-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 30 * 24 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if _https and ENVIRONMENT.trusted_proxies:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# /healthz must answer a plain local request; the reverse proxy redirects people.
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = ["security.W008"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if DEBUG
            else "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}

LOGGING = logging_config(
    ENVIRONMENT.log_dir,
    log_source(sys.argv),
    [SECRET_KEY, urlsplit(ENVIRONMENT.database_url).password or ""],
)

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = ENVIRONMENT.time_zone
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

# Huey carries wake-ups only, never state (docs/architecture.md). `immediate` is written out: its
# default follows DEBUG and would run jobs inside a web request.
HUEY: dict[str, Any] = {
    "huey_class": "mediaflow.base.wake_storage."
    + ("WakeRedisHuey" if ENVIRONMENT.redis_url else "WakeSqliteHuey"),
    "name": "mediaflow",
    "immediate": False,
    "results": False,
    "connection": (
        {"url": ENVIRONMENT.redis_url}
        if ENVIRONMENT.redis_url
        else {"filename": str(DATA_DIR / "huey.sqlite3")}
    ),
    "consumer": {
        "workers": 2,
        "worker_type": "thread",
        "initial_delay": 0.02,
        "max_delay": 0.1,
        "backoff": 1.1,
        "periodic": False,
    },
}
