"""Following a compacted topic: the latest record of each key, on a thread of its own and without a
consumer group."""

import logging
import threading
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
)
from ounce_schemas.errors import BrokerError

logger = logging.getLogger(__name__)

_SETTINGS: dict[str, Any] = {
    "group.id": "ounce-control",  # the client insists on one; it is never joined
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",  # also where the topic was made again
    "allow.auto.create.topics": False,
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 4096,
    "log_level": 2,  # the consumer of requests tells of outages
}
_POLL_S = 0.25
_AGAIN_S = 5.0
_TIMEOUT_S = 10.0


class CompactedTopic:
    """What a compacted topic holds.

    Args:
        kafka: bootstrap servers.
        topic: its name.
        security: what librdkafka must be told of it.
        fetch_wait_ms: longest time the broker may hold a fetch that finds nothing.
    """

    def __init__(
        self,
        kafka: str,
        topic: str,
        security: Mapping[str, Any] = MappingProxyType({}),
        fetch_wait_ms: int = 500,
    ) -> None:
        self.topic = topic
        self._connection = {"bootstrap.servers": kafka, **security}
        self._settings = {**_SETTINGS, **self._connection, "fetch.wait.max.ms": fetch_wait_ms}
        self._latest: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._n_changes = self._n_told = 0
        self._is_read = threading.Event()
        self._stopping = threading.Event()
        self._trouble = ""
        self._thread: threading.Thread | None = None

    def start(self, timeout_s: float) -> Mapping[str, bytes]:
        """Begin to follow; what it holds now, values by key. Records without a value are deleted.

        Raises:
            BrokerError: it is absent or not compacted, or can't be read in this time.
        """
        require_compacted(self._connection, self.topic)
        self._thread = threading.Thread(target=self._run, name=self.topic, daemon=True)
        self._thread.start()
        if not self._is_read.wait(timeout_s):
            why = f": {self._trouble}" if self._trouble else ""
            raise BrokerError(f"topic {self.topic} could not be read in {timeout_s:g} s{why}")
        return self.latest()

    def latest(self) -> Mapping[str, bytes]:
        """What it held at the last look."""
        with self._changed:
            return dict(self._latest)

    def wait_for_change(self, timeout_s: float) -> bool:
        """Wait until it holds something else than at the last call, at most so long; whether it
        does. For one thread."""
        with self._changed:
            if self._n_changes == self._n_told:
                self._changed.wait(timeout_s)
            is_new, self._n_told = self._n_changes != self._n_told, self._n_changes
            return is_new

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(Consumer(self._settings)) as consumer:
                    self._read(consumer)
            except KafkaException as e:
                self._tell(e.args[0].str())
            except Exception:  # without this the thread would end, and nobody would know
                logger.exception("topic %s is not read, trying again", self.topic)
            self._stopping.wait(_AGAIN_S)

    def _read(self, consumer: Consumer) -> None:
        """From the beginning, again and again: what was missed meanwhile is there."""
        found = consumer.list_topics(self.topic, _TIMEOUT_S).topics[self.topic]
        if found.error is not None or not found.partitions:
            raise KafkaException(found.error or KafkaError(KafkaError._UNKNOWN_TOPIC))
        ahead = set(found.partitions)
        consumer.assign([TopicPartition(self.topic, p, OFFSET_BEGINNING) for p in ahead])
        seen: dict[str, bytes] = {}
        while not self._stopping.is_set():
            message = consumer.poll(_POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF and ahead:
                    ahead.discard(message.partition() or 0)
                    if not ahead:
                        self._show(seen)
                elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise KafkaException(error)
                continue  # librdkafka recovers from others by itself
            key, value = (message.key() or b"").decode(errors="replace"), message.value()
            if value is None:
                seen.pop(key, None)
            else:
                seen[key] = value
            if not ahead:
                self._show(seen)

    def _show(self, seen: Mapping[str, bytes]) -> None:
        with self._changed:
            if self._latest != seen or not self._is_read.is_set():
                self._latest = dict(seen)
                self._n_changes += 1
                self._changed.notify_all()
        self._trouble = ""
        self._is_read.set()

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("topic %s is not read, trying again: %s", self.topic, trouble)
        self._trouble = trouble


def require_compacted(connection: Mapping[str, Any], topic: str) -> None:
    """Raise unless Kafka keeps the latest record of each key of a topic for ever.

    Args:
        connection: what librdkafka must be told.
        topic: its name.

    Raises:
        BrokerError: the topic is absent, is not compacted, or Kafka does not tell.
    """
    admin = AdminClient({**connection, "log_level": 2})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        found = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource].result()
    except KafkaException as e:
        if e.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            what = "is absent: publish something, or create it with cleanup.policy=compact"
            raise BrokerError(f"topic {topic} {what}") from e
        raise BrokerError(f"topic {topic}: {e.args[0].str()}") from e
    policy = found["cleanup.policy"].value
    if policy != "compact":
        raise BrokerError(
            f"topic {topic} has cleanup.policy={policy}: Kafka drops records that are still in "
            "force. Set cleanup.policy=compact"
        )
