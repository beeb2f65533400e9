"""Django's admin: every model is there, nothing that carries an invariant can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import RequestFactory

from library.models import Tag

if TYPE_CHECKING:
    from django.db.models import Model
    from django.test import Client

    from mediaflow.accounts.models import User

OURS = [
    model
    for label in ("base", "accounts", "library", "transcode", "servers")
    for model in apps.get_app_config(label).get_models()
    if not model._meta.auto_created and model._meta.managed
]
INVARIANT_FIELDS = {
    "status", "state", "phase", "lease_token", "heartbeat", "proof", "is_proof_passed",
    "availability", "path_raw", "root_raw", "role", "password", "marker_id", "position",
}  # fmt: skip


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_model_is_there_with_useful_columns(model: type[Model]) -> None:
    assert admin.site.is_registered(model)
    assert len(admin.site._registry[model].list_display) > 1


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_nobody_adds_deletes_or_edits_what_carries_an_invariant(
    model: type[Model], admin_user: User
) -> None:
    request = RequestFactory().get("/")
    request.user = admin_user
    page = admin.site._registry[model]
    assert not page.has_add_permission(request)
    assert not page.has_delete_permission(request)
    if page.has_change_permission(request):
        editable = set(getattr(page, "changeable", ()))
        assert editable
        assert not editable & INVARIANT_FIELDS
    assert not page.get_actions(request)


@pytest.mark.django_db
def test_the_few_fields_can_be_changed_and_no_other(as_admin: Client) -> None:
    tag = Tag.objects.create(name="Old")
    response = as_admin.post(
        f"/admin/library/tag/{tag.pk}/change/", {"name": "New", "color": "teal", "id": "99"}
    )
    assert response.status_code == 302
    tag.refresh_from_db()
    assert (tag.name, tag.color) == ("New", "teal")


@pytest.mark.django_db
def test_pages_show_no_token(as_admin: Client) -> None:
    from mediaflow.accounts.services import make_setup_token
    from mediaflow.base.models import Setting

    make_setup_token()
    digest = str(Setting.objects.get().value)
    assert digest not in as_admin.get("/admin/base/setting/").text
