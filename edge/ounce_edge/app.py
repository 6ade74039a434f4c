"""The worker process: FastStream wiring of topics, acknowledgement and lifespan."""

import asyncio
import gc
import logging
import math
import sys
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from ounce_schemas.errors import BrokerError, OunceError
from ounce_schemas.topics import requests_topic

from ounce_edge.consumption import as_they_are, keep_records, quiet_logger, take_when_there
from ounce_edge.delivery import Delivery
from ounce_edge.events import EventProducer, Events
from ounce_edge.health import STALLED_AFTER_S, Health, serve_health
from ounce_edge.label_reader import LabelReader
from ounce_edge.lanes import Lanes
from ounce_edge.metrics import Metrics
from ounce_edge.pipeline import Pipeline
from ounce_edge.records import Record
from ounce_edge.reports import Report
from ounce_edge.settings import WorkerSettings
from ounce_edge.startup import load_pipelines, make_delivery, make_lanes, reach_kafka
from ounce_edge.transaction_size import TransactionSize
from ounce_edge.transactions import TransactionalDelivery
from ounce_edge.watchdog import watch

if TYPE_CHECKING:
    from faststream.confluent.helpers.config import ConfluentConfig

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_LAG_EVERY_S = 1.0
_REWIND_S = 10.0
_SWITCH_S = 0.0005
"""How long a lane waits for the interpreter when its call ends and this thread is busy; Python's
default, 5 ms, is as long as the call itself."""
_SLICE_SHARE = 0.1
_LONGEST_SLICE_MS = 100.0
_SLOW_TRANSACTION = 5.0
"""Beyond so many times the setting, a transaction that takes long is no reason for a longer one."""


def run_worker(settings: WorkerSettings) -> None:
    """Serve until SIGTERM or SIGINT; then answer, publish and commit what was taken.

    Raises:
        OunceError: the worker can't start, or can't go on.
    """
    metrics = Metrics()
    health = Health(time.monotonic)
    stop_server, port = serve_health(
        settings.metrics_host, settings.metrics_port, health, metrics.registry
    )
    try:
        partitions = reach_kafka(settings)
        lanes = make_lanes(settings)
        pipelines = load_pipelines(settings, metrics, lanes)
        health.models_loaded = True
        logger.info(
            "serving tasks=%s kafka=%s metrics=http://%s:%d/metrics",
            ",".join(settings.task),
            settings.kafka,
            settings.metrics_host,
            port,
        )
        # What is loaded stays: keep it out of every collection, and collect rarely.
        gc.collect()
        gc.freeze()
        gc.set_threshold(200_000, 20, 100)
        if len(lanes):
            sys.setswitchinterval(_SWITCH_S)
        asyncio.run(_Worker(settings, pipelines, metrics, health, partitions, lanes).run())
    finally:
        stop_server()


