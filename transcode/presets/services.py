"""What people do with presets: create, copy, change, delete, export, import. Owns the transactions.

Every problem is a PresetProblem that names its field. Built-in presets are never changed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from mediaflow.base.audit import record_audit
from transcode.models import Job, Preset, Rule
from transcode.presets.builtin import BUILTIN_SLUGS
from transcode.presets.spec import PresetProblem, PresetSpec, validate
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from mediaflow.accounts.models import User

EXPORT_VERSION = 1
MAX_IMPORT_BYTES = 100_000
_MAX_NAME, _MAX_SLUG, _MAX_DESCRIPTION = 80, 60, 400
_EXPORT_FIELDS = frozenset({"mediaflow_preset", "name", "description", "spec"})


def create_preset(
    *, name: str, spec: PresetSpec, description: str = "", actor: User | None = None
) -> Preset:
    """Raises PresetProblem."""
    preset = Preset(
        name=_checked_name(name),
        description=_checked_description(description),
        spec=_checked_spec(spec),
    )
    _save(preset)
    record_audit("preset.create", actor=actor, subject=preset.slug, detail=preset.name)
    return preset


def copy_preset(preset: Preset, *, name: str = "", actor: User | None = None) -> Preset:
    """A changeable copy, named "… copy" unless told otherwise. Raises PresetProblem."""
    return create_preset(
        name=name or _free_copy_name(preset.name),
        spec=PresetSpec.from_json(preset.spec),
        description=preset.description,
        actor=actor,
    )


def edit_preset(
    preset: Preset, *, name: str, spec: PresetSpec, description: str, actor: User | None = None
) -> Preset:
    """The slug stays: commands and finished jobs name it. Raises PresetProblem."""
    _refuse_builtin(preset)
    preset.name = _checked_name(name)
    preset.description = _checked_description(description)
    preset.spec = _checked_spec(spec)
    _save(preset)
    record_audit("preset.edit", actor=actor, subject=preset.slug, detail=preset.name)
    return preset


def delete_preset(preset: Preset, *, actor: User | None = None) -> None:
    """Jobs keep what they were queued with. Raises PresetProblem while jobs or rules need it."""
    _refuse_builtin(preset)
    waiting = Job.objects.filter(preset=preset, status__in=ACTIVE).count()
    if waiting:
        raise PresetProblem("name", f"is used by {waiting} jobs in the queue; cancel them first.")
    rules = list(Rule.objects.filter(preset=preset).values_list("name", flat=True)[:3])
    if rules:
        names = ", ".join(f"“{rule}”" for rule in rules)
        raise PresetProblem("name", f"is what {names} queue with; give them another preset first.")
    slug, name = preset.slug, preset.name
    preset.delete()
    record_audit("preset.delete", actor=actor, subject=slug, detail=name)


def export_preset(preset: Preset) -> str:
    """JSON that `import_preset` reads."""
    document = {
        "mediaflow_preset": EXPORT_VERSION,
        "name": preset.name,
        "description": preset.description,
        "spec": preset.spec,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def import_preset(text: str | bytes, *, actor: User | None = None) -> Preset:
    """A new preset from an export. Raises PresetProblem; the field is "file" for broken JSON."""
    document = _read_document(text)
    name = document.get("name", "")
    description = document.get("description", "")
    if not isinstance(name, str) or not isinstance(description, str):
        raise PresetProblem("name", "and description must be texts.")
    if Preset.objects.filter(name=name.strip()).exists():
        name = _free_copy_name(name.strip())
    spec = PresetSpec.from_json(document.get("spec"))
    return create_preset(name=name, spec=spec, description=description, actor=actor)


def _read_document(text: str | bytes) -> dict[str, Any]:
    if len(text) > MAX_IMPORT_BYTES:
        raise PresetProblem("file", f"is larger than {MAX_IMPORT_BYTES // 1000} kB.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:  # also UnicodeDecodeError
        raise PresetProblem("file", f"or pasted text is no JSON: {str(error)[:100]}.") from None
    if not isinstance(document, dict) or "mediaflow_preset" not in document:
        raise PresetProblem("file", "is no exported MediaFlow preset.")
    if document["mediaflow_preset"] != EXPORT_VERSION:
        raise PresetProblem("file", "was exported by another version of MediaFlow.")
    unknown = next((key for key in document if key not in _EXPORT_FIELDS), None)
    if unknown is not None:
        raise PresetProblem(unknown[:80], "is not a field of an exported preset.")
    return document


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or "\0" in name:
        raise PresetProblem("name", "must not be empty.")
    if len(name) > _MAX_NAME:
        raise PresetProblem("name", f"is longer than {_MAX_NAME} characters.")
    return name


def _checked_description(description: str) -> str:
    description = description.strip()
    if len(description) > _MAX_DESCRIPTION or "\0" in description:
        raise PresetProblem("description", f"is longer than {_MAX_DESCRIPTION} characters.")
    return description


def _checked_spec(spec: PresetSpec) -> dict[str, Any]:
    validate(spec)
    return spec.to_json()


def _refuse_builtin(preset: Preset) -> None:
    if preset.is_builtin:
        raise PresetProblem("name", "belongs to a built-in preset; make a copy and change that.")


def _free_copy_name(name: str) -> str:
    base = name[: _MAX_NAME - 10]
    taken = set(Preset.objects.filter(name__startswith=base).values_list("name", flat=True))
    candidates = [f"{base} copy", *(f"{base} copy {n}" for n in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _save(preset: Preset) -> None:
    """Insert or update; the unique constraints decide, so two at once cannot take one name."""
    preset.slug = preset.slug or _free_slug(preset.name)
    try:
        with transaction.atomic():
            preset.save()
    except IntegrityError:
        raise PresetProblem("name", f"{preset.name!r} is taken; choose another one.") from None


def _free_slug(name: str) -> str:
    base = slugify(name)[: _MAX_SLUG - 6] or "preset"
    taken = set(Preset.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    taken |= BUILTIN_SLUGS
    candidates = [base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
