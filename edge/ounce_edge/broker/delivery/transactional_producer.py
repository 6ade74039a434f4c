"""A producer whose records become visible together with the offsets that they answer, or not."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.delivery.publishing import (
    PRODUCER_SETTINGS,
    ProducerSettings,
    Publishing,
    produce,
)
from ounce_edge.broker.delivery.refusals import Entry, Refusal, entries_of, is_of_a_record
from ounce_edge.broker.delivery.transaction_failures import (
    DENIED,
    FENCED,
    AbortCause,
    AbortedError,
    CausedError,
    FencedError,
    HungError,
    NeedsAbortError,
    ProducerLostError,
    RecordRefusedError,
    cause_of,
)
from ounce_edge.broker.hang_guard import HangGuard
from ounce_edge.wire.records import Outgoing

logger = logging.getLogger(__name__)

TRANSACTION_SETTINGS: ProducerSettings = {
    # How long an answer may lie unseen behind a worker that died, and hold up readers.
    "transaction.timeout.ms": 10_000,
    # A retriable error waits so long. Right after a commit the coordinator is busy for some
    # milliseconds: the default of 100 would make each transaction four times as long.
    "retry.backoff.ms": 2,
    "linger.ms": 0,  # a commit flushes at once
    # Sending offsets, librdkafka may wait until a connection is lost once more (its issue 5456).
    # Yet it takes one for idle, too, whose records are still on a slow line, and sends them again.
    "connections.max.idle.ms": 6000,
}
_TRY_S = 5.0
"""Seconds of one attempt at a step of a transaction; what can be retried is tried again."""
_PAUSE_S = 0.1


class TransactionalProducer:
    """Commits batches. Where a producer is lost, a new one of the same id takes its place.

    Args:
        publishing: how to publish, and where; over `PRODUCER_SETTINGS` and `TRANSACTION_SETTINGS`.
        transactional_id: unique among running workers; a restarted worker that has the same one
            ends what its predecessor left unfinished.
        offsets_first: offsets go before records: others' records behind them are held up shorter.

    Raises:
        BrokerError: Kafka does not allow transactions with this id.
    """

    def __init__(
        self, publishing: Publishing, transactional_id: str, *, offsets_first: bool = False
    ) -> None:
        self._id = transactional_id
        self._offsets_first = offsets_first
        self._same_partitions = publishing.same_partitions
        self._settings: ProducerSettings = {
            **PRODUCER_SETTINGS,
            **TRANSACTION_SETTINGS,
            **publishing.settings,
            "transactional.id": transactional_id,
        }
        self._producer = Producer(self._settings, logger=logger)
        self._closing = threading.Event()
        self._hung_s = round(1.5 * self._settings["transaction.timeout.ms"] / 1e3)
        """A transaction that is open for so long is one that the broker has given up. Where it was
        silent for a while and not gone, only a new client may find it again."""
        self._start()
        self._guard = HangGuard(self._hung_s)

    def commit(
        self, batch: Sequence[Outgoing], offsets: Sequence[TopicPartition], group: Any
    ) -> list[Refusal]:
        """Publish a batch and commit offsets, or neither.

        Args:
            batch: records to publish.
            offsets: to commit; not empty.
            group: metadata of the consumer's group, as of its latest generation.

        Returns:
            All entries of the batch where the broker refused one of them; then it did not take any
            of them. Empty where all are committed.

        Raises:
            AbortedError: nothing is committed, for another reason.
            BrokerError: it can't be repeated.
        """
        if not offsets:
            raise BrokerError("answers without offsets are not committed; restart this worker")
        refused: list[Refusal] = []
        failed = self._failure_of(batch, offsets, group, refused)
        if failed is None:
            return []
        is_refused = isinstance(failed, RecordRefusedError)
        # librdkafka goes on counting from a record that was refused; the broker does not.
        if self._is_lost_after(failed) or is_refused:
            self._take_over(failed)
        if is_refused and batch:
            return _all(batch, refused, str(failed))
        cause = failed.cause if isinstance(failed, CausedError) else AbortCause.OTHER
        raise AbortedError(str(failed), cause) from failed

    def _failure_of(
        self,
        batch: Sequence[Outgoing],
        offsets: Sequence[TopicPartition],
        group: Any,
        refused: list[Refusal],
    ) -> CausedError | BrokerError | None:
        """Try to commit; gives what went wrong. It is not raised: the client leaks what it raises
        while another exception is handled, and the batch with it.

        Args:
            batch: as for `commit`, like the next two.
            offsets: likewise.
            group: likewise.
            refused: gets the entries that the client did not take.
        """
        try:
            self._producer.begin_transaction()
            if self._offsets_first:
                self._add_offsets(offsets, group)
            refused += [
                Refusal(Entry(outgoing, i), why, is_alone=True)
                for outgoing in batch
                for i, why in produce(self._producer, self._same_partitions, outgoing)
            ]
            if refused:
                return RecordRefusedError(refused[0].why)
            if not self._offsets_first:
                self._add_offsets(offsets, group)
            self._repeat(lambda: self._producer.commit_transaction(_TRY_S), "commit")
        except KafkaException as e:
            return BrokerError(f"can't begin a transaction: {e.args[0].str()}")
        except (CausedError, BrokerError) as e:
            return e
        return None

    def _is_lost_after(self, failed: CausedError | BrokerError) -> bool:
        """Abort what is open after a failure; whether only a new producer can go on.

        Raises:
            BrokerError: none can.
        """
        if isinstance(failed, ProducerLostError):
            return True
        if isinstance(failed, NeedsAbortError):
            return self._abort_finds_lost()
        with suppress(BrokerError):  # what went wrong first is told
            if self._abort_finds_lost():  # one that is fenced takes no records either
                return True
        raise failed

    def stop_trying(self) -> None:
        """What can't be committed now is aborted; on any thread."""
        self._closing.set()

    def close(self) -> None:
        """What is not committed never becomes visible."""
        self._guard.close()
        try:
            self._producer.purge()
            self._producer.flush(1.0)
        except KafkaException as e:  # fenced: what ended this worker was told already
            logger.debug("not flushed: %s", e.args[0].str())

    def _abort_finds_lost(self) -> bool:
        """Abort what is open; whether that needs a new producer."""
        try:
            self._repeat(lambda: self._producer.abort_transaction(_TRY_S), "abort")
        except ProducerLostError:
            return True
        return False

    def _take_over(self, why: Exception) -> None:
        logger.warning("a new producer takes over: %s", why)
        self._replace_producer()
        self._start()

    def _replace_producer(self) -> None:
        """The broker ended a transaction that took longer than its timeout, as in an outage, and
        has refused the producer since. A new one of the same id ends what the old one left open.
        Where two processes have the same name the consumer group ends one of them."""
        self._producer.purge()
        self._producer = Producer(self._settings, logger=logger)

    def _start(self) -> None:
        while not self._closing.is_set():
            try:
                self._repeat(lambda: self._producer.init_transactions(_TRY_S), "start")
                return
            except HungError:
                self._replace_producer()
            except FencedError as e:
                raise BrokerError(
                    f"another process has transactional id {self._id}: give every worker of this "
                    f"group a --name of its own ({e})"
                ) from e
            except ProducerLostError as e:
                raise BrokerError(f"{e}; restart this worker") from e

    def _add_offsets(self, offsets: Sequence[TopicPartition], group: Any) -> None:
        self._repeat(lambda: self._send_offsets(offsets, group), "send offsets in")

    def _send_offsets(self, offsets: Sequence[TopicPartition], group: Any) -> None:
        with self._guard.watch("sending offsets to a transaction"):
            self._producer.send_offsets_to_transaction([*offsets], group, _TRY_S)

    def _what_failed(self, error: KafkaError) -> KafkaError:
        """Why a transaction has to be aborted. A step that was under way says only that it can't go
        on. A commit fails then, and says why."""
        try:
            self._producer.commit_transaction(_TRY_S)
        except KafkaException as e:
            cause: KafkaError = e.args[0]
            return cause
        return error

    def _repeat(self, attempt: Callable[[], object], what: str) -> None:
        """Do a step of a transaction, again while the error says that this may help.

        Raises:
            NeedsAbortError: only aborting helps.
            ProducerLostError: only a new producer helps.
            BrokerError: nothing does.
        """
        told, until_s = False, time.monotonic() + self._hung_s
        while True:
            try:
                attempt()
                return
            except KafkaException as e:
                error: KafkaError = e.args[0]
            if error.txn_requires_abort() and error.code() == KafkaError._STATE:
                error = self._what_failed(error)
            if error.txn_requires_abort() and is_of_a_record(error):
                raise RecordRefusedError(error.str())
            if error.txn_requires_abort():
                raise NeedsAbortError(f"can't {what} it: {error.str()}", cause_of(error))
            if error.code() in FENCED:
                raise FencedError(f"can't {what} it: {error.str()}", AbortCause.FENCED)
            if error.fatal() and error.code() != DENIED:
                raise ProducerLostError(f"can't {what} it: {error.str()}")
            if not error.retriable() or error.fatal():
                raise BrokerError(
                    f"can't {what} transactions of {self._id}: {error.str()}; "
                    + (
                        "grant this user Write on this transactional id"
                        if error.code() == DENIED
                        else "restart this worker: what is not committed is answered again"
                    )
                )
            if not told:
                logger.warning("can't %s transactions yet, trying again: %s", what, error.str())
                told = True
            if time.monotonic() > until_s or self._closing.wait(_PAUSE_S):
                raise HungError(f"can't {what} it for {self._hung_s} s: {error.str()}")


def _all(batch: Sequence[Outgoing], refused: Sequence[Refusal], why: str) -> list[Refusal]:
    """All entries of a batch, those that are known to be refused as they are."""
    found = {(id(refusal.entry.of), refusal.entry.i): refusal for refusal in refused}
    return [
        found.get((id(entry.of), entry.i), Refusal(entry, why, is_alone=False))
        for entry in entries_of(batch)
    ]
