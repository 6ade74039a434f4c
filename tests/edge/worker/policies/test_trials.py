"""What is on trial is looked at again and again."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ounce_edge.worker.policies import trials
from ounce_edge.worker.policies.trials import Trials


def test_a_look_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_JUDGE_S", 0.0)
    n_looks, again = iter(range(9)), threading.Event()

    def look_again() -> None:
        if next(n_looks) == 0:
            raise OSError("nobody foresaw this")
        again.set()

    canaries = SimpleNamespace(is_comparing=False, evidence=lambda: {})
    of: Any = SimpleNamespace(
        canaries=canaries,
        _look_again=look_again,
        _metrics=SimpleNamespace(show_canary=lambda evidence: None),
    )

    async def run() -> bool:
        judging = asyncio.create_task(Trials.judge(of))
        is_repeated = await asyncio.to_thread(again.wait, 60)
        judging.cancel()
        return is_repeated

    assert asyncio.run(run())
