"""Answers and the offsets that they answer are in one transaction, whatever happens between."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from ounce_edge.broker.delivery import transactional_producer as transactions
from ounce_edge.broker.delivery.exactly_once import ExactlyOnce
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.transaction_failures import AbortCause
from ounce_schemas.errors import BrokerError

from tests.support.edge.outgoing import outgoing
from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

WAIT_S = 30.0
NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}


class FakeProducer:
    """Remembers transactions; each commit waits for leave."""

    def __init__(self, settings: Any, logger: Any) -> None:
        self.committed: list[tuple[list[bytes], list[int]]] = []
        self.may_commit = threading.Event()
        self._values: list[bytes] = []
        self._offsets: list[int] = []

    def init_transactions(self, timeout: float) -> None:
        pass

    def begin_transaction(self) -> None:
        self._values, self._offsets = [], []

    def produce(self, topic: str, value: bytes, *rest: Any) -> None:
        self._values.append(value)

    def send_offsets_to_transaction(
        self, offsets: list[TopicPartition], metadata: Any, timeout: float
    ) -> None:
        self._offsets += [at.offset for at in offsets]

    def commit_transaction(self, timeout: float) -> None:
        self.may_commit.wait(30)
        self.committed.append((self._values, self._offsets))

    def purge(self) -> None:
        pass

    def flush(self, timeout: float) -> None:
        pass


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExactlyOnce]:
    monkeypatch.setattr(transactions, "Producer", FakeProducer)
    own = ExactlyOnce(Publishing(NOWHERE), transactional_id="t")
    yield own
    producer_of(own).may_commit.set()
    own.close()


def producer_of(delivery: ExactlyOnce) -> FakeProducer:
    producer = delivery._producer._producer
    assert isinstance(producer, FakeProducer)
    return producer


def publish(delivery: ExactlyOnce, value: bytes) -> None:
    delivery.publish(outgoing("answers", [value]))


def at(offset: int) -> list[TopicPartition]:
    return [TopicPartition("requests", 0, offset)]


def nothing(_: Any) -> None:
    pass


def raising(error: KafkaError) -> Callable[..., None]:
    def step(*_: Any) -> None:
        raise KafkaException(error)

    return step


def test_answers_without_offsets_are_never_committed(delivery: ExactlyOnce) -> None:
    producer_of(delivery).may_commit.set()
    publish(delivery, b"one")
    delivery.start_confirming([], nothing)
    with pytest.raises(BrokerError, match="without offsets"):
        delivery.wait(WAIT_S)
    assert producer_of(delivery).committed == []


FENCED = KafkaError(KafkaError._FENCED, fatal=True)
OUT_OF_STATE = KafkaError(KafkaError.INVALID_TXN_STATE, fatal=True)
SILENT = KafkaError(KafkaError._TIMED_OUT, retriable=True)
ABORTABLE = KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, txn_requires_abort=True)


def test_a_refusal_that_comes_while_offsets_are_sent_is_known_as_one(
    delivery: ExactlyOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = producer_of(delivery)
    monkeypatch.setattr(
        first,
        "send_offsets_to_transaction",
        raising(KafkaError(KafkaError._STATE, txn_requires_abort=True)),
    )
    monkeypatch.setattr(
        first,
        "commit_transaction",
        raising(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True)),
    )
    monkeypatch.setattr(first, "abort_transaction", lambda timeout: None, raising=False)
    publish(delivery, b"one")
    delivery.start_confirming(at(1), nothing)
    wait_until(lambda: producer_of(delivery) is not first, lambda: "no other producer")
    second = producer_of(delivery)
    second.may_commit.set()
    assert delivery.wait(WAIT_S)
    assert not delivery.is_aborted
    assert [value for values, _ in second.committed for value in values] == [b"one"]


def test_on_kafka_a_refusal_that_comes_while_offsets_are_sent_is_named(
    kafka: str, topics: OwnTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, answers = f"in-{uuid.uuid4()}", f"out-{uuid.uuid4()}"
    topics.make([requests])
    topics.make([answers], config={"max.message.bytes": "1000"})
    producer = transactions.TransactionalProducer(
        Publishing({"bootstrap.servers": kafka}), f"test-{requests}"
    )

    def fail_meanwhile(*_: Any) -> None:
        """As the client does where the broker refuses a record while offsets are sent."""
        producer._producer.flush(WAIT_S)
        raise KafkaException(KafkaError(KafkaError._STATE, txn_requires_abort=True))

    monkeypatch.setattr(producer, "_send_offsets", fail_meanwhile)
    member = Consumer({"bootstrap.servers": kafka, "group.id": requests})
    offsets = [TopicPartition(requests, 0, 1)]
    batch = [outgoing(answers, [os.urandom(5000)])]
    [refusal] = producer.commit(batch, offsets, member.consumer_group_metadata())
    assert "too large" in refusal.why.lower()
    [at] = member.committed([TopicPartition(requests, 0)], timeout=60)
    assert at.offset < 0
    member.close()
    producer.close()


@pytest.mark.parametrize(
    ("step", "error", "of_abort"),
    [
        ("begin_transaction", FENCED, FENCED),
        ("send_offsets_to_transaction", FENCED, FENCED),
        ("commit_transaction", FENCED, FENCED),
        ("commit_transaction", OUT_OF_STATE, OUT_OF_STATE),
        ("commit_transaction", SILENT, SILENT),
        ("send_offsets_to_transaction", ABORTABLE, OUT_OF_STATE),
        ("send_offsets_to_transaction", ABORTABLE, SILENT),
    ],
)
def test_one_that_can_not_go_on_is_replaced_and_its_records_are_read_again(
    delivery: ExactlyOnce,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    error: KafkaError,
    of_abort: KafkaError,
) -> None:
    monkeypatch.setattr(delivery._producer, "_hung_s", 0)
    lost = producer_of(delivery)
    monkeypatch.setattr(lost, step, raising(error), raising=False)
    monkeypatch.setattr(lost, "abort_transaction", raising(of_abort), raising=False)
    publish(delivery, b"one")
    delivery.start_confirming(at(1), nothing)
    delivery.wait(WAIT_S)
    assert delivery.is_aborted
    assert producer_of(delivery) is not lost
    producer_of(delivery).may_commit.set()
    publish(delivery, b"dropped: it is read again")
    delivery.start_confirming(at(2), nothing)
    delivery.start_over()
    publish(delivery, b"one")
    delivery.start_confirming(at(1), nothing)
    delivery.wait(WAIT_S)
    assert producer_of(delivery).committed == [([b"one"], [1])]


def test_a_new_one_that_can_not_start_either_is_replaced_again(
    delivery: ExactlyOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery._producer, "_hung_s", 0)
    lost, outcomes = producer_of(delivery), iter([raising(SILENT), raising(SILENT)])
    monkeypatch.setattr(lost, "commit_transaction", raising(SILENT))
    monkeypatch.setattr(
        FakeProducer, "init_transactions", lambda *_: next(outcomes, lambda: None)()
    )
    publish(delivery, b"one")
    delivery.start_confirming(at(1), nothing)
    delivery.wait(WAIT_S)
    assert delivery.is_aborted
    assert next(outcomes, None) is None
    assert producer_of(delivery) is not lost


def test_what_no_new_producer_mends_ends_the_worker(
    delivery: ExactlyOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = raising(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    for step in ("send_offsets_to_transaction", "abort_transaction"):
        monkeypatch.setattr(producer_of(delivery), step, refuse, raising=False)
    publish(delivery, b"one")
    delivery.start_confirming(at(1), nothing)
    with pytest.raises(BrokerError, match=r"can't send offsets in .* grant this user Write"):
        delivery.wait(WAIT_S)


def test_on_kafka_one_that_was_fenced_goes_on_and_every_answer_is_there_once(
    kafka: str, topics: OwnTopics
) -> None:
    requests, answers = f"in-{uuid.uuid4()}", f"out-{uuid.uuid4()}"
    topics.make([requests, answers])
    member = Consumer({"bootstrap.servers": kafka, "group.id": requests})
    own_id = f"test-{requests}"
    publishing = Publishing({"bootstrap.servers": kafka})
    causes: list[AbortCause] = []
    first = ExactlyOnce(publishing, transactional_id=own_id, on_abort=causes.append)
    second = ExactlyOnce(publishing, transactional_id=own_id, on_abort=causes.append)
    deliveries = {b"first": first, b"second": second}  # the second one fenced the first one
    for delivery in deliveries.values():
        delivery.follow(member)
    n_aborted = 0
    for offset, name in enumerate([b"second", b"first", b"second", b"second"], start=1):
        delivery = deliveries[name]
        while True:
            delivery.publish(outgoing(answers, [b"%d" % offset], [name]))
            delivery.start_confirming([TopicPartition(requests, 0, offset)], nothing)
            delivery.wait(WAIT_S)
            if not delivery.is_aborted:
                break
            n_aborted += 1
            [at] = member.committed([TopicPartition(requests, 0)], timeout=60)
            assert at.offset == offset - 1
            delivery.start_over()
    assert causes == [AbortCause.FENCED] * n_aborted
    assert n_aborted == 2
    [at] = member.committed([TopicPartition(requests, 0)], timeout=60)
    assert at.offset == 4
    member.close()
    for delivery in deliveries.values():
        delivery.close()
    reader = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": f"{requests}-reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    reader.assign([TopicPartition(answers, 0, 0)])
    read = []
    while (message := reader.poll(10)) is not None and message.error() is None:
        read.append(message.value())
    reader.close()
    assert read == [b"1", b"2", b"3", b"4"]