class _Worker:
    def __init__(
        self,
        settings: WorkerSettings,
        pipelines: Iterable[Pipeline],
        metrics: Metrics,
        health: Health,
        partitions: Mapping[str, int] = MappingProxyType({}),
        lanes: Lanes | None = None,
    ) -> None:
        self._settings = settings
        self._lanes = Lanes(0) if lanes is None else lanes
        self._pipelines = {requests_topic(p.task.name): p for p in pipelines}
        self._metrics = metrics
        self._health = health
        self._assigned: set[tuple[str, int]] = set()
        self._failure: OunceError | None = None
        self._lag_due_s = 0.0
        self._committing: list[TopicPartition] = []
        """What the commit that is not answered yet is of."""
        self._full = False
        self._positions: dict[tuple[str, int], int] = {}
        """Next offset to read, of the assigned partitions."""
        self._answered: dict[tuple[str, int], int] = {}
        self._unconfirmed = False
        """Something was published and not yet given to confirm."""
        self._transaction_size = TransactionSize(most=settings.max_batch)
        """Exactly-once only."""
        self._delivery = make_delivery(settings, partitions)
        self._turn = asyncio.Lock()
        """Held by whoever serves on the event loop, so that draining waits its turn."""
        self._serving = threading.Lock()
        """Held while requests are answered: partitions may be revoked on the consumer's thread."""
        self._broker = KafkaBroker(
            settings.kafka,
            config=cast("ConfluentConfig", settings.security),
            allow_auto_create_topics=False,
            apply_types=False,
            logger=quiet_logger(),
            log_level=logging.DEBUG,
        )
        self._send_event = EventProducer(settings.kafka, settings.security)
        self._events = Events(self._send_event, metrics.observe_event)
        self._labels: LabelReader | None = None
        take_when_there(
            self._broker,
            tend=self._tend,
            room=self._room,
            work=self._work,
            on_poll=self._on_poll,
            on_commit=self._on_commit,
            on_error=self._fail,
        )
        self._subscriber = self._broker.subscriber(
            *self._pipelines,
            batch=True,
            max_records=settings.max_batch,
            polling_interval=_POLL_S,
            group_id=settings.group,
            auto_offset_reset="earliest",
            group_instance_id=settings.name,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=min(3000, settings.session_timeout_ms // 3),
            isolation_level="read_committed",  # requests of aborted transactions were never sent
            fetch_max_wait_ms=settings.fetch_wait_ms,
            ack_policy=AckPolicy.MANUAL,
            # A named member that restarts between the two steps of a cooperative rebalance gets
            # back what it had, without a second step: what should have moved is nobody's then.
            partition_assignment_strategy=(
                "roundrobin" if settings.name else "cooperative-sticky",
            ),
            parser=keep_records,
            decoder=as_they_are,
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )
        self._subscriber(self._handle)
        self._app = FastStream(self._broker, logger=None, on_shutdown=[self._drain])

    async def run(self) -> None:
        settings = self._settings
        self._labels = LabelReader(
            settings.kafka,
            settings.task,
            fetch_wait_ms=settings.fetch_wait_ms,
            security=settings.security,
        )
        watching = asyncio.create_task(self._watch())
        try:
            await self._app.run()
        except KafkaException as e:
            raise BrokerError(f"Kafka at {self._settings.kafka}: {e.args[0].str()}") from e
        finally:
            watching.cancel()
            self._lanes.close()
            self._delivery.close()
            self._labels.close()
            self._send_event.close()
            for pipeline in self._pipelines.values():
                pipeline.close()
        if self._failure is not None:
            raise self._failure
        logger.info("drained and stopped")

    async def _handle(self, records: tuple[Message, ...]) -> None:
        """Take one poll, and answer what comes first of all that waits. Whatever goes wrong here
        stops the worker before any of it is committed: another worker, or the next start, repeats
        it."""
        if self._health.draining or self._failure is not None:
            return
        try:
            async with self._turn:
                if isinstance(self._delivery, Delivery):
                    self._admit(records)
                    await self._step()
                else:
                    await self._transact(records, self._delivery)
        except Exception as e:
            self._fail(_as_ours(e))

    async def _work(self) -> float:
        """Between two polls: answer what comes first of what is open; seconds until there is more
        to do."""
        if self._failure is not None or self._health.draining:
            return math.inf
        try:
            if not self._due_in_s():
                async with self._turn:
                    await self._step()
        except Exception as e:
            self._fail(_as_ours(e))
        return self._due_in_s()

    def _admit(self, records: Sequence[Message]) -> None:
        with self._serving:
            for topic, of_topic in _by_topic(records, self._pipelines).items():
                pipeline = self._pipelines[topic]
                report = pipeline.admit(cast("Sequence[Record]", of_topic), self._delivery.publish)
                self._observe(topic, report)

    async def _step(self) -> None:
        """One slice of work for each task that has any, then confirm what it published."""
        with self._serving:
            self._slice()
        if self._unconfirmed or self._answered:
            await self._delivery.confirm(self._take_offsets())
        self._progressed()

    async def _transact(self, records: Sequence[Message], delivery: TransactionalDelivery) -> None:
        """Answer one poll in transactions, each of as many records as take little time together.

        A transaction holds all answers to its records, so it ends only when all are answered:
        records that are more urgent wait for it.
        """
        start = 0
        while start < len(records) and not delivery.is_aborted:
            some = records[start : start + self._transaction_size.n_records]
            budget_ms = self._transaction_budget_ms(delivery)
            began_s = time.perf_counter()
            self._admit(some)
            with self._serving:
                self._answer_all(delivery.transaction_ms)
            took_ms = (time.perf_counter() - began_s) * 1e3
            self._transaction_size.learn(len(some), took_ms, budget_ms)
            await delivery.confirm(self._take_offsets())
            start += len(some)
        self._progressed()

    def _transaction_budget_ms(self, delivery: TransactionalDelivery) -> float:
        """A quarter of the tightest deadline, up to the setting; not less than the transaction
        before takes, since records wait for it anyway, up to some times the setting."""
        tightest_ms = min(p.tightest_ms for p in self._pipelines.values())
        wanted_ms = min(self._settings.transaction_ms, tightest_ms / 4)
        waited_ms = min(delivery.transaction_ms, _SLOW_TRANSACTION * self._settings.transaction_ms)
        return max(wanted_ms, waited_ms, 1.0)

    def _slice(self, reserve_ms: float = 0.0, keep_free: bool = True) -> None:
        """One slice of work for each task that has any."""
        self._learn()
        busy = [(topic, p) for topic, p in self._pipelines.items() if not p.due_in_s()]
        busy.sort(key=lambda each: each[1].took_lane_at_s)  # a free lane goes to each in turn
        n_waiting = sum(len(pipeline.waiting) > 0 for _, pipeline in busy)
        # A newer request waits for at most so much of its deadline, if it is like the latest.
        tightest_ms = min(pipeline.tightest_ms for pipeline in self._pipelines.values())
        share_ms = min(_SLICE_SHARE * tightest_ms, _LONGEST_SLICE_MS)
        slice_ms = max(self._settings.slice_ms, share_ms)
        others_ms = reserve_ms + slice_ms * max(n_waiting - 1, 0)
        for topic, pipeline in busy:
            report = pipeline.step(self._delivery.publish, slice_ms, others_ms, keep_free)
            self._observe(topic, report)

    def _answer_all(self, reserve_ms: float = 0.0) -> None:
        """Answer all that is open, and take nothing new meanwhile. Blocks."""
        while (due_in_s := self._due_in_s()) < math.inf:
            self._lanes.wait(due_in_s)
            self._slice(reserve_ms, keep_free=False)

    def _due_in_s(self) -> float:
        """Seconds until a task has something to do; infinite when nothing is open."""
        return min(pipeline.due_in_s() for pipeline in self._pipelines.values())

    def _observe(self, topic: str, report: Report) -> None:
        self._metrics.observe(report)
        for happening in report.happenings:
            self._events.tell(happening.kind, report.task, happening.subject, happening.text)
        self._answered.update({(topic, p): o for p, o in report.next_offsets.items()})
        self._unconfirmed |= bool(report.groups or report.rejected)

    def _take_offsets(self) -> list[TopicPartition]:
        """Offsets up to which all is answered and published, each once; to confirm, with all that
        was published."""
        offsets = [TopicPartition(t, p, offset) for (t, p), offset in self._answered.items()]
        self._answered.clear()
        self._unconfirmed = False
        return offsets

    def _learn(self) -> None:
        """Hold the labels that came against the answers that they are about."""
        if self._labels is None:
            return
        for task, labels in self._labels.drain().items():
            outcomes = self._pipelines[requests_topic(task)].learn(labels)
            self._metrics.observe_labels(task, outcomes)
        for task, losses in self._labels.take_losses().items():
            self._metrics.observe_labels(task, losses)

    def _room(self) -> int:
        """Records that may be taken; once full, none until half of them are answered."""
        n_bytes = sum(pipeline.n_bytes for pipeline in self._pipelines.values())
        n_open = sum(pipeline.n_open for pipeline in self._pipelines.values())
        room = self._settings.max_waiting - n_open
        if n_bytes >= self._settings.max_waiting_mb * 1_000_000:
            room = 0
        was_full = self._full
        least = self._settings.max_waiting // (2 if was_full else 8)  # small polls are dear
        self._full = room < max(least, 1)
        if self._full and not was_full:
            self._metrics.count_pause()
        return 0 if self._full else room

    def _finish(self) -> None:
        """Answer all that is open, and wait until the broker has it. Blocks."""
        with self._serving:
            self._delivery.wait()
            self._answer_all()
            self._delivery.start_confirming(self._take_offsets())
            self._delivery.wait()

    async def _drain(self) -> None:
        """Before the consumer leaves: take no more, and finish what was taken. Leaving revokes the
        partitions, which commits it."""
        self._health.draining = True
        try:
            async with self._turn:
                await asyncio.to_thread(self._finish)
        except Exception as e:
            self._fail(_as_ours(e))

    async def _watch(self) -> None:
        """Restart the consumer if it reads nothing although there is something to read."""
        kafka = {"bootstrap.servers": self._settings.kafka, **self._settings.security}

        def positions() -> Mapping[tuple[str, int], int]:
            leaving = self._health.draining or self._failure is not None
            return {} if self._full or leaving else self._positions

        try:
            await watch(kafka, positions, self._restart_consumer)
        except BrokerError as e:
            self._fail(e)

    async def _restart_consumer(self) -> None:
        await self._subscriber.stop()
        self._assigned.clear()
        await self._subscriber.start()

    def _fail(self, error: OunceError) -> None:
        """Stop in order; the first failure is the one that is told."""
        if self._failure is None:
            self._failure = error
            self._app.exit()

    def _tend(self, consumer: Consumer) -> None:
        """Between two polls, on the consumer's thread: commit, and now and then look at the lag."""
        if isinstance(self._delivery, TransactionalDelivery):
            self._delivery.group_metadata = consumer.consumer_group_metadata()
            if self._delivery.is_aborted:
                self._rewind(consumer, self._delivery)
        elif not self._committing:  # one at a time: more would queue up at the broker, without end
            offsets = self._owned(self._delivery.take_acknowledged())
            if offsets:
                try:
                    consumer.commit(offsets=offsets, asynchronous=True)
                    self._committing = offsets
                except KafkaException as e:
                    self._give_back(offsets)
                    logger.warning("offsets not committed: %s", e.args[0].str())
        now_s = time.monotonic()
        if now_s >= self._lag_due_s:
            self._lag_due_s = now_s + _LAG_EVERY_S
            lag = self._lag(consumer)
            self._health.lag = sum(lag.values())
            self._metrics.set_lag(lag)
            with self._serving:  # this is the consumer's thread
                for pipeline in self._pipelines.values():
                    self._metrics.believe(pipeline)
                    pipeline.flush()

    def _owned(self, offsets: list[TopicPartition]) -> list[TopicPartition]:
        """Those of partitions that are still ours: others' are for their owners to commit."""
        return [at for at in offsets if _place(at) in self._assigned]

    def _rewind(self, consumer: Consumer, delivery: TransactionalDelivery) -> None:
        """After an abort, on the consumer's thread: read again from the committed offsets."""
        assigned = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        try:
            delivery.wait()
            committed = consumer.committed(assigned, timeout=_REWIND_S) if assigned else []
            for at in committed:
                if at.error is not None:  # not told is not the same as nothing committed
                    raise KafkaException(at.error)
            for at in committed:
                if at.offset < 0:
                    at.offset = OFFSET_BEGINNING
                consumer.seek(at)
        except OunceError as e:
            self._fail(e)
        except KafkaException as e:  # what is read meanwhile is not answered
            logger.warning("can't go back to the committed offsets yet: %s", e.args[0].str())
        else:
            for pipeline in self._pipelines.values():
                pipeline.forget_ids()
            delivery.start_over()

    def _on_commit(self, was_refused: bool) -> None:
        """Amid a rebalance commits are refused, of partitions that stay, too."""
        if was_refused:
            self._give_back(self._committing)
        self._committing = []

    def _give_back(self, offsets: list[TopicPartition]) -> None:
        """Commit them again, as far as their partitions are ours then."""
        if offsets and isinstance(self._delivery, Delivery):
            self._delivery.give_back(offsets)

    def _on_poll(self, n_records: int) -> None:
        if n_records == 0 and self._health.lag == 0:
            self._progressed()

    def _progressed(self) -> None:
        """Records were finished, unless a call hangs: then nothing behind its own is committed."""
        if self._lanes.longest_s < STALLED_AFTER_S:
            self._health.progressed()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if isinstance(self._delivery, TransactionalDelivery):  # the generation is another one now
            self._delivery.group_metadata = consumer.consumer_group_metadata()
        self._assigned |= {(p.topic, p.partition) for p in partitions}
        self._health.partitions = len(self._assigned)
        self._health.progressed()
        logger.info("assigned partitions=%s", _show(partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The next owner starts at the committed offset: commit all that was answered first."""
        offsets: list[TopicPartition] = []
        try:
            self._finish()
            offsets = self._owned(self._delivery.take_acknowledged())
            if offsets:
                consumer.commit(offsets=offsets, asynchronous=False)
        except OunceError as e:
            self._fail(e)
        except KafkaException as e:
            self._give_back(offsets)
            logger.warning("offsets not committed, their new owner repeats: %s", e.args[0].str())
        self._give_up(partitions, "revoked")

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Others own them already: what waits is theirs to answer, what was answered theirs to
        commit."""
        with self._serving:
            for topic, pipeline in self._pipelines.items():
                lost = [p.partition for p in partitions if p.topic == topic]
                if lost and pipeline.drop(lost):
                    logger.warning("dropped what waited of partitions that others own now")
                for partition in lost:
                    self._answered.pop((topic, partition), None)
        self._give_up(partitions, "lost")

    def _give_up(self, partitions: list[TopicPartition], how: str) -> None:
        gone = {(p.topic, p.partition) for p in partitions}
        self._assigned -= gone
        # They may come back, when others have committed later offsets.
        kept = [at for at in self._delivery.take_acknowledged() if _place(at) not in gone]
        self._give_back(kept)
        self._committing = [at for at in self._committing if _place(at) not in gone]
        self._health.partitions = len(self._assigned)
        logger.info("%s partitions=%s", how, _show(partitions))

    def _lag(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        """Records between our position and the end, as of the last fetch: no request is made."""
        lag = {}
        positions = {}
        asked = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        for at in consumer.position(asked):
            marks = consumer.get_watermark_offsets(at, cached=True)
            if marks is None or marks[1] < 0:
                continue
            position = at.offset if at.offset >= 0 else max(marks[0], 0)
            positions[at.topic, at.partition] = position
            task = self._pipelines[at.topic].task.name
            lag[task, at.partition] = max(marks[1] - position, 0)
        self._positions = positions
        return lag


def _as_ours(error: Exception) -> OunceError:
    if isinstance(error, OunceError):
        return error
    logger.error("unexpected error", exc_info=error)
    return OunceError(f"unexpected error, nothing of this batch is committed: {error!r}")


def _by_topic(
    records: Sequence[Message], topics: Collection[str]
) -> Mapping[str, Sequence[Message]]:
    if len(topics) == 1:
        return dict.fromkeys(topics, records)
    found: dict[str, list[Message]] = {}
    for record in records:
        found.setdefault(str(record.topic()), []).append(record)
    return found


def _place(at: TopicPartition) -> tuple[str, int]:
    return at.topic, at.partition


def _show(partitions: list[TopicPartition]) -> str:
    return ",".join(f"{p.topic}[{p.partition}]" for p in partitions) or "none"
