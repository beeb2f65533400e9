"""Presets: the list, what one does, create, copy, edit, delete, import and export."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mediaflow.base.access import admin_required
from mediaflow.base.htmx import ask_first
from transcode.models import JobStatus, Preset
from transcode.pages.preset_form import ImportForm, PresetForm, initial_values
from transcode.pages.preset_words import badges_of, preset_words
from transcode.pages.views.answers import answer_moved_on, answer_refused
from transcode.presets import services as preset_services
from transcode.presets.services import MAX_IMPORT_BYTES
from transcode.presets.spec import PresetProblem, PresetSpec
from transcode.states import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Callable

    from mediaflow.base.htmx import HtmxHttpRequest


@require_GET
def preset_list(request: HtmxHttpRequest) -> HttpResponse:
    presets = Preset.objects.annotate(
        done=Count("jobs", filter=Q(jobs__status=JobStatus.COMPLETED, jobs__undone_at=None)),
        active=Count("jobs", filter=Q(jobs__status__in=ACTIVE)),
    )
    cards = [_card(preset) for preset in presets]
    return render(request, "transcode/preset_list.html", {"cards": cards})


@require_GET
def preset_detail(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    jobs = preset.jobs.aggregate(
        done=Count("id", filter=Q(status=JobStatus.COMPLETED, undone_at=None)),
        active=Count("id", filter=Q(status__in=ACTIVE)),
    )
    context = {**_card(preset), "jobs": jobs, "json": preset_services.export_preset(preset)}
    return render(request, "transcode/preset_detail.html", context)


@admin_required
@require_http_methods(["GET", "POST"])
def preset_new(request: HtmxHttpRequest) -> HttpResponse:
    return _form_page(request, None, preset_services.create_preset, "is made")


@admin_required
@require_http_methods(["GET", "POST"])
def preset_edit(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    if preset.is_builtin:
        text = f"{preset.name} is built in and stays as it is; make a copy and change that."
        return answer_refused(request, text, _url(preset))
    return _form_page(request, preset, partial(preset_services.edit_preset, preset), "is saved")


@admin_required
@require_POST
def preset_copy(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    try:
        made = preset_services.copy_preset(preset, actor=request.user)
    except PresetProblem as problem:
        return answer_refused(request, f"Nothing was copied: it {problem.text}", _url(preset))
    return answer_moved_on(request, f"{made.name} is a copy of {preset.name}.", _edit_url(made))


@admin_required
@require_GET
def preset_delete_ask(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    return ask_first(
        request,
        title=f"Delete {preset.name}?",
        text="Jobs that are done keep the rules they ran with. It cannot be brought back; export"
        " it first if you may want it again.",
        action=reverse("transcode:preset_delete", args=[preset.slug]),
        verb="Delete the preset",
        cancel_url=_url(preset),
    )


@admin_required
@require_POST
def preset_delete(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    name = preset.name
    try:
        preset_services.delete_preset(preset, actor=request.user)
    except PresetProblem as problem:
        return answer_refused(request, f"{name} was not deleted: it {problem.text}", _url(preset))
    return answer_moved_on(request, f"{name} is deleted.", reverse("transcode:preset_list"))


@require_GET
def preset_export(request: HtmxHttpRequest, slug: str) -> HttpResponse:
    preset = get_object_or_404(Preset, slug=slug)
    response = HttpResponse(preset_services.export_preset(preset), content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{preset.slug}.json"'
    return response


@admin_required
@require_http_methods(["GET", "POST"])
def preset_import(request: HtmxHttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = preset_services.import_preset(_uploaded(form), actor=request.user)
            return answer_moved_on(request, f"{made.name} is imported.", _url(made))
        except PresetProblem as problem:
            form.add_error(None, f"Nothing was imported: {problem.field_name} {problem.text}")
    status = 422 if form.is_bound else 200
    return render(request, "transcode/preset_import.html", {"form": form}, status=status)


def _uploaded(form: ImportForm) -> str | bytes:
    """The file's bytes or the pasted text. Raises PresetProblem when neither is there."""
    upload = form.cleaned_data.get("file")
    if upload is not None:
        if upload.size > MAX_IMPORT_BYTES:
            raise PresetProblem("file", f"is larger than {MAX_IMPORT_BYTES // 1000} kB.")
        return bytes(upload.read(MAX_IMPORT_BYTES + 1))
    text: str = form.cleaned_data["text"]
    if not text.strip():
        raise PresetProblem("file", "is missing: choose a file or paste its text.")
    return text


def _card(preset: Preset) -> dict[str, Any]:
    """A preset with its words; one whose spec an older version wrote says so."""
    try:
        spec = PresetSpec.from_json(preset.spec)
    except PresetProblem as problem:
        words = [("Problem", f"{problem.field_name} {problem.text} Edit it to put it right.")]
        return {"preset": preset, "words": words, "badges": []}
    return {"preset": preset, "words": preset_words(spec), "badges": badges_of(spec)}


def _form_page(
    request: HtmxHttpRequest, preset: Preset | None, save: Callable[..., Preset], done: str
) -> HttpResponse:
    """The form, or what comes after a right one is saved. `done`: what is said of it then."""
    form = PresetForm(request.POST or None, initial=initial_values(preset))
    if request.method == "POST" and form.is_valid():
        try:
            saved = save(
                name=form.cleaned_data["name"],
                spec=form.spec,
                description=form.cleaned_data["description"],
                actor=request.user,
            )
            return answer_moved_on(request, f"{saved.name} {done}.", _url(saved))
        except PresetProblem as problem:
            form.add_problem(problem)
    status = 422 if form.is_bound else 200
    context = {"form": form, "preset": preset}
    return render(request, "transcode/preset_form.html", context, status=status)


def _url(preset: Preset) -> str:
    return reverse("transcode:preset_detail", args=[preset.slug])


def _edit_url(preset: Preset) -> str:
    return reverse("transcode:preset_edit", args=[preset.slug])
