"""Reading a dead-letters topic as it is now, without a consumer group."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from ounce_schemas.at_hand import take_at_hand
from ounce_schemas.errors import BrokerError, OunceError
from ounce_schemas.topics import dead_letters_topic

from ounce_services.cluster.admin import CLIENT_CONFIG, OPEN, describe_cluster, require_topics
from ounce_services.dead_letters.letter import Position, StoredRecord

_BATCH = 1000
_WAIT_S = 0.2
_SILENCE_S = 30.0
"""A broker that gives nothing of what it says it has for this long is given up."""
_PASSING = {
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError.GROUP_AUTHORIZATION_FAILED,  # the group is never joined: no right is needed
}
"""librdkafka recovers from these by itself, or the silence ends it."""


class DeadLetterTopic:
    """Context manager: a task's dead-letters topic, from its beginning to its end as of now.

    Args:
        bootstrap_servers: where Kafka is.
        task: whose dead letters.
        timeout_s: of each question to Kafka.
        security: what librdkafka must be told of it.

    Raises:
        BrokerError: no broker answers, a topic of the task's is absent, or Kafka does not say where
            it ends.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        task: str,
        timeout_s: float,
        security: Mapping[str, Any] = OPEN,
    ) -> None:
        self.task = task
        self.name = dead_letters_topic(task)
        self.connection = {"bootstrap.servers": bootstrap_servers, **security}
        cluster = describe_cluster(bootstrap_servers, timeout_s, security)
        require_topics(cluster, task, [self.name])
        self.cluster = cluster
        self._timeout_s = timeout_s
        self._finds_times = not cluster.is_embedded  # librdkafka's mock cluster does not
        self._consumer = Consumer(
            {
                **CLIENT_CONFIG,
                **self.connection,
                "group.id": "ounce-dead-letters",  # never joined: partitions are assigned by hand
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # what expired since the start is passed over
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 2,
                "queued.max.messages.kbytes": 32_768,
            }
        )
        try:
            self.bounds = {
                partition: self._ask_bounds(partition)
                for partition in range(cluster.partitions[self.name])
            }
        except BaseException:
            self._consumer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def starts(self, since_ms: int | None = None) -> dict[int, int]:
        """By partition, the first offset; with `since_ms` (since 1970), that of the first record
        which is not older. Partitions without such records are absent."""
        starts = {p: begin for p, (begin, end) in self.bounds.items() if begin < end}
        if since_ms is None or not starts or not self._finds_times:
            return starts
        asked = [TopicPartition(self.name, p, since_ms) for p in starts]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=self._timeout_s)
        except KafkaException as e:
            raise self._unanswered(e) from e
        return {at.partition: at.offset for at in found if at.offset >= 0}

    def count(self, starts: Mapping[int, int]) -> int:
        """Offsets from `starts` to the end."""
        return sum(max(self.bounds[p][1] - start, 0) for p, start in starts.items())

    def check(self, position: Position) -> None:
        """Raise OunceError if no record can be at `position`."""
        partition, offset = position
        if partition not in self.bounds:
            raise OunceError(
                f"{self.name} has no partition {partition}: its last is {len(self.bounds) - 1}"
            )
        begin, end = self.bounds[partition]
        if not begin <= offset < end:
            held = f"offsets {begin} to {end - 1}" if begin < end else "nothing"
            raise OunceError(f"{self.name} has no {position}: partition {partition} holds {held}")

    def scan(
        self, starts: Mapping[int, int], on_read: Callable[[int], None] = lambda _: None
    ) -> Iterator[StoredRecord]:
        """Records from `starts` (offset by partition) to the end.

        Args:
            starts: an offset by partition.
            on_read: called now and then with how many offsets were passed since its last call.

        Raises:
            BrokerError: Kafka refuses, or falls silent.
        """
        at = {p: start for p, start in starts.items() if start < self.bounds[p][1]}
        self._consumer.assign([TopicPartition(self.name, p, start) for p, start in at.items()])
        heard_s = time.monotonic()
        while at:
            passed = 0
            for message in take_at_hand(self._consumer, _BATCH, _WAIT_S):
                partition = message.partition()
                if partition not in at or self._is_passing(message.error()):
                    continue
                heard_s = time.monotonic()
                end = self.bounds[partition][1]
                if message.error() is not None:  # the end of the partition
                    next_ = end
                else:
                    record = _stored(message)
                    next_ = record.position.offset + 1
                    if next_ <= end:
                        yield record
                passed += min(next_, end) - at[partition]
                at[partition] = next_
                if next_ >= end:
                    del at[partition]
                    self._consumer.incremental_unassign([TopicPartition(self.name, partition)])
            if passed:
                on_read(passed)
            elif time.monotonic() - heard_s > _SILENCE_S:
                raise BrokerError(
                    f"Kafka gave nothing of {self.name} for {_SILENCE_S:g} s: is a broker down?"
                )

    def record_at(self, position: Position) -> StoredRecord:
        """The record at a position.

        Raises:
            OunceError: there is none.
        """
        self.check(position)
        for record in self.scan({position.partition: position.offset}):
            if record.position == position:
                return record
            break
        raise OunceError(f"{self.name} has no record at {position}: it may have expired")

    def _is_passing(self, error: KafkaError | None) -> bool:
        if error is None or error.code() == KafkaError._PARTITION_EOF:
            return False
        if error.code() in _PASSING:
            return True
        raise BrokerError(f"can't read {self.name}: {error.str()}")

    def _ask_bounds(self, partition: int) -> tuple[int, int]:
        try:
            begin, end = self._consumer.get_watermark_offsets(
                TopicPartition(self.name, partition), timeout=self._timeout_s
            )
        except KafkaException as e:
            raise self._unanswered(e) from e
        return begin, end

    def _unanswered(self, error: KafkaException) -> BrokerError:
        return BrokerError(f"Kafka does not say where {self.name} ends: {error.args[0].str()}")


def _stored(message: Message) -> StoredRecord:
    kind, timestamp_ms = message.timestamp()
    return StoredRecord(
        topic=str(message.topic()),
        position=Position(int(message.partition() or 0), int(message.offset() or 0)),
        timestamp_ms=timestamp_ms if kind else -1,
        key=message.key(),
        value=message.value(),
        headers=tuple(cast(list[tuple[str, bytes | None]], message.headers() or [])),
    )
