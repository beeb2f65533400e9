"""WSGI application that gunicorn serves."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaflow.settings")
application = get_wsgi_application()
# All pages, and the bell that a click rings: loaded at the start, not at somebody's first click.
for name in ("mediaflow.urls", "transcode.tasks"):
    import_module(name)
