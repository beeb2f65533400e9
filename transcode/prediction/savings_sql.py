"""What a preset would save, as expressions of the database: the callee of `savings_expression`.

The formula is that of `estimate`, `predict` and `learning`, over the columns of MediaFile. What
is costly (powers) is computed once per film: `video`, the picture's bytes afterwards, `before` and
`after`, the picture's bytes today and the sound's afterwards. `before` below 0: no encode helps;
null: too little is known. The rest is cheap, and only asked of the films that something is said of.
"""

from __future__ import annotations

import math
import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.db.models import BigIntegerField, Case, CharField, F, FloatField, Func, Q, Value, When
from django.db.models.functions import Cast, Greatest, Least, Length, Replace
from django.db.models.lookups import GreaterThanOrEqual

from mediaflow.base.film_hooks import SavedBytes, SavingsExpression
from transcode.models import Job, JobStatus, Preset
from transcode.prediction.estimate import codec_of_family, usual_crf
from transcode.prediction.learned_sql import BytesAfter, learned_range
from transcode.prediction.lessons import current_lessons
from transcode.prediction.usual import (
    DEFAULT_AUDIO_KBPS,
    DEFAULT_BPP,
    GENERATION,
    HARDWARE_FACTOR,
    HIGH,
    HIGH_OF_TARGET,
    LINES_TO_PIXELS,
    LOW,
    LOW_OF_TARGET,
    OVERHEAD_SHARE,
    REFERENCE_PIXELS,
    SIZE_EXPONENT,
    SOFTWARE,
    SPEED_FACTOR,
    USUAL,
    USUAL_BPP,
    USUAL_RATE,
)
from transcode.presets.spec import PresetProblem, PresetSpec

if TYPE_CHECKING:
    from django.db.models.expressions import Combinable

    from transcode.prediction.lessons import Lessons

_NO_ENCODE: Final = -1.0


def savings_for_preset(preset_slug: str) -> SavingsExpression | None:
    """None for an unknown preset, or one that an older version wrote and this cannot read."""
    preset = Preset.objects.filter(slug=preset_slug).first()
    if preset is None:
        return None
    try:
        spec = PresetSpec.from_json(preset.spec)
    except PresetProblem:
        return None
    return expression_of(spec, refused=_refused(preset))


def expression_of(
    spec: PresetSpec, *, lessons: Lessons | None = None, refused: Q | None = None
) -> SavingsExpression:
    """`refused`: films that the preset has been tried on in vain."""
    known = current_lessons() if lessons is None else lessons
    return SavingsExpression(
        parts=_parts(spec, refused), finish=lambda prefix: _finish(spec, known, prefix)
    )


def _refused(preset: Preset) -> Q:
    jobs = Job.objects.filter(
        preset_slug=preset.slug,
        status=JobStatus.SKIPPED,
        reason_code="not_worth_it",
        created_at__gte=preset.changed_at,
        file__isnull=False,
    )
    return Q(pk__in=jobs.values("file_id"))


@cache
def _has_pow() -> bool:
    """SQLite's own is ten times as fast as the one in Python that Django brings for `POWER`."""
    with sqlite3.connect(":memory:") as connection:
        try:
            connection.execute("SELECT pow(2.0, 0.5)")
        except sqlite3.OperationalError:
            return False
    return True


class _Power(Func):
    function = "POWER"
    arity = 2
    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="POW" if _has_pow() else "POWER", **extra)


def _number(value: float) -> Value:
    return Value(float(value), output_field=FloatField())


def _float(column: str) -> Cast:
    return Cast(column, FloatField())


def _case(*whens: When, default: Any) -> Case:
    return Case(*whens, default=default, output_field=FloatField())


def _parts(spec: PresetSpec, refused: Q | None) -> dict[str, Combinable]:
    nothing = Q(video_codec="") | Q(duration_ms=0) | ~Q(mediaflow_tag="")
    if spec.video.encoder == "copy":
        return {name: _number(_NO_ENCODE) for name in ("video", "before", "after")}
    if refused is not None:
        nothing |= refused
    unknown = Value(None, output_field=FloatField())
    is_known = Q(width__gt=0, height__gt=0)
    before, after = _sound(spec)
    picture = Greatest(_number(1.0), _float("size_bytes") - before)
    return {
        "before": _case(
            When(nothing, then=_number(_NO_ENCODE)),
            When(is_known, then=picture),
            default=unknown,
        ),
        "after": _case(When(is_known, then=after), default=unknown),
        "video": _case(When(is_known, then=_video(spec, picture)), default=unknown),
    }


def _seconds() -> Combinable:
    return _float("duration_ms") / _number(1000)


def _sound(spec: PresetSpec) -> tuple[Combinable, Combinable]:
    """Bytes of all tracks, before and after; as `estimate` has them for the columns of a file."""
    commas = Length("audio_languages") - Length(Replace("audio_languages", Value(","), Value("")))
    tracks = Case(
        When(audio_codec="", then=_number(0)),
        default=Greatest(_number(1), Cast(commas, FloatField()) - _number(1)),
        output_field=FloatField(),
    )
    channels: Any = _float("audio_channels") * tracks
    usual = _case(
        When(audio_channels__gt=0, then=_number(64) * channels),
        default=_number(DEFAULT_AUDIO_KBPS) * tracks,
    )
    before = Least(usual * _number(125) * _seconds(), _float("size_bytes") * _number(0.6))
    rule = spec.audio
    if rule.codec in ("copy", "flac"):
        return before, before
    if rule.max_channels:
        channels = Least(channels, _number(rule.max_channels) * tracks)
    converted = _number(rule.bit_rate_kbps_per_channel * 125) * channels * _seconds()
    return before, _case(
        When(Q(audio_codec="") | Q(size_bytes=0), then=converted),
        default=Least(before, converted),
    )


