"""Servers and the slots in use, in Django's admin."""

from django.contrib import admin

from mediaflow.base.admin_kinds import FewFieldsAdmin, ReadOnlyAdmin
from servers.models import Server, SlotLease


@admin.register(Server)
class ServerAdmin(FewFieldsAdmin):
    list_display = ("name", "kind", "slot_count", "is_enabled", "created_at")
    changeable = ("is_enabled",)


@admin.register(SlotLease)
class SlotLeaseAdmin(ReadOnlyAdmin):
    list_display = ("server", "index", "kind", "holder", "leased_at")
    exclude = ("token",)
