"""Failpoints and hooks: the process dies where it was told to, and no name is mistyped silently."""

from __future__ import annotations

import os
import signal

import pytest

from mediaflow.base import hooks
from mediaflow.base.failpoints import killer, reach


@pytest.mark.parametrize(
    ("wanted", "reached", "deaths"),
    [
        ("a.b", ["a.c", "a.b"], [2]),
        ("a.b:2", ["a.b", "a.c", "a.b", "a.b"], [3]),
        ("a.b:3", ["a.b", "a.b"], []),
    ],
)
def test_it_dies_at_the_named_point_and_count_alone(
    wanted: str, reached: list[str], deaths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    on_reach, found = killer(wanted), []
    for number, name in enumerate(reached, 1):
        on_reach(name)
        if killed:
            assert killed.pop() == (os.getpid(), signal.SIGKILL)
            found.append(number)
    assert found == deaths


def test_a_point_that_was_never_declared_is_a_programming_error() -> None:
    from mediaflow.base import failpoints

    failpoints.watch(lambda _name: None)
    try:
        with pytest.raises(KeyError):
            reach("no.such.point")
    finally:
        failpoints.watch(None)


def test_a_hook_has_a_known_name_and_calls_each_callee_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(hooks._registered, "periodic_tasks", [])

    def callee() -> None: ...

    hooks.register_hook("periodic_tasks", callee)
    hooks.register_hook("periodic_tasks", callee)
    assert hooks.hooked("periodic_tasks") == (callee,)
    with pytest.raises(KeyError):
        hooks.register_hook("no_such_hook", callee)
    with pytest.raises(KeyError):
        hooks.hooked("no_such_hook")
