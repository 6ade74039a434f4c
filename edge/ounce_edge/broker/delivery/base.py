"""What serving needs of Kafka: answers are published, and offsets committed once they are safe."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition

from ounce_edge.broker.delivery.refusals import Refused
from ounce_edge.wire.records import Outgoing

Confirmed = Callable[[Sequence[Refused]], None]
"""Called once the broker holds a batch, on another thread, with what it refused of it."""


class Delivery(Protocol):
    """Publishes answers in batches, one after another, and says which offsets may be committed.

    `publish`, `start_confirming`, `wait`, `abandon` and `start_over` are for whoever serves, one
    call at a time; the others may be called on any thread.
    """

    @property
    def is_transactional(self) -> bool:
        """Whether offsets are committed with the answers, rather than by the consumer."""

    @property
    def confirm_ms(self) -> float:
        """Time that the last batch took to be confirmed, in milliseconds."""

    @property
    def unconfirmed_s(self) -> float:
        """How long the batch under way has been so, in seconds; 0 where none is."""

    @property
    def trouble(self) -> str | None:
        """Why the broker has not taken answers for seconds, in one line; None where it does. The
        process goes on by itself once that is mended."""

    @property
    def is_settled(self) -> bool:
        """Whether no batch is under way."""

    @property
    def is_aborted(self) -> bool:
        """Whether all since the committed offsets has to be read again, and then `start_over`
        called; until then what is published is dropped."""

    def publish(self, outgoing: Outgoing) -> None:
        """Take records for the next batch; blocks only while the producer's queue is full.

        Raises:
            BrokerError: nothing can be produced to this topic.
        """

    async def settled(self, timeout_s: float) -> bool:
        """Wait until no batch is under way, or so long; whether none is."""

    def wait(self, timeout_s: float) -> bool:
        """`settled`, blocking.

        Raises:
            BrokerError: the batch can't be confirmed.
        """

    def start_confirming(self, offsets: list[TopicPartition], then: Confirmed) -> None:
        """Start confirming the batch of what was published since the last call. None may be under
        way.

        Args:
            offsets: up to these all is answered, with this batch.
            then: called once it is confirmed; never where it is aborted.

        Raises:
            BrokerError: the batch before this one can't be confirmed.
        """

    def take_acknowledged(self) -> list[TopicPartition]:
        """Offsets that the consumer should commit; each is given once."""

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """Taken, but not committed after all: they come again, unless later ones do."""

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """Others own these: none of their offsets is given, also of batches under way."""

    def follow(self, consumer: Consumer) -> None:
        """Learn the consumer's place in its group, as it is now."""

    def abandon(self) -> None:
        """Not all requests of the next batch will be answered."""

    def start_over(self) -> None:
        """The consumer is back at the committed offsets. No batch may be under way."""

    def close(self) -> None:
        """Stop; what is not confirmed is not committed either."""
