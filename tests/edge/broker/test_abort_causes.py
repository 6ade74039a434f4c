"""Why transactions are aborted, as it is counted."""

from typing import Any

import pytest
from confluent_kafka import KafkaError
from ounce_edge.broker.delivery import transactional_producer as transactions
from ounce_edge.broker.delivery.publishing import Publishing
from ounce_edge.broker.delivery.transaction_failures import AbortCause, AbortedError
from ounce_edge.broker.delivery.transactional_producer import TransactionalProducer
from ounce_edge.telemetry.metrics import Metrics

from tests.edge.broker.test_exactly_once import NOWHERE, FakeProducer, at, raising


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KafkaError(KafkaError._FENCED, fatal=True), "fenced"),
        (KafkaError(KafkaError.FENCED_INSTANCE_ID, txn_requires_abort=True), "fenced"),
        (KafkaError(KafkaError.ILLEGAL_GENERATION, txn_requires_abort=True), "generation"),
        (KafkaError(KafkaError.UNKNOWN_MEMBER_ID, txn_requires_abort=True), "generation"),
        (KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, txn_requires_abort=True), "other"),
    ],
)
def test_the_cause_is_that_of_kafkas_error(
    error: KafkaError, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "Producer", FakeProducer)
    producer = TransactionalProducer(Publishing(NOWHERE), "t")
    fake: Any = producer._producer
    monkeypatch.setattr(fake, "send_offsets_to_transaction", raising(error))
    monkeypatch.setattr(fake, "abort_transaction", lambda timeout: None, raising=False)
    with pytest.raises(AbortedError) as raised:
        producer.commit([], at(1), None)
    producer.close()
    assert raised.value.cause == cause


def test_every_cause_is_a_series_from_the_start() -> None:
    metrics = Metrics()
    metrics.count_abort(AbortCause.FENCED)
    name = "ounce_transactions_aborted_total"
    found = {
        cause: metrics.registry.get_sample_value(name, {"cause": cause}) for cause in AbortCause
    }
    assert found == {"fenced": 1.0, "generation": 0.0, "other": 0.0}
