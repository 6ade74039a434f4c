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
            None: from the end. Asked every two seconds. What it raises is logged, and it is asked
            again.
        take: told of a topic and some of its records. Where a time is given, each record comes
            once, also after a failure.
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
        self._next: dict[tuple[str, int], int] = {}
        """Offsets behind what was taken, by topic and partition."""

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
                _log.info("the %s goes on later: %s", self._name, e)
                stop.wait(_LOOK_EVERY_S)
            except Exception:  # without this the thread would end, and nobody would know
                _log.exception("the %s goes on later", self._name)
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
                    topic = str(message.topic())
                    self._next[topic, message.partition() or 0] = (message.offset() or 0) + 1
                    by_topic.setdefault(topic, []).append((message.key(), message.value()))
            for topic, records in by_topic.items():
                self._take(topic, records)

    def _assign(self, consumer: Consumer, assigned: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """Begin with what is wanted from now on, end what is not; what is read then."""
        topics = consumer.list_topics(timeout=_TIMEOUT_S).topics
        wanted = self._wanted(set(topics))
        parts = {(name, p) for name in wanted if name in topics for p in topics[name].partitions}
        begun, ended = parts - assigned, assigned - parts
        self._next = {each: offset for each, offset in self._next.items() if each in parts}
        if ended:
            consumer.incremental_unassign([TopicPartition(*each) for each in ended])
        if begun:
            consumer.incremental_assign(self._starts(consumer, begun, wanted))
        return parts

    def _starts(
        self, consumer: Consumer, parts: set[tuple[str, int]], wanted: Mapping[str, int | None]
    ) -> list[TopicPartition]:
        """Where to begin; no record is as new: at the end."""
        starts, timed = [], []
        for name, p in parts:
            at_ms, offset = wanted[name], self._next.get((name, p))
            if at_ms is None:
                starts.append(TopicPartition(name, p, OFFSET_END))
            elif offset is not None:
                starts.append(TopicPartition(name, p, offset))
            else:
                timed.append(TopicPartition(name, p, at_ms))
        return starts + (consumer.offsets_for_times(timed, _TIMEOUT_S) if timed else [])
