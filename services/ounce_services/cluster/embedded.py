"""A Kafka broker inside this process: librdkafka's mock cluster.

For demonstrations and quick tests only. Its limits:

- Each partition holds 5 MiB. Then it drops its oldest records without a word.
- The more a partition holds, the longer each fetch takes.
- Nothing survives the process.
- Every topic has four partitions.
- There is no compaction, no retention setting and no real transaction.
- A fetch that finds nothing takes the whole of the consumer's `fetch.wait.max.ms`.
- A consumer that may create topics (`allow.auto.create.topics=true`) takes 60 s to start.
"""

from collections.abc import Iterable
from typing import Self

from confluent_kafka import KafkaException, Producer
from ounce_schemas.errors import BrokerError

from ounce_services.cluster.admin import TopicState, create_topics


class EmbeddedBroker:
    """Context manager: the broker serves other processes too, for as long as the block lasts.

    Raises:
        BrokerError: this librdkafka was built without its mock cluster.
    """

    def __init__(self) -> None:
        self._owner = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        try:
            brokers = self._owner.list_topics(timeout=10).brokers.values()
        except KafkaException as e:
            raise BrokerError(f"the embedded broker did not start: {e}") from e
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topics(self, names: Iterable[str]) -> list[TopicState]:
        """Create topics, each with four partitions."""
        return create_topics(self.bootstrap_servers, names)

    def close(self) -> None:
        """Stop serving; everything it held is gone."""
        self._owner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
