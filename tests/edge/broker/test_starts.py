"""Where reading of a partition begins."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_edge.broker.broker_view import BrokerView, Marks, SilentBrokerError
from ounce_edge.broker.places import Partition
from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.broker.reading.starts import Start, Starts, start_at
from ounce_schemas.errors import BrokerError
from ounce_services.cluster.embedded import EmbeddedBroker

from tests.support.edge.serving import NOWHERE

ROOT = Path(__file__).parents[3]
ASKED_WITHIN_A_REBALANCE = """
import logging
from confluent_kafka import Consumer
from ounce_services.cluster.embedded import EmbeddedBroker
from tests.edge.broker.test_starts import of_broker

later = []

def begin(consumer, partitions):
    own.find(consumer, [(at.topic, at.partition) for at in partitions])
    own.unreadable({"t"})
    log.addFilter(lambda line: later.append(line) or False)

log = logging.getLogger("client")
log.setLevel(logging.DEBUG)
log.propagate = False
with EmbeddedBroker() as broker:
    broker.create_topics(["t"])
    own = of_broker(broker.bootstrap_servers)
    config = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "debug": "cgrp"}
    consumer = Consumer(config, logger=log)
    consumer.subscribe(["t"], on_assign=begin)
    while not later:
        consumer.consume(1, 1.0)
    consumer.close()
