"""What serving needs of Kafka: answers are published, and offsets committed once they are safe."""

from collections.abc import Collection
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from ounce_edge.wire.records import Outgoing


class Delivery(Protocol):
    """Publishes answers in batches, and says which offsets may be committed.

    `publish`, `confirm`, `start_confirming` and `wait` are called by whoever serves, one at a time.
    `disown`, `follow`, `start_over` and the giving of offsets are for the consumer's thread. The
    properties may be read on any thread.
    """

    @property
    def is_transactional(self) -> bool:
        """Whether offsets are committed with the answers, rather than by the consumer."""

    @property
    def confirm_ms(self) -> float:
        """Time that it takes to confirm a batch, lately, in milliseconds."""

    @property
    def unconfirmed_s(self) -> float:
        """How long the oldest batch that the broker does not hold yet has been under way, in
        seconds; 0 where there is none."""

    @property
    def trouble(self) -> str | None:
        """Why the broker has not taken answers for seconds, in one line; None where it does."""

    @property
    def is_aborted(self) -> bool:
        """Whether all since the committed offsets has to be read again, and then `start_over`
        called; until then what is published is dropped."""

    def publish(self, outgoing: Outgoing) -> None:
        """Take records for the next batch; blocks only while the producer's queue is full.

        Raises:
            BrokerError: a record can't be produced at all.
        """

    async def confirm(self, offsets: list[TopicPartition]) -> None:
        """Start confirming the batch of what was published since the last call, once the batch
        before it is confirmed.

        Args:
            offsets: up to these all is answered, with this batch.

        Raises:
            BrokerError: the batch before this one can't be confirmed.
        """

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        """`confirm`, for when no other batch is being confirmed."""

    def wait(self) -> None:
        """Block until the batch that is being confirmed is confirmed or aborted.

        Raises:
            BrokerError: it can't be.
        """

    def take_acknowledged(self) -> list[TopicPartition]:
        """Offsets that the consumer should commit; each is given once."""

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """Taken, but not committed after all: they come again, unless later ones do."""

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """Others own these: no offset of theirs is given any more, also of batches under way."""

    def follow(self, consumer: Consumer) -> None:
        """Learn the consumer's place in its group, as it is now."""

    def start_over(self) -> None:
        """The consumer is back at the committed offsets. No batch may be under way."""

    def close(self) -> None:
        """Stop; what is not confirmed is not committed either."""
