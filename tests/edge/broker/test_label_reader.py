"""Labels as they come from Kafka."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from ounce_edge.broker import label_reader
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.evidence.answer_block import AnswerGroup
from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_schemas.label import Label, LabelOutcome

from tests.edge.broker.test_label_reading import NO_LABELS
from tests.support.edge.ladders import DIGITS
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

TIMEOUT_S = 30.0


class Inbox:
    """All that a reader gave so far."""

    def __init__(self, reader: LabelReader) -> None:
        self._reader = reader
        self.labels: dict[str, list[Label]] = {}
        self.losses: Counter[tuple[str, str]] = Counter()

    def wait_for(self, n: int) -> None:
        """Return once `n` records came, good or bad."""
        deadline = time.monotonic() + TIMEOUT_S
        while sum(map(len, self.labels.values())) + self.losses.total() < n:
            assert time.monotonic() < deadline, (self.labels, self.losses)
            self.take()
            time.sleep(0.02)

    def take(self) -> None:
        """Add what came meanwhile."""
        for task, labels in self._reader.drain().items():
            self.labels.setdefault(task, []).extend(labels)
        for task, outcomes in self._reader.take_losses().items():
            for outcome, count in outcomes.items():
                self.losses[task, str(outcome)] += count


def publish(servers: str, topic: str, *records: tuple[bytes | None, Any]) -> None:
    with Producer({"bootstrap.servers": servers, "linger.ms": 0}) as producer:
        for value, headers in records:
            producer.produce(topic, value, headers=headers)
        assert producer.flush(TIMEOUT_S) == 0


def label(id_: str) -> tuple[bytes, None]:
    return b'{"id":"%b","label":"1"}' % id_.encode(), None


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again sooner than it would."""
    monkeypatch.setattr(label_reader, "_LOOK_AGAIN_S", 0.2)
    monkeypatch.setattr(label_reader, "_FAILED_AGAIN_S", 0.2)


@pytest.fixture
def reader(kafka: str, topics: OwnTopics) -> Iterator[LabelReader]:
    topics.make(["ounce.a.labels"], partitions=3)
    topics.make(["ounce.b.labels"])
    publish(kafka, "ounce.a.labels", label("early"), label("earlier"))
    with closing(LabelReader(kafka, ["a", "b"], bound=100)) as own:
        assert own.wait_until_reading(TIMEOUT_S)
        yield own


