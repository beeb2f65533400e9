"""`serve`: web and consumer under one supervisor, ready to use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    SystemCheckError,
)
from django.db import DatabaseError, connection, connections

from mediaflow.accounts.services import is_set_up, make_setup_token
from mediaflow.base.env import PROJECT_ROOT
from mediaflow.supervisor import preflight
from mediaflow.supervisor.processes import Program, Supervisor
from mediaflow.supervisor.static_files import collect_static

if TYPE_CHECKING:
    from socket import socket

WEB_THREADS = 16
# gunicorn's own 2 s closed connections in the face of pages that poll every 2 s.
KEEP_ALIVE_S = 30


class Command(BaseCommand):
    help = "Start MediaFlow: web pages and the worker, until Ctrl-C."
    requires_system_checks: list[str] = []  # run below, with sentences instead of a traceback

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", help="instead of MEDIAFLOW_HOST")
        parser.add_argument("--port", type=int, help="instead of MEDIAFLOW_PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        environment = settings.ENVIRONMENT
        host = options["host"] or environment.host
        port = environment.port if options["port"] is None else options["port"]
        if not 1 <= port <= 65535:
            raise CommandError("--port must be a whole number from 1 to 65535.", returncode=2)
        try:
            preflight.prepare_folders(settings.DATA_DIR, settings.WORK_DIR)
            preflight.refuse_network_database(
                settings.DATA_DIR, is_sqlite=connection.vendor == "sqlite"
            )
            lock = preflight.lock_instance(settings.DATA_DIR)
            listener = preflight.bind_port(host, port)
        except preflight.StartProblem as problem:
            raise CommandError(str(problem), returncode=2) from None
        self._prepare_database()
        collect_static()
        self._announce(host, listener.getsockname()[1])
        connections.close_all()
        Supervisor(self._programs(listener)).run()
        listener.close()
        lock.release()
        self.stdout.write("MediaFlow has stopped.")

    def _prepare_database(self) -> None:
        try:
            self.check(fail_level=checks.ERROR)
            call_command("migrate", interactive=False, verbosity=0)
        except SystemCheckError as problem:
            raise CommandError(str(problem), returncode=2) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used: {str(error).strip()}. Look at MEDIAFLOW_DATA_DIR"
                " or MEDIAFLOW_DATABASE_URL.",
                returncode=2,
            ) from None

    def _announce(self, host: str, port: int) -> None:
        shown = "127.0.0.1" if host in {"0.0.0.0", "::", ""} else host
        shown = f"[{shown}]" if ":" in shown else shown
        url = settings.ENVIRONMENT.public_url or f"http://{shown}:{port}"
        self.stdout.write(f"MediaFlow runs at {url}")
        if not is_set_up():
            self.stdout.write(
                f"Set it up here (this link works once): {url}/setup/{make_setup_token()}/"
            )
        self.stdout.write("Ctrl-C stops it.")
        self.stdout.flush()

    def _programs(self, listener: socket) -> list[Program]:
        number = listener.fileno()
        manage = str(PROJECT_ROOT / "manage.py")
        web = [
            *(sys.executable, "-m", "gunicorn", "mediaflow.wsgi:application"),
            *("--bind", f"fd://{number}", "--worker-class", "gthread", "--workers", "1"),
            *("--threads", str(WEB_THREADS), "--keep-alive", str(KEEP_ALIVE_S)),
            *("--graceful-timeout", "5", "--timeout", "120", "--log-level", "warning"),
            # Who is believed about X-Forwarded-* is decided in mediaflow/accounts/proxies.py.
            *("--forwarded-allow-ips", "", "--no-control-socket"),
        ]
        return [
            Program("the web server", web, pass_fds=(number,)),
            Program("the consumer", [sys.executable, manage, "run_huey"]),
        ]
