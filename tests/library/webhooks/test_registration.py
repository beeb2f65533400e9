"""Our address in the list that plex.tv keeps: added and taken out, others' never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from library.models import PlexAccount, Webhook
from library.plex.client import PlexProblem
from library.webhooks.registration import accounts_with_webhooks, register, unregister
from library.webhooks.services import find_webhook, make_webhook
from mediaflow.base.encryption import encrypt_secret
from mediaflow.base.models import AuditEvent
from tests.library.plex.site import at_plex_tv as at_plex_tv
from tests.plex_stand_in.fixture import plex as plex

if TYPE_CHECKING:
    from django.test import Client

    from tests.plex_stand_in import PlexStandIn

pytestmark = pytest.mark.django_db
OTHERS = ["https://tautulli.example/hook", "https://trakt.example/plex?id=1"]


@pytest.fixture
def account(plex: PlexStandIn, at_plex_tv: PlexStandIn) -> PlexAccount:
    plex.tv.webhooks[:] = OTHERS
    return PlexAccount.objects.create(
        plex_uuid="u", username="ada", token_encrypted=encrypt_secret(plex.account_token),
        has_plex_pass=True,
    )  # fmt: skip


def test_our_address_joins_those_of_others_and_leaves_them_again(
    plex: PlexStandIn, account: PlexAccount
) -> None:
    webhook, secret = make_webhook(kind="plex", name="Home", actor=None)
    address = f"http://nas:8000/hooks/{secret}/"
    register(webhook, address, account, actor=None)
    assert plex.tv.webhooks == [*OTHERS, address]
    register(webhook, address, account, actor=None)  # again, after an answer that was lost
    assert plex.tv.webhooks == [*OTHERS, address]
    assert unregister(webhook, actor=None) == ["ada"]
    assert plex.tv.webhooks == OTHERS
    assert unregister(webhook, actor=None) == []
    said = str(list(AuditEvent.objects.values()))
    assert secret not in said
    assert "webhook.register" in said


def test_the_last_address_is_taken_out_as_well(plex: PlexStandIn, account: PlexAccount) -> None:
    webhook, secret = make_webhook(kind="plex", name="Home", actor=None)
    plex.tv.webhooks[:] = [f"http://nas/hooks/{secret}"]
    assert unregister(webhook, actor=None) == ["ada"]
    assert plex.tv.webhooks == []


def test_a_write_that_fails_leaves_the_list_as_it_was(
    plex: PlexStandIn, account: PlexAccount
) -> None:
    webhook, secret = make_webhook(kind="plex", name="Home", actor=None)
    plex.fail("POST /api/v2/user/webhooks", status=500, times=1)
    with pytest.raises(PlexProblem):
        register(webhook, f"http://nas/hooks/{secret}/", account, actor=None)
    assert plex.tv.webhooks == OTHERS


def test_an_answer_that_is_no_list_writes_nothing(plex: PlexStandIn, account: PlexAccount) -> None:
    webhook, secret = make_webhook(kind="plex", name="Home", actor=None)
    plex.fail("GET /api/v2/user/webhooks", empty=True, times=0)
    with pytest.raises(PlexProblem):
        register(webhook, f"http://nas/hooks/{secret}/", account, actor=None)
    with pytest.raises(PlexProblem):
        unregister(webhook, actor=None)
    assert plex.tv.webhooks == OTHERS
    assert plex.calls("/webhooks", "POST") == []


def test_only_accounts_with_plex_pass_are_offered(account: PlexAccount) -> None:
    assert list(accounts_with_webhooks()) == [account]
    PlexAccount.objects.update(has_plex_pass=False)
    assert not accounts_with_webhooks().exists()


def test_the_page_registers_what_it_makes_and_takes_it_out_with_it(
    as_admin: Client, plex: PlexStandIn, account: PlexAccount
) -> None:
    sent = {"kind": "plex", "name": "Home", "account": str(account.pk)}
    made = as_admin.post(reverse("library:webhook_add"), sent)
    assert "Plex calls it for ada" in made.text
    assert plex.tv.webhooks[:-1] == OTHERS
    secret = plex.tv.webhooks[-1].rstrip("/").rpartition("/")[2]
    webhook = find_webhook(secret)
    assert webhook is not None
    as_admin.post(reverse("library:webhook_remove", args=[webhook.pk]))
    assert plex.tv.webhooks == OTHERS


def test_a_plex_that_does_not_take_it_leaves_the_address_to_the_person(
    as_admin: Client, plex: PlexStandIn, account: PlexAccount
) -> None:
    plex.tv.accounts[0].has_plex_pass = False
    sent = {"kind": "plex", "name": "Home", "account": str(account.pk)}
    made = as_admin.post(reverse("library:webhook_add"), sent)
    assert "Plex did not take the address" in made.text
    assert "/hooks/" in made.text
    assert Webhook.objects.count() == 1


def test_sonarr_is_not_registered_at_plex(as_admin: Client, account: PlexAccount) -> None:
    sent = {"kind": "sonarr", "name": "S", "account": str(account.pk)}
    answer = as_admin.post(reverse("library:webhook_add"), sent)
    assert answer.status_code == 422
    assert 'id="id_account_error"' in answer.text


def test_without_an_account_nothing_is_offered(as_admin: Client) -> None:
    assert "Register it at Plex" not in as_admin.get(reverse("library:webhook_list")).text
