"""Reading topics of Kafka on and on, on a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition
from ounce_schemas.errors import OunceError

from ounce_services.cluster.admin import CLIENT_CONFIG

Records = list[tuple[bytes | None, bytes | None]]
"""Keys and values."""

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 2.0
_TIMEOUT_S = 5.0


class Following:
    """Hands on the records of the topics that are wanted now.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        name: of what reads, for people.
        wanted: from the names of all topics: those to read, and from when on, in ms since 1970;
            None: from the end. Asked every two seconds. An `OunceError` of it is
            logged, and it is asked again.
        take: told of a topic and some of its records.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        name: str,
        wanted: Callable[[set[str]], Mapping[str, int | None]],
        take: Callable[[str, Records], None],
    ) -> None:
        self._connection = connection
        self._name = name
        self._wanted = wanted
        self._take = take

    @contextmanager
    def running(self) -> Iterator[None]:
        """Follow while the block lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name=self._name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)

    def _run(self, stop: threading.Event) -> None:
        settings = {
            **CLIENT_CONFIG,
            **self._connection,
            "group.id": "ounce-console",  # never joined: partitions are assigned by hand
            "enable.auto.commit": False,
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 200,
            "queued.max.messages.kbytes": 16_384,
        }
        while not stop.is_set():
            try:
                with closing(Consumer(settings)) as consumer:
                    self._read_on(consumer, stop)
            except (KafkaException, OunceError) as e:
                _log.info("the %s goes on later: %s", self._name, e.args[0])
                stop.wait(_LOOK_EVERY_S)

    def _read_on(self, consumer: Consumer, stop: threading.Event) -> None:
        assigned: set[tuple[str, int]] = set()
        look_s = 0.0
        while not stop.is_set():
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + _LOOK_EVERY_S
                assigned = self._assign(consumer, assigned)
            by_topic: dict[str, Records] = {}
            for message in consumer.consume(5000, 0.2):
                if message.error() is None:
                    records = by_topic.setdefault(str(message.topic()), [])
                    records.append((message.key(), message.value()))
            for topic, records in by_topic.items():
                self._take(topic, records)

    def _assign(self, consumer: Consumer, assigned: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """Begin with what is wanted from now on, end what is not; what is read then."""
        topics = consumer.list_topics(timeout=_TIMEOUT_S).topics
        wanted = self._wanted(set(topics))
        parts = {(name, p) for name in wanted if name in topics for p in topics[name].partitions}
        begun, ended = parts - assigned, assigned - parts
        if ended:
            consumer.incremental_unassign([TopicPartition(*each) for each in ended])
        if begun:
            consumer.incremental_assign(_starts(consumer, begun, wanted))
        return parts


def _starts(
    consumer: Consumer, parts: set[tuple[str, int]], wanted: Mapping[str, int | None]
) -> list[TopicPartition]:
    """Where to begin; no record is as new: at the end."""
    at_end = [TopicPartition(n, p, OFFSET_END) for n, p in parts if wanted[n] is None]
    timed = [TopicPartition(n, p, at_ms) for n, p in parts if (at_ms := wanted[n]) is not None]
    return at_end + (consumer.offsets_for_times(timed, _TIMEOUT_S) if timed else [])
