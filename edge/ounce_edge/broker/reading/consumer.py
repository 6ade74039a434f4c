"""FastStream's Confluent consumer, made to take what is there as soon as something is.

The stock consumer waits until a batch is full or its polling interval has passed. At low rates
that adds the interval to every answer. FastStream has no setting for it. It builds its consumers
through a factory on the broker's configuration, which is replaced here.

Only the consumer's own thread may call it. Since confluent-kafka 2.16 a call from another thread
waits until a running poll has returned, and for ever inside a rebalance. So what others want of the
consumer is done in `ConsumerHooks.look_after`, between two polls.
"""

import asyncio
import copy
import logging
import time
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError, Message, TopicPartition
from faststream.confluent import KafkaBroker
from faststream.confluent.helpers.client import AsyncConfluentConsumer
from faststream.confluent.message import FAKE_CONSUMER, KafkaMessage
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.link import fetch_settings
from ounce_edge.broker.places import Partition, place_of
from ounce_edge.broker.reading.consumer_hooks import ConsumerHooks

logger = logging.getLogger(__name__)

CONSUMER_SETTINGS: dict[str, str | int | float | bool] = {
    "fetch.queue.backoff.ms": 2,  # the default, 1 s, costs 3 to 5 times the throughput
    "queued.min.messages": 10_000,  # more grow cold in memory before they are taken
    "queued.max.messages.kbytes": 32_768,  # bounds what a backlog holds in memory
    **fetch_settings(),
    "enable.partition.eof": True,  # behind markers of transactions there is no record that says so
    "auto.offset.reset": "error",  # whoever serves decides where to begin, and tells
    "check.crcs": False,  # as librdkafka's default: TCP has a checksum, and so has the broker's log
}

PAUSE_AFTER_S = 0.1
"""So long a consumer may take nothing without being paused."""

_FATAL = {
    KafkaError._FATAL,  # fenced by another of the same name: `fatal()` is false of such a message
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
}
_GROUP_TROUBLE = {
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.GROUP_MAX_SIZE_REACHED,
    KafkaError.UNRELEASED_INSTANCE_ID,
}
_COMMIT_DENIED = {
    KafkaError._FATAL,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.OFFSET_METADATA_TOO_LARGE,
    KafkaError.INVALID_COMMIT_OFFSET_SIZE,
}
"""No repetition mends these. All other errors pass: a rebalance, a coordinator that moves or loads,
a broker that was silent for a while."""

_NAME_TAKEN = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()


