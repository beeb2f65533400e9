"""`mediaflow plex_add URL`: connect a Plex server by its address, without a browser."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from library.models import PlexSection, PlexServer

BAD_INPUT = 2
MAX_TOKEN_BYTES = 4096


class Command(BaseCommand):
    help = (
        "Connect a Plex server by its address; its token is read from standard input or a file,"
        " never from the command line, which other users can see."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", metavar="URL", help="http://192.168.1.20:32400")
        parser.add_argument(
            "--token-file", default="-", metavar="FILE", help="- (default): standard input"
        )
        parser.add_argument(
            "--on-this-machine",
            action="store_true",
            help="it runs here: let its loopback address be called",
        )
        parser.add_argument(
            "--section",
            action="append",
            default=[],
            metavar="NAME",
            help="switch this library on; again for more (none named: all of films and shows)",
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="SOURCE=LOCAL",
            help="what a folder of the server is called here: /data/films=/tank/films",
        )
        parser.add_argument(
            "--json", action="store_true", dest="is_json", help="print one JSON document only"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        mappings = [_split_mapping(text) for text in options["map"]]
        server = self._connect(options["url"], options["token_file"], options["on_this_machine"])
        for source, local in mappings:
            self._add_mapping(server, source, local)
        sections = self._switch_on(server, options["section"])
        if options["is_json"]:
            self.stdout.write(json.dumps({"server": _server(server, sections)}))
        else:
            names = ", ".join(section.title for section in sections) or "no library"
            self.stdout.write(
                f"{server.name} answers at {server.url}; switched on: {names}."
                " Next: mediaflow plex_sync"
            )

    def _connect(self, url: str, token_file: str, is_here: bool) -> PlexServer:
        from library.plex.by_hand import TypedProblem, add_server
        from library.plex.looking import refresh_server

        try:
            server = add_server(url=url, token=_read_token(token_file), is_on_this_machine=is_here)
        except TypedProblem as problem:
            raise CommandError(f"{problem.field}: {problem.text}", returncode=BAD_INPUT) from None
        if not refresh_server(server):
            raise CommandError(server.error, returncode=1)
        return server

    def _add_mapping(self, server: PlexServer, source: str, local: str) -> None:
        from library.pages.plex_forms import MappingForm

        form = MappingForm({"plex_server": server.pk, "source": source, "local": local})
        if form.is_valid():
            form.save()
            return
        field, texts = next(iter(form.errors.items()))
        if server.path_mappings.filter(source=source, local=local).exists():
            return  # this very mapping is there: the command may be repeated
        raise CommandError(f"--map {field}: {' '.join(map(str, texts))}", returncode=BAD_INPUT)

    def _switch_on(self, server: PlexServer, names: Sequence[str]) -> list[PlexSection]:
        from library.plex.choices import set_section_enabled

        by_name = {section.title.casefold(): section for section in server.sections.all()}
        unknown = [name for name in names if name.casefold() not in by_name]
        if unknown:
            known = ", ".join(section.title for section in by_name.values()) or "none"
            raise CommandError(
                f"--section: {server.name} has no library {unknown[0]!r}; it has {known}.",
                returncode=BAD_INPUT,
            )
        chosen = [by_name[name.casefold()] for name in names] or list(by_name.values())
        for section in chosen:
            set_section_enabled(section, is_enabled=True)
        return chosen


def _split_mapping(text: str) -> tuple[str, str]:
    source, sign, local = text.partition("=")
    if not (sign and source.strip() and local.strip()):
        raise CommandError(
            f"--map {text[:100]!r}: write it as SOURCE=LOCAL, for example /data=/tank.",
            returncode=BAD_INPUT,
        )
    return source, local


def _read_token(token_file: str) -> str:
    try:
        if token_file == "-":
            text = sys.stdin.read(MAX_TOKEN_BYTES + 1)
        else:
            with Path(token_file).open(encoding="utf-8") as handle:
                text = handle.read(MAX_TOKEN_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is no text"
        raise CommandError(f"--token-file {token_file}: {cause}.", returncode=BAD_INPUT) from None
    token = text.strip()
    if not token or len(token) > MAX_TOKEN_BYTES or not token.isprintable() or " " in token:
        raise CommandError("Give the token as one word.", returncode=BAD_INPUT)
    return token


def _server(server: PlexServer, sections: Sequence[PlexSection]) -> dict[str, Any]:
    return {
        "id": server.pk,
        "name": server.name,
        "url": server.url,
        "sections": [{"id": row.pk, "title": row.title, "type": row.type} for row in sections],
    }
