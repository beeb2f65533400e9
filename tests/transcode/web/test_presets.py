"""Presets on pages: words, form, problems at their field, copy, import, export, delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.transcode.web import rows
from transcode.models import JobStatus, Preset
from transcode.pages.preset_form import PresetForm, initial_values
from transcode.pages.preset_words import preset_words
from transcode.presets.spec import PresetSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from mediaflow.accounts.models import User

HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client_for: Callable[[User], Client], admin_user: User) -> Client:
    return client_for(admin_user)


def url(name: str, *args: object) -> str:
    return reverse(f"transcode:{name}", args=args)


def posted(**changes: Any) -> dict[str, Any]:
    """The form as a browser posts it, with some fields changed; None leaves one out."""
    values = initial_values(None) | {"name": "Night TV"} | changes
    kept = {
        name: value for name, value in values.items() if value is not None and value is not False
    }
    return {name: "on" if value is True else value for name, value in kept.items()}


def test_every_field_of_the_spec_has_a_field_in_the_form() -> None:
    names = set()
    for name, value in PresetSpec().to_json().items():
        names |= {f"{name}__{inner}" for inner in value} if isinstance(value, dict) else {name}
    assert names == set(PresetForm.base_fields) - {"name", "description"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "slug", ["balanced", "storage-saver", "mobile", "ultra-fidelity", "chromecast", "remux"]
)
def test_a_preset_survives_the_form_unchanged(slug: str) -> None:
    preset = Preset.objects.get(slug=slug)
    form = PresetForm(posted(**initial_values(preset)))
    assert form.is_valid(), form.errors
    assert form.spec == PresetSpec.from_json(preset.spec)


def test_an_admin_makes_a_preset(admin: Client) -> None:
    response = admin.post(url("preset_new"), posted(video__crf="24", audio__languages="eng, DEU"))
    preset = Preset.objects.get(name="Night TV")
    assert response.headers["Location"] == url("preset_detail", preset.slug)
    assert preset.spec["video"]["crf"] == 24.0
    assert preset.spec["audio"]["languages"] == ["eng", "deu"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"video__crf": "99"}, "video__crf"),
        ({"video__crf": "-1"}, "video__crf"),
        ({"video__crf": "nan"}, "video__crf"),
        ({"video__crf": ""}, "video__crf"),
        ({"video__bit_rate_kbps": "9999999"}, "video__crf"),
        ({"video__crf": "", "video__bit_rate_kbps": "9" * 30}, "video__bit_rate_kbps"),
        ({"video__crf": "", "video__target_vmaf": "20"}, "video__target_vmaf"),
        ({"video__encoder": "magic"}, "video__encoder"),
        ({"video__level": "4.1"}, "video__level"),
        ({"audio__max_channels": "99"}, "audio__max_channels"),
        ({"audio__bit_rate_kbps_per_channel": "1"}, "audio__bit_rate_kbps_per_channel"),
        ({"min_saving_pct": "100"}, "min_saving_pct"),
        ({"min_saving_pct": "x"}, "min_saving_pct"),
        ({"container": "webm"}, "container"),
        ({"name": ""}, "name"),
        ({"name": "Balanced"}, "name"),
        ({"audio__languages": "x" * 41}, "audio__languages"),
    ],
)
def test_a_problem_stands_at_its_field_and_nothing_is_saved(
    admin: Client, changes: dict[str, Any], field: str
) -> None:
    before = Preset.objects.count()
    response = admin.post(url("preset_new"), posted(**changes))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert f"id_{field}_error" in response.content.decode()
    assert Preset.objects.count() == before


def test_a_built_in_preset_is_copied_not_changed(admin: Client) -> None:
    response = admin.post(url("preset_edit", "balanced"), posted())
    assert response.headers["Location"] == url("preset_detail", "balanced")
    assert Preset.objects.get(slug="balanced").name == "Balanced"
    admin.post(url("preset_copy", "balanced"))
    copy = Preset.objects.get(name="Balanced copy")
    assert not copy.is_builtin
    admin.post(url("preset_edit", copy.slug), posted(name="Mine"))
    copy.refresh_from_db()
    assert copy.name == "Mine"


def test_a_preset_in_use_is_not_deleted_and_says_why(admin: Client) -> None:
    preset = rows.make_preset()
    rows.make_job(preset=preset)
    response = admin.post(url("preset_delete", preset.slug), headers=HTMX)
    assert response.status_code == 409
    assert "used by 1 jobs" in response.headers["HX-Trigger"]
    assert Preset.objects.filter(pk=preset.pk).exists()


def test_deleting_asks_first_and_leaves_what_was_done(admin: Client) -> None:
    preset = rows.make_preset()
    job = rows.make_job(JobStatus.COMPLETED, preset=preset, preset_name="Own")
    assert b"Delete Own?" in admin.get(url("preset_delete_ask", preset.slug)).content
    admin.post(url("preset_delete", preset.slug))
    assert not Preset.objects.filter(pk=preset.pk).exists()
    assert admin.get(url("job_detail", job.pk)).status_code == 200


def test_built_in_presets_cannot_be_deleted(admin: Client) -> None:
    assert admin.post(url("preset_delete", "remux"), headers=HTMX).status_code == 409
    assert Preset.objects.filter(slug="remux").exists()


def test_an_export_can_be_imported_from_a_file_or_from_text(admin: Client) -> None:
    rows.make_preset("own", name="Own")
    text = admin.get(url("preset_export", "own")).content
    upload = SimpleUploadedFile("own.json", text, "application/json")
    admin.post(url("preset_import"), {"file": upload})
    admin.post(url("preset_import"), {"text": text.decode()})
    assert set(Preset.objects.filter(name__startswith="Own").values_list("name", flat=True)) == {
        "Own",
        "Own copy",
        "Own copy 2",
    }


SPEC = PresetSpec().to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        json.dumps({"mediaflow_preset": 2, "name": "x", "spec": SPEC}),
        json.dumps({"mediaflow_preset": 1, "name": "", "spec": SPEC}),
        json.dumps({"mediaflow_preset": 1, "name": "x", "spec": {"video": {"crf": "22"}}}),
        json.dumps({"mediaflow_preset": 1, "name": "x", "spec": {"zoom": 1}}),
        json.dumps({"mediaflow_preset": 1, "name": "x", "spec": 5}),
        "[" * 50_000,
        "x" * 100_001,
    ],
)
def test_a_wrong_import_is_one_sentence_and_imports_nothing(admin: Client, text: str) -> None:
    before = Preset.objects.count()
    response = admin.post(url("preset_import"), {"text": text})
    assert response.status_code == 422
    assert b"Nothing was imported" in response.content
    assert Preset.objects.count() == before


def test_a_file_that_is_too_large_or_no_text_is_a_sentence(admin: Client) -> None:
    for body in (b"x" * 100_001, b"\xff\xfe\x00binary"):
        upload = SimpleUploadedFile("p.json", body)
        response = admin.post(url("preset_import"), {"file": upload})
        assert response.status_code == 422
        assert b"Nothing was imported" in response.content


def test_everybody_reads_what_a_preset_does_but_only_admins_find_the_buttons(
    client_for: Callable[[User], Client], operator: User
) -> None:
    client = client_for(operator)
    own = rows.make_preset(name="<b>own</b>")
    listing = client.get(url("preset_list")).content.decode()
    assert "&lt;b&gt;own" in listing
    assert "presets/new" not in listing
    text = client.get(url("preset_detail", own.slug)).content.decode()
    assert "HEVC (x265), CRF 22" in text
    assert "/edit/" not in text
    for name in ("preset_edit", "preset_copy", "preset_delete"):
        assert client.post(url(name, own.slug)).status_code == 403


def test_a_preset_of_an_older_version_says_what_is_wrong(page: Client) -> None:
    preset = rows.make_preset(spec={"container": "ogm"})
    for name, args in (("preset_list", ()), ("preset_detail", (preset.slug,))):
        response = page.get(url(name, *args))
        assert response.status_code == 200
        assert b"ogm" in response.content


def test_words_name_what_is_kept_changed_and_refused() -> None:
    words = dict(preset_words(PresetSpec.from_json(SPEC | {"min_saving_pct": 20})))
    assert words["Video"].startswith("HEVC (x265), CRF 22, speed medium")
    assert "HDR is kept" in words["Video"]
    assert words["Audio"] == "Tracks of every language, copied."
    assert "at least 20 % smaller" in words["Size"]
    assert "replaces the original, which goes to the trash" in words["Result"]


@pytest.mark.parametrize("name", ["preset_list", "preset_new", "preset_import"])
def test_a_stranger_is_asked_for_a_login(client: Client, db: None, name: str) -> None:
    assert client.get(url(name)).status_code == 302
