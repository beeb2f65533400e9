"""The result of one check, as `doctor` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`hint`: what to do when it is not ok. Callees of `doctor_checks` return a list of these."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