@pytest.mark.kafka
def test_bad_records_cost_the_good_ones_nothing(
    kafka: str, reader: LabelReader, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox(reader)
    for i, bad in enumerate(NO_LABELS):
        publish(kafka, "ounce.a.labels", bad, label(f"good-{i}"))
    publish(kafka, "ounce.b.labels", label("other"), label("other"))
    inbox.wait_for(2 * len(NO_LABELS) + 2)
    assert {str(found.id) for found in inbox.labels["a"]} == {
        f"good-{i}" for i in range(len(NO_LABELS))
    }
    assert [found.id for found in inbox.labels["b"]] == ["other", "other"]
    assert inbox.losses == {("a", "undecodable"): len(NO_LABELS)}
    assert [r.message.startswith("not a label: ounce.a.labels[") for r in caplog.records] == [True]
    assert (reader.drain(), reader.take_losses()) == ({}, {})


@pytest.mark.kafka
def test_every_label_is_accounted_for(kafka: str, reader: LabelReader) -> None:
    memory = AnswerMemory(DIGITS)
    ids, predicted = [b'"1"', b'"2"', b'"ounce.a.requests-0-7"'], np.array([0, 1, 2])
    memory.remember(AnswerGroup([ids], None, None, "light", predicted))
    publish(
        kafka,
        "ounce.b.labels",  # one partition: in this order
        (b'{"id":"1","label":"no such class"}', None),
        (b'{"id":"1","label":"zero"}', None),
        (b'{"id":"1","label":"zero"}', None),
        (b'{"id":"of last week","label":"zero"}', None),
        (b'{"label":"zero"}', [("ce_id", b"2")]),
        ('{"id":"ounce.a.requests-0-7","label":"zwölf"}'.encode(), None),
        (b"\x00", None),
        (None, None),
    )
    inbox = Inbox(reader)
    inbox.wait_for(8)
    joined = memory.join(inbox.labels["b"])
    assert joined.plans["light"].acceptable.tolist() == [True, False, True]
    assert {str(outcome): n for outcome, n in joined.outcomes.items() if n} == {
        "joined": 3,
        "unknown": 1,
        "repeated": 1,
        "invalid": 1,
    }
    assert inbox.losses == {("b", "undecodable"): 2}


@pytest.mark.kafka
def test_what_nobody_drains_is_bounded(kafka: str, reader: LabelReader) -> None:
    publish(kafka, "ounce.b.labels", *(label(str(i)) for i in range(250)))
    publish(kafka, "ounce.b.labels", label("last"))
    losses = reader._losses["b"]
    wait_until(lambda: losses[LabelOutcome.DROPPED] >= 151, lambda: losses)
    labels = reader.drain()["b"]
    assert (len(labels), labels[0].id, labels[-1].id) == (100, "151", "last")
    assert reader.take_losses() == {"b": {LabelOutcome.DROPPED: 151}}


@pytest.mark.kafka
def test_an_absent_topic_is_told_of_once_and_read_when_it_is_there(
    kafka: str, topics: OwnTopics, caplog: pytest.LogCaptureFixture
) -> None:
    topics.make(["ounce.b.labels"])
    with closing(LabelReader(kafka, ["a", "b"])) as reader:
        assert reader.wait_until_reading(TIMEOUT_S)
        inbox = Inbox(reader)
        publish(kafka, "ounce.b.labels", label("1"))
        inbox.wait_for(1)
        time.sleep(0.5)  # looks for the other topic several times
        topics.make(["ounce.a.labels"])
        publish(kafka, "ounce.a.labels", label("2"))  # before the reader finds it
        inbox.wait_for(2)
        publish(kafka, "ounce.b.labels", label("3"))
        inbox.wait_for(3)
    assert [found.id for found in inbox.labels["a"]] == ["2"]
    assert [found.id for found in inbox.labels["b"]] == ["1", "3"]
    assert [record.message for record in caplog.records] == [
        "no topic ounce.a.labels: nothing is learned from labels"
    ]


@pytest.mark.kafka
def test_partitions_that_a_topic_gains_are_read_from_their_beginning(
    kafka: str, topics: OwnTopics, reader: LabelReader
) -> None:
    topics.grow("ounce.b.labels", 2)
    with Producer({"bootstrap.servers": kafka}) as producer:
        for partition in (0, 1):
            producer.produce("ounce.b.labels", label(f"of-{partition}")[0], partition=partition)
    inbox = Inbox(reader)
    inbox.wait_for(2)
    assert {found.id for found in inbox.labels["b"]} == {"of-0", "of-1"}


@pytest.mark.kafka
def test_labels_that_expired_unread_cost_only_themselves(
    kafka: str, topics: OwnTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.make(["ounce.a.labels"])
    publish(kafka, "ounce.a.labels", *[label(str(i)) for i in range(3)])

    class Late(Consumer):
        """Asked for the end when there was one label, and reads when two have expired."""

        def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
            topics.cut("ounce.a.labels", 2)
            return 0, 1

    monkeypatch.setattr(label_reader, "Consumer", Late)
    with closing(LabelReader(kafka, ["a"])) as reader:
        inbox = Inbox(reader)
        inbox.wait_for(1)
    assert [found.id for found in inbox.labels["a"]] == ["2"]


@pytest.mark.kafka
def test_a_look_that_fails_passes_no_label_over(
    kafka: str, topics: OwnTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics.make(["ounce.a.labels"])
    looks = list[int]()

    class Away(Consumer):
        """Does not answer the second look, and a label comes meanwhile."""

        def list_topics(self, *arguments: Any, **options: Any) -> Any:
            looks.append(1)
            if len(looks) == 2:
                publish(kafka, "ounce.a.labels", label("meanwhile"))
                raise KafkaException(KafkaError(KafkaError._TRANSPORT))
            return super().list_topics(*arguments, **options)

    monkeypatch.setattr(label_reader, "Consumer", Away)
    with closing(LabelReader(kafka, ["a"])) as reader:
        inbox = Inbox(reader)
        inbox.wait_for(1)
    assert [found.id for found in inbox.labels["a"]] == ["meanwhile"]


@pytest.mark.kafka
def test_labels_go_on_after_an_outage(
    private_kafka: ApacheKafka, caplog: pytest.LogCaptureFixture
) -> None:
    servers = private_kafka.bootstrap_servers
    OwnTopics(servers).make(["ounce.a.labels"])
    with closing(LabelReader(servers, ["a"])) as reader:
        assert reader.wait_until_reading(TIMEOUT_S)
        inbox = Inbox(reader)
        publish(servers, "ounce.a.labels", label("before"))
        inbox.wait_for(1)
        private_kafka.restart()
        publish(servers, "ounce.a.labels", label("after"))
        inbox.wait_for(2)
    assert [found.id for found in inbox.labels["a"]] == ["before", "after"]


def test_no_broker_at_all_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(label_reader, "_TIMEOUT_S", 0.2)
    with closing(LabelReader("127.0.0.1:1", ["a"])) as reader:
        assert not reader.wait_until_reading(1.0)
        assert (reader.drain(), reader.take_losses()) == ({}, {})
    assert [r.message.split(":")[0] for r in caplog.records if r.levelno >= logging.WARNING] == [
        "no labels for now, trying again"
    ]
