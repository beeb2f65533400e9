"""Batches: many films alike that can be queued together, a season or a kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Case, CharField, F, Value, When
from django.db.models.functions import Cast, Concat, Left

from library.analysis.kind import AnalysisKind
from library.analysis.wording import gain_words
from library.listing.labels import container_label, resolution_label, video_codec_label

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

    from library.models import Recommendation

# A show's name may be longer than a key.
_SHOW_LENGTH = 120


def group_key(prefix: str = "") -> Combinable:
    """What is alike: library, codec, size, container, and for episodes show and season.

    `prefix` leads to the columns of a file, which are named alike in the facts of a run.
    """
    return Concat(
        Cast(f"{prefix}library_id", CharField()),
        Value("|"),
        F(f"{prefix}video_codec"),
        Value("|"),
        Cast(f"{prefix}resolution", CharField()),
        Value("|"),
        F(f"{prefix}container"),
        Value("|"),
        _season(prefix),
        Value("|"),
        Left(f"{prefix}show_title", _SHOW_LENGTH),
        output_field=CharField(),
    )


def _season(prefix: str) -> Case:
    return Case(
        When(**{f"{prefix}show_title": ""}, then=Value("")),
        default=Cast(f"{prefix}season", CharField()),
        output_field=CharField(),
    )


def sentence(found: Recommendation) -> str:
    figures = found.figures
    kind = " ".join(
        part
        for part in (
            video_codec_label(figures["codec"]),
            resolution_label(figures["resolution"]),
            container_label(figures["container"]),
        )
        if part
    )
    if figures.get("show"):
        season = f" season {figures['season']}" if figures.get("season") else ""
        what = f"{found.member_count:,} episodes of “{figures['show']}”{season}, all {kind}"
    else:
        what = f"{found.member_count:,} films alike: {kind}"
    gain = gain_words(found, of_bytes=figures["bytes"]).replace("It would", "Together they would")
    return f"{what}. One preset fits them all. {gain}"


KIND = AnalysisKind(
    slug="batch",
    title="Batches of similar films",
    icon="rows",
    blurb="Seasons and films alike whose codec is old or wasteful, to be queued together.",
    order=8,
    sentence=sentence,
    preset="balanced",
    is_group=True,
)
