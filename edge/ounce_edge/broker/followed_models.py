"""What the topic `ounce.models` says, kept up."""

import logging
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
)
from ounce_schemas.errors import BrokerError
from ounce_schemas.release import InService, take_in_service
from ounce_schemas.topics import models_topic

from ounce_edge.broker.compacted import TopicFollower
from ounce_edge.wire.records import Record

logger = logging.getLogger(__name__)

_TIMEOUT_S = 10.0


class FollowedModels:
    """What the topic holds, kept up by a `TopicFollower`.

    Args:
        kafka: bootstrap servers.
        security: what librdkafka must be told of it.
        fetch_wait_ms: longest time the broker may hold a fetch that finds nothing.
        passed_over: as `TopicFollower` says.
    """

    def __init__(
        self,
        kafka: str,
        security: Mapping[str, Any] = MappingProxyType({}),
        fetch_wait_ms: int = 500,
        passed_over: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = {"bootstrap.servers": kafka, **security}
        self._latest = _Latest()
        self._follower = TopicFollower(
            kafka,
            models_topic(),
            self._latest,
            passed_over,
            fetch_wait_ms=fetch_wait_ms,
            security=security,
        )

    def start(self, timeout_s: float) -> Mapping[str, InService]:
        """Begin to follow; what serves now, by task.

        Raises:
            BrokerError: it is absent or not compacted, or can't be read in this time.
        """
        require_compacted(self._connection, models_topic())
        self._follower.start()
        if not self._follower.wait_until_caught_up(timeout_s):
            why = f": {self._latest.trouble}" if self._latest.trouble else ""
            raise BrokerError(f"topic {models_topic()} could not be read in {timeout_s:g} s{why}")
        return self.latest()

    def latest(self) -> Mapping[str, InService]:
        """What served at the last look."""
        return self._latest.shown

    def wait_for_change(self, timeout_s: float) -> bool:
        """Wait until it holds something else than at the last call, at most so long; whether it
        does. For one thread."""
        is_new = self._latest.changed.wait(timeout_s)
        self._latest.changed.clear()
        return is_new

    def close(self) -> None:
        """Stop reading."""
        self._latest.changed.set()
        self._follower.close()


class _Latest:
    """Collects records; shows them once all that the topic holds was read."""

    def __init__(self) -> None:
        self._read: dict[str, InService] = {}
        self.shown: Mapping[str, InService] = {}
        self.changed = threading.Event()
        self.trouble: str | None = None

    def start(self) -> None:
        """As `Follows` says."""
        self._read = {}

    def take(self, record: Record) -> None:
        """As `Follows` says."""
        take_in_service(self._read, record.key(), record.value())

    def caught_up(self) -> None:
        """As `Follows` says."""
        if self._read != self.shown:
            self.shown = dict(self._read)
            self.changed.set()

    def tell_trouble(self, why: str | None) -> None:
        """As `Follows` says."""
        self.trouble = why
        if why is not None:
            logger.warning("topic %s is not read, trying again: %s", models_topic(), why)


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