def _video(spec: PresetSpec, before: Combinable) -> Combinable:
    rule = spec.video
    if rule.bit_rate_kbps is not None:
        return _number(rule.bit_rate_kbps * 125) * _seconds()
    usual = USUAL[codec_of_family(rule.encoder)]
    halvings = (usual.at_crf - usual_crf(rule)) / usual.halving_crf
    bits = usual.bits_per_pixel * 2**halvings * SPEED_FACTOR[rule.speed]
    if rule.encoder not in SOFTWARE:
        bits *= HARDWARE_FACTOR
    pixels_before = _float("width") * _float("height")
    pixels: Combinable = pixels_before
    if rule.max_resolution:
        cap = Least(pixels_before, _number(LINES_TO_PIXELS[rule.max_resolution]))
        pixels = _case(When(resolution__gt=rule.max_resolution, then=cap), default=pixels_before)
    rate = _case(
        When(frame_rate_milli__gt=0, then=_float("frame_rate_milli") / _number(1000)),
        default=_number(USUAL_RATE),
    )
    # sqrt(bits per pixel / usual ones) * pixels * rate * seconds / 8, with the roots drawn together
    frames = rate * _seconds()
    effort = _Power(before * frames / (pixels_before * _usual_bpp()), _number(0.5))
    return _number(bits / math.sqrt(8)) * effort * pixels * _size_factor(pixels, pixels_before)


def _size_factor(pixels: Combinable, pixels_before: Combinable) -> Combinable:
    """One power where the size stays."""
    if pixels is pixels_before:
        return _Power(pixels / _number(REFERENCE_PIXELS), _number(SIZE_EXPONENT / 2))
    return _Power(pixels / _number(REFERENCE_PIXELS), _number(SIZE_EXPONENT)) * _Power(
        pixels_before / _number(REFERENCE_PIXELS), _number(-SIZE_EXPONENT / 2)
    )


def _usual_bpp() -> Case:
    whens = [When(video_codec=codec, then=_number(bpp)) for codec, bpp in USUAL_BPP.items()]
    return _case(*whens, default=_number(DEFAULT_BPP))


def _finish(spec: PresetSpec, lessons: Lessons, prefix: str) -> SavedBytes:
    rule = _rule_of_thumb(spec, prefix)
    after = learned_range(rule, spec, lessons)
    is_none, is_unknown = Q(**{f"{prefix}before__lt": 0}), Q(**{f"{prefix}before__isnull": True})
    size, zero = F("size_bytes"), Value(0, output_field=BigIntegerField())

    def saved(bytes_after: Combinable, when_unknown: Combinable) -> Case:
        return Case(
            When(is_none, then=zero),
            When(is_unknown, then=when_unknown),
            default=size - Cast(bytes_after, BigIntegerField()),
            output_field=BigIntegerField(),
        )

    plain = Value("bitrate" if spec.video.bit_rate_kbps else "rule")
    return SavedBytes(
        expected=_if_enough(saved(after.expected, size - size / Value(2)), spec.min_saving_pct),
        low=Greatest(zero, saved(after.high, zero)),
        high=Greatest(zero, saved(after.low, size - size / Value(10))),
        basis=Case(
            When(is_unknown, then=Value("fallback")),
            When(after.is_learned, then=Value("learned")),
            default=plain,
            output_field=CharField(),
        ),
    )


def _if_enough(expected: Combinable, pct: int) -> Case:
    """0 where less than so much of the film is saved."""
    is_enough = GreaterThanOrEqual(expected * Value(100), F("size_bytes") * Value(max(1, pct)))
    return Case(When(is_enough, then=expected), default=Value(0), output_field=BigIntegerField())


def _rule_of_thumb(spec: PresetSpec, prefix: str) -> BytesAfter:
    """As `estimate.estimate_size`."""
    rule = spec.video
    low, high = (LOW, HIGH) if rule.target_vmaf is None else (LOW_OF_TARGET, HIGH_OF_TARGET)
    low_rest, high_rest = (1.0, 1.0) if spec.audio.codec == "copy" else (0.7, 1.2)
    video = F(f"{prefix}video")
    # A newer codec than the source's hardly ever needs more than the source has.
    target = USUAL[codec_of_family(rule.encoder)].generation if rule.encoder != "copy" else 0
    newer = [codec for codec, generation in GENERATION.items() if generation > target]
    most = _case(When(video_codec__in=newer, then=_number(3.0)), default=_number(1.15))
    ceiling = F(f"{prefix}before") * most
    rest = F(f"{prefix}after") + _float("size_bytes") * _number(OVERHEAD_SHARE)
    return BytesAfter(
        Least(video, ceiling) + rest,
        Least(video * _number(low), ceiling) + rest * _number(low_rest),
        Least(video * _number(high), ceiling) + rest * _number(high_rest),
    )
