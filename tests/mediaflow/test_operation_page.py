"""The page of a long operation: who may cancel it, and what is said when it is over already."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mediaflow.base.models import AuditEvent, Operation, OperationEvent, OperationStatus

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def waiting() -> Operation:
    return Operation.objects.create(kind="x", title="Scan Films")


def test_the_page_and_its_fragment_show_it_and_only_operators_may_cancel(
    waiting: Operation, as_operator: Client, as_viewer: Client
) -> None:
    url = f"/operations/{waiting.pk}/"
    page, fragment = as_operator.get(url).text, as_operator.get(url, headers=HTMX).text
    assert "Scan Films" in page
    assert "Scan Films" in fragment
    assert "<html" in page
    assert "<html" not in fragment
    assert "Cancel" in fragment
    assert "Cancel" not in as_viewer.get(url, headers=HTMX).text
    assert as_viewer.post(f"{url}cancel/").status_code == 403
    assert as_operator.get("/operations/999/").status_code == 404


@pytest.mark.parametrize(
    ("status", "is_own_poll", "says_ended"),
    [("completed", True, True), ("queued", True, False), ("completed", False, False)],
)
def test_the_page_around_it_learns_of_its_end_once(
    status: str, is_own_poll: bool, says_ended: bool, waiting: Operation, as_operator: Client
) -> None:
    """Only the poll of one that was running: a page that shows an ended one is up to date."""
    Operation.objects.update(status=status)
    headers = {**HTMX, "HX-Trigger": f"operation-{waiting.pk}"} if is_own_poll else HTMX
    answer = as_operator.get(f"/operations/{waiting.pk}/", headers=headers)
    assert (answer.headers.get("HX-Trigger-After-Settle") == "mf:operation-ended") is says_ended


@pytest.mark.parametrize("status", OperationStatus)
def test_every_state_has_its_word_and_its_mark(
    waiting: Operation, as_operator: Client, status: OperationStatus
) -> None:
    is_running = status == OperationStatus.RUNNING
    Operation.objects.update(status=status, lease_token="t" if is_running else "")
    fragment = as_operator.get(f"/operations/{waiting.pk}/", headers=HTMX).text
    shown = re.search(r'class="state[^>]*>(.*?)</span>\s*\n', fragment, re.DOTALL)
    assert shown is not None and status.label in shown[1]
    assert ('class="pulse"' if is_running else "<svg") in shown[1]


def test_its_own_page_is_asked_anew_as_a_whole(waiting: Operation, as_operator: Client) -> None:
    """As polling.js does when it ends: a fragment in its place would leave nothing."""
    url = f"/operations/{waiting.pk}/"
    page = as_operator.get(url, headers={**HTMX, "HX-Boosted": "true"}).text
    assert 'class="col"' in page
    assert "Scan Films" in page


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_waiting_one_is_cancelled_at_once_and_that_is_on_record(
    headers: dict[str, str], waiting: Operation, as_operator: Client
) -> None:
    answer = as_operator.post(f"/operations/{waiting.pk}/cancel/", headers=headers)
    assert answer.status_code == (204 if headers else 302)
    waiting.refresh_from_db()
    event = OperationEvent.objects.get()
    assert (waiting.status, event.reason) == ("cancelled", "Cancelled by olga.")
    assert AuditEvent.objects.get().subject == "Scan Films"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_one_that_is_over_stays_as_it_ended(
    headers: dict[str, str], waiting: Operation, as_operator: Client
) -> None:
    Operation.objects.update(status="completed")
    answer = as_operator.post(f"/operations/{waiting.pk}/cancel/", headers=headers, follow=True)
    waiting.refresh_from_db()
    assert waiting.status == "completed"
    assert not AuditEvent.objects.exists()
    if not headers:
        assert "It had ended already." in answer.text
