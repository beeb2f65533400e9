"""One rule over 100,000 films: its first run, which writes a decision about each of them, and the
next, which finds nothing new. Both with a limit of 20 films a day, as rules have.
"""

from __future__ import annotations

from benchmarks.instance import MARK, bench_instance
from benchmarks.result import Row

FILES = 100_000
AT_MOST_S = 1.0
_CODE = f"""
import json, time
from datetime import timedelta
from django.utils import timezone
from benchmarks.synthetic import fill_library
from library.models import MediaFile
from transcode.models import Job, Preset, Rule, RuleDecision
from transcode.rules.engine import run_rule
fill_library({FILES})
preset = Preset.objects.get(slug="balanced")
document = {{}}
def timed(name, rule, now):
    begun = time.monotonic()
    run = run_rule(rule, now)
    document[name] = time.monotonic() - begun
    assert not run.note, run.note
    assert run.matched > 0.99 * MediaFile.objects.count(), run.matched
    return run
now = timezone.now()
rule = Rule.objects.create(name="All", preset=preset, max_files_per_day=20)
first = timed("first", rule, now)
assert first.queued == 20
assert RuleDecision.objects.filter(rule=rule).count() == first.matched
document["verdicts"] = len(first.by_verdict)
again = timed("again", rule, now + timedelta(minutes=1))
assert again.queued == 0 and again.pk is None
assert RuleDecision.objects.filter(rule=rule).count() == first.matched
following = timed("following", rule, now + timedelta(days=1))
assert following.queued == 20
free = Rule.objects.create(name="No limit", preset=preset)
everything = timed("everything", free, now)
document["queued"] = everything.queued
print("{MARK}" + json.dumps(document))
"""


def run() -> list[Row]:
    with bench_instance() as instance:
        found = instance.measure(_CODE)
    limit = f"under {AT_MOST_S:g}"
    kinds = f"{FILES:,} decisions of {found['verdicts']} kinds written, 20 queued"
    return [
        Row("one rule over 100,000 films, first run", found["first"], limit, "s",
            found["first"] < AT_MOST_S, kinds),
        Row("again, nothing new", found["again"], limit, "s", found["again"] < AT_MOST_S),
        Row("the next day, 20 more", found["following"], limit, "s",
            found["following"] < AT_MOST_S),
        Row("without any limit", found["everything"], "", "s", None,
            f"{found['queued']:,} queued"),
    ]  # fmt: skip
