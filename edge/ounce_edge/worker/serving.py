"""Serves the tasks of a worker: from a poll's records to answers and offsets that are handed to
Kafka. Knows nothing of consumers and FastStream."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from confluent_kafka import TopicPartition
from ounce_schemas.topics import requests_topic

from ounce_edge.broker.base import Delivery
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.turn import Turn
from ounce_edge.recommender.pacing.batch_delay import BatchDelay
from ounce_edge.recommender.pacing.poll_size import Pace
from ounce_edge.recommender.pacing.transaction_size import TransactionSize, budget_ms
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Record
from ounce_edge.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

_SLICE_SHARE = 0.1
_LONGEST_SLICE_MS = 100.0
POLL_SLICES = 2.0
"""A poll may take as long as so many slices: a smaller one spends too much of its time on what each
poll takes, whatever it gives."""


class Serving:
    """One pipeline for each task, and what they share: lanes, a delivery, and time.

    `finish`, `room`, `batch_delay_s`, `drop`, `forget_ids` and `tell` are for the consumer's
    thread, where partitions may be revoked within a poll; the rest is for the event loop. So there
    are two locks, taken in this order:

    - `_turn` is held by whoever serves on the event loop, until what it published is given to
      confirm, so that draining waits its turn;
    - `_lock` is held, on any thread, while something is done with pipelines or with what they
      answered. Public methods and coroutines take it, and never wait for the event loop with it;
      the other private methods are called with it held. `room`, `batch_delay_s` and `due_in_s` only
      look, without.

    Args:
        settings: of the worker.
        pipelines: one for each task.
        lanes: those of the pipelines.
        delivery: takes answers, and offsets up to which all is answered.
        events: is told what people should know.
        metrics: counts.
        health: is told of progress.
        labels: what is known of the truth; without it nothing is learned from labels.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        pipelines: Iterable[Pipeline],
        lanes: Lanes,
        delivery: Delivery,
        events: Events,
        metrics: Metrics,
        health: Health,
        labels: LabelReader | None = None,
    ) -> None:
        self._settings = settings
        self._pipelines = {requests_topic(p.task.name): p for p in pipelines}
        self._lanes = lanes
        self._delivery = delivery
        self._events = events
        self._metrics = metrics
        self._health = health
        self._labels = labels
        self._turn = asyncio.Lock()
        self._lock = threading.Lock()
        self._answered: dict[tuple[str, int], int] = {}
        """By partition, the offset up to which all is answered, where it is not yet given to
        confirm."""
        self._unconfirmed = False
        """Something was published and not yet given to confirm."""
        self._transaction_size = TransactionSize(most=settings.max_batch)
        """Exactly-once only."""
        self._pace = Pace()
        """At-least-once only: a transaction answers all that a poll gave."""
        self._batch_delay = BatchDelay(settings.batch_delay_ms)
        self._reading_ms = 0.0
        """Time that the last poll took, beside decoding what it gave."""
        self.tasks: Mapping[str, str] = {t: p.task.name for t, p in self._pipelines.items()}
        """Names of the tasks, by the topic of their requests."""
        self._each_room = 0.0
        """Share of the room for waiting requests that each of them takes, as of that look."""
        self.is_full = False
        """Whether nothing may be taken for now, as of the last look for `room`."""

    async def take(self, records: Sequence[Record]) -> None:
        """Take one poll, and answer what comes first of all that waits; exactly-once, all of it.

        Raises:
            BrokerError: the broker did not take what was published before.
        """
        async with self._turn:
            if self._delivery.is_transactional:
                await self._transact(records, self._delivery)
            else:
                began_s = time.perf_counter()
                with self._lock:
                    self._admit(records)
                self._pace.learn(len(records), self._reading_ms + _ms_since(began_s))
                await self._step()

    async def work(self) -> None:
        """Between two polls: answer what comes first of what is open, if anything can be done and
        nothing is there to be read first.

        Raises:
            BrokerError: the broker did not take what was published before.
        """
        if not self._pace.is_behind and not self.due_in_s():
            async with self._turn:
                await self._step()

    def due_in_s(self) -> float:
        """Seconds until a task has something to do; infinite when nothing is open."""
        return min(pipeline.due_in_s() for pipeline in self._pipelines.values())

    async def drain(self) -> None:
        """`finish`, after whoever serves now.

        Raises:
            BrokerError: the broker did not take all of it.
        """
        async with self._turn:
            await asyncio.to_thread(self.finish)

    def finish(self) -> None:
        """Answer all that is open, and wait until the broker has it. Blocks.

        Raises:
            BrokerError: the broker did not take all of it.
        """
        with self._lock:
            self._delivery.wait()
            self._answer_all()
            self._delivery.start_confirming(self._take_offsets())
            self._delivery.wait()

    def room(self) -> int:
        """Records that the next poll may take: as many as are read in the time of a few slices, so
        that urgent ones need not wait for many others; where all that waits is late, as many as
        there is room for. None where that is little, and more so while all that waits is late."""
        n_bytes = sum(pipeline.n_bytes for pipeline in self._pipelines.values())
        n_open = sum(pipeline.n_open for pipeline in self._pipelines.values())
        room = self._settings.max_waiting - n_open
        filled = n_bytes / (self._settings.max_waiting_mb * 1_000_000)
        if filled >= 1.0:
            room = 0
        self._each_room = max(1.0 / self._settings.max_waiting, filled / max(n_open, 1))
        was_full = self.is_full
        all_late = not any(pipeline.any_timely for pipeline in self._pipelines.values())
        # Small polls are dear: where nobody waits for them, they are large.
        least = self._settings.max_waiting // (2 if was_full and all_late else 8)
        self.is_full = room < max(least, 1)
        if self.is_full and not was_full:
            self._metrics.count_pause()
        if self.is_full:
            return 0
        if self._delivery.is_transactional:
            return room
        if self._pace.is_behind and all_late:
            return room
        return min(room, self._pace.within(POLL_SLICES * self._slice_ms()))

    def batch_delay_s(self) -> float:
        """Seconds that a poll which found nothing at first waits for more behind the first that
        came."""
        return self._batch_delay.seconds

    def polled(self, n_records: int, is_more: bool, took_s: float) -> None:
        """A poll gave records.

        Args:
            n_records: how many.
            is_more: whether there may be more.
            took_s: seconds that it took to read them.
        """
        answers_all = self._delivery.is_transactional
        self._batch_delay.polled(n_records, self._tightest_ms(), time.perf_counter())
        self._pace.polled(n_records, is_more and not answers_all)
        self._reading_ms = took_s * 1e3

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Others own these already: what waits is theirs to answer, what was answered theirs to
        commit."""
        with self._lock:
            for topic, pipeline in self._pipelines.items():
                lost = [p.partition for p in partitions if p.topic == topic]
                if lost and pipeline.drop(lost):
                    logger.warning("dropped what waited of partitions that others own now")
                for partition in lost:
                    self._answered.pop((topic, partition), None)

    def forget_ids(self) -> None:
        """What was answered lately is answered again: it is no repetition."""
        with self._lock:
            for pipeline in self._pipelines.values():
                pipeline.forget_ids()

    def tell(self) -> None:
        """Let readers see what is believed now, what became of labels, also while no requests come,
        and the decisions recorded so far."""
        with self._lock:
            self._learn()
            for pipeline in self._pipelines.values():
                self._metrics.show(pipeline.snapshot())
                pipeline.flush()

    def progressed(self) -> None:
        """Records were finished, or there was nothing to do. It is no progress while a call hangs:
        then nothing behind its own is committed."""
        if self._lanes.longest_s < STALLED_AFTER_S:
            self._health.progressed()

    def close(self) -> None:
        """Write what is buffered of the decisions."""
        for pipeline in self._pipelines.values():
            pipeline.close()

    async def _step(self) -> None:
        """One slice of work for each task that has any, then confirm what it published. Where more
        is there to be read, only what can't wait for that."""
        poll_ms = 0.0
        if self._pace.is_behind:
            poll_ms = self._pace.poll_ms(self._pace.within(POLL_SLICES * self._slice_ms()))
        with self._lock:
            self._slice(poll_ms=poll_ms)
            is_news = self._unconfirmed or bool(self._answered)
            offsets = self._take_offsets()
        if is_news:
            await self._delivery.confirm(offsets)
        self.progressed()

    async def _transact(self, records: Sequence[Record], delivery: Delivery) -> None:
        """Answer one poll in transactions, each of as many records as take little time together.

        A transaction holds all answers to its records, so it ends only when all are answered:
        records that are more urgent wait for it.
        """
        start = 0
        while start < len(records) and not delivery.is_aborted:
            some = records[start : start + self._transaction_size.n_records]
            allowed_ms = budget_ms(
                self._settings.transaction_ms, self._tightest_ms(), delivery.confirm_ms
            )
            began_s = time.perf_counter()
            with self._lock:
                self._admit(some)
                self._answer_all(delivery.confirm_ms)
                took_ms = (time.perf_counter() - began_s) * 1e3
                offsets = self._take_offsets()
            self._transaction_size.learn(len(some), took_ms, allowed_ms)
            await delivery.confirm(offsets)
            start += len(some)
        self.progressed()

    def _admit(self, records: Sequence[Record]) -> None:
        for topic, of_topic in _by_topic(records, self._pipelines).items():
            self._observe(topic, self._pipelines[topic].admit(of_topic, self._delivery.publish))

    def _slice(self, reserve_ms: float = 0.0, keep_free: bool = True, poll_ms: float = 0.0) -> None:
        """One slice of work for each task that has any."""
        self._learn()
        busy = [(topic, p) for topic, p in self._pipelines.items() if not p.due_in_s()]
        busy.sort(key=lambda each: each[1].took_lane_at_s)  # a free lane goes to each in turn
        n_waiting = sum(len(pipeline.waiting) > 0 for _, pipeline in busy)
        slice_ms = self._slice_ms()
        others_ms = reserve_ms + slice_ms * max(n_waiting - 1, 0)
        for topic, pipeline in busy:
            turn = Turn(slice_ms, others_ms, keep_free, poll_ms, self._each_room)
            self._observe(topic, pipeline.step(self._delivery.publish, turn))

    def _answer_all(self, reserve_ms: float = 0.0) -> None:
        """Answer all that is open, and take nothing new meanwhile. Blocks."""
        while (due_in_s := self.due_in_s()) < math.inf:
            self._lanes.wait(due_in_s)
            self._slice(reserve_ms, keep_free=False)

    def _slice_ms(self) -> float:
        """Longest time between two looks for newer requests: of its deadline each waits for at most
        so much, if it is like the latest."""
        share_ms = min(_SLICE_SHARE * self._tightest_ms(), _LONGEST_SLICE_MS)
        return max(self._settings.slice_ms, share_ms)

    def _tightest_ms(self) -> float:
        """The tightest deadline of the requests of all tasks that came lately."""
        return min(pipeline.tightest_ms for pipeline in self._pipelines.values())

    def _learn(self) -> None:
        """Hold the labels that came against the answers that they are about."""
        if self._labels is None:
            return
        for task, labels in self._labels.drain().items():
            outcomes = self._pipelines[requests_topic(task)].learn(labels)
            self._metrics.observe_labels(task, outcomes)
        for task, losses in self._labels.take_losses().items():
            self._metrics.observe_labels(task, losses)

    def _observe(self, topic: str, report: Report) -> None:
        self._metrics.observe(report)
        for incident in report.incidents:
            self._events.tell(incident.kind, report.task, incident.subject, incident.text)
        self._answered.update({(topic, p): o for p, o in report.next_offsets.items()})
        self._unconfirmed |= bool(report.groups or report.rejected)

    def _take_offsets(self) -> list[TopicPartition]:
        """Offsets up to which all is answered and published, each once; to confirm, with all that
        was published."""
        offsets = [TopicPartition(t, p, offset) for (t, p), offset in self._answered.items()]
        self._answered.clear()
        self._unconfirmed = False
        return offsets


def _ms_since(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1e3


def _by_topic(records: Sequence[Record], topics: Collection[str]) -> Mapping[str, Sequence[Record]]:
    if len(topics) == 1:
        return dict.fromkeys(topics, records)
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(str(record.topic()), []).append(record)
    return found
