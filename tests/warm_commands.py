"""Runs `manage.py` in forks of a process that has loaded what every command loads.

That is most of what a command costs (1.2 s of processor time; there are a hundred and fifty of them
in the suite). Each command still is a process of its own, with its own environment, settings,
database and exit. There are two such processes: one has the project's modules too, and is used
where the environment says no more than where the data lies; the other has the libraries only.
This file is also the program of both.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import random
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

PROJECT_ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "asyncio", "av", "csp.middleware", "django.contrib.admin", "django.contrib.auth.hashers",
    "django.contrib.messages.middleware", "django.contrib.sessions.middleware",
    "django.contrib.staticfiles.storage", "django.core.cache.backends.locmem",
    "django.core.management.commands.migrate", "django.core.management.commands.shell",
    "django.core.servers.basehttp", "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base", "django.db.migrations.serializer", "django.forms",
    "django.middleware.clickjacking", "django.middleware.common", "django.middleware.csrf",
    "django.middleware.security", "django.template.loader", "django.views.defaults",
    "django.views.generic", "django_filters", "django_htmx.middleware", "environ", "guessit",
    "huey.serializer", "imageio_ffmpeg", "packaging.version", "psycopg", "redis", "tarfile",
    "template_partials", "watchfiles", "whitenoise.middleware", "whitenoise.storage",
)  # fmt: skip
MESSAGE_BYTES = 1 << 20
# What a loaded project can still take on (`take_on_environment`).
LATE_VARIABLES = frozenset({"MEDIAFLOW_DATA_DIR", "MEDIAFLOW_PORT", "MEDIAFLOW_DATABASE_URL"})
LATE_SETTINGS = "tests.settings"


class WarmCommand:
    """A command that was started; like `subprocess.Popen` with two files for what it prints."""

    def __init__(self, starter: WarmCommands, pid: int, args: list[str]) -> None:
        self.pid = pid
        self.args = args
        self.returncode: int | None = None
        self._starter = starter

    def result(self, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Wait for its end. Raises TimeoutExpired after killing it."""
        try:
            status, out, err = self._starter.wait_for(self.pid, timeout_s)
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            self._starter.wait_for(self.pid, 60)
            raise subprocess.TimeoutExpired(self.args, timeout_s) from None
        self.returncode = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)


class WarmCommands:
    """The client; starts the process with the first command. `close` ends it and its children."""

    def __init__(self, *, with_project: bool) -> None:
        self._with_project = with_project
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._outputs: dict[int, tuple[IO[bytes], IO[bytes]]] = {}
        self._ended: dict[int, int] = {}

    def start(self, args: list[str], env: dict[str, str]) -> WarmCommand:
        """Start `manage.py args…` with exactly this environment."""
        if self._socket is None:
            self._start_process()
        assert self._socket is not None
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # kept open
        request = json.dumps({"args": args, "env": env, "cwd": str(Path.cwd())}).encode()
        socket.send_fds(self._socket, [request], [out.fileno(), err.fileno()])
        self._socket.settimeout(300)
        pid = -1
        while pid < 0:  # ends of other commands may come first
            message = self._next_message()
            pid = message.get("started", -1)
        self._outputs[pid] = (out, err)
        return WarmCommand(self, pid, args)

    def wait_for(self, pid: int, timeout_s: float) -> tuple[int, str, str]:
        """Its wait status and what it printed. Raises TimeoutError."""
        assert self._socket is not None
        self._socket.settimeout(timeout_s)
        while pid not in self._ended:
            self._next_message()
        texts = []
        for file in self._outputs.pop(pid):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
            file.close()
        return self._ended.pop(pid), texts[0], texts[1]

    def close(self) -> None:
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(timeout=120)
            self._socket = self._process = None

    def _start_process(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), str(int(self._with_project))],
                pass_fds=(theirs.fileno(),),
            )
        self._socket = ours

    def _next_message(self) -> dict[str, int]:
        assert self._socket is not None
        raw = self._socket.recv(MESSAGE_BYTES)
        assert raw, "the process that starts commands has died"
        message: dict[str, int] = json.loads(raw)
        if "ended" in message:
            self._ended[message["ended"]] = message["status"]
        return message


