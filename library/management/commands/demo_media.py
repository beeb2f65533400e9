"""`mediaflow demo_media DIR`: sample films of many kinds, named as people name theirs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

if TYPE_CHECKING:
    from argparse import ArgumentParser

BAD_INPUT = 2
MIN_SECONDS, MAX_SECONDS = 1, 600


class Command(BaseCommand):
    help = "Make sample films in DIR: many codecs, HDR10, interlaced, subtitles, chapters, fonts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR")
        parser.add_argument(
            "--seconds", type=int, default=12, help="length of each film (default %(default)s)"
        )
        parser.add_argument(
            "--height", type=int, default=360, choices=(180, 360, 540, 720, 1080), metavar="LINES"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        from library.demo.clips import ClipProblem
        from library.demo.films import make_demo_films

        if not MIN_SECONDS <= options["seconds"] <= MAX_SECONDS:
            raise CommandError(
                f"--seconds must be from {MIN_SECONDS} to {MAX_SECONDS}.", returncode=BAD_INPUT
            )
        folder = self._folder(options["folder"])
        ffmpeg = settings.ENVIRONMENT.ffmpeg or _bundled_ffmpeg()
        try:
            for path in make_demo_films(
                folder, ffmpeg=ffmpeg, seconds=options["seconds"], height=options["height"]
            ):
                self.stdout.write(str(path.relative_to(folder)))
        except (ClipProblem, OSError) as problem:
            raise CommandError(f"The films could not be made: {problem}") from None

    def _folder(self, text: str) -> Path:
        if not text or "\0" in text:
            raise CommandError("Name the folder to make the films in.", returncode=BAD_INPUT)
        folder = Path(text).absolute()
        if folder.exists() and not folder.is_dir():
            raise CommandError(
                f"{text!r} is a file; name a folder to make the films in.", returncode=BAD_INPUT
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"{text!r} cannot be used as a folder: {error.strerror}.", returncode=BAD_INPUT
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(f"{text!r} cannot be written to.", returncode=BAD_INPUT)
        return folder


def _bundled_ffmpeg() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())
