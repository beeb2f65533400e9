"""People in Django's admin. Roles and passwords change on the People page, where the last admin is
protected; here they are only looked at."""

from django.contrib import admin

from mediaflow.accounts.models import ResetLink, User
from mediaflow.base.admin_kinds import ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("username", "role", "is_active", "last_login", "date_joined")
    list_filter = ("role", "is_active")
    search_fields = ("username",)
    exclude = ("password", "groups", "user_permissions")


@admin.register(ResetLink)
class ResetLinkAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at")
    exclude = ("digest",)
