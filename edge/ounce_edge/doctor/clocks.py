"""Do the clocks agree: deadlines count from timestamps that a device or the broker set."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_schemas.topics import requests_topic

from ounce_edge.doctor.finding import Finding, Verdict, why
from ounce_edge.doctor.topics import Topic

_TIMEOUT_S = 10.0
_MOST_PARTITIONS = 16
_BROKERS_OWN = 2
"""Kind of a timestamp that the broker set (librdkafka's RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)."""
MOST_AHEAD_MS = 1000.0
"""A deadline is lengthened by as much as a timestamp lies ahead of the worker's clock."""
_SYNC = "set both clocks by the network: `chronyc tracking`, `timedatectl`"


def newest_requests(
    kafka: Mapping[str, Any], group: str, tasks: Iterable[str], topics: Mapping[str, Topic]
) -> list[Message]:
    """The newest record of each partition of requests, of some partitions.

    Args:
        kafka: properties of the connection.
        group: that this user may read; it is not joined, and nothing is committed.
        tasks: names of the tasks.
        topics: that are there.
    """
    partitions = [
        TopicPartition(topic, number)
        for topic in map(requests_topic, tasks)
        if topic in topics
        for number in topics[topic].partitions
    ][:_MOST_PARTITIONS]
    consumer = Consumer({**kafka, "group.id": group, "enable.auto.commit": False})
    try:
        last = []
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S)
            if high > low:
                last.append(TopicPartition(partition.topic, partition.partition, high - 1))
        consumer.assign(last)
        found: dict[tuple[str | None, int | None], Message] = {}
        give_up_s = time.monotonic() + _TIMEOUT_S / 2
        while len(found) < len(last) and time.monotonic() < give_up_s:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found[message.topic(), message.partition()] = message
        return [*found.values()]
    except KafkaException:
        return []
    finally:
        consumer.close()


def check_clock(newest: Iterable[Message], clock: Callable[[], float] = time.time) -> Finding:
    """Whether a timestamp lies ahead of this machine's clock. One that lies behind may be old."""
    check, now_ms = "clock and requests", clock() * 1e3
    ahead_ms = [
        (kind, at_ms - now_ms) for kind, at_ms in (m.timestamp() for m in newest) if at_ms > 0
    ]
    if not ahead_ms:
        return Finding(check, Verdict.SKIPPED, "no request is there to compare with")
    kind, most_ms = max(ahead_ms, key=lambda each: each[1])
    whose = "the broker's" if kind == _BROKERS_OWN else "a device's"
    if most_ms > MOST_AHEAD_MS:
        text = f"{whose} clock is {most_ms / 1e3:,.1f} s ahead of this machine's"
        return Finding(
            check, Verdict.WARNING, f"{text}: its deadlines are longer than asked", _SYNC
        )
    return Finding(check, Verdict.OK, f"no timestamp of {len(ahead_ms)} lies ahead")


def probe_clock(admin: AdminClient, kafka: Mapping[str, Any]) -> Finding:
    """Compare with the broker's clock: a topic of its own is made, written once, and removed."""
    check, topic = "clock and broker", f"ounce.doctor.{uuid.uuid4().hex}"
    new = NewTopic(topic, 1, config={"message.timestamp.type": "LogAppendTime"})
    by_hand = "compare by hand: `date -u` on both"
    try:
        admin.create_topics([new])[topic].result(_TIMEOUT_S)
    except (KafkaException, TimeoutError) as e:
        text = f"no topic was made to learn the broker's time: {why(e)}"
        return Finding(check, Verdict.SKIPPED, text, by_hand)
    try:
        offset_ms, round_trip_ms = _compare(kafka, topic)
    except TimeoutError:
        return Finding(check, Verdict.SKIPPED, "the broker took no record in time", by_hand)
    finally:
        left = _remove(admin, topic)
    if left:
        return Finding(check, Verdict.WARNING, f"topic {topic} is left: {left}", "remove it")
    off, sure = f"{offset_ms:+,.0f} ms", f"{round_trip_ms / 2:,.0f} ms"
    text = f"the broker's is {off} off this machine's, to {sure}"
    if abs(offset_ms) > MOST_AHEAD_MS + round_trip_ms / 2:
        return Finding(check, Verdict.WARNING, text, _SYNC)
    return Finding(check, Verdict.OK, text)


def _remove(admin: AdminClient, topic: str) -> str:
    """Remove a topic; why that failed, or nothing."""
    try:
        admin.delete_topics([topic])[topic].result(_TIMEOUT_S)
    except (KafkaException, TimeoutError) as e:
        return why(e)
    return ""


def _compare(kafka: Mapping[str, Any], topic: str) -> tuple[float, float]:
    """How far the broker's clock is ahead of ours, and the time that asking took; milliseconds."""
    told: list[float] = []

    def take(error: Any, message: Message) -> None:
        if error is None:
            told.append(float(message.timestamp()[1]))

    producer = Producer({**kafka, "linger.ms": 0})
    for _ in range(2):  # the first also connects
        told.clear()
        began_ms, began_s = time.time() * 1e3, time.monotonic()
        producer.produce(topic, b"", on_delivery=take)
        producer.flush(_TIMEOUT_S)
        round_trip_ms = (time.monotonic() - began_s) * 1e3
        if not told:
            raise TimeoutError
    return told[0] - (began_ms + round_trip_ms / 2), round_trip_ms
