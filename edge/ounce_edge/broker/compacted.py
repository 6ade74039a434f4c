"""Following a compacted topic: all that it holds, and then what comes."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any, Protocol, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from ounce_schemas.at_hand import take_at_hand

from ounce_edge.broker.broker_view import BrokerView
from ounce_edge.broker.link import reader_settings
from ounce_edge.wire.records import Record

logger = logging.getLogger(__name__)

COMPACTED_CONSUMER_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "group.id": "ounce-unused",  # librdkafka wants one; nothing is committed
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "log_level": 2,
    }
)
_BATCH, _BATCH_WAIT_S = 500, 0.1
_TIMEOUT_S = 5.0
_AGAIN_S = 1.0
_MOST_TOLD = 300
"""Characters of what is wrong with a record."""
_PROBE_EVERY = 50
"""Reads that give nothing, of `_BATCH_WAIT_S`, after which the broker is asked whether it is
there, and whether the topic is the one that was read."""


class Follows(Protocol):
    """What is done with a topic's records. Called on the follower's thread."""

    def start(self) -> None:
        """The topic is read from its beginning: what was taken before comes again, or is no more
        where the topic was made anew."""

    def take(self, record: Record) -> None:
        """One more, in order. What it raises is told, and the record is passed over."""

    def caught_up(self) -> None:
        """All that the topic holds was given; called again after what comes later."""

    def tell_trouble(self, why: str | None) -> None:
        """The topic can't be read now, or can be again (None). Called on each change."""


class TopicFollower:
    """Reads one topic on a thread of its own, for as long as it is not closed.

    Args:
        kafka: bootstrap servers.
        topic: its name.
        follows: takes the records.
        passed_over: called for each further record that can't be used; on the follower's thread.
        fetch_wait_ms: longest time the broker may hold a fetch that finds nothing.
        security: what librdkafka must be told of it.
    """

    def __init__(
        self,
        kafka: str,
        topic: str,
        follows: Follows,
        passed_over: Callable[[], None] = lambda: None,
        *,
        fetch_wait_ms: int = 500,
        security: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._settings = {
            **COMPACTED_CONSUMER_SETTINGS,
            "bootstrap.servers": kafka,
            **security,
            **reader_settings(fetch_wait_ms),
        }
        self._topic = topic
        self._view = BrokerView(
            lambda: AdminClient({"bootstrap.servers": kafka, "log_level": 2, **security})
        )
        self._follows = follows
        self._passed_over = passed_over
        self._trouble: str | None = None
        self._told: dict[int, int] = {}
        """By partition, offset of the last record that was told to be passed over."""
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name=topic, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def wait_until_caught_up(self, timeout_s: float) -> bool:
        """Whether all that the topic held was given within that time."""
        return self._caught_up.wait(timeout_s)

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(Consumer(self._settings)) as consumer:
                    self._read(consumer)
            except KafkaException as e:
                self._note(e.args[0].str())
            except Exception as e:  # without this the thread would end, and nobody would know
                logger.exception("%s can't be followed, trying again", self._topic)
                self._note(str(e))
            self._stopping.wait(_AGAIN_S)

    def _read(self, consumer: Consumer) -> None:
        found = consumer.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        places = [TopicPartition(self._topic, p, OFFSET_BEGINNING) for p in found.partitions]
        topic_id = self._topic_id()
        self._follows.start()
        consumer.assign(places)
        ahead, n_empty = set(found.partitions), 0
        while not self._stopping.is_set():
            messages = take_at_hand(consumer, _BATCH, _BATCH_WAIT_S)
            for message in messages:
                error = message.error()
                if error is None:
                    self._take(cast("Record", message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ahead.discard(message.partition() or 0)
                elif error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # it is never joined
                    raise KafkaException(error)
            if messages and not ahead:  # also before the next end, which the broker holds back
                self._note(None)
                self._follows.caught_up()
                self._caught_up.set()
            n_empty = 0 if messages else n_empty + 1
            if n_empty >= _PROBE_EVERY:
                n_empty = 0
                # raises where it is away
                consumer.get_watermark_offsets(places[0], timeout=_TIMEOUT_S)
                self._note(None)
                told = self._topic_id()
                if None not in (told, topic_id) and told != topic_id:
                    logger.warning("topic %s was made anew, and is read anew", self._topic)
                    self._told.clear()
                    return
                topic_id = topic_id or told

    def _take(self, record: Record) -> None:
        try:
            self._follows.take(record)
        except Exception as e:  # whatever a record holds costs this record only
            partition, offset = record.partition() or 0, record.offset() or 0
            if offset > self._told.get(partition, -1):  # what was told comes again with a new read
                self._told[partition] = offset
                why = " ".join(str(e).split())[:_MOST_TOLD]
                text = "%s[%d]: the record at %d is passed over: %s"
                logger.error(text, self._topic, partition, offset, why)
                self._passed_over()

    def _topic_id(self) -> str | None:
        """A topic that is made anew has another; None: the broker does not tell."""
        return self._view.topic_ids([self._topic]).get(self._topic)

    def _note(self, why: str | None) -> None:
        if why != self._trouble:
            self._trouble = why
            self._follows.tell_trouble(why)
