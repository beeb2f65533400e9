"""Hooks through which a lower room calls up without importing: the upper room registers at start.

Names and signatures (docs/architecture.md):
`film_panels(request, file) -> Panel`, `bulk_actions(user) -> BulkAction`,
`savings_estimator(files, preset) -> Estimate`,
`savings_expression(preset) -> mediaflow.base.film_hooks.SavingsExpression`,
`file_swapped(replacement_id)`,
`before_original_leaves(replacement_id, deadline_s, is_stopping) -> bool` (returns soon once
`is_stopping()` says that MediaFlow ends), `slot_provider() -> SlotProvider`,
`film_in_use(file_id, deadline_s) -> str` (why it is not to be swapped now; "" when it may be),
`before_swap(replacement_id, deadline_s)` (before a swap or an undo touches anything),
`library_changed(library_id)` (a scan or a sync of it is over),
`periodic_tasks() -> Iterable[mediaflow.base.periodic.PeriodicTask]`,
`leased_rows() -> mediaflow.base.leases.LeasedRows`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOOK_NAMES = frozenset(
    {
        "film_panels",
        "bulk_actions",
        "savings_estimator",
        "savings_expression",
        "file_swapped",
        "before_original_leaves",
        "before_swap",
        "film_in_use",
        "slot_provider",
        "nav_counts",
        "doctor_checks",
        "library_removal_blockers",
        "library_changed",
        "periodic_tasks",
        "leased_rows",
    }
)
_registered: defaultdict[str, list[Callable[..., Any]]] = defaultdict(list)


def register_hook(name: str, function: Callable[..., Any]) -> None:
    """Add a callee; the same function twice counts once. Raises KeyError for unknown names."""
    if name not in HOOK_NAMES:
        raise KeyError(name)
    if function not in _registered[name]:
        _registered[name].append(function)


def hooked(name: str) -> tuple[Callable[..., Any], ...]:
    """The callees of a hook, first registered first. Raises KeyError for unknown names."""
    if name not in HOOK_NAMES:
        raise KeyError(name)
    return tuple(_registered[name])
