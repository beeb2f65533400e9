"""The film page says whether Chromecast plays the film."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from library.models import MediaProbe
from tests.transcode.encode.films import film, video
from tests.transcode.web import rows

if TYPE_CHECKING:
    from django.test import Client

    from library.media_info import MediaInfo

pytestmark = pytest.mark.django_db


def shown(page: Client, info: MediaInfo) -> str:
    file = rows.make_file()
    MediaProbe.objects.update_or_create(
        file=file, defaults={"detail": info.to_json(), "prober_version": "test"}
    )
    return page.get(reverse("library:file_detail", args=[file.pk])).content.decode()


def test_the_film_page_says_why_a_film_must_be_converted(as_operator: Client) -> None:
    html = shown(as_operator, film(video(codec="hevc")))
    assert "needs converting" in html
    assert "HEVC video does not play." in html


def test_the_film_page_says_that_a_film_plays(as_operator: Client) -> None:
    html = shown(as_operator, film(video(profile="High", level=41), container="mp4"))
    assert "Chromecast generations 2 and 3 play it as it is." in html


def test_a_film_that_was_not_read_has_no_such_card(as_operator: Client) -> None:
    file = rows.make_file()
    html = as_operator.get(reverse("library:file_detail", args=[file.pk])).content.decode()
    assert "h-chromecast" not in html
