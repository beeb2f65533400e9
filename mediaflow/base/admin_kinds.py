"""Two kinds of admin page: rows that are only looked at, and rows of which a few fields change.

Everything that carries an invariant (status, journal, proof, trash, events) is read-only, and
nothing with a history can be added or deleted: the services are the only way to change those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    _ModelAdmin = admin.ModelAdmin[Any]
    _TabularInline = admin.TabularInline[Any, Any]
else:
    _ModelAdmin = admin.ModelAdmin  # not subscriptable while it runs
    _TabularInline = admin.TabularInline


class ReadOnlyAdmin(_ModelAdmin):
    """Look, filter, search; nothing else."""

    list_per_page = 50
    show_full_result_count = False  # a COUNT over a million rows for a figure in the corner
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class FewFieldsAdmin(ReadOnlyAdmin):
    """As above, but for the fields named in `changeable`."""

    changeable: tuple[str, ...] = ()

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        user: Any = request.user
        return bool(user.is_authenticated and user.is_admin)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        names = [field.name for field in self.opts.fields]
        return [name for name in names if name not in self.changeable]


class ReadOnlyInline(_TabularInline):
    """Rows that belong to the one shown; nobody adds, changes or deletes them."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
