"""In which order a transaction gets its records and offsets, on a client that a test plays."""

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from ounce_edge.broker.delivery import transactional_producer as room
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.broker.delivery.transactional_producer import TransactionalProducer
from ounce_edge.wire.records import Outgoing
from ounce_schemas.errors import BrokerError

from tests.support.edge.ladders import FakeRecord

BATCH = [Outgoing("out", [b"v"], [b"k"], [[]], None, [FakeRecord(b"v")])]
OFFSETS = [TopicPartition("in", 0, 1)]


class FakeProducer:
    """Notes what it is asked; where it fails, as the client does where a record is refused."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self.asked.append(name)

    def list_topics(self, *_: Any, **__: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    def send_offsets_to_transaction(self, *_: Any) -> None:
        self.asked.append("offsets")
        if self.fails:
            raise KafkaException(KafkaError(KafkaError._STATE, txn_requires_abort=True))

    def commit_transaction(self, *_: Any) -> None:
        self.asked.append("commit")
        if self.fails:
            code = KafkaError.MSG_SIZE_TOO_LARGE
            raise KafkaException(KafkaError(code, txn_requires_abort=True))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeProducer:
    fake = FakeProducer()
    monkeypatch.setattr(room, "Producer", lambda *_, **__: fake)
    return fake


@pytest.mark.parametrize("offsets_first", [False, True])
def test_offsets_go_first_where_others_wait_behind_the_records(
    client: FakeProducer, offsets_first: bool
) -> None:
    producer = TransactionalProducer(Publishing({}), "t", offsets_first=offsets_first)
    client.asked.clear()
    assert producer.commit(BATCH, OFFSETS, None) == []
    steps = [name for name in client.asked if name in ("produce", "offsets", "commit")]
    expected = ["offsets", "produce"] if offsets_first else ["produce", "offsets"]
    assert steps == [*expected, "commit"]
    producer.close()


@pytest.mark.parametrize("offsets_first", [False, True])
def test_a_refusal_is_named_whichever_goes_first(client: FakeProducer, offsets_first: bool) -> None:
    producer = TransactionalProducer(Publishing({}), "t", offsets_first=offsets_first)
    client.fails = True
    [refusal] = producer.commit(BATCH, OFFSETS, None)
    assert "too large" in refusal.why
    with pytest.raises(AbortedError):
        producer.commit([], OFFSETS, None)
    producer.close()


def test_a_producer_that_may_not_start_leaves_no_thread(client: FakeProducer) -> None:
    def init_transactions(*_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._FENCED, fatal=True))

    vars(client)["init_transactions"] = init_transactions
    others = set(threading.enumerate())
    with pytest.raises(BrokerError, match="another process has transactional id t"):
        TransactionalProducer(Publishing({}), "t")
    assert set(threading.enumerate()) <= others
