"""What a consumer has to do with those who serve what it reads."""

from typing import Protocol

from confluent_kafka import Consumer
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.places import Partition


class ConsumerHooks(Protocol):
    """What a consumer asks and tells those who serve what it reads.

    `work`, `on_poll`, `on_end` and `on_group_trouble` are called on the event loop, the others on
    the consumer's thread.
    """

    def look_after(self, consumer: Consumer) -> None:
        """Between two polls: do with the client what only its own thread may do."""

    def room(self) -> int:
        """Records that may be taken now; where none for a while, partitions are paused."""

    def batch_delay_s(self) -> float:
        """Seconds to wait for more once the first record has come."""

    async def work(self) -> float:
        """Serve some of what was taken before.

        Returns:
            Seconds until there is more to serve: 0 where something was left, infinite where nothing
            is open.
        """

    def on_poll(self, n_records: int, is_more: bool, took_s: float) -> None:
        """A poll gave so many records, there may be more, and reading them took so long."""

    def on_end(self, partition: Partition, offset: int) -> None:
        """The polls up to this one gave all that can be read of a partition, up to this offset."""

    def on_reset(self, partition: Partition, offset: int) -> None:
        """A partition is not read: it does not have this offset; negative: there is none."""

    def on_commit(self, was_refused: bool) -> None:
        """An asynchronous commit is answered; called within a poll."""

    def on_group_trouble(self, why: str) -> None:
        """The group does not take this consumer now; it tries again by itself."""

    def on_error(self, error: BrokerError) -> None:
        """No retry mends this error."""
