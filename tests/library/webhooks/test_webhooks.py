"""Secret addresses: who may call, what is stored, what follows."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from library.models import (
    ArrServer,
    PathMapping,
    PlexSection,
    PlexServer,
    Webhook,
    WebhookEvent,
)
from library.pages.views_connections import SHOWN_CALLS
from library.webhooks import limits, receive
from library.webhooks.changed_folders import MOST_FOLDERS
from library.webhooks.payloads import PayloadProblem, read_call
from library.webhooks.services import KEPT_EVENTS, make_webhook, prune_events, remove_webhook
from library.webhooks.work import work_on_events
from mediaflow.base.logging_setup import redact
from mediaflow.base.models import AuditEvent, Operation
from tests.library.file_rows import make_library

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import DjangoAssertNumQueries

    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
IMPORT = {
    "eventType": "Download",
    "instanceName": "Radarr",
    "movie": {"id": 1, "title": "Up", "folderPath": "/movies/Up (2009)"},
    "movieFile": {"path": "/movies/Up (2009)/up.mkv", "relativePath": "up.mkv"},
}
LIBRARY_NEW = {
    "event": "library.new",
    "owner": True,
    "Account": {"id": 1, "title": "ada"},
    "Server": {"title": "Home", "uuid": "machine-1"},
    "Metadata": {
        "librarySectionType": "movie",
        "librarySectionID": 1,
        "ratingKey": "77",
        "guid": "plex://movie/1",
        "type": "movie",
        "title": "Up",
    },
}


@pytest.fixture
def hook() -> Callable[..., Any]:
    """`hook(kind, body)` calls a new webhook of that kind."""
    made: dict[str, str] = {}

    def call(kind: str, body: object, client: Client | None = None) -> Any:
        if kind not in made:
            made[kind] = make_webhook(kind=kind, name=kind, actor=None)[1]
        url = reverse("library:hook", args=[made[kind]])
        caller = client or Client(enforce_csrf_checks=True)
        if kind == "plex":
            thumb = SimpleUploadedFile("thumb.jpg", b"\xff\xd8" * 1000, "image/jpeg")
            return caller.post(url, {"payload": json.dumps(body), "thumb": thumb})
        return caller.post(url, json.dumps(body), content_type="application/json")

    return call


def test_the_secret_is_long_and_only_its_digest_is_stored() -> None:
    webhook, secret = make_webhook(kind="plex", name="Plex", actor=None)
    assert len(secret) >= 43  # 256 bit
    assert webhook.secret_digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(Webhook.objects.values().get())
    assert secret not in str(list(AuditEvent.objects.values()))


def test_a_call_needs_no_login_and_no_csrf_token(hook: Callable[..., Any]) -> None:
    answer = hook("radarr", IMPORT)
    assert answer.status_code == 200
    event = WebhookEvent.objects.get()
    assert (event.event, event.done_at) == ("Download", None)
    assert event.payload["paths"] == ["/movies/Up (2009)", "/movies/Up (2009)/up.mkv"]
    assert event.webhook.used_at is not None


def test_a_call_without_the_last_slash_is_taken_as_well() -> None:
    _webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    answer = Client().post(f"/hooks/{secret}", json.dumps(IMPORT), "application/json")
    assert answer.status_code == 200


def test_plex_sends_a_form_with_a_picture(hook: Callable[..., Any]) -> None:
    assert hook("plex", LIBRARY_NEW).status_code == 200
    event = WebhookEvent.objects.get()
    assert event.payload == {
        "server_uuid": "machine-1", "section_key": "1", "type": "movie",
        "rating_key": "77", "title": "Up",
    }  # fmt: skip


@pytest.mark.parametrize("secret", ["x", "a" * 43, "\u0107" * 20, "a" * 2000])
def test_a_wrong_secret_is_refused_and_stores_nothing(secret: str) -> None:
    make_webhook(kind="radarr", name="R", actor=None)
    answer = Client().post(reverse("library:hook", args=[secret]), "{}", "application/json")
    assert answer.status_code == 403
    assert not WebhookEvent.objects.exists()


def test_disabled_and_removed_ones_answer_like_ones_that_never_were() -> None:
    webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    url = reverse("library:hook", args=[secret])
    Webhook.objects.update(is_enabled=False)
    disabled = Client().post(url, json.dumps(IMPORT), "application/json")
    remove_webhook(webhook, actor=None)
    removed = Client().post(url, json.dumps(IMPORT), "application/json")
    assert (disabled.status_code, disabled.content) == (removed.status_code, removed.content)
    assert disabled.status_code == 403


def test_a_get_is_not_a_call(hook: Callable[..., Any]) -> None:
    _webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    answer = Client().get(reverse("library:hook", args=[secret]))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "1", '"Test"', "{}", '{"eventType": 7}', '{"eventType": " "}',
     "[" * 100_000, b"\xff\xfe", '{"event": "library.new"}'],
)  # fmt: skip
def test_a_body_that_is_none_of_theirs_is_one_clear_sentence(body: Any) -> None:
    _webhook, secret = make_webhook(kind="sonarr", name="S", actor=None)
    answer = Client().post(reverse("library:hook", args=[secret]), body, "application/json")
    assert answer.status_code == 400
    assert answer.text.startswith("The body")
    assert not WebhookEvent.objects.exists()


def test_a_form_that_is_cut_is_refused() -> None:
    _webhook, secret = make_webhook(kind="plex", name="P", actor=None)
    kind = "multipart/form-data; boundary="
    answer = Client().generic("POST", reverse("library:hook", args=[secret]), b"--x", kind)
    assert answer.status_code == 400


def test_a_body_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "MAX_BYTES", 1000)
    _webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    url = reverse("library:hook", args=[secret])
    body = json.dumps({**IMPORT, "more": "x" * 1000})
    assert Client().post(url, body, "application/json").status_code == 413
    assert Client().post(url, json.dumps(IMPORT), "application/json").status_code == 200


def test_odd_values_are_kept_short_and_harmless() -> None:
    body = {
        "eventType": "Download" * 50,
        "movie": {"folderPath": {"a": 1}, "title": ["x"]},
        "movieFile": {"path": "/m/" + "a" * 9000 + "\0"},
        "episodeFiles": [{"path": f"/m/{n}"} for n in range(500)] + ["text", None],
    }
    call = read_call("radarr", body)
    assert len(call.event) == 60
    assert call.facts["title"] == ""
    assert len(call.facts["paths"]) <= 50
    assert all(len(path) <= 4096 and "\0" not in path for path in call.facts["paths"])
    with pytest.raises(PayloadProblem):
        read_call("plex", body)


def test_too_many_calls_of_one_address_are_put_off(
    hook: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALLS_PER_WEBHOOK", 3)
    answers = [hook("radarr", IMPORT).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert hook("sonarr", IMPORT).status_code == 200  # another address has its own count


def test_a_visitor_who_guesses_is_not_looked_at_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WRONG_PER_ADDRESS", 3)
    _webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    for number in range(4):
        answer = Client().post(reverse("library:hook", args=[f"wrong{number}"]))
    assert answer.status_code == 429
    good = reverse("library:hook", args=[secret])
    assert Client().post(good, json.dumps(IMPORT), "application/json").status_code == 429
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post(good, json.dumps(IMPORT), "application/json").status_code == 200


def test_the_secret_stays_out_of_the_log() -> None:
    _webhook, secret = make_webhook(kind="radarr", name="R", actor=None)
    assert secret not in redact(f"Forbidden: /hooks/{secret}/")


# What follows


def test_an_import_has_its_folder_looked_at(hook: Callable[..., Any]) -> None:
    library = make_library("Films", root="/tank/movies")
    make_library("Shows", root="/tank/shows")
    radarr = ArrServer.objects.create(kind="radarr", name="R", url="http://r")
    PathMapping.objects.create(
        arr_server=radarr, source="/movies", local="/tank/movies", local_raw=b"/tank/movies"
    )
    hook("radarr", IMPORT)
    hook("radarr", {**IMPORT, "eventType": "Rename"})
    assert work_on_events() == 2
    [scan] = Operation.objects.all()
    assert scan.lock_key == f"scan:{library.pk}"
    assert scan.args["folders"] == [b"Up (2009)".hex()]
    outcomes = set(WebhookEvent.objects.values_list("outcome", flat=True))
    assert outcomes == {"Films: the folder is looked at."}
    assert work_on_events() == 0


def test_a_scan_that_runs_already_is_waited_for(hook: Callable[..., Any]) -> None:
    library = make_library("Films", root="/movies")
    began = timezone.now() - timedelta(minutes=1)
    scan = Operation.objects.create(
        kind="scan", title="Scan", lock_key=f"scan:{library.pk}", status="running",
        lease_token="t", started_at=began,
    )  # fmt: skip
    hook("radarr", IMPORT)
    assert work_on_events() == 0
    Operation.objects.filter(pk=scan.pk).update(status="completed", lease_token="")
    assert work_on_events() == 1
    assert Operation.objects.filter(status="queued").count() == 1


def imported(folder: str) -> dict[str, Any]:
    return {"eventType": "Download", "movie": {"title": "A film", "folderPath": folder}}


def test_calls_that_wait_together_are_one_look(hook: Callable[..., Any]) -> None:
    make_library("Films", root="/movies")
    for folder in ("/movies/Up", "/movies/Heat", "/movies/Heat"):
        hook("radarr", imported(folder))
    assert work_on_events() == 3
    [scan] = Operation.objects.all()
    assert set(scan.args["folders"]) == {b"Up".hex(), b"Heat".hex()}
    assert scan.title == "Look into 2 folders of Films"


def test_a_call_whose_folder_is_not_among_those_looked_at_waits(hook: Callable[..., Any]) -> None:
    make_library("Films", root="/movies")
    hook("radarr", imported("/movies/Up"))
    assert work_on_events() == 1
    hook("radarr", imported("/movies/Up"))
    hook("radarr", imported("/movies/Heat"))
    assert work_on_events() == 1
    [waiting] = WebhookEvent.objects.filter(done_at=None)
    assert waiting.payload["paths"] == ["/movies/Heat"]
    Operation.objects.update(status="completed")
    assert work_on_events() == 1
    assert Operation.objects.get(status="queued").args["folders"] == [b"Heat".hex()]


@pytest.mark.parametrize(
    "folders",
    [["/movies"], [f"/movies/{number}" for number in range(MOST_FOLDERS + 1)]],
    ids=["the root", "very many"],
)
def test_what_is_more_than_some_folders_is_a_scan_of_the_library(
    hook: Callable[..., Any], folders: list[str]
) -> None:
    make_library("Films", root="/movies")
    for folder in folders:
        hook("radarr", imported(folder))
    assert work_on_events() == len(folders)
    assert "folders" not in Operation.objects.get().args


@pytest.mark.parametrize("event", ["MovieDelete", "SeriesDelete", "EpisodeFileDelete"])
def test_deletions_are_looked_at_as_well(hook: Callable[..., Any], event: str) -> None:
    make_library("Films", root="/movies")
    hook("sonarr", {"eventType": event, "series": {"title": "Lost", "path": "/movies/Lost"}})
    work_on_events()
    assert Operation.objects.filter(kind="scan").exists()


@pytest.mark.parametrize(
    ("kind", "body", "outcome"),
    [
        ("radarr", {"eventType": "Test"}, "the address works"),
        ("radarr", {"eventType": "Grab"}, "nothing follows"),
        ("radarr", {"eventType": "Download"}, "named no folder"),
        ("radarr", IMPORT, "a path mapping may be missing"),
        ("plex", {"event": "media.play"}, "nothing follows"),
        ("plex", LIBRARY_NEW, "does not know"),
    ],
)
def test_what_leads_to_nothing_says_so(
    hook: Callable[..., Any], kind: str, body: object, outcome: str
) -> None:
    make_library("Films", root="/tank/movies")
    hook(kind, body)
    assert work_on_events() == 1
    assert outcome in WebhookEvent.objects.get().outcome
    assert not Operation.objects.exists()


def test_old_calls_are_removed_and_waiting_ones_stay(hook: Callable[..., Any]) -> None:
    hook("radarr", IMPORT)
    webhook = Webhook.objects.get()
    now = timezone.now()
    WebhookEvent.objects.bulk_create(
        WebhookEvent(webhook=webhook, event="Test", done_at=now) for _ in range(KEPT_EVENTS + 30)
    )
    WebhookEvent.objects.bulk_create(
        [WebhookEvent(webhook=webhook, event="Old", at=now - timedelta(days=90), done_at=now)]
    )
    prune_events()
    assert WebhookEvent.objects.filter(done_at=None).count() == 1
    assert WebhookEvent.objects.count() == KEPT_EVENTS + 1
    assert not WebhookEvent.objects.filter(event="Old").exists()


def test_a_new_film_in_plex_has_its_section_synced(hook: Callable[..., Any]) -> None:
    server = PlexServer.objects.create(machine_id="machine-1", name="Home", url="http://plex")
    section = PlexSection.objects.create(
        server=server, key="1", title="Movies", type="movie", is_enabled=True
    )
    hook("plex", LIBRARY_NEW)
    hook("plex", LIBRARY_NEW)
    assert work_on_events() == 2
    assert [o.args["section"] for o in Operation.objects.filter(kind="plex_sync")] == [section.pk]
    PlexSection.objects.update(is_enabled=False)
    hook("plex", LIBRARY_NEW)
    work_on_events()
    assert "not synced" in WebhookEvent.objects.order_by("-id")[0].outcome
    assert Operation.objects.filter(kind="plex_sync").count() == 1


# The page


def test_the_address_is_shown_once_and_works(as_admin: Client, admin_user: User) -> None:
    made = as_admin.post(reverse("library:webhook_add"), {"kind": "radarr", "name": "Radarr 4K"})
    address = made.text.split("/hooks/")[1].split("/")[0]
    assert address not in as_admin.get(reverse("library:webhook_list")).text
    assert "no-store" in made.headers["Cache-Control"]
    url = reverse("library:hook", args=[address])
    assert Client().post(url, json.dumps(IMPORT), "application/json").status_code == 200
    assert "Download" in as_admin.get(reverse("library:webhook_list")).text
    event = AuditEvent.objects.get(action="webhook.add")
    assert (event.actor, event.subject) == (admin_user, "Radarr 4K")


def test_a_webhook_is_switched_off_and_removed_by_name(as_admin: Client, admin_user: User) -> None:
    webhook, _secret = make_webhook(kind="plex", name="Home", actor=None)
    as_admin.post(reverse("library:webhook_switch", args=[webhook.pk]), {"is_enabled": "0"})
    webhook.refresh_from_db()
    assert not webhook.is_enabled
    url = reverse("library:webhook_remove", args=[webhook.pk])
    assert "Remove Home?" in as_admin.get(url).text
    as_admin.post(url)
    assert not Webhook.objects.exists()
    actions = AuditEvent.objects.filter(actor=admin_user).values_list("action", flat=True)
    assert {"webhook.disable", "webhook.remove"} <= set(actions)


@pytest.mark.parametrize("sent", [{"kind": "lidarr", "name": "x"}, {"kind": "plex", "name": " "}])
def test_a_wrong_form_makes_no_webhook(as_admin: Client, sent: dict[str, str]) -> None:
    assert as_admin.post(reverse("library:webhook_add"), sent).status_code == 422
    assert not Webhook.objects.exists()


def test_more_webhooks_cost_no_more_statements(
    as_admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def call(number: int) -> None:
        webhook = make_webhook(kind="plex", name=f"Hook {number}", actor=None)[0]
        for n in range(SHOWN_CALLS + 2):
            WebhookEvent.objects.create(webhook=webhook, event=f"call.{number}.{n}")

    call(0)
    with CaptureQueriesContext(connection) as of_one:
        as_admin.get(reverse("library:webhook_list"))
    for number in range(1, 6):
        call(number)
    with django_assert_max_num_queries(len(of_one)):
        text = as_admin.get(reverse("library:webhook_list")).text
    for number in range(6):
        assert text.count(f"call.{number}.") == SHOWN_CALLS
        assert text.index(f"call.{number}.9<") < text.index(f"call.{number}.2<")
