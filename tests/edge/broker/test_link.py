"""No client of a worker waits a minute for a connection that is lost without a word."""

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer
from ounce_edge.broker import compacted, event_producer, label_reader
from ounce_edge.broker.delivery import at_least_once
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.transactional_producer import TRANSACTION_SETTINGS
from ounce_edge.broker.link import SILENT_MS
from ounce_edge.broker.reading.consumer import CONSUMER_SETTINGS
from ounce_edge.recommender.pacing.transaction_size import LONGEST_MS
from ounce_edge.worker.reading.subscription import make_broker
from ounce_edge.worker.settings.worker import WorkerSettings

SLOW_LINE_BYTES = 1e6 / 8 * SILENT_MS / 1e3
"""What 1 Mbit/s carries before a client gives up."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Settings of producers that are made; they reach nothing."""
    found: list[dict[str, Any]] = []

    class Producer:
        def __init__(self, settings: dict[str, Any], logger: object = None) -> None:
            found.append(settings)

    for module in (at_least_once, event_producer):
        monkeypatch.setattr(module, "Producer", Producer)
    return found


@pytest.mark.parametrize(
    "make",
    [
        lambda: at_least_once.AtLeastOnce(Publishing({"bootstrap.servers": "nowhere:1"})),
        lambda: event_producer.EventProducer("nowhere:1"),
    ],
)
def test_a_producer_sends_again_before_anybody_gives_up(
    made: list[dict[str, Any]], make: Callable[[], object]
) -> None:
    make()
    [settings] = made
    assert settings["socket.timeout.ms"] == SILENT_MS
    assert settings.get("message.timeout.ms") in (0, 30_000)
    assert 10 * settings["batch.size"] <= SLOW_LINE_BYTES  # so many requests are under way


@pytest.mark.parametrize("reader", [label_reader.LabelReader, compacted.TopicFollower])
def test_a_reader_waits_for_as_long_as_the_broker_may_and_a_little(
    reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_run", lambda self: None)
    of = ("t", None) if reader is compacted.TopicFollower else (("digits",),)
    settings = reader("nowhere:1", *of, fetch_wait_ms=700)._settings
    assert settings["socket.timeout.ms"] == SILENT_MS + settings["fetch.wait.max.ms"]
    # Of all partitions. It is asked for the next ones at once, and so takes half of the line.
    assert 5 * settings["fetch.max.bytes"] <= SLOW_LINE_BYTES / 2
    Consumer(settings).close()  # the client takes these settings


def test_the_consumer_of_requests_reads_little_enough_for_a_slow_line() -> None:
    settings = WorkerSettings(task=("digits",), kafka="nowhere:1", fetch_wait_ms=60_000)
    hooks: Any = None
    config = make_broker(settings, hooks).config.broker_config.connection_config.config
    known: dict[str, Any] = {**config, **CONSUMER_SETTINGS}
    assert known["socket.timeout.ms"] == SILENT_MS + 60_000
    assert known["fetch.max.bytes"] <= SLOW_LINE_BYTES / 2  # labels take the other half
    Consumer({**CONSUMER_SETTINGS, "group.id": "g"}).close()  # the client takes these settings


def test_no_connection_is_idle_as_long_as_a_transaction_that_is_not_made_smaller() -> None:
    idle_ms = TRANSACTION_SETTINGS["connections.max.idle.ms"]
    assert idle_ms > 1.25 * LONGEST_MS  # the client is early by up to a tenth
    assert idle_ms > 0.5 * TRANSACTION_SETTINGS["transaction.timeout.ms"]  # as `Pace` has it
