"""While the broker takes no answers: nothing is counted, nothing more is taken, polls go on."""

import asyncio
from typing import Any

import pytest
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.serving import mode as mode_module
from ounce_schemas.errors import BrokerError
from ounce_schemas.topics import requests_topic

from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.pipelines import pipeline
from tests.support.edge.serving import FakeDelivery, serving_of


def records(offsets: range) -> list[FakeRecord]:
    topic = requests_topic(DIGITS.name)
    return [FakeRecord(raw(1, 2, 3, 4), offset_=i, partition_=0, topic_=topic) for i in offsets]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Of a series; 0 where it is absent."""
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("is_transactional", [False, True])
def test_answers_count_once_the_broker_has_them_and_nothing_is_taken_before(
    is_transactional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mode_module, "PATIENCE_S", 0.05)
    one = pipeline(served(DIGITS, "a", ms_per_item=0.01))
    metrics, now_s = Metrics(), 100.0
    health = Health(lambda: now_s)
    delivery = FakeDelivery(is_transactional)
    serving = serving_of(one, delivery=delivery, metrics=metrics, health=health)

    def counted() -> float:
        return value(
            metrics, "ounce_messages_total", task=DIGITS.name, model="a", outcome="answered"
        )

    async def polls() -> None:
        nonlocal now_s
        delivery.takes_nothing = True
        await serving.take(records(range(5)))
        await serving.take(records(range(5, 10)))
        delivery.unconfirmed_s = 4.0
        delivery.trouble = "too few replicas"
        now_s += 1.0
        for _ in range(3):
            await serving.work()
            assert serving.room() == 0
        assert serving.is_full
        assert counted() == 0.0
        assert health.progress_at_s == now_s  # alive: it goes on by itself
        serving.tell()
        assert value(metrics, "ounce_unconfirmed_seconds") == 4.0
        stalled = {"task": DIGITS.name, "kind": "delivery-stalled"}
        assert value(metrics, "ounce_events_total", **stalled) == 1.0
        delivery.takes_nothing, delivery.trouble = False, None
        await serving.work()
        serving.tell()
        assert (counted(), len(delivery.published)) == (10.0, 10)
        assert serving.room() > 0
        resumed = {"task": DIGITS.name, "kind": "delivery-resumed"}
        assert value(metrics, "ounce_events_total", **resumed) == 1.0
        assert [at.offset for at in delivery.take_acknowledged()][-1] == 10

    asyncio.run(polls())


@pytest.mark.parametrize("is_transactional", [False, True])
def test_a_delivery_that_can_not_go_on_is_noticed_while_nothing_more_comes(
    is_transactional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = FakeDelivery(is_transactional)
    serving = serving_of(pipeline(served(DIGITS, "a")), delivery=delivery)
    asyncio.run(serving.take(records(range(5))))

    def fail(_: Any) -> bool:
        raise BrokerError("no right to write")

    monkeypatch.setattr(delivery, "wait", fail)
    with pytest.raises(BrokerError, match="no right to write"):
        asyncio.run(serving.work())


def test_exactly_once_the_end_of_a_partition_waits_for_records_that_no_transaction_answers_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mode_module, "PATIENCE_S", 0.05)
    delivery = FakeDelivery(is_transactional=True)
    serving = serving_of(pipeline(served(DIGITS, "a")), delivery=delivery)
    topic = requests_topic(DIGITS.name)

    async def polls() -> None:
        delivery.takes_nothing = True
        await serving.take(records(range(5)))
        await serving.take(records(range(5, 10)))
        serving.reach_ends({(topic, 0): 12})
        await serving.work()
        assert delivery.take_acknowledged() == []
        delivery.takes_nothing = False
        await serving.work()

    asyncio.run(polls())
    offsets = [at.offset for at in delivery.take_acknowledged()]
    assert offsets == sorted(offsets)
    assert offsets[-1] == 12
    assert len(delivery.published) == 10
