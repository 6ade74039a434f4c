"""The client leaks what it raises while another exception is handled, and all that this holds.

A batch that was aborted or refused is not to stay in memory for that.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from ounce_edge.broker.delivery import transactional_producer as transactions
from ounce_edge.broker.delivery.publishing import Publishing, produce
from ounce_edge.broker.delivery.transaction_failures import AbortedError
from ounce_edge.broker.delivery.transactional_producer import TransactionalProducer
from ounce_edge.wire.records import Outgoing
from ounce_schemas.errors import BrokerError

from tests.edge.broker.test_exactly_once import NOWHERE, FakeProducer, at, raising
from tests.support.edge.outgoing import outgoing

MAX_BYTES = 1000


class Values(list[bytes]):
    """Can be referred to weakly, other than a list."""


def is_kept(use: Callable[[Outgoing], None], value: bytes) -> bool:
    """Whether a batch of one answer stays in memory after it was used."""
    values = Values([value])
    seen = weakref.ref(values)
    use(outgoing("answers", values, [b"device"]))
    del values
    gc.collect()
    return seen() is not None


ERRORS = {
    "an abortable one": KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, txn_requires_abort=True),
    "a refusal": KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True),
    "a fatal one": KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_batch_is_forgotten_where_its_abort_fails(
    error: KafkaError, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Producer(NOWHERE | {"transactional.id": "t", "log_level": 0})  # it has begun none
    monkeypatch.setattr(transactions, "Producer", FakeProducer)
    producer = TransactionalProducer(Publishing(NOWHERE), "t")
    client: Any = producer._producer
    monkeypatch.setattr(client, "send_offsets_to_transaction", raising(error))
    monkeypatch.setattr(client, "abort_transaction", real.abort_transaction, raising=False)

    def commit(batch: Outgoing) -> None:
        with pytest.raises((BrokerError, AbortedError)):
            producer.commit([batch], at(1), None)

    assert not is_kept(commit, b"one")
    producer.close()


def test_a_batch_is_forgotten_whose_answer_is_too_large_without_its_key_too() -> None:
    real = Producer(NOWHERE | {"message.max.bytes": MAX_BYTES, "log_level": 0})

    def publish(batch: Outgoing) -> None:
        [(entry, why)] = produce(real, {}, batch)
        assert entry == 0
        assert "too large" in why

    assert not is_kept(publish, bytes(2 * MAX_BYTES))
