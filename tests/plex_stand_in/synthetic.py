"""Many films without many trees in memory: each is made when it is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.plex_stand_in.trees import (
    Tree,
    audio_stream,
    guid_of,
    media_tree,
    part_tree,
    subtitle_stream,
    video_stream,
)
from tests.plex_stand_in.world import Item

if TYPE_CHECKING:
    from tests.plex_stand_in.world import Section, World

_GENRES = ("Drama", "Comedy", "Thriller", "Crime", "Action", "Documentary", "Western", "Family")
_WORDS = (
    "amber", "anchor", "autumn", "beacon", "border", "bridge", "candle", "canyon", "cedar",
    "copper", "delta", "ember", "falcon", "fever", "garden", "harbor", "hollow", "island",
    "jasmine", "lantern", "marble", "meadow", "midnight", "mirror", "morning", "orchard", "river",
)  # fmt: skip
_FIRST_KEY = 1_000_000
_STREAMS: list[list[Tree]] = [
    [
        video_stream("h264"),
        audio_stream("ac3"),
        audio_stream("aac", channels=2, languageCode="deu", language="German", index=2),
        *(
            subtitle_stream("srt", languageCode=code, language=code, index=index, id=100 + index)
            for index, code in enumerate(("eng", "deu", "fra", "spa"), 3)
        ),
    ],
    [
        video_stream("hevc", width=3840, height=2160, hdr="dv8", bitrate=24_000),
        audio_stream("truehd", channels=8, profile="", title="TrueHD Atmos 7.1", bitrate=4000),
        audio_stream("ac3", index=2),
        *(subtitle_stream("pgs", index=index, id=100 + index) for index in range(3, 7)),
    ],
    [
        video_stream("hevc", hdr="hdr10", width=3840, height=1600, bitrate=18_000),
        audio_stream("dca", profile="ma", bitrate=3500),
        *(subtitle_stream("srt", index=index, id=100 + index) for index in range(2, 7)),
    ],
    [
        video_stream("mpeg4", width=720, height=400, profile="advanced simple", bitrate=1500),
        audio_stream("mp3", channels=2, bitrate=192),
        *(subtitle_stream("srt", index=index, id=100 + index) for index in range(2, 7)),
    ],
]
_MIX = (0, 0, 0, 1, 0, 2, 0, 3)


def add_many_movies(world: World, section: Section, count: int) -> None:
    """`count` films with seven streams each, guids and genres; one in a hundred was played."""
    for number in range(count):
        key = str(_FIRST_KEY + number)
        make = partial(_tree, world, section.locations[0], number)
        guid = guid_of("movie", number)
        section.items[key] = Item(key, "movie", make, 1_600_000_000 + number * 60, guid)
        if number % 100 == 0:
            world.views[guid] = (1 + number % 5, 1_710_000_000)
    section.change()


def _tree(world: World, location: str, number: int) -> Tree:
    title = f"{_WORDS[number % 27].title()} {_WORDS[number // 27 % 27].title()} {number}"
    year = 1950 + number % 75
    name = f"{title} ({year})"
    streams = _STREAMS[_MIX[number % len(_MIX)]]
    suffix = "avi" if streams[0]["codec"] == "mpeg4" else "mkv"
    part = part_tree(
        f"{location}/{name}/{name}.{suffix}",
        part_id=3_000_000 + number,
        size=1_500_000_000 + number * 7919,
        mtime=1_600_000_000 + number,
        duration=5_000_000 + number % 3_000_000,
        streams=streams,
    )
    return {
        "guid": guid_of("movie", number),
        "slug": name.casefold().replace(" ", "-"),
        "studio": "Stand-in Pictures",
        "type": "movie",
        "title": title,
        "contentRating": ("PG", "R", "PG-13")[number % 3],
        "summary": f"What happens in {title}, and to whom, and why nobody speaks of it. " * 3,
        "audienceRating": 5 + number % 50 / 10,
        "year": year,
        "tagline": f"{title}. Again.",
        "duration": part["duration"],
        "originallyAvailableAt": f"{year}-03-01",
        "audienceRatingImage": "themoviedb://image.rating",
        "Media": [media_tree(2_000_000 + number, [part])],
        "Image": [
            {"alt": title, "type": "coverPoster", "url": f"/library/metadata/{number}/thumb"}
        ],
        "Genre": [
            world.tag("Genre", _GENRES[(number * 3 + step) % len(_GENRES)]) for step in range(3)
        ],
        "Country": [world.tag("Country", "Iceland")],
        "Guid": [{"id": f"imdb://tt{number:07d}"}, {"id": f"tmdb://{number}"}],
        "Director": [world.tag("Director", f"Director {number % 500}")],
        "Role": [world.tag("Role", f"Actor {(number + step) % 900}") for step in range(3)],
    }
