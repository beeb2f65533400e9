"""What `benchmarks.plex_sync` measures: `python -m benchmarks.plex_sync_child URL TOKEN`."""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import django


def measure(url: str, token: str) -> dict[str, Any]:
    """A first sync, and one of the same section with nothing changed."""
    from django.core.management import call_command

    from library.models import MediaFile, PlexSection, PlexServer
    from library.plex.client import client_for
    from library.plex.sections import refresh_sections
    from mediaflow.base.encryption import encrypt_secret

    call_command("migrate", verbosity=0)
    with_identity = PlexServer(
        name="Stand-in", url=url, token_encrypted=encrypt_secret(token), is_on_this_machine=True
    )
    with client_for(with_identity) as client:
        with_identity.machine_id, with_identity.version = client.identity()
        with_identity.save()
        refresh_sections(with_identity, client)
    section = PlexSection.objects.select_related("server").get()
    section.is_enabled = True
    section.save()
    before = time.process_time()
    first_s = _timed(section)
    cpu_s = time.process_time() - before
    files = MediaFile.objects.filter(is_in_plex=True).exclude(video_codec="").count()
    again_s = _timed(section)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "first_s": first_s,
        "again_s": again_s,
        "cpu_s": cpu_s,
        "files": files,
        "peak_mb": peak_mb,
    }


def _timed(section: Any) -> float:
    from library.plex.client import client_for
    from library.plex.sync import sync_section

    begun = time.perf_counter()
    with client_for(section.server) as client:
        summary = sync_section(section, client, report=_ignore, checkpoint=lambda: None)
    seconds = time.perf_counter() - begun
    sys.stderr.write(f"  {summary}\n")
    return seconds


def _ignore(*_args: Any, **_kwargs: Any) -> None:
    return None


if __name__ == "__main__":
    django.setup()
    sys.stdout.write(json.dumps(measure(sys.argv[1], sys.argv[2])))
