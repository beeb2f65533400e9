"""The film page's card about Chromecast: plays as it is, needs another container, or why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from library.media_info import MediaInfo
from mediaflow.base.film_hooks import FilmPanel
from transcode.planning.chromecast import Verdict, judge_for_chromecast

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

_WORDS = {
    Verdict.PLAYS: "plays as it is",
    Verdict.REMUX: "needs another container",
    Verdict.CONVERT: "needs converting",
}


def chromecast_panel(_request: HttpRequest, file: Model) -> FilmPanel | None:
    """None for a film that was not probed. No statement where the probe is loaded already."""
    probe = getattr(file, "probe", None)
    if probe is None or not probe.detail:
        return None
    info = MediaInfo.from_json(probe.detail)
    if info.main_video is None:
        return None
    found = judge_for_chromecast(info)
    context = {"word": _WORDS[found.verdict], "text": found.text}
    return FilmPanel(template="transcode/_chromecast_panel.html", context=context)
