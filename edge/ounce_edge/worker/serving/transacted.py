"""Exactly once: polls are answered in transactions, in the order in which they were read."""

import math
import threading
import time
from collections.abc import Collection, Sequence

from confluent_kafka import TopicPartition

from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.places import place_of, place_of_record
from ounce_edge.recommender.pacing.transaction_size import (
    TransactionSize,
    TransactionTime,
    budget_ms,
)
from ounce_edge.wire.records import Record
from ounce_edge.worker.serving.mode import LAST_WORDS_S, PATIENCE_S, Count, Mode
from ounce_edge.worker.serving.tasks import Tasks

_POLL_TRANSACTIONS = 4
"""A poll gives the records of so many transactions: between two polls nobody can end this worker in
order, or give its partitions to another one."""


class Transacted(Mode):
    """Answers as many records together as take little time; the next ones meanwhile wait.

    A transaction holds all answers to its records, so it ends only when all are answered: records
    that are more urgent wait for it.

    Args:
        transaction_ms: compute of one transaction; less where deadlines are tight.
        most: records of one transaction, at most.
    """

    def __init__(
        self,
        tasks: Tasks,
        delivery: Delivery,
        lock: threading.Lock,
        count: Count,
        *,
        transaction_ms: float,
        most: int,
    ) -> None:
        super().__init__(tasks, delivery, lock, count)
        self._transaction_ms = transaction_ms
        self._size = TransactionSize(most=most)
        self._time = TransactionTime()
        self._taken: list[Record] = []
        self._n_answered = self._n_confirming = 0
        """Records of the latest transaction that was answered, and of that which is committed."""
        self._is_behind = False
        self._is_queueing = False
        """Whether the last poll gave more than one transaction takes."""

    async def take(self, records: Sequence[Record]) -> None:
        """As `Mode` says."""
        with self._lock:
            self._taken += records
            self._is_queueing = self._is_behind or len(self._taken) > self._size.n_records
        await self.work()

    async def work(self) -> bool:
        """As `Mode` says: transactions, until all that was taken is answered or the broker takes
        none.

        Where more is there to be read, it is read and answered while the last one is committed.
        Else what comes meanwhile is read together after that: answered at once, its transaction
        would be one of few records that all others wait for.
        """
        was_busy = bool(self._taken)
        while await self._hand_over() and self._may_answer:
            with self._lock:
                self._answer_next(math.inf)
        if not self._is_behind:
            await self._delivery.settled(PATIENCE_S - self._delivery.unconfirmed_s)
        return was_busy

    def finish(self, until_s: float) -> None:
        """As `Mode` says."""
        with self._lock:
            while self._delivery.wait(max(until_s - time.monotonic(), 0.0)):
                self._start_confirming()
                if not self._may_answer or time.monotonic() >= until_s:
                    break
                self._answer_next(until_s)
            self._delivery.wait(LAST_WORDS_S)
            if self._tasks.is_news:  # its partitions may be others' before it can be committed
                self._abandon()

    def poll_size(self, room: int, each_room: float) -> int:
        """As `Mode` says."""
        return min(room, _POLL_TRANSACTIONS * self._size.n_records)

    def polled(self, n_records: int, is_more: bool, took_s: float) -> None:
        """As `Mode` says."""
        self._is_behind = is_more

    @property
    def n_untouched(self) -> int:
        """As `Mode` says."""
        return len(self._taken)

    def due_in_s(self) -> float:
        """As `Mode` says."""
        return 0.0 if self._may_answer and not self.is_stalled else super().due_in_s()

    def drop(self, partitions: Collection[TopicPartition]) -> int:
        """As `Mode` says."""
        gone = set(map(place_of, partitions))
        kept = [record for record in self._taken if place_of_record(record) not in gone]
        n_dropped = len(self._taken) - len(kept)
        self._taken = kept
        return n_dropped + super().drop(partitions)

    def _start_confirming(self) -> bool:
        if self._tasks.is_news and self._delivery.is_settled:
            if took_ms := self._delivery.confirm_ms:  # of the one before
                self._time.learn(took_ms)
                if self._n_confirming:
                    self._size.learn_commit(self._n_confirming, took_ms)
            self._n_confirming = self._n_answered
        return super()._start_confirming()

    def _abandon(self) -> None:
        self._delivery.abandon()
        self._tasks.take_answered()

    def start_over(self) -> None:
        """As `Mode` says."""
        self._taken = []
        if self._n_confirming:
            self._size.learn_abort(self._n_confirming)
            self._n_confirming = 0
        super().start_over()

    @property
    def _may_answer(self) -> bool:
        return bool(self._taken) and not self._delivery.is_aborted

    def _answer_next(self, until_s: float) -> None:
        """Answer the records of one transaction; where time is up before, none of them."""
        n = self._size.n_records
        some, self._taken = self._taken[:n], self._taken[n:]
        self._n_answered = len(some)
        typical_ms = self._time.typical_ms
        allowed_ms = budget_ms(
            self._transaction_ms,
            self._tasks.tightest_ms,
            typical_ms,
            is_queueing=self._is_queueing,
        )
        began_s = time.perf_counter()
        self._tasks.admit(some)
        if self._tasks.answer_all(until_s, typical_ms):
            self._size.learn(len(some), (time.perf_counter() - began_s) * 1e3, allowed_ms)
            return
        self._abandon()
        places = set(map(place_of_record, some))
        self._tasks.drop([TopicPartition(*place) for place in places])
