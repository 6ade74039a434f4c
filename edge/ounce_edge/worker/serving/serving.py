"""Serves the tasks of a worker: from a poll's records to answers and offsets that are handed to
Kafka. Knows nothing of consumers and FastStream."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TopicPartition
from ounce_schemas.event import EventKind
from ounce_schemas.topics import requests_topic

from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.broker.places import Partition
from ounce_edge.evidence.incidents import Incident
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.pacing.batch_delay import BatchDelay
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tracing import Tracing
from ounce_edge.telemetry.trial_counts import TrialCounts
from ounce_edge.wire.records import Record
from ounce_edge.worker.serving.labelling import Labelling
from ounce_edge.worker.serving.mode import Mode
from ounce_edge.worker.serving.room import Room
from ounce_edge.worker.serving.sliced import Sliced
from ounce_edge.worker.serving.tally import Tally
from ounce_edge.worker.serving.tasks import Tasks
from ounce_edge.worker.serving.transacted import Transacted
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)


class Telemetry(NamedTuple):
    """What is told of serving."""

    metrics: Metrics
    events: Events
    health: Health
    tracing: Tracing | None = None


class Serving:
    """One pipeline for each task, and what they share: lanes, a delivery, and time.

    The event loop takes polls and works between them; the consumer's thread gives up partitions,
    which may happen within a poll. One lock is held for each piece of work on pipelines and
    delivery. It is not held while the event loop waits for the broker, so the pieces of a poll may
    be apart: each of them leaves all in order. `room`, `batch_delay_s` and `due_in_s` only look,
    without it.

    Args:
        settings: of the worker.
        pipelines: one for each task.
        lanes: those of the pipelines.
        delivery: takes answers, and offsets up to which all is answered.
        telemetry: is told of all this.
        labels: what is known of the truth; without it nothing is learned from labels.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        pipelines: Iterable[Pipeline],
        lanes: Lanes,
        delivery: Delivery,
        telemetry: Telemetry,
        labels: LabelReader | None = None,
    ) -> None:
        self._pipelines = {pipeline.task.name: pipeline for pipeline in pipelines}
        self.tasks: Mapping[str, str] = {requests_topic(task): task for task in self._pipelines}
        """Names of the tasks, by the topic of their requests."""
        self.lanes = lanes
        self.delivery = delivery
        self._metrics, self._events, self._health, tracing = telemetry
        self._drain_s = settings.drain_s
        self.trial_counts = TrialCounts()
        """What became of messages under policies that are compared."""
        self.copy_to: Callable[[Sequence[Record]], None] = lambda records: None
        """Called with each poll, before it is taken; must not wait."""
        self._labelling = Labelling(labels, self._pipelines, self._metrics, self.trial_counts)
        self._open = Tasks(
            self._pipelines.values(),
            lanes,
            settings.slice_ms,
            delivery.publish,
            self._labelling.learn,
            self._tell_people,
        )
        self._lock = threading.Lock()
        if tracing is not None:
            for pipeline in self._pipelines.values():
                pipeline.keeps_trails = True
        tally = Tally(self.tasks, self._metrics, self._events, self.trial_counts, tracing)
        self._mode: Mode
        if delivery.is_transactional:
            self._mode = Transacted(
                self._open,
                delivery,
                self._lock,
                tally.count,
                transaction_ms=settings.transaction_ms,
                most=settings.max_batch,
            )
        else:
            self._mode = Sliced(self._open, delivery, self._lock, tally.count)
        self._room = Room(settings, self._open, self._metrics)
        self._batch_delay = BatchDelay(settings.batch_delay_ms)
        self._drained_at_s = math.inf
        """When draining ends, on the clock of `time.monotonic`."""
        self._trouble: str | None = None
        """Of the delivery, as people were told."""

    @property
    def is_full(self) -> bool:
        """Whether nothing may be taken for now, as of the last look for `room`."""
        return self._room.is_full or self._mode.is_stalled

    async def take(self, records: Sequence[Record]) -> None:
        """Take one poll, and answer what comes first of all that waits; exactly-once, all of it.

        Raises:
            BrokerError: the broker did not take what was published before.
        """
        self.copy_to(records)
        await self._mode.take(records)
        self.progressed()

    async def work(self) -> None:
        """Between two polls: answer what comes first of what is open, if anything can be done and
        nothing is there to be read first.

        Raises:
            BrokerError: the broker did not take what was published before.
        """
        if await self._mode.work() or self._mode.is_stalled:
            self.progressed()

    def begin(self, topic_ids: Mapping[Partition, str | None]) -> None:
        """These partitions are read from now on, of topics with these ids."""
        with self._lock:
            self._open.begin(topic_ids)

    @property
    def handed_over(self) -> Mapping[Partition, int]:
        """Latest offset of each partition that the delivery was given since `begin`, if any."""
        return self._open.handed_over

    def reach_ends(self, ends: Mapping[Partition, int]) -> None:
        """Of these partitions all that can be read was taken, up to these offsets, which may be
        committed once all before them is answered."""
        with self._lock:
            self._mode.reach_ends(ends)

    def due_in_s(self) -> float:
        """Seconds until a task has something to do; infinite when nothing is open."""
        return self._mode.due_in_s()

    async def drain(self) -> None:
        """`finish`, beside the event loop. When the partitions are given up after that, no more
        time is taken.

        Raises:
            BrokerError: the broker refused it for good.
        """
        self._drained_at_s = time.monotonic() + self._drain_s
        await asyncio.to_thread(self.finish)

    def finish(self) -> None:
        """Answer all that is open, and wait until the broker has it, for a limited time. The rest
        is for the next owner of its partitions. Blocks.

        Raises:
            BrokerError: the broker refused it for good.
        """
        self._mode.finish(min(time.monotonic() + self._drain_s, self._drained_at_s))
        n_left = self._open.n_open + self._mode.n_untouched
        if n_left:
            logger.warning(
                "%d requests are not answered within --drain-s %g: their next owner answers them",
                n_left,
                self._drain_s,
            )
        if self._open.is_news or not self.delivery.is_settled:
            logger.warning(
                "the broker does not hold all answers yet: their next owner repeats them"
            )

    def room(self) -> int:
        """Records that the next poll may take; none while too many wait, or while the broker takes
        no answers."""
        left = self._room.look(self._mode.n_untouched)
        size = self._mode.poll_size(left, self._room.each)
        return 0 if self._mode.is_stalled else size

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
        self._batch_delay.polled(n_records, self._open.tightest_ms, time.perf_counter())
        self._mode.polled(n_records, is_more, took_s)

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Others own these already: what waits is theirs to answer, what was answered theirs to
        commit."""
        with self._lock:
            n_dropped = self._mode.drop(partitions)
        if n_dropped:
            text = "gave up %d requests of partitions that others own now: those answer them"
            logger.warning(text, n_dropped)

    def start_over(self) -> None:
        """All since the committed offsets is read again: what was taken of it is forgotten, and to
        answer it again is no repetition."""
        with self._lock:
            self._mode.start_over()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be answered, as far as can be seen without waiting."""
        return self._open.n_open == 0 and self._mode.n_untouched == 0

    def edition(self, task: str) -> Edition:
        """What answers a task now."""
        return self._pipelines[task].edition

    def replace_edition(self, before: Edition, after: Edition) -> bool:
        """Answer with another edition from the next batch on; on any thread.

        Args:
            before: what `after` was made to replace.
            after: of the same task.

        Returns:
            False where another edition than `before` answers by now, and goes on answering.
        """
        with self._lock:
            pipeline = self._pipelines[before.task.name]
            if pipeline.edition is not before:
                return False
            gone = pipeline.snapshot()
            pipeline.replace_edition(after)
            self._metrics.ladders.replace(gone, before.ladder, after.ladder)
            self._metrics.show(pipeline.snapshot())
        return True

    def tell(self) -> None:
        """Let readers see what is believed now, what became of labels, also while no requests come,
        and the decisions recorded so far."""
        with self._lock:
            self._labelling.learn()
            for pipeline in self._pipelines.values():
                self._metrics.show(pipeline.snapshot())
                pipeline.flush()
        self._metrics.show_unconfirmed(self.delivery.unconfirmed_s)
        trouble = self.delivery.trouble
        if trouble != self._trouble:
            self._trouble = trouble
            kind = EventKind.DELIVERY_STALLED if trouble else EventKind.DELIVERY_RESUMED
            for task in self._pipelines:
                self._events.tell(kind, task, "requests", trouble or "the broker takes answers")

    def progressed(self) -> None:
        """Records were finished, or there was nothing that this process could do, as while the
        broker takes no answers. It is no progress while a call hangs: then nothing behind its own
        is committed."""
        if self.lanes.longest_s < STALLED_AFTER_S:
            self._health.progressed()

    def close(self) -> None:
        """Write what is buffered of the decisions."""
        for pipeline in self._pipelines.values():
            pipeline.close()

    def tell_unmet_floors(self) -> None:
        """Tell of tasks whose plans can't be sure to meet the policy's floor."""
        for task, pipeline in self._pipelines.items():
            incident = pipeline.edition.unmet_floor()
            if incident is not None:
                self._tell_people(task, incident)

    def _tell_people(self, task: str, incident: Incident) -> None:
        self._events.tell(incident.kind, task, incident.subject, incident.text)
