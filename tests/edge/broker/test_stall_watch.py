"""Telling that the broker takes nothing, once, with the cause, and that it does again."""

import time

import pytest
from ounce_edge.broker.delivery import stall_watch
from ounce_edge.broker.delivery.stall_watch import StallWatch, why_unconfirmed

from tests.support.process.wait import wait_until


def test_trouble_is_told_once_for_each_cause_and_its_end_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING")
    for_s, why, n_asked = 0.0, "no leader", 0

    def ask() -> str:
        nonlocal n_asked
        n_asked += 1
        return why

    watch = StallWatch(lambda: for_s, ask, every_s=0.01)
    time.sleep(0.05)
    assert (watch.trouble, n_asked) == (None, 0)
    for_s = 4.0
    wait_until(lambda: n_asked > 3, lambda: watch.trouble)
    assert watch.trouble == "no leader"
    why = "too few replicas"
    wait_until(lambda: watch.trouble == why, lambda: watch.trouble)
    for_s = 0.0
    wait_until(lambda: watch.trouble is None, lambda: watch.trouble)
    watch.close()
    assert [record.message for record in caplog.records] == [
        "the broker has taken no answer for 4 s: no leader",
        "the broker has taken no answer for 4 s: too few replicas",
        "the broker takes answers again, after 4 s",
    ]


def test_a_broker_that_is_not_there_is_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall_watch, "_ASK_S", 0.2)
    why = why_unconfirmed({"bootstrap.servers": "127.0.0.1:1", "linger.ms": 5}, ["t"])
    assert why is not None
    assert why.startswith("Kafka at 127.0.0.1:1 does not answer: ")
