"""A backlog of digits on a real broker, for benchmarks that let others answer it."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.support.kafka.apache_kafka import ApacheKafka

MODEL = "mlp"
PARTITIONS = 4
TOPICS = {"requests": "ounce.digits.requests", "predictions": "ounce.digits.predictions"}
LIMIT_TOPIC = "limit.predictions"
CONTRACT_TOPIC = "contract.predictions"
POLICY = f"""
version: bench
max_latency_ms: 3600000
tasks: {{digits: {{allow: [{MODEL}, residual-cnn]}}}}
"""
BROKER_CPU, CLIENT_CPU = ("0", "1") if shutil.which("taskset") else (None, None)


@contextmanager
def broker() -> Iterator[str]:
    """A fresh broker for each kind of body, with the topics; bootstrap servers."""
    with ApacheKafka(cpus=BROKER_CPU) as kafka:
        _make_topics(kafka.bootstrap_servers)
        yield kafka.bootstrap_servers


def _make_topics(servers: str) -> None:
    names = [*TOPICS.values(), "ounce.digits.dead-letters", LIMIT_TOPIC, CONTRACT_TOPIC]
    stamped = {"message.timestamp.type": "LogAppendTime"}
    topics = [
        NewTopic(name, PARTITIONS, 1, config=stamped if "predictions" in name else {})
        for name in names
    ]
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
    for created in admin.create_topics(topics).values():
        created.result()


def fill(servers: str, body: str, inputs: np.ndarray, n: int) -> None:
    """Publish n requests: `raw`, `json`, or `events` with CloudEvents headers and targets."""
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )
    raw = [row.tobytes() for row in inputs]
    bodies = raw
    if body == "json":
        bodies = [
            json.dumps(
                {"inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32",
                             "data": row.tolist()}]}
            ).encode()
            for row in inputs
        ]  # fmt: skip
    for i in range(n):
        headers = event_headers(i) if body == "events" else None
        producer.produce(
            TOPICS["requests"], bodies[i % len(bodies)], b"device-%d" % (i % 100),
            partition=i % PARTITIONS, headers=headers,
        )  # fmt: skip
        if i % 50_000 == 0:
            producer.poll(0)
    producer.flush()


def event_headers(i: int) -> list[tuple[str, str | bytes | None]]:
    """CloudEvents' headers of request i, with both targets."""
    return [
        ("ce_id", b"%d" % i),
        ("ce_source", b"/devices/%d" % (i % 100)),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"io.ounce.request"),
        ("ce_maxlatencyms", b"3600000"),
        ("ce_minaccuracy", b"0.9"),
        ("content-type", b"application/octet-stream"),
    ]


def ends(reader: Consumer, topic: str) -> list[int]:
    """Next offset of each partition."""
    return [
        reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
        for p in range(PARTITIONS)
    ]


def span_s(reader: Consumer, topic: str, start: list[int], end: list[int]) -> float:
    """Seconds from the first to the last record's arrival at the broker.

    Args:
        reader: a consumer that reads nothing else.
        topic: has broker timestamps (log append time).
        start: the first offset of each partition.
        end: the offset behind the last one; some partition has records.
    """
    filled = [p for p in range(PARTITIONS) if end[p] > start[p]]
    first = min(_timestamp_s(reader, topic, p, start[p]) for p in filled)
    last = max(_timestamp_s(reader, topic, p, end[p] - 1) for p in filled)
    return last - first


def _timestamp_s(reader: Consumer, topic: str, partition: int, offset: int) -> float:
    """Since 1970, of one record."""
    reader.assign([TopicPartition(topic, partition, offset)])
    message = reader.poll(30)
    if message is None or message.error():
        raise SystemExit(f"can't read {topic}[{partition}] at {offset}")
    return message.timestamp()[1] / 1e3


def ounce() -> list[str]:
    """The command of this environment."""
    return [str(Path(sys.executable).with_name("ounce"))]
