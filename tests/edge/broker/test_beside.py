"""Asking on a thread of its own."""

from collections.abc import Callable

import pytest
from ounce_edge.broker import beside


def test_what_was_raised_is_told() -> None:
    told = beside.beside(lambda: 1 // 0, "division")
    assert isinstance(told.exception(60), ZeroDivisionError)


def test_nobody_is_asked_for_who_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[Callable[[], None]] = []

    class Late:
        def __init__(self, target: Callable[[], None], name: str, daemon: bool) -> None:
            late.append(target)

        def start(self) -> None:
            pass

    monkeypatch.setattr(beside.threading, "Thread", Late)
    asked: list[int] = []
    told = beside.beside(lambda: asked.append(1), "late")
    assert told.cancel()
    late[0]()
    assert asked == []
