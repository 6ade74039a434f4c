"""The worker process: FastStream wiring of topics, acknowledgement and lifespan."""

import asyncio
import gc
import logging
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from confluent_kafka import KafkaException, Message
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from ounce_schemas.documents import read_policy
from ounce_schemas.errors import BrokerError, OunceError
from ounce_schemas.policy import Policy

from ounce_edge.broker.consumer import as_they_are, keep_records, quiet_logger, take_when_there
from ounce_edge.broker.event_producer import EventProducer
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.broker.watchdog import watch
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import Health, serve_health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Record
from ounce_edge.worker.partitions import Partitions
from ounce_edge.worker.serving import Serving, Telemetry
from ounce_edge.worker.settings import WorkerSettings
from ounce_edge.worker.startup import load_pipelines, make_delivery, make_lanes, reach_kafka

if TYPE_CHECKING:
    from faststream.confluent.helpers.config import ConfluentConfig

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_SWITCH_S = 0.0005
"""How long a lane waits for the interpreter when its call ends and this thread is busy; Python's
default, 5 ms, is as long as the call itself."""


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
        # First, since a mistake there needs no Kafka to be found.
        policy = Policy() if settings.policy is None else read_policy(settings.policy)
        partitions = reach_kafka(settings)
        lanes = make_lanes(settings)
        pipelines = load_pipelines(settings, policy, metrics, lanes)
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
        asyncio.run(_Worker(settings, pipelines, lanes, partitions, metrics, health).run())
    finally:
        stop_server()


class _Worker:
    """Makes the parts of a worker, connects them with FastStream, and ends them in order.

    FastStream gives each poll to `_handle`, and `_work` serves between two polls, on the event
    loop; what needs the consumer itself is done by `Partitions`, on the consumer's thread.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        pipelines: Iterable[Pipeline],
        lanes: Lanes,
        same_partitions: Mapping[str, int],
        metrics: Metrics,
        health: Health,
    ) -> None:
        self._settings = settings
        self._health = health
        self._failure: OunceError | None = None
        self._lanes = lanes
        self._delivery = make_delivery(settings, same_partitions)
        self._send_event = EventProducer(settings.kafka, settings.security)
        self._labels = LabelReader(
            settings.kafka,
            settings.task,
            fetch_wait_ms=settings.fetch_wait_ms,
            security=settings.security,
        )
        self._serving = Serving(
            settings,
            pipelines,
            lanes,
            self._delivery,
            Telemetry(metrics, Events(self._send_event, metrics.observe_event), health),
            labels=self._labels,
        )
        self._partitions = Partitions(self._serving, self._delivery, metrics, health, self._fail)
        self._broker = KafkaBroker(
            settings.kafka,
            config=cast("ConfluentConfig", settings.security),
            allow_auto_create_topics=False,
            apply_types=False,
            logger=quiet_logger(),
            log_level=logging.DEBUG,
        )
        take_when_there(
            self._broker,
            tend=self._partitions.tend,
            room=self._serving.room,
            delay=self._serving.batch_delay_s,
            work=self._work,
            on_poll=self._on_poll,
            on_commit=self._partitions.on_commit,
            on_error=self._fail,
        )
        self._subscriber = self._broker.subscriber(
            *self._serving.tasks,
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
            on_assign=self._partitions.on_assign,
            on_revoke=self._partitions.on_revoke,
            on_lost=self._partitions.on_lost,
        )
        self._subscriber(self._handle)
        self._app = FastStream(self._broker, logger=None, on_shutdown=[self._drain])

    async def run(self) -> None:
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
            self._serving.close()
        if self._failure is not None:
            raise self._failure
        logger.info("drained and stopped")

    async def _handle(self, records: tuple[Message, ...]) -> None:
        """Take one poll. Whatever goes wrong here stops the worker before any of it is committed:
        another worker, or the next start, repeats it."""
        if self._is_leaving:
            return
        try:
            await self._serving.take(cast("Sequence[Record]", records))
        except Exception as e:
            self._fail(_as_ours(e))

    async def _work(self) -> float:
        """Between two polls: serve some of what is open; seconds until there is more to do."""
        if self._is_leaving:
            return math.inf
        try:
            await self._serving.work()
        except Exception as e:
            self._fail(_as_ours(e))
        return self._serving.due_in_s()

    def _on_poll(self, n_records: int, is_more: bool, took_s: float) -> None:
        self._serving.polled(n_records, is_more, took_s)
        if n_records == 0 and self._health.lag == 0:
            self._serving.progressed()

    async def _drain(self) -> None:
        """Before the consumer leaves: take no more, and finish what was taken. Leaving revokes the
        partitions, which commits it."""
        self._health.draining = True
        try:
            await self._serving.drain()
        except Exception as e:
            self._fail(_as_ours(e))

    async def _watch(self) -> None:
        """Restart the consumer if it reads nothing although there is something to read."""
        kafka = {"bootstrap.servers": self._settings.kafka, **self._settings.security}

        def positions() -> Mapping[tuple[str, int], int]:
            may_rest = self._serving.is_full or self._is_leaving
            return {} if may_rest else self._partitions.positions

        try:
            await watch(kafka, positions, self._restart_consumer)
        except BrokerError as e:
            self._fail(e)

    async def _restart_consumer(self) -> None:
        await self._subscriber.stop()
        self._partitions.forget()
        await self._subscriber.start()

    @property
    def _is_leaving(self) -> bool:
        return self._health.draining or self._failure is not None

    def _fail(self, error: OunceError) -> None:
        """Stop in order; the first failure is the one that is told."""
        if self._failure is None:
            self._failure = error
            self._app.exit()


def _as_ours(error: Exception) -> OunceError:
    if isinstance(error, OunceError):
        return error
    logger.error("unexpected error", exc_info=error)
    return OunceError(f"unexpected error, nothing of this batch is committed: {error!r}")
