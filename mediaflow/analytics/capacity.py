"""How full the disks of the libraries are: as set by hand, or as the disks say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from library.models import Library, LibraryKind
from mediaflow.base.settings_store import get_setting
from mediaflow.disks import gauge_of

if TYPE_CHECKING:
    from mediaflow.disks import DiskUse


@dataclass(frozen=True, slots=True)
class Capacity:
    """`source`: "set by hand", "read from the disk", or "" when nobody answers."""

    total_bytes: int
    used_bytes: int
    source: str

    @property
    def free_bytes(self) -> int:
        return max(0, self.total_bytes - self.used_bytes)

    @property
    def used_pct(self) -> float:
        return 100 * self.used_bytes / self.total_bytes if self.total_bytes else 0.0


def read_capacity(library: Library | None = None) -> Capacity:
    """Of the disk of a library, or of all their disks, each counted once. Never waits for one."""
    rows = [library] if library else list(Library.objects.filter(kind=LibraryKind.FOLDER))
    found: dict[object, DiskUse] = {}
    for row in rows:
        use = gauge_of(bytes(row.root_raw)).read() if row.kind == LibraryKind.FOLDER else None
        if use is not None:
            found[use.device or use] = use  # once for each disk, however many libraries it holds
    used = sum(use.used_bytes for use in found.values())
    by_hand = int(get_setting("display_capacity_bytes"))
    if by_hand and library is None:
        listed = sum(row.total_bytes for row in rows)
        return Capacity(by_hand, used if 0 < used <= by_hand else listed, "set by hand")
    total = sum(use.total_bytes for use in found.values())
    return Capacity(total, used, "read from the disk" if found else "")
