"""Reading what a Kafka client has at hand.

A client that is asked for many records waits for all of them, or until its time is up: for nothing,
where a topic ends sooner. Works with any client that behaves as librdkafka's, and imports none.
"""

from typing import Protocol, TypeVar

M = TypeVar("M")


class _Consumer(Protocol[M]):
    """As `Consumer`."""

    def consume(self, num_messages: int, timeout: float, /) -> list[M]: ...


def take_at_hand(consumer: _Consumer[M], most: int, timeout_s: float) -> list[M]:
    """The first message that is there or comes within `timeout_s`, and what is there beside it.

    Args:
        consumer: has partitions.
        most: messages at most, 1 or more.
        timeout_s: how long to wait for the first.
    """
    first = consumer.consume(1, timeout_s)
    return first + consumer.consume(most - 1, 0) if first and most > 1 else first
