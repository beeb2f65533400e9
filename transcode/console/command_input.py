"""What people type on the command line, turned into rows; a mistake is one sentence, code 2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from django.core.management.base import CommandError

from library.listing.filters import FilterProblem, files_matching
from mediaflow.base.ids import read_id
from mediaflow.base.patience import answer_within
from transcode.models import Preset

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from library.models import MediaFile

BAD_INPUT: Final = 2
DISK_ANSWERS_S: Final = 30.0  # one that sleeps is woken


def bad_input(sentence: str) -> CommandError:
    """The error for something that was typed wrongly."""
    return CommandError(sentence, returncode=BAD_INPUT)


def add_json_flag(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", dest="is_json", help="print one JSON document, nothing else"
    )


def find_preset(slug: str) -> Preset:
    """Raises CommandError that names the presets there are."""
    preset = Preset.objects.filter(slug=slug).first()
    if preset is None:
        known = ", ".join(Preset.objects.values_list("slug", flat=True)) or "none yet"
        raise bad_input(f"There is no preset {slug[:60]!r}; the presets are: {known}.")
    return preset


def read_job_ids(texts: Sequence[str]) -> list[int]:
    """Raises CommandError for what is no job number."""
    ids = []
    for text in texts:
        found = read_id(text)
        if not found:
            raise bad_input(f"{text[:40]!r} is no job number; `mediaflow jobs` lists them.")
        ids.append(found)
    return list(dict.fromkeys(ids))


def read_filter(query: str) -> QuerySet[MediaFile]:
    """Raises CommandError for a filter that cannot be used."""
    try:
        return files_matching(query)
    except FilterProblem as problem:
        raise bad_input(f"The filter cannot be used: {problem}") from None


def existing_path(text: str) -> bytes:
    """The absolute, resolved path of something that is there. Raises CommandError."""
    if "\0" in text or not text:
        raise bad_input("A path cannot be empty or hold a NUL character.")

    def look() -> bytes:
        path = os.path.realpath(os.fsencode(text))
        os.stat(path)  # noqa: PTH116  # bytes
        return path

    try:
        return answer_within(DISK_ANSWERS_S, look)
    except OSError as error:
        reason = (error.strerror or "cannot be reached").lower()
        raise bad_input(f"{text!r} cannot be used: {reason}.") from None


def output_folder(text: str) -> bytes:
    """A folder that new films are written to. Raises CommandError."""
    path = existing_path(text)
    if not os.path.isdir(path):  # noqa: PTH112  # bytes
        raise bad_input(f"{text!r} is a file; --output-dir takes a folder.")
    if not os.access(path, os.W_OK | os.X_OK):
        raise bad_input(f"The folder {text!r} cannot be written to.")
    return path
