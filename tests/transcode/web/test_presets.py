"""Presets on pages: words, form, problems at their field, copy, import, export, delete."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.transcode.web import rows
from transcode.encoders import ENCODERS
from transcode.models import JobStatus, Preset
from transcode.pages.preset_form import NOT_OF_THE_SPEC, PresetForm, initial_values
from transcode.pages.preset_words import badges_of, preset_words
from transcode.presets.builtin import BUILTIN_PRESETS
from transcode.presets.spec import PresetSpec, VideoRule

if TYPE_CHECKING:
    from django.test import Client

HTMX = {"HX-Request": "true"}


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
    assert names == set(PresetForm.base_fields) - NOT_OF_THE_SPEC


@pytest.mark.django_db
@pytest.mark.parametrize(
    "slug", ["balanced", "storage-saver", "mobile", "ultra-fidelity", "chromecast", "remux"]
)
def test_a_preset_survives_the_form_unchanged(slug: str) -> None:
    preset = Preset.objects.get(slug=slug)
    form = PresetForm(posted(**initial_values(preset)))
    assert form.is_valid(), form.errors
    assert form.spec == PresetSpec.from_json(preset.spec)


def test_an_admin_makes_a_preset(as_admin: Client) -> None:
    response = as_admin.post(
        url("preset_new"), posted(video__crf="24", audio__languages="eng, DEU")
    )
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
        ({"quality_by": None, "video__bit_rate_kbps": "9999999"}, "video__crf"),
        ({"quality_by": None, "video__crf": ""}, "video__crf"),
        ({"quality_by": "magic"}, "quality_by"),
        ({"quality_by": "bit_rate", "video__bit_rate_kbps": "9" * 30}, "video__bit_rate_kbps"),
        ({"quality_by": "bit_rate", "video__bit_rate_kbps": "1.5"}, "video__bit_rate_kbps"),
        ({"quality_by": "bit_rate"}, "video__bit_rate_kbps"),
        ({"quality_by": "target", "video__target_vmaf": "20"}, "video__target_vmaf"),
        ({"quality_by": "target", "video__target_vmaf": "inf"}, "video__target_vmaf"),
        ({"quality_by": "target"}, "video__target_vmaf"),
        ({"video__encoder": "svtav1", "video__crf": "22.5"}, "video__crf"),
        ({"video__encoder": "hevc_nvenc", "video__hardware": "allow"}, "video__hardware"),
        ({"quality_by": None, "video__encoder": "copy"}, "video__crf"),
        ({"video__extra_options": "stats=/etc/passwd"}, "video__extra_options"),
        ({"hours": "at night"}, "hours"),
        ({"audio__sort_by_language": "on"}, "audio__sort_by_language"),
        ({"subtitles__convert_to": "srt"}, "subtitles__convert_to"),
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
    as_admin: Client, changes: dict[str, Any], field: str
) -> None:
    before = Preset.objects.count()
    response = as_admin.post(url("preset_new"), posted(**changes))
    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert f"id_{field}_error" in response.content.decode()
    assert Preset.objects.count() == before


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": ""}, {"name": "Fill this in."}),
        ({"video__crf": "99"}, {"video__crf": "It is 99.0; it must be from 1 to 51."}),
        ({"container": "webm"},
         {"container": "It does not fit: WebM cannot hold hevc video; choose mkv."}),
        ({"quality_by": None, "video__bit_rate_kbps": "900"},
         {"video__crf": "It must stand alone: give exactly one of CRF, bit rate or target VMAF."}),
        ({"video__hdr": "hdr10", "video__bit_depth": "8"},
         {"video__hdr": "It is hdr10, which needs x265 or SVT-AV1 and 10 bits."}),
        ({"name": "", "hours": "at night"},
         {"name": "Fill this in.",
          "hours": "It cannot be read: 'at night' is no time window; write it like"
          ' "22:00-06:00" or "mon-fri 22:00-06:00".'}),
    ],
)  # fmt: skip
def test_each_problem_is_a_sentence_and_a_wrong_name_hides_none(
    as_admin: Client, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    form = as_admin.post(url("preset_new"), posted(**changes)).context["form"]
    assert {name: " ".join(texts) for name, texts in form.errors.items()} == expected


@pytest.mark.parametrize(
    ("changes", "field"),
    [({}, ""), ({"name": "Balanced"}, "name"), ({"video__crf": "99"}, "video__crf")],
)
def test_an_own_preset_is_changed_unless_a_field_is_wrong(
    as_admin: Client, changes: dict[str, str], field: str
) -> None:
    made = rows.make_preset()
    form = as_admin.get(url("preset_edit", "own")).text
    assert 'value="Own"' in form
    answer = as_admin.post(url("preset_edit", "own"), posted(**changes))
    made.refresh_from_db()
    if field:
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert made.name == "Own"
    else:
        assert answer.headers["Location"] == url("preset_detail", "own")
        assert made.name == "Night TV"


def test_a_preset_that_cannot_be_read_is_not_copied(as_admin: Client) -> None:
    rows.make_preset(spec={"of": "another version"})
    before = Preset.objects.count()
    answer = as_admin.post(url("preset_copy", "own"), follow=True)
    assert "Nothing was copied" in answer.text
    assert Preset.objects.count() == before


def test_a_built_in_preset_is_copied_not_changed(as_admin: Client) -> None:
    response = as_admin.post(url("preset_edit", "balanced"), posted())
    assert response.headers["Location"] == url("preset_detail", "balanced")
    assert Preset.objects.get(slug="balanced").name == "Balanced"
    as_admin.post(url("preset_copy", "balanced"))
    copy = Preset.objects.get(name="Balanced copy")
    assert not copy.is_builtin
    as_admin.post(url("preset_edit", copy.slug), posted(name="Mine"))
    copy.refresh_from_db()
    assert copy.name == "Mine"


def test_a_preset_in_use_is_not_deleted_and_says_why(as_admin: Client) -> None:
    preset = rows.make_preset()
    rows.make_job(preset=preset)
    response = as_admin.post(url("preset_delete", preset.slug), headers=HTMX)
    assert response.status_code == 409
    assert "used by 1 jobs" in response.headers["HX-Trigger"]
    assert Preset.objects.filter(pk=preset.pk).exists()


def test_deleting_asks_first_and_leaves_what_was_done(as_admin: Client) -> None:
    preset = rows.make_preset()
    job = rows.make_job(JobStatus.COMPLETED, preset=preset, preset_name="Own")
    assert b"Delete Own?" in as_admin.get(url("preset_delete_ask", preset.slug)).content
    as_admin.post(url("preset_delete", preset.slug))
    assert not Preset.objects.filter(pk=preset.pk).exists()
    assert as_admin.get(url("job_detail", job.pk)).status_code == 200


def test_built_in_presets_cannot_be_deleted(as_admin: Client) -> None:
    assert as_admin.post(url("preset_delete", "remux"), headers=HTMX).status_code == 409
    assert Preset.objects.filter(slug="remux").exists()


def test_an_export_can_be_imported_from_a_file_or_from_text(as_admin: Client) -> None:
    rows.make_preset("own", name="Own")
    text = as_admin.get(url("preset_export", "own")).content
    upload = SimpleUploadedFile("own.json", text, "application/json")
    as_admin.post(url("preset_import"), {"file": upload})
    as_admin.post(url("preset_import"), {"text": text.decode()})
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
def test_a_wrong_import_is_one_sentence_and_imports_nothing(as_admin: Client, text: str) -> None:
    before = Preset.objects.count()
    response = as_admin.post(url("preset_import"), {"text": text})
    assert response.status_code == 422
    assert b"Nothing was imported" in response.content
    assert Preset.objects.count() == before


def test_a_file_that_is_too_large_or_no_text_is_a_sentence(as_admin: Client) -> None:
    for body in (b"x" * 100_001, b"\xff\xfe\x00binary"):
        upload = SimpleUploadedFile("p.json", body)
        response = as_admin.post(url("preset_import"), {"file": upload})
        assert response.status_code == 422
        assert b"Nothing was imported" in response.content


def test_everybody_reads_what_a_preset_does_but_only_admins_find_the_buttons(
    as_operator: Client,
) -> None:
    own = rows.make_preset(name="<b>own</b>")
    listing = as_operator.get(url("preset_list")).content.decode()
    assert "&lt;b&gt;own" in listing
    assert "presets/new" not in listing
    text = as_operator.get(url("preset_detail", own.slug)).content.decode()
    assert "HEVC (x265), CRF 22" in text
    assert "/edit/" not in text
    for name in ("preset_edit", "preset_copy", "preset_delete"):
        assert as_operator.post(url(name, own.slug)).status_code == 403


def test_a_preset_of_an_older_version_says_what_is_wrong(as_operator: Client) -> None:
    preset = rows.make_preset(spec={"container": "ogm"})
    for name, args in (("preset_list", ()), ("preset_detail", (preset.slug,))):
        response = as_operator.get(url(name, *args))
        assert response.status_code == 200
        assert b"ogm" in response.content


def form_of(**changes: Any) -> PresetForm:
    form = PresetForm(posted(**changes))
    form.is_valid()
    return form


@pytest.mark.parametrize(
    ("way", "field"),
    [
        ("crf", "crf"),
        ("target", "target_vmaf"),
        ("bit_rate", "bit_rate_kbps"),
    ],
)
def test_only_the_chosen_way_of_quality_counts(way: str, field: str) -> None:
    form = form_of(
        quality_by=way,
        video__crf="24",
        video__target_vmaf="94",
        video__bit_rate_kbps="4000",
        video__two_pass=True,
    )
    assert form.is_valid(), form.errors
    given = {
        name
        for name in ("crf", "target_vmaf", "bit_rate_kbps")
        if getattr(form.spec.video, name) is not None
    }
    assert given == {field}
    assert form.spec.video.two_pass is (way == "bit_rate")


def test_what_is_wrong_in_a_hidden_field_does_not_matter() -> None:
    form = form_of(quality_by="target", video__crf="abc", video__target_vmaf="95")
    assert form.is_valid(), form.errors
    assert form.spec.video.target_vmaf == 95.0


def test_copying_forgets_what_was_chosen_for_encoding() -> None:
    form = form_of(
        video__encoder="copy", video__crf="99", video__max_resolution="720", video__hdr="tone_map"
    )
    assert form.is_valid(), form.errors
    assert form.spec.video == VideoRule(encoder="copy", crf=None)


def test_every_choice_survives_the_form() -> None:
    raw = PresetSpec().to_json()
    raw["video"] |= {
        "crf": None,
        "target_vmaf": 94.5,
        "hardware": "allow",
        "hdr": "hdr10",
        "frame_rate": "constant",
        "crop_borders": True,
        "chunking": "never",
        "extra_options": "aq-mode=3",
    }
    raw["audio"] |= {
        "add_stereo": True,
        "drop_titles": ["Commentary", "Karaoke"],
        "languages": ["eng", "deu"],
        "sort_by_language": True,
        "default_language": "deu",
    }
    raw["subtitles"] |= {
        "mode": "convert",
        "convert_to": "srt",
        "image_subtitles": "drop",
        "drop_titles": ["Signs"],
        "default_language": "eng",
    }
    raw |= {"hours": ["mon-fri 22:00-06:00", "sat,sun 00:00-24:00"], "at_hours_end": "pause"}
    chromecast = next(p.spec for p in BUILTIN_PRESETS if p.slug == "chromecast")
    assert chromecast.skip_if_chromecast_ready
    for spec in (PresetSpec.from_json(raw), chromecast):
        preset = Preset(name="All", spec=spec.to_json())
        form = PresetForm(posted(**initial_values(preset)))
        assert form.is_valid(), form.errors
        assert form.spec == spec


def test_the_form_says_what_each_field_allows(as_admin: Client) -> None:
    text = as_admin.get(url("preset_new")).content.decode()
    for shown in (
        "x264 and x265: 1 to 51 in steps of 0.5; SVT-AV1: 1 to 63 in whole steps.",
        "VMAF 50 to 99",
        "XPSNR 25 to 60 dB",
        "50 to 200,000 kb/s",
        "16 to 320 kb/s",
        "-200 to 95 %",
        "<td>VAAPI AV1</td><td>1 to 255 in whole steps</td>",
        "<code>psy-rd</code>",
        "Only the field of the chosen one counts.",
    ):
        assert shown in text, shown


def test_hardware_encoders_are_marked_as_not_tried(as_admin: Client) -> None:
    text = as_admin.get(url("preset_new")).content.decode()
    hardware = [e for e in ENCODERS.values() if e.is_hardware]
    assert hardware
    for encoder in hardware:
        assert f"{encoder.title} · not tried on hardware" in text


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ({"video__extra_options": "stats=x"}, "video"),
        ({"audio__default_language": "english"}, "audio"),
        ({"subtitles__convert_to": "srt"}, "subtitles"),
    ],
)
def test_a_problem_below_more_unfolds_it(changes: dict[str, Any], group: str) -> None:
    folded = {g.slug: g.is_open for g in PresetForm(posted()).groups()}
    assert not any(folded.values())
    form = form_of(**changes)
    assert {g.slug for g in form.groups() if g.is_open} == {group}


def test_what_is_set_below_more_unfolds_it_and_is_counted() -> None:
    mobile = next(preset for preset in BUILTIN_PRESETS if preset.slug == "mobile")
    form = PresetForm(initial=initial_values(Preset(name="Mobile", spec=mobile.spec.to_json())))
    video = next(group for group in form.groups() if group.slug == "video")
    assert video.is_open
    assert video.set_count == 3  # bit depth, profile, level


def test_every_field_stands_on_the_page_exactly_once(as_admin: Client) -> None:
    text = as_admin.get(url("preset_new")).content.decode()
    names = re.findall(r'<(?:input|select|textarea)[^>]* name="([a-z_0-9]+)"', text)
    for name in PresetForm.base_fields:
        if name not in {"quality_by", "audio__copy_codecs"}:  # several boxes of one name
            assert names.count(name) == 1, name
    assert {"quality_by", "audio__copy_codecs"} <= set(names)


def test_problems_are_listed_on_top_with_a_way_to_each(as_admin: Client) -> None:
    text = as_admin.post(url("preset_new"), posted(video__crf="99", name="")).content.decode()
    assert '<a class="link" href="#id_name">Name</a>' in text
    text = as_admin.post(url("preset_new"), posted(video__crf="99")).content.decode()
    assert '<a class="link" href="#id_video__crf">CRF</a>: It is 99' in text


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


def words_of(**groups: Any) -> dict[str, str]:
    raw = PresetSpec().to_json()
    for name, value in groups.items():
        raw[name] = raw[name] | value if isinstance(value, dict) else value
    return dict(preset_words(PresetSpec.from_json(raw)))


@pytest.mark.parametrize(
    ("groups", "label", "sentence"),
    [
        ({"audio": {"keep_commentary": False}}, "Audio", "; without commentary."),
        ({"subtitles": {"mode": "drop"}}, "Subtitles", "Left out, but forced ones are kept."),
        ({"subtitles": {"mode": "drop", "keep_forced": False}}, "Subtitles", "Left out."),
        (
            {"subtitles": {"languages": ["eng"]}},
            "Subtitles",
            "Subtitles in eng are kept; forced ones in any language.",
        ),
        ({"min_saving_pct": -5}, "Size", "may be up to 5 % larger than the original"),
        ({"min_saving_pct": 0}, "Size", "is taken unless it is larger"),
        ({"video": {"crf": None, "target_vmaf": 95}}, "Video", "as small as VMAF 95 allows"),
        (
            {"video": {"crf": None, "target_vmaf": 42, "target_metric": "xpsnr"}},
            "Video",
            "as small as XPSNR 42 dB allows",
        ),
        (
            {"video": {"crf": None, "bit_rate_kbps": 4000, "two_pass": True}},
            "Video",
            "4,000 kb/s in two passes",
        ),
        ({"video": {"hardware": "prefer"}}, "Video", "wherever one works (not tried on hardware)"),
        ({"video": {"encoder": "hevc_nvenc"}}, "Video", "NVENC HEVC (not tried on hardware)"),
        ({"video": {"hdr": "hdr10"}}, "Video", "may be reduced to HDR10"),
        ({"video": {"frame_rate": "constant"}}, "Video", "uneven frame rates are made even"),
        ({"video": {"crop_borders": True}}, "Video", "black bars that never change are cropped"),
        ({"video": {"chunking": "never"}}, "Video", "in one piece"),
        ({"video": {"extra_options": "aq-mode=3"}}, "Video", "with aq-mode=3"),
        ({"audio": {"add_stereo": True}}, "Audio", "a stereo track is added"),
        ({"audio": {"drop_titles": ["Karaoke"]}}, "Audio", "without tracks titled “Karaoke”"),
        ({"audio": {"default_language": "deu"}}, "Audio", "deu plays by default"),
        (
            {"audio": {"languages": ["deu", "eng"], "sort_by_language": True}},
            "Audio",
            "in this order of languages",
        ),
        (
            {"subtitles": {"mode": "convert", "convert_to": "srt"}},
            "Subtitles",
            "converted to SubRip",
        ),
        ({"subtitles": {"image_subtitles": "drop"}}, "Subtitles", "(PGS, VobSub) are left out"),
        ({"subtitles": {"default_language": "eng"}}, "Subtitles", "eng shows by default"),
        (
            {"hours": ["mon-fri 22:00-06:00"], "at_hours_end": "hand_back"},
            "When",
            "Only mon-fri 22:00-06:00; a film that runs then is stopped and keeps its chunks.",
        ),
        ({}, "When", "At any time"),
    ],
)
def test_every_rule_is_said_in_words(groups: dict[str, Any], label: str, sentence: str) -> None:
    assert sentence in words_of(**groups)[label]


def test_what_chromecast_plays_already_is_said_to_be_skipped() -> None:
    chromecast = next(p.spec for p in BUILTIN_PRESETS if p.slug == "chromecast")
    assert "Chromecast plays already are skipped" in dict(preset_words(chromecast))["Result"]


@pytest.mark.parametrize("family", sorted(ENCODERS))
def test_every_encoder_has_words_and_a_badge(family: str) -> None:
    spec = PresetSpec(video=VideoRule(encoder=family, crf=30))
    assert dict(preset_words(spec))["Video"]
    assert badges_of(spec)[0] in {"H.264", "HEVC", "AV1"}