def can_have_project(env: dict[str, str]) -> bool:
    """Nothing in it was used up while the project's modules were loaded."""
    named = {name for name in env if name.startswith("MEDIAFLOW_")}
    return env.get("DJANGO_SETTINGS_MODULE") == LATE_SETTINGS and named <= LATE_VARIABLES


def load_project() -> None:
    """Everything that a command would import; neither database nor data directory stays open."""
    import django
    from django.core import management
    from django.db import connections
    from huey.contrib import djhuey

    from mediaflow.base.lazy import load_everything

    django.setup()
    for name, app in management.get_commands().items():
        if isinstance(app, str) and not app.startswith("django."):
            management.load_command_class(app, name)
    management.call_command("check", stdout=io.StringIO(), stderr=io.StringIO())
    load_everything()
    connections.close_all()
    djhuey.HUEY.storage.close()


def take_on_environment() -> None:
    """When the command calls `django.setup`, the settings are read anew, and what holds them."""
    import django
    from django.conf import settings
    from django.db import connections
    from django.utils.functional import empty
    from huey.contrib import djhuey
    from huey.serializer import SignedSerializer

    from tests.patience import be_patient

    set_up = django.setup
    holder: Any = connections
    for name in ("mediaflow.settings", LATE_SETTINGS):
        sys.modules.pop(name)
    settings._wrapped = empty

    def set_up_again(set_prefix: bool = True) -> None:
        setattr(django, "setup", set_up)  # noqa: B010  # this time only
        holder._settings = None
        holder.__dict__.pop("settings", None)
        if hasattr(holder._connections, "default"):
            del holder["default"]
        set_up(set_prefix)
        djhuey.HUEY.serializer = SignedSerializer(secret=settings.SECRET_KEY)
        djhuey.HUEY.storage_kwargs.update(settings.HUEY["connection"])
        djhuey.HUEY.storage = djhuey.HUEY.create_storage()
        be_patient()

    setattr(django, "setup", set_up_again)  # noqa: B010


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """One request and the two files for its output; empty when the tests have ended."""
    try:
        raw, fds, _flags, _address = socket.recv_fds(connection, MESSAGE_BYTES, 2)
    except ConnectionResetError:  # they ended without reading all that we said
        return b"", []
    return raw, fds


def serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for each request. Returns the request in a child, None in the parent at the end."""
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    children: dict[int, int] = {}  # pidfd → pid
    while True:
        for key, _events in selector.select():
            if key.fd in children:
                selector.unregister(key.fd)
                os.close(key.fd)
                pid, status = os.waitpid(children.pop(key.fd), 0)
                connection.send(json.dumps({"ended": pid, "status": status}).encode())
                continue
            raw, fds = _receive(connection)
            if not raw:
                for child in children.values():
                    os.kill(child, signal.SIGKILL)
                return None
            pid = os.fork()
            if pid == 0:
                selector.close()
                for inherited in (connection.detach(), *children):
                    os.close(inherited)
                request: dict[str, Any] = json.loads(raw)
                return {**request, "fds": fds}
            for fd in fds:
                os.close(fd)
            pidfd = os.pidfd_open(pid)
            children[pidfd] = pid
            selector.register(pidfd, selectors.EVENT_READ)
            connection.send(json.dumps({"started": pid}).encode())


def main() -> None:
    sys.path[0] = str(PROJECT_ROOT)  # was tests/, the folder of this program
    for name in LIBRARIES:
        importlib.import_module(name)
    with_project = sys.argv[2] == "1"
    if with_project:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DJANGO_SETTINGS_MODULE"] = LATE_SETTINGS
            os.environ["MEDIAFLOW_DATA_DIR"] = folder
            load_project()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    for wanted, given in enumerate((nothing, *request["fds"])):
        os.dup2(given, wanted)
        os.close(given)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    program = str(PROJECT_ROOT / "manage.py")
    sys.argv = [program, *request["args"]]
    random.seed()  # commands that wait for each other must not wait equally long
    if with_project:
        take_on_environment()
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
