"""Fixtures of the trials' tests, which are their short versions."""

import pytest

from trials.chaos.broker import ChaosKafka


@pytest.fixture(autouse=True)
def short_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChaosKafka, "runs_shortly", True)
