"""Noticing a consumer that reads nothing although there is something to read.

Clients have been seen to stay silent after a broker came back, with all partitions assigned and no
error. What they say of their own lag is as old as their last fetch, so the ends of the partitions
are asked of the broker, on another connection.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition
from ounce_schemas.errors import BrokerError

logger = logging.getLogger(__name__)

Partition = tuple[str, int]

_EVERY_S = 5.0
_RESTART_S = 20.0

STUCK_AFTER_S = 30.0


class Watchdog:
    """Compares where a consumer is with where its partitions end."""

    def __init__(self) -> None:
        self._since_s: dict[Partition, tuple[int, float]] = {}

    def stuck(
        self, positions: Mapping[Partition, int], ends: Mapping[Partition, int], at_s: float
    ) -> list[Partition]:
        """Partitions that have had records to read for `STUCK_AFTER_S` without one being read.

        Args:
            positions: next offset to read, of every assigned partition.
            ends: next offset to be written, where it is known.
            at_s: now, on any steady clock.
        """
        behind = {p: at for p, at in positions.items() if ends.get(p, at) > at}
        self._since_s = {
            p: since
            if (since := self._since_s.get(p)) is not None and since[0] == at
            else (at, at_s)
            for p, at in behind.items()
        }
        return [p for p, (_, s) in self._since_s.items() if at_s - s >= STUCK_AFTER_S]


class Ends:
    """Asks the broker where partitions end.

    A client that was told of a partition without a leader answers so from its memory for minutes,
    whatever the broker would say, so after a failure a new one is asked.

    Args:
        connect: makes a client.
    """

    def __init__(self, connect: Callable[[], Consumer]) -> None:
        self._connect = connect
        self._client: Consumer | None = None

    def of(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Next offset to be written of these, as far as the broker tells in some seconds; blocks
        meanwhile."""
        client = self._client = self._client or self._connect()
        ends, deadline_s = {}, time.monotonic() + _EVERY_S
        for topic, partition in partitions:
            left_s = max(deadline_s - time.monotonic(), 0.0)
            try:
                at = TopicPartition(topic, partition)
                ends[topic, partition] = client.get_watermark_offsets(at, timeout=left_s)[1]
            except KafkaException as e:
                logger.debug("no end of %s[%d]: %s", topic, partition, e.args[0].str())
        if len(ends) < len(partitions):
            client.close()
            self._client = None
        return ends


async def watch(
    kafka: Mapping[str, str | int | float | bool],
    positions: Callable[[], Mapping[Partition, int]],
    restart: Callable[[], Awaitable[None]],
) -> None:
    """Restart a consumer whenever it is stuck, for ever.

    Args:
        kafka: properties of a client.
        positions: next offset to read of every partition that should be read from now.
        restart: stops the consumer and starts another one.

    Raises:
        BrokerError: it could not be restarted in time.
    """
    # It joins no group, and reads nothing.
    settings = {**kafka, "group.id": "ounce-watchdog", "log_level": 2}
    ends = Ends(lambda: Consumer(settings))
    dog = Watchdog()
    while True:
        await asyncio.sleep(_EVERY_S)
        at = positions()
        stuck = dog.stuck(at, await asyncio.to_thread(ends.of, at), time.monotonic())
        if not stuck:
            continue
        logger.error("the consumer reads nothing of %s: restarting it", stuck)
        dog = Watchdog()
        try:
            await asyncio.wait_for(restart(), _RESTART_S)
        except TimeoutError:
            raise BrokerError("the consumer reads nothing, and could not be restarted") from None