class DrainingConsumer(AsyncConfluentConsumer):
    """Waits for the first record only.

    Args:
        hooks: those who serve what it reads.
    """

    __slots__ = ("_full_since_s", "_hooks", "_paused")

    def __init__(self, *args: Any, hooks: ConsumerHooks, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hooks = hooks
        self._paused: set[Partition] = set()
        """Also those that went to others meanwhile: the client keeps a partition that comes back as
        it was."""
        self._full_since_s: float | None = None

    async def getmany(
        self, timeout: float = 0.1, max_records: int | None = 10
    ) -> tuple[Message, ...]:
        """At most `max_records` that are there. Where none is, the first that comes within
        `timeout` seconds, and what comes with it or shortly after. Waiting ends when there is
        work."""
        loop = asyncio.get_running_loop()
        timeout = min(timeout, await self._hooks.work())
        taken, is_more, took_s = await loop.run_in_executor(
            self._thread_pool, self._take, timeout, max_records or 1
        )
        if any(map(Message.error, taken)):
            self._report(taken)
            taken = [message for message in taken if message.error() is None]
        self._hooks.on_poll(len(taken), is_more, took_s)
        return tuple(taken)

    def _take(self, timeout: float, most: int) -> tuple[list[Message], bool, float]:
        """Records, whether there may be more, and the seconds that reading them took."""
        self._hooks.look_after(self.consumer)
        most = min(most, self._hooks.room())
        if most < 1:
            return self._wait_for_room(timeout), False, 0.0
        self._full_since_s = None
        if self._paused:
            self.consumer.resume([TopicPartition(*place) for place in self._paused])
            self._paused.clear()
        began_s = time.perf_counter()
        taken: list[Message] = self.consumer.consume(most, 0)
        if not taken and timeout > 0:
            taken = self.consumer.consume(1, timeout)
            if taken and most > 1:
                # Waiting in the client would wake this thread for each record. That costs a twelfth
                # of what a worker spends on a message at 1,000 a second.
                left_s = timeout - (time.perf_counter() - began_s)
                time.sleep(max(min(self._hooks.batch_delay_s(), left_s), 0.0))
            began_s = time.perf_counter()
            if taken and most > 1:
                taken += self.consumer.consume(most - 1, 0)
        return taken, len(taken) == most, time.perf_counter() - began_s

    def _wait_for_room(self, timeout: float) -> list[Message]:
        """For a short while, while there is work that makes room, nothing is asked of the client;
        then partitions are paused. What it had fetched of them it fetches again after that."""
        now_s = time.perf_counter()
        if self._full_since_s is None:
            self._full_since_s = now_s
        if timeout <= 0 and now_s - self._full_since_s < PAUSE_AFTER_S:
            return []
        # Paused, a poll gives no records, and still tells the broker that this consumer lives.
        assigned = self.consumer.assignment()
        self.consumer.pause(assigned)
        self._paused |= set(map(place_of, assigned))
        return self.consumer.consume(1, timeout)

    def _report(self, taken: list[Message]) -> None:
        """Tell of what is no record: ends of partitions, and errors."""
        for message in taken:
            error = message.error()
            if error is None:
                continue
            code = error.code()
            partition = message.topic() or "", message.partition() or 0
            if code == KafkaError._PARTITION_EOF:
                self._hooks.on_end(partition, message.offset() or 0)
            elif code == KafkaError._AUTO_OFFSET_RESET:
                logger.warning("%s[%d]: %s", *partition, error.str())
                self._hooks.on_reset(partition, _offset_of(message))
            elif code in _GROUP_TROUBLE:
                self._hooks.on_group_trouble(error.str())
            elif code in _FATAL or error.fatal():
                self._hooks.on_error(
                    BrokerError(f"can't read {message.topic() or 'requests'}: {_why(error)}")
                )
            else:
                logger.warning("kafka: %s", error.str())


def _why(error: KafkaError) -> str:
    """What the client says. Of a name that is taken it speaks twice, and not of what to do."""
    if _NAME_TAKEN not in error.str():
        return error.str()
    return (
        "another process has this one's name: give every worker of this group a --name of its own "
        f"({_NAME_TAKEN})"
    )


def _offset_of(message: Message) -> int:
    offset = message.offset()
    return OFFSET_INVALID if offset is None else offset


class CommitReports:
    """Hears what became of asynchronous commits. A failure that may pass is told once, until a
    commit succeeds.

    Args:
        hooks: those who commit.
    """

    def __init__(self, hooks: ConsumerHooks) -> None:
        self._hooks = hooks
        self._is_told = False

    def __call__(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """As the client calls it, within a poll."""
        error = error or next((p.error for p in partitions if p.error is not None), None)
        self._hooks.on_commit(error is not None)
        if error is not None and (error.code() in _COMMIT_DENIED or error.fatal()):
            topics = ", ".join(sorted({p.topic for p in partitions})) or "requests"
            self._hooks.on_error(BrokerError(f"can't commit offsets of {topics}: {_why(error)}"))
        elif error is not None and not self._is_told:
            logger.warning(
                "offsets not committed; of partitions that are ours still, again: %s", error.str()
            )
        self._is_told = error is not None


def use_draining_consumers(broker: KafkaBroker, hooks: ConsumerHooks) -> None:
    """Make `broker` build `DrainingConsumer`s, with `CONSUMER_SETTINGS`."""
    config = broker.config.broker_config
    connection = copy.copy(config.connection_config)
    connection.config = {**connection.config, **CONSUMER_SETTINGS}
    connection.config["on_commit"] = CommitReports(hooks)

    def build(*topics: Any, **kwargs: Any) -> DrainingConsumer:
        return DrainingConsumer(
            *topics,
            config=connection,
            admin_service=config.admin,
            logger=config.logger,
            hooks=hooks,
            **kwargs,
        )

    config.builder = build


def quiet_logger() -> logging.Logger:
    """FastStream tells of its tasks, and warns that topics are not created, as they should not."""
    faststream = logging.getLogger("ounce_edge.faststream")
    faststream.addFilter(
        lambda record: (
            record.levelno >= logging.WARNING
            and "Auto create topics is disabled" not in record.getMessage()
        )
    )
    return faststream


async def keep_records(records: tuple[Message, ...]) -> KafkaMessage:
    """FastStream's own parser decodes every header of every record: one that is not UTF-8 would
    cost the whole batch. Ours leaves them to the pipeline."""
    return KafkaMessage(
        body=b"",
        raw_message=records,
        message_id="",
        correlation_id="",
        consumer=FAKE_CONSUMER,
        is_manual=True,
    )


async def keep_undecoded(message: KafkaMessage) -> object:
    """A decoder that decodes nothing."""
    return message.raw_message
