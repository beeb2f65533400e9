"""Which files are versions of one film: the temporary table that duplicates are told from.

Two steps, because databases reckon an expression anew in each place where it stands: first the few
files of films that have several, then their places among each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Value,
    When,
    Window,
)
from django.db.models.functions import MD5, Cast, Concat, Left, Length, Lower, RowNumber
from django.db.models.lookups import LessThanOrEqual

from library.analysis.scratch import fill
from library.file_records import BREAKS_OFF
from library.models import (
    AnalysisCandidate,
    AnalysisVersion,
    Availability,
    FileKind,
    FileState,
    ItemFile,
    ItemKind,
    Library,
    MediaItem,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

_OF_BOTH: Final = (
    *("key", "file_id", "library_id", "is_troubled", "title", "year", "edition", "size_bytes"),
    *("duration_ms", "bit_rate_kbps", "video_codec", "resolution", "hdr"),
)


def fill_versions() -> None:
    """Every file of a film that has several, with its place among them."""
    _fill_candidates()
    order = [
        F("is_troubled").asc(),
        F("resolution").desc(),
        Case(When(hdr__in=("", "sdr"), then=Value(0)), default=Value(1)).desc(),
        F("bit_rate_kbps").desc(),
        F("file_id").asc(),
    ]
    key, content = F("key"), F("content")
    columns: dict[str, Any] = {
        **{name: F(name) for name in _OF_BOTH},
        "versions": Window(Count("pk"), partition_by=[key]),
        "place": Window(RowNumber(), partition_by=[key], order_by=order),
        "copy_place": Window(RowNumber(), partition_by=[key, content], order_by=order),
    }
    fill(AnalysisVersion, AnalysisCandidate.objects.all(), columns)


def _fill_candidates() -> None:
    """Whole films: of a file of several episodes or a film in parts nothing can be said."""
    troubled = Q(file__state=FileState.FAILED) | Q(file__state_reason__startswith=BREAKS_OFF)
    # A file without a fingerprint has only itself.
    alone = Cast("file_id", CharField())
    columns: dict[str, Any] = {
        "key": _key(),
        "content": Case(
            When(file__content_fingerprint="", then=alone), default=F("file__content_fingerprint")
        ),
        "file_id": F("file_id"),
        "library_id": F("file__library_id"),
        "is_troubled": Case(When(troubled, then=True), default=False, output_field=BooleanField()),
        "title": F("item__title"),
        "year": F("item__year"),
        "edition": F("edition"),
        "size_bytes": F("file__size_bytes"),
        "duration_ms": F("file__duration_ms"),
        "bit_rate_kbps": F("file__bit_rate_kbps"),
        "video_codec": F("file__video_codec"),
        "resolution": F("file__resolution"),
        "hdr": F("file__hdr"),
    }
    fill(AnalysisCandidate, _files_of_films(), columns)


def _files_of_films() -> QuerySet[ItemFile]:
    others = ItemFile.objects.filter(file_id=OuterRef("file_id")).exclude(pk=OuterRef("pk"))
    in_use = list(Library.objects.filter(is_enabled=True).values_list("pk", flat=True))
    return ItemFile.objects.filter(
        ~Exists(others),
        # Leaves nearly all of them out by an index: no other film is looked at.
        item__in=_items_of_several_files(in_use),
        part_index=0,
        item__kind__in=(ItemKind.MOVIE, ItemKind.EPISODE),
        file__kind=FileKind.VIDEO,
        file__removed_from_list_at=None,
        file__library_id__in=in_use,
        file__availability=Availability.PRESENT,
        # What waits or was made here beside the film is no accident.
        file__state__in=(FileState.NEW, FileState.FAILED),
        file__mediaflow_tag="",
    )


def _items_of_several_files(libraries: Sequence[int]) -> QuerySet[Any, Any]:
    """Items with several files, with the name of another one, or with Plex's identity of another
    one. Each part reads one index."""
    links = ItemFile.objects.order_by().values("item").annotate(n=Count("pk")).filter(n__gt=1)
    names = MediaItem.objects.order_by().values("identity_key").annotate(n=Count("pk"))
    shared = names.filter(n__gt=1).values("identity_key")
    alike = MediaItem.objects.filter(library_id__in=libraries, identity_key__in=shared)
    same = MediaItem.objects.filter(plex_guid__in=_guids_of_several_names())
    return links.values("item").union(alike.values("pk"), same.values("pk"), all=True)


def _guids_of_several_names() -> QuerySet[MediaItem, Any]:
    """Plex's own and its agents' identities; `local:` ones name one file."""
    known = MediaItem.objects.exclude(plex_guid="").exclude(plex_guid__startswith="local:")
    guids = known.exclude(plex_guid__contains=".none:").order_by().values("plex_guid")
    names = guids.annotate(first=Min("identity_key"), last=Max("identity_key"))
    return names.filter(first__lt=F("last")).values("plex_guid")


def _key() -> Concat:
    """One film: its name and year, or what Plex calls it where names differ; and its edition.

    Names of more than a key's length are told apart by their digest.
    """
    name = Case(
        When(item__plex_guid__in=_guids_of_several_names(), then=F("item__plex_guid")),
        default=F("item__identity_key"),
        output_field=CharField(),
    )
    short = Case(
        When(_is_short(), then=name),
        default=Concat(Left("item__identity_key", 100), Value("|"), MD5("item__identity_key")),
        output_field=CharField(),
    )
    return Concat(short, Value("|"), Left(Lower("edition"), 40), output_field=CharField())


def _is_short() -> Q:
    return Q(LessThanOrEqual(Length("item__identity_key"), Value(150)))
