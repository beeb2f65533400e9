"""What recommendations know of the size of their film: given to those of an older version."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from library.models import Recommendation
from tests.library.analysis.recommendation_rows import GB, make_recommendation
from tests.library.file_rows import make_file, make_library

pytestmark = pytest.mark.django_db


def test_an_upgrade_gives_each_film_and_each_group_its_size() -> None:
    library = make_library()
    file = make_file(library, "Up", size_bytes=7 * GB)
    make_recommendation(file, "codec", size_bytes=0)
    for key, figures in (("large", {"bytes": 90 * GB}), ("old", {})):
        Recommendation.objects.create(
            kind="batch", library=library, group_key=key, figures=figures, size_bytes=0
        )
    import_module("library.migrations.0012_recommendation_lists").fill_sizes(apps, None)
    sizes = dict(Recommendation.objects.values_list("group_key", "size_bytes"))
    assert sizes == {"": 7 * GB, "large": 90 * GB, "old": 0}