"""

A, B = ("t", 0), ("t", 1)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
UNSTABLE = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)


def test_an_offset_that_the_partition_has_is_where_to_go_on() -> None:
    marks = Marks(10, 20, 30)
    assert start_at(10, marks) == Start(10)
    assert start_at(30, marks) == Start(30)
    assert not start_at(30, marks).is_chosen


def test_what_lies_before_the_oldest_record_is_lost() -> None:
    assert start_at(4, Marks(10, 20, 30)) == Start(10, n_expired=6)


def test_an_offset_beyond_the_end_is_of_another_topic() -> None:
    assert start_at(31, Marks(10, 20, 30)) == Start(10, foreign=31)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("beginning", None),
        ("stop", None),
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("7d", NOW - timedelta(days=7)),
        ("999999999d", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2026-01-30", datetime(2026, 1, 30, tzinfo=UTC)),
        ("2026-01-30T10:00:00+02:00", datetime(2026, 1, 30, 8, tzinfo=UTC)),
    ],
)
def test_the_setting_is_a_word_an_age_or_a_time(text: str, since: datetime | None) -> None:
    expected_ms = None if since is None else since.timestamp() * 1e3
    assert NoOffsets.parse(text).since_ms(NOW) == expected_ms


@pytest.mark.parametrize("text", ["", "start", "1w", "h", "-1h", "2026-13-01", "99999999999d"])
def test_anything_else_is_refused_with_what_it_may_be(text: str) -> None:
    with pytest.raises(ValueError, match="is not beginning, end, answered, stop, an age"):
        NoOffsets.parse(text)


def starts(when_none: str, marks: Mapping[Partition, Marks], topic_id: str | None = None) -> Starts:
    view = SimpleNamespace(
        marks=lambda places: {p: marks[p] for p in places if p in marks},
        topic_ids=lambda topics: dict.fromkeys(topics, topic_id) if topic_id else {},
        topic=lambda name: SimpleNamespace(partitions={0: None, 1: None}),
    )
    parsed = NoOffsets.parse(when_none)
    return Starts(cast("BrokerView", view), parsed, is_eager=False, now=lambda: NOW)


def group_at(
    offsets: Mapping[int, int | KafkaError], at_times: int = -1, of_topic: str | None = None
) -> Any:
    """A consumer whose group has these offsets, of the topic with this id; a time is at offset
    `at_times`."""

    def committed(asked: list[TopicPartition], timeout: float) -> list[Any]:
        found = []
        for at in asked:
            offset = offsets.get(at.partition, -1001)
            error = offset if isinstance(offset, KafkaError) else None
            offset = -1001 if isinstance(offset, KafkaError) else offset
            found.append(
                SimpleNamespace(
                    topic="t", partition=at.partition, offset=offset, error=error, metadata=of_topic
                )
            )
        return found

    def offsets_for_times(asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert {at.offset for at in asked} == {int((NOW.timestamp() - 3600) * 1e3)}
        return [TopicPartition(at.topic, at.partition, at_times) for at in asked]

    return SimpleNamespace(committed=committed, offsets_for_times=offsets_for_times)


MARKS = {A: Marks(10, 30, 30), B: Marks(0, 0, 0)}


def test_an_offset_that_is_not_told_now_is_left_to_the_client() -> None:
    found = starts("stop", MARKS).find(group_at({0: UNSTABLE, 1: 0}), [A, B])
    assert found == {A: Start(None), B: Start(0)}


def test_where_the_broker_does_not_tell_what_it_keeps_the_groups_offset_counts() -> None:
    found = starts("stop", {B: Marks(0, 0, 0)}).find(group_at({0: 2}), [A])
    assert found == {A: Start(2)}
    assert starts("stop", {}).find(group_at({}), [A]) == {A: Start(None)}
    with pytest.raises(SilentBrokerError):
        starts("stop", {}).find(group_at({0: 2}), [A], {A: 7})


def test_what_was_to_be_read_next_counts_more_than_what_is_committed() -> None:
    found = starts("stop", MARKS).find(group_at({0: 2, 1: 0}), [A, B], {A: 7})
    assert found == {A: Start(10, n_expired=3), B: Start(0)}


def test_a_partition_without_offset_beside_one_that_has_is_new() -> None:
    for when in ("end", "stop", "1h"):
        found = starts(when, MARKS).find(group_at({1: 0}), [A])
        assert found == {A: Start(10, n_kept=0)}


@pytest.mark.parametrize(("when", "at_times", "expected"), [
    ("beginning", -1, 10), ("end", -1, 30), ("1h", 17, 17), ("1h", -1, 30),
])  # fmt: skip
def test_a_group_without_offsets_begins_as_set(when: str, at_times: int, expected: int) -> None:
    found = starts(when, MARKS).find(group_at({}, at_times), [A])
    assert found == {A: Start(expected, n_kept=20)}
    assert found[A].is_chosen


def test_to_stop_needs_requests_that_are_kept() -> None:
    assert starts("stop", MARKS).find(group_at({}), [B]) == {B: Start(0, n_kept=0)}
    with pytest.raises(BrokerError, match="no committed offsets of t, which holds requests"):
        starts("stop", MARKS).find(group_at({}), [A, B])


@pytest.mark.parametrize(
    ("of_topic", "topic_id", "expected"),
    [
        ("first", "second", Start(10, foreign=12, topic_id="second")),
        ("first", "first", Start(12, topic_id="first")),
        ("", "second", Start(12, topic_id="second")),  # whoever committed it did not say
        (None, "second", Start(12, topic_id="second")),
        ("first", None, Start(12)),  # the broker does not say
    ],
)
def test_an_offset_that_was_committed_for_another_topic_of_the_name_does_not_count(
    of_topic: str | None, topic_id: str | None, expected: Start
) -> None:
    own = starts("stop", MARKS, topic_id)
    assert own.find(group_at({0: 12}, of_topic=of_topic), [A]) == {A: expected}


def test_owners_before_that_ended_are_told_where_the_groups_offset_counts() -> None:
    of = "first attempts=2"
    own = starts("stop", MARKS, "first")
    assert own.find(group_at({0: 12}, of_topic=of), [A]) == {
        A: Start(12, topic_id="first", attempts=2)
    }
    assert own.find(group_at({0: 12}, of_topic=of), [A])[A].end == 30
    assert own.find(group_at({0: 7}, of_topic=of), [A]) == {
        A: Start(10, n_expired=3, topic_id="first")
    }
    other = starts("stop", MARKS, "second")
    assert other.find(group_at({0: 12}, of_topic=of), [A]) == {
        A: Start(10, foreign=12, topic_id="second")
    }


def of_broker(servers: str) -> Starts:
    kafka = {"bootstrap.servers": servers, "allow.auto.create.topics": False, "log_level": 0}
    view = BrokerView(lambda: AdminClient(kafka))
    return Starts(view, NoOffsets.parse("stop"), is_eager=False)


def test_a_topic_that_is_gone_can_not_be_read() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics(["there"])
        own = of_broker(broker.bootstrap_servers)
        assert own.unreadable(["there"]) is None
        assert own.unreadable(["there", "gone"]) == (
            "can't read gone: Broker: Unknown topic or partition"
        )


def test_a_topic_of_a_silent_broker_may_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ounce_edge.broker.broker_view._TIMEOUT_S", 0.2)
    assert of_broker(NOWHERE).unreadable(["t"]) is None


def test_a_consumer_is_of_use_after_questions_within_a_rebalance() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKED_WITHIN_A_REBALANCE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
