"""WSGI application that gunicorn serves."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaflow.settings")
application = get_wsgi_application()


def _load_at_once() -> None:
    """All pages, what they call, and the bell that a click rings: not at somebody's first click."""
    from mediaflow.base.lazy import load_everything

    for name in ("mediaflow.urls", "transcode.tasks"):
        import_module(name)
    load_everything()


_load_at_once()
