"""What Kafka has of a store: the number of its last batch, an offset of the store's own group."""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.delivery.publishing import ProducerSettings

_TIMEOUT_S = 5.0
_LOOK_S = 1.0
"""So long a gateway that stops may wait for a Kafka that is away."""


class StoreGroup:
    """Asks over one connection until it is closed: over a far line it takes longer than an attempt.

    Args:
        kafka: how to reach Kafka.
        store: its id.
        markers: topics; the first partition of one that is there has the number.
    """

    def __init__(self, kafka: ProducerSettings, store: str, markers: Sequence[str]) -> None:
        self._settings = {"group.id": f"ounce-gateway-store-{store}", "log_level": 0, **kafka}
        self._markers = markers
        self._consumer: Consumer | None = None

    def metadata(self) -> Any:
        """Of the group, as transactions take it.

        Raises:
            KafkaException: Kafka is not there.
        """
        consumer = self._connected()
        consumer.list_topics(self._markers[0], _LOOK_S)
        return consumer.consumer_group_metadata()

    def committed(self) -> int:
        """The number of the last batch that Kafka has; 0 where it has none.

        Raises:
            BrokerError: Kafka does not say.
            KafkaException: it is not there.
        """
        asked = [TopicPartition(topic, 0) for topic in self._markers]
        found = self._connected().committed(asked, _TIMEOUT_S)
        for at in found:
            if at.error is not None and at.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise BrokerError(f"{at.topic}: {at.error.str()}")
        return max(0, *(at.offset for at in found))

    def close(self) -> None:
        """Leave; what is asked later connects anew."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _connected(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(self._settings)
        return self._consumer
