"""A Kafka broker inside this process: librdkafka's mock cluster.

For demonstrations and quick tests only. Its limits:

- Each partition keeps the records of the last 10 s, its newest 1,000, and what one group has not
  read. Older ones go.
- Each partition holds 5 MiB. Then it drops its oldest records without a word.
- Nothing survives the process.
- Every topic has four partitions.
- There is no compaction, no retention setting and no real transaction.
- A fetch brings one batch of each partition.
- A fetch that finds nothing takes the whole of the consumer's `fetch.wait.max.ms`.
- A consumer that may create topics (`allow.auto.create.topics=true`) takes 60 s to start.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ounce_services.cluster.admin import CLIENT_CONFIG, TopicState, create_topics
from ounce_services.cluster.mock_cluster import MockCluster

KEPT_RECORDS = 1000
"""Of each partition, however old they are."""
_KEPT_LOOKS, _LOOK_EVERY_S = 10, 1.0
_TIMEOUT_S = 2.0


class EmbeddedBroker:
    """Context manager: the broker serves other processes too, for as long as the block lasts.

    It forgets old records: librdkafka walks from a partition's oldest record to the one that is
    asked for, so a partition that grows makes each fetch slower than the one before.

    Args:
        group: what it has not read yet is kept, in partitions of which it has committed an offset.

    Raises:
        BrokerError: this librdkafka has no mock cluster that can forget.
    """

    def __init__(self, group: str = "unused") -> None:
        self._cluster = MockCluster()
        self.bootstrap_servers = self._cluster.bootstrap_servers
        self._asking = Consumer(
            {
                **CLIENT_CONFIG,
                "bootstrap.servers": self.bootstrap_servers,
                "group.id": group,  # it is asked for its offsets, and never joined
            }
        )
        self._ends: deque[Mapping[TopicPartition, int]] = deque(maxlen=_KEPT_LOOKS)
        """Where partitions ended at the last looks."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forgetting", daemon=True)
        self._thread.start()

    def create_topics(self, names: Iterable[str]) -> list[TopicState]:
        """Create topics, each with four partitions."""
        return create_topics(self.bootstrap_servers, names)

    def forget(self) -> None:
        """Look where partitions end. Drop what was there ten looks ago, but for the newest, and for
        what the group has not read.

        Raises:
            KafkaException: the broker does not answer.
        """
        bounds = dict(self._bounds())
        self._ends.append({place: end for place, (_, end) in bounds.items()})
        if len(self._ends) < _KEPT_LOOKS:
            return
        old = {place: then for place, then in self._ends[0].items() if then > bounds[place][0]}
        for place in self._asking.committed(list(old), timeout=_TIMEOUT_S):
            start, end = bounds[place]
            is_read_to = place.offset if place.offset >= 0 else end
            before = min(old[place], end - KEPT_RECORDS, is_read_to)
            if before > start:
                self._cluster.delete_records(place.topic, place.partition, before)

    def close(self) -> None:
        """Stop serving; everything it held is gone."""
        self._stopping.set()
        self._thread.join()
        self._asking.close()
        self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            with suppress(KafkaException):  # it is busy: the next look may go well
                self.forget()

    def _bounds(self) -> Iterator[tuple[TopicPartition, tuple[int, int]]]:
        """First offset and end of each partition."""
        for name, topic in self._asking.list_topics(timeout=_TIMEOUT_S).topics.items():
            for partition in topic.partitions:
                place = TopicPartition(name, partition)
                yield place, self._asking.get_watermark_offsets(place, timeout=_TIMEOUT_S)
