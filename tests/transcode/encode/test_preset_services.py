from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from mediaflow.base.models import AuditEvent
from tests.transcode.makers import make_file, make_job, make_library
from transcode.models import JobStatus, Preset
from transcode.presets.builtin import BUILTIN_PRESETS, sync_builtin_presets
from transcode.presets.services import (
    copy_preset,
    create_preset,
    delete_preset,
    edit_preset,
    export_preset,
    import_preset,
)
from transcode.presets.spec import PresetProblem, PresetSpec, VideoRule

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

pytestmark = pytest.mark.django_db
SPEC = PresetSpec(video=VideoRule(crf=19.0))


def builtin(slug: str = "balanced") -> Preset:
    return Preset.objects.get(slug=slug)


def field_of(problem: pytest.ExceptionInfo[PresetProblem]) -> str:
    return problem.value.field_name


def test_migrating_brings_the_built_in_presets() -> None:
    Preset.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert set(Preset.objects.values_list("slug", flat=True)) == {p.slug for p in BUILTIN_PRESETS}
    assert all(Preset.objects.values_list("is_builtin", flat=True))


def test_syncing_again_touches_nothing() -> None:
    sync_builtin_presets()
    before = list(Preset.objects.order_by("pk").values())
    sync_builtin_presets()
    assert list(Preset.objects.order_by("pk").values()) == before


def test_syncing_brings_a_changed_built_in_preset_back_and_keeps_those_of_people() -> None:
    mine = create_preset(name="Mine", spec=SPEC)
    Preset.objects.filter(slug="remux").update(spec={}, name="Broken")
    sync_builtin_presets()
    assert builtin("remux").name == "Remux"
    assert PresetSpec.from_json(builtin("remux").spec).video.encoder == "copy"
    mine.refresh_from_db()
    assert PresetSpec.from_json(mine.spec) == SPEC


def test_a_person_s_preset_of_the_same_name_keeps_it() -> None:
    Preset.objects.filter(slug="mobile").delete()
    mine = create_preset(name="Mobile", spec=SPEC)
    assert mine.slug != "mobile"
    sync_builtin_presets()
    assert builtin("mobile").name == "Mobile (built in)"
    assert Preset.objects.get(pk=mine.pk).name == "Mobile"


def test_creating_gives_a_slug_and_an_audit_event(admin_user: User) -> None:
    preset = create_preset(name="  Für   Oma ", spec=SPEC, actor=admin_user)
    assert (preset.name, preset.slug, preset.is_builtin) == ("Für Oma", "fur-oma", False)
    event = AuditEvent.objects.get(action="preset.create")
    assert event.actor == admin_user


def test_names_without_latin_letters_get_a_slug_too() -> None:
    assert create_preset(name="映画", spec=SPEC).slug == "preset"
    assert create_preset(name="映画 2", spec=SPEC).slug == "2"


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\0b"])
def test_a_bad_name_is_named(name: str) -> None:
    with pytest.raises(PresetProblem) as problem:
        create_preset(name=name, spec=SPEC)
    assert field_of(problem) == "name"


def test_a_name_is_given_once() -> None:
    with pytest.raises(PresetProblem) as problem:
        create_preset(name="Balanced", spec=SPEC)
    assert field_of(problem) == "name"


def test_a_spec_that_cannot_work_is_not_stored() -> None:
    with pytest.raises(PresetProblem) as problem:
        create_preset(name="Wrong", spec=replace(SPEC, container="webm"))
    assert field_of(problem) == "container"
    assert not Preset.objects.filter(name="Wrong").exists()


def test_copies_are_numbered_and_can_be_changed() -> None:
    first, second = copy_preset(builtin()), copy_preset(builtin())
    assert (first.name, second.name) == ("Balanced copy", "Balanced copy 2")
    edited = edit_preset(first, name="Mine", spec=SPEC, description="by hand")
    edited.refresh_from_db()
    assert (edited.name, edited.slug) == ("Mine", "balanced-copy")
    assert PresetSpec.from_json(edited.spec) == SPEC


def test_built_in_presets_are_neither_changed_nor_deleted() -> None:
    for action in (
        lambda: edit_preset(builtin(), name="X", spec=SPEC, description=""),
        lambda: delete_preset(builtin()),
    ):
        with pytest.raises(PresetProblem):
            action()
    assert builtin().name == "Balanced"


def test_editing_to_a_taken_name_changes_nothing() -> None:
    mine = create_preset(name="Mine", spec=SPEC)
    with pytest.raises(PresetProblem):
        edit_preset(mine, name="Balanced", spec=SPEC, description="")
    assert Preset.objects.get(pk=mine.pk).name == "Mine"


def test_a_preset_of_waiting_jobs_stays_and_one_of_finished_jobs_goes() -> None:
    mine = create_preset(name="Mine", spec=SPEC)
    job = make_job(make_file(make_library()), preset=mine)
    with pytest.raises(PresetProblem):
        delete_preset(mine)
    type(job).objects.filter(pk=job.pk).update(status=JobStatus.COMPLETED)
    delete_preset(mine)
    job.refresh_from_db()
    assert (job.preset, job.preset_slug) == (None, "small")


def test_an_export_comes_back_as_it_was() -> None:
    text = export_preset(create_preset(name="Mine", spec=SPEC, description="d"))
    Preset.objects.filter(name="Mine").delete()
    back = import_preset(text.encode())
    assert (back.name, back.description) == ("Mine", "d")
    assert PresetSpec.from_json(back.spec) == SPEC


def test_importing_beside_one_of_that_name_makes_a_copy() -> None:
    assert import_preset(export_preset(builtin())).name == "Balanced copy"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b"", "file"),
        (b"{", "file"),
        (b"\xff\xfe{", "file"),
        (b"[]", "file"),
        (b"{}", "file"),
        (b"[" * 50_000, "file"),
        (b"x" * 200_000, "file"),
        (b'{"mediaflow_preset": 2}', "file"),
        (b'{"mediaflow_preset": 1, "extra": 1}', "extra"),
        (b'{"mediaflow_preset": 1, "name": 3}', "name"),
        (b'{"mediaflow_preset": 1, "name": "A", "spec": 3}', "preset"),
        (b'{"mediaflow_preset": 1, "name": "A"}', "preset"),
        (b'{"mediaflow_preset": 1, "name": "", "spec": {}}', "name"),
    ],
)
def test_a_file_that_is_no_preset_names_what_is_wrong(text: bytes, field: str) -> None:
    with pytest.raises(PresetProblem) as problem:
        import_preset(text)
    assert field_of(problem) == field


def test_a_wrong_field_in_an_import_is_named_with_its_group() -> None:
    document = json.loads(export_preset(builtin()))
    document["spec"]["video"]["crf"] = 900
    with pytest.raises(PresetProblem) as problem:
        import_preset(json.dumps(document))
    assert field_of(problem) == "video.crf"
