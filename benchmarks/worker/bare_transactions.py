"""Transactions that do nothing else: ten records, and the offsets of ten requests."""

import os
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition
from ounce_edge.broker.delivery.publishing import PRODUCER_SETTINGS
from ounce_edge.broker.delivery.transactional_producer import TRANSACTION_SETTINGS

from benchmarks.worker.backlog import LIMIT_TOPIC, PARTITIONS, TOPICS

_RECORDS = 10
_RECORD_BYTES = 400
"""About what a prediction of digits has."""
_PAUSE_S = 0.01
_TRY_S = 30.0


def bare_transactions_ms(servers: str, seconds: float) -> list[float]:
    """What each took, in milliseconds, one after another for so long.

    Args:
        servers: Kafka bootstrap servers.
        seconds: how long.
    """
    name = f"bare-{uuid.uuid4()}"
    producer = Producer(
        {
            **PRODUCER_SETTINGS,
            **TRANSACTION_SETTINGS,
            "bootstrap.servers": servers,
            "transactional.id": name,
        }
    )
    producer.init_transactions(_TRY_S)
    member = Consumer({"bootstrap.servers": servers, "group.id": name})
    took_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while (began_s := time.perf_counter()) < end_s:
        producer.begin_transaction()
        for i in range(_RECORDS):
            producer.produce(LIMIT_TOPIC, os.urandom(_RECORD_BYTES), b"%d" % i)
        answered = _RECORDS * (len(took_ms) + 1)
        offsets = [TopicPartition(TOPICS["requests"], p, answered) for p in range(PARTITIONS)]
        producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), _TRY_S)
        producer.commit_transaction(_TRY_S)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
        time.sleep(_PAUSE_S)
    member.close()
    return took_ms
