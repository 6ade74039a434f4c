"""Exactly-once: answers, dead letters and offsets in one Kafka transaction per batch.

A reader with `isolation.level=read_committed` sees each answer once: a batch whose offsets are not
committed left no answer behind. Zombies are fenced by the consumer group's generation, which goes
with the offsets (KIP-447): a worker that lost its partitions can't commit. One transaction is run
on a thread of its own while the next batch is decoded, chosen for and run.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.hang_guard import HangGuard
from ounce_edge.broker.publishing import PRODUCER_SETTINGS, ProducerSettings, produce
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)

TRANSACTION_SETTINGS: ProducerSettings = {
    # How long an answer may lie unseen behind a worker that died, and hold up readers.
    "transaction.timeout.ms": 10_000,
    # What a retriable error waits: right after a commit the coordinator is busy for some
    # milliseconds, and the default of 100 would make each transaction four times as long.
    "retry.backoff.ms": 2,
    "linger.ms": 0,  # a commit flushes at once
    # Sending offsets, librdkafka may miss that a lost connection is up again, and wait for its next
    # change (its issue 5456). A connection that closes when idle, and is opened again, is one.
    "connections.max.idle.ms": 3000,
}
_TRY_S = 5.0
"""Seconds of one attempt at a step of a transaction; what can be retried is tried again."""
_PAUSE_S = 0.1
_HUNG_S = 15
"""A transaction that is open for so long is one that the broker has given up. Where the broker was
silent for a while and not gone, the client may find it no more: then only a new one does."""


class ExactlyOnce:
    """A `Delivery`: publishes answers and commits offsets together, or neither.

    Args:
        settings: of librdkafka, over `PRODUCER_SETTINGS` and `TRANSACTION_SETTINGS`.
        partitions: as `same_partitions` of `produce`.
        transactional_id: unique among running workers; a restarted worker that has the same one
            ends what its predecessor left unfinished.

    Raises:
        BrokerError: Kafka does not allow transactions with this id.
    """

    is_transactional = True

    def __init__(
        self,
        settings: ProducerSettings,
        partitions: Mapping[str, int] = MappingProxyType({}),
        *,
        transactional_id: str,
    ) -> None:
        self._partitions = partitions
        self._id = transactional_id
        self._settings: ProducerSettings = {
            **PRODUCER_SETTINGS,
            **TRANSACTION_SETTINGS,
            **settings,
            "transactional.id": transactional_id,
        }
        self._producer = Producer(self._settings, logger=logger)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="transaction")
        self._guard = HangGuard(_HUNG_S)
        self._running: Future[None] | None = None
        self._collected: list[Outgoing] = []
        self._offsets: list[TopicPartition] = []
        """Of what is collected: they go into the same transaction, whoever starts it."""
        self._aborted = False
        self._began_s = 0.0
        """When the transaction that is running began; 0 where none is."""
        self._group_metadata: Any = None
        """The consumer's, as of its latest poll."""
        self.confirm_ms = 0.0
        self._start()

    @property
    def unconfirmed_s(self) -> float:
        """As `Delivery` says."""
        began_s = self._began_s
        return time.monotonic() - began_s if began_s else 0.0

    @property
    def trouble(self) -> str | None:
        """As `Delivery` says."""
        return None

    @property
    def is_aborted(self) -> bool:
        """As `Delivery` says."""
        return self._aborted

    def publish(self, outgoing: Outgoing) -> None:
        """Collect records for the next transaction."""
        self._collected.append(outgoing)

    async def confirm(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says; after an abort what was published since is dropped instead."""
        self._offsets += offsets  # now: cancelled while it waits, this may not go on
        if self._running is not None:
            await asyncio.wait([asyncio.wrap_future(self._running)])
        self.start_confirming([])

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        """As `Delivery` says."""
        self._offsets += offsets
        self.wait()
        self._running = None
        collected, self._collected = self._collected, []
        offsets, self._offsets = self._offsets, []
        if not self._aborted and (collected or offsets):
            self._began_s = time.monotonic()
            self._running = self._thread.submit(self._run, collected, offsets, self._group_metadata)

    def wait(self) -> None:
        """As `Delivery` says."""
        if self._running is not None:
            self._running.result()

    def start_over(self) -> None:
        """As `Delivery` says."""
        self._collected.clear()
        self._offsets.clear()
        self._aborted = False

    def take_acknowledged(self) -> list[TopicPartition]:
        """Nothing: offsets are committed in the transactions."""
        return []

    def give_back(self, offsets: list[TopicPartition]) -> None:
        """Nothing: none was taken."""

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        """Nothing: Kafka refuses the transaction of a consumer that has lost its partitions."""

    def follow(self, consumer: Consumer) -> None:
        """As `Delivery` says; the next transaction is of this generation of the group."""
        self._group_metadata = consumer.consumer_group_metadata()

    def close(self) -> None:
        """Stop the thread; what is not committed never becomes visible."""
        self._thread.shutdown(wait=True)
        self._guard.close()
        try:
            self._producer.purge()
            self._producer.flush(1.0)
        except KafkaException as e:  # fenced: what ended this worker was told already
            logger.debug("not flushed: %s", e.args[0].str())

    def _run(
        self, collected: list[Outgoing], offsets: list[TopicPartition], group_metadata: Any
    ) -> None:
        if not offsets:
            raise BrokerError("answers without offsets are not committed; restart this worker")
        lost = False
        try:
            self._producer.begin_transaction()
            for outgoing in collected:
                produce(self._producer, self._partitions, outgoing)
            self._repeat(lambda: self._send_offsets(offsets, group_metadata), "send offsets in")
            self._repeat(lambda: self._producer.commit_transaction(_TRY_S), "commit")
        except _AbortError as e:
            logger.warning("transaction aborted, its records are read again: %s", e)
            self._aborted = True
            if self._abort_finds_lost():
                self._take_over(e)
        except _LostError as e:
            self._take_over(e)
        except (BrokerError, KafkaException) as e:  # one that is fenced takes no records either
            with suppress(BrokerError):  # what went wrong first is told
                lost = self._abort_finds_lost()
            if not lost:
                if isinstance(e, BrokerError):
                    raise
                raise BrokerError(f"can't begin a transaction: {e.args[0].str()}") from e
            self._take_over(e)
        self.confirm_ms, self._began_s = (time.monotonic() - self._began_s) * 1e3, 0.0

    def _abort_finds_lost(self) -> bool:
        """Abort what is open; whether that needs a new producer."""
        try:
            self._repeat(lambda: self._producer.abort_transaction(_TRY_S), "abort")
        except _LostError:
            return True
        return False

    def _take_over(self, why: Exception) -> None:
        logger.warning("a new producer takes over, and records are read again: %s", why)
        self._aborted = True
        self._replace_producer()
        self._start()

    def _replace_producer(self) -> None:
        """The broker ended a transaction that took longer than its timeout, as in an outage, and
        has refused the producer since. A new one of the same id ends what the old one left open.
        Where two processes have the same name the consumer group ends one of them."""
        self._producer.purge()
        self._producer = Producer(self._settings, logger=logger)

    def _start(self) -> None:
        while True:
            try:
                self._repeat(lambda: self._producer.init_transactions(_TRY_S), "start")
                return
            except _HungError:
                self._replace_producer()
            except _FencedError as e:
                raise BrokerError(
                    f"another process has transactional id {self._id}: give every worker of this "
                    f"group a --name of its own ({e})"
                ) from e
            except _LostError as e:
                raise BrokerError(f"{e}; restart this worker") from e

    def _send_offsets(self, offsets: list[TopicPartition], group_metadata: Any) -> None:
        with self._guard.watch("sending offsets to a transaction"):
            self._producer.send_offsets_to_transaction(offsets, group_metadata, _TRY_S)

    def _repeat(self, attempt: Callable[[], object], what: str) -> None:
        """Do a step of a transaction, again while the error says that this may help.

        Raises:
            _AbortError: only aborting helps.
            _LostError: only a new producer helps.
            BrokerError: nothing does.
        """
        told, began_s = False, time.monotonic()
        while True:
            try:
                attempt()
                return
            except KafkaException as e:
                error: KafkaError = e.args[0]
            if error.txn_requires_abort():
                raise _AbortError(f"can't {what} it: {error.str()}")
            if error.code() in _FENCED:
                raise _FencedError(f"can't {what} it: {error.str()}")
            if error.fatal() and error.code() != _DENIED:
                raise _LostError(f"can't {what} it: {error.str()}")
            if not error.retriable() or error.fatal():
                raise BrokerError(
                    f"can't {what} transactions of {self._id}: {error.str()}; "
                    + (
                        "grant this user Write on this transactional id"
                        if error.code() == _DENIED
                        else "restart this worker: what is not committed is answered again"
                    )
                )
            if not told:
                logger.warning("can't %s transactions yet, trying again: %s", what, error.str())
                told = True
            if time.monotonic() - began_s > _HUNG_S:
                raise _HungError(f"can't {what} it for {_HUNG_S} s: {error.str()}")
            time.sleep(_PAUSE_S)


class _AbortError(Exception):
    """A transaction has to be aborted."""


class _LostError(Exception):
    """This producer can't go on; another one of its id can."""


class _FencedError(_LostError):
    """The broker does not know this producer any more."""


class _HungError(_LostError):
    """A step was tried again and again, for longer than a transaction may last."""


_DENIED = KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
_FENCED = {
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
}
