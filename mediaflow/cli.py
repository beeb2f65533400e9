"""Entry point of `manage.py` and of the installed command `mediaflow`."""

from __future__ import annotations

import logging
import os
import sys
from difflib import get_close_matches

# What a person may start first of all on a fresh machine: these set the database up themselves.
_SETS_UP = frozenset({"scan", "optimize", "enqueue", "work", "demo"})


def main() -> None:
    """Run one management command; a wrong environment is a sentence and exit code 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mediaflow.settings")
    from django.db import DatabaseError

    from mediaflow.base.env import EnvironmentProblem, read_environment
    from mediaflow.identity import take_on_identity

    arguments = sys.argv if len(sys.argv) > 1 else [*sys.argv, "help"]
    try:
        take_on_identity(read_environment())
        if arguments[1] in _SETS_UP and not {"-h", "--help"} & set(arguments):
            _set_up_database()
        _execute(arguments)
    except EnvironmentProblem as problem:
        sys.stderr.write(f"mediaflow: {problem}\n")
        sys.exit(2)
    except DatabaseError as error:
        logging.getLogger("mediaflow").info("a command met a database error", exc_info=True)
        sys.stderr.write(
            f"mediaflow: The database cannot be used: {_one_line(error)}. If it was never set up,"
            " `mediaflow migrate` does that.\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".?")


def _execute(arguments: list[str]) -> None:
    """As Django does it, but a command that does not exist is wrong input like any other."""
    from django.core.management import BaseCommand, ManagementUtility, get_commands

    class Commands(ManagementUtility):
        def fetch_command(self, subcommand: str) -> BaseCommand:
            known = get_commands()
            if subcommand in known:
                return super().fetch_command(subcommand)
            alike = get_close_matches(subcommand, known, n=1)
            hint = f" Did you mean `{alike[0]}`?" if alike else ""
            sys.stderr.write(
                f"mediaflow: There is no command {subcommand!r};"
                f" `mediaflow help` lists them.{hint}\n"
            )
            sys.exit(2)

    Commands(arguments).execute()


def _set_up_database() -> None:
    """Migrate when something is pending; nothing on an instance that is up to date."""
    import django
    from django.core.management import CommandError, call_command

    django.setup()
    from mediaflow.supervisor.database import has_pending_migrations

    if has_pending_migrations():
        try:
            call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
        except CommandError as problem:
            sys.stderr.write(f"mediaflow: {problem}\n")
            sys.exit(problem.returncode)
