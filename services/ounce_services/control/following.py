"""Reading topics of Kafka on and on, on a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_schemas.embedded_cluster import is_embedded
from ounce_schemas.errors import OunceError

from ounce_services.cluster.admin import CLIENT_CONFIG, topic_ids
from ounce_services.control.store.database import AWAY, why

Records = list[tuple[bytes | None, bytes | None]]
"""Keys and values."""

_Place = tuple[str, int]
"""A topic and a partition of it."""

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
        begin: told of a topic whose records come from that time on: at first, and again where it
            was made anew.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        name: str,
        wanted: Callable[[set[str]], Mapping[str, int | None]],
        take: Callable[[str, Records], None],
        begin: Callable[[str], None] = lambda topic: None,
    ) -> None:
        self._connection = connection
        self._name = name
        self._wanted = wanted
        self._take = take
        self._begin = begin
        self._next: dict[_Place, int] = {}
        """Offsets behind what was taken."""
        self._lost: set[str] = set()
        """Topics that hold nothing where it was read on: a broker may show a new one's id before it
        has let go of the old one's records."""
        self._topic_ids: dict[str, str] = {}
        """Of those that are read from a time on, as far as Kafka tells."""

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
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 200,
            "queued.max.messages.kbytes": 16_384,
        }
        while not stop.is_set():
            try:
                with closing(Consumer(settings)) as consumer:
                    self._read_on(
                        consumer, AdminClient({**CLIENT_CONFIG, **self._connection}), stop
                    )
            except (KafkaException, OunceError) as e:
                _log.info("the %s goes on later: %s", self._name, e)
                stop.wait(_LOOK_EVERY_S)
            except AWAY as e:
                _log.info("the %s goes on later: %s", self._name, why(e))
                stop.wait(_LOOK_EVERY_S)
            except Exception:  # without this the thread would end, and nobody would know
                _log.exception("the %s goes on later", self._name)
                stop.wait(_LOOK_EVERY_S)

    def _read_on(self, consumer: Consumer, admin: AdminClient, stop: threading.Event) -> None:
        assigned: set[_Place] = set()
        look_s = 0.0
        while not stop.is_set():
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + _LOOK_EVERY_S
                assigned = self._assign(consumer, admin, assigned)
            by_topic: dict[str, Records] = {}
            for message in consumer.consume(5000, 0.2):
                place = (str(message.topic()), message.partition() or 0)
                error = message.error()
                if error is None:
                    self._next[place] = (message.offset() or 0) + 1
                    by_topic.setdefault(place[0], []).append((message.key(), message.value()))
                elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                    self._lost.add(place[0])
            for topic, records in by_topic.items():
                self._take(topic, records)

    def _assign(self, consumer: Consumer, admin: AdminClient, assigned: set[_Place]) -> set[_Place]:
        """Begin with what is wanted from now on, end what is not; what is read then."""
        found = consumer.list_topics(timeout=_TIMEOUT_S)
        topics = found.topics
        wanted = self._wanted(set(topics))
        parts = {(name, p) for name in wanted if name in topics for p in topics[name].partitions}
        timed = {name for name, _ in parts if wanted[name] is not None}
        anew = set() if is_embedded(found.cluster_id) else self._made_anew(admin, timed)
        anew |= self._lost
        self._lost = set()
        self._next = {
            each: n for each, n in self._next.items() if each in parts and each[0] not in anew
        }
        kept = {each for each in assigned & parts if each[0] not in anew}
        if ended := assigned - kept:
            consumer.incremental_unassign([TopicPartition(*each) for each in ended])
        if begun := parts - kept:
            known = {name for name, _ in {*kept, *self._next}}
            for name in sorted({name for name, _ in begun} & timed - known):
                self._begin(name)
            consumer.incremental_assign(self._starts(consumer, begun, wanted))
        return parts

    def _made_anew(self, admin: AdminClient, names: set[str]) -> set[str]:
        """Those of these topics that are others than at the last look."""
        told = topic_ids(admin, names, _TIMEOUT_S) if names else {}
        before = {name: id_ for name, id_ in self._topic_ids.items() if name in names}
        self._topic_ids = {**before, **told}
        return {name for name, id_ in told.items() if before.get(name, id_) != id_}

    def _starts(
        self, consumer: Consumer, parts: set[_Place], wanted: Mapping[str, int | None]
    ) -> list[TopicPartition]:
        """Where to begin."""
        starts, timed = [], []
        for name, p in parts:
            at_ms, offset = wanted[name], self._next.get((name, p))
            if at_ms is None:
                starts.append(TopicPartition(name, p, OFFSET_END))
            elif offset is not None:
                starts.append(TopicPartition(name, p, offset))
            else:
                timed.append(TopicPartition(name, p, at_ms))
        return starts + (_offsets(consumer, timed) if timed else [])


def _offsets(consumer: Consumer, timed: list[TopicPartition]) -> list[TopicPartition]:
    """Where the records since these times begin; no record is as new: where it ends now."""
    ends = [consumer.get_watermark_offsets(at, timeout=_TIMEOUT_S)[1] for at in timed]
    before = {(at.topic, at.partition): end for at, end in zip(timed, ends, strict=True)}
    found = consumer.offsets_for_times(timed, _TIMEOUT_S)
    for at in found:
        if at.offset == OFFSET_END:  # else what comes before the first fetch would be passed over
            at.offset = before[at.topic, at.partition]
    return found
