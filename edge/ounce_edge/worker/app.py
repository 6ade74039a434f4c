"""The worker process: its parts are made, connected, and ended in order."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from faststream import FastStream
from ounce_schemas.documents import read_policy
from ounce_schemas.errors import BrokerError, OunceError
from ounce_schemas.models_page import MODELS_PAGE
from ounce_schemas.policy import Policy
from ounce_schemas.topics import policies_topic

from ounce_edge.broker.broker_view import BrokerView, why_silent
from ounce_edge.broker.certificates import FilesOfStart, certificate_expiries
from ounce_edge.broker.compacted import TopicFollower
from ounce_edge.broker.event_producer import EventProducer
from ounce_edge.broker.group_question import GroupQuestion
from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.broker.refused_labels import RefusedLabels
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.energy import make_meters
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import Health, serve_health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.models.engine_building import EngineBuilding
from ounce_edge.worker.models.isolated_images import IsolatedImages
from ounce_edge.worker.models.sources import ModelSources
from ounce_edge.worker.policies.following import PolicyFollowing
from ounce_edge.worker.policies.kept import KeptPolicy
from ounce_edge.worker.policies.trials import Trials
from ounce_edge.worker.reading.attempts import Attempts
from ounce_edge.worker.reading.hooks import Reading, as_ours
from ounce_edge.worker.reading.news import ReadingNews
from ounce_edge.worker.reading.partitions import Partitions
from ounce_edge.worker.reading.stall_guard import StallGuard
from ounce_edge.worker.reading.subscription import (
    client_settings,
    describe_kind,
    make_broker,
    make_starts,
    subscribe,
)
from ounce_edge.worker.reading.supervision import ConsumerControl, Supervision
from ounce_edge.worker.serving.serving import Serving, Telemetry
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_edge.worker.startup import (
    load_pipelines,
    make_delivery,
    make_isolation,
    make_lanes,
    make_runtime,
    make_schemas,
    make_tracing,
    reach_kafka,
    tune_interpreter,
)

logger = logging.getLogger(__name__)

_POLICY_S = 5.0
"""So long a start waits for the topic of policies."""
_COMMIT_S = 5.0
"""So long a worker that ends waits for the answer to its last commit."""
_RESTART_S = 15.0
"""So long a restart of the consumer may take, beside answering what waits."""


def run_worker(settings: WorkerSettings) -> None:
    """Serve until SIGTERM or SIGINT; then answer, publish and commit what was taken.

    Raises:
        OunceError: the worker can't start, or can't go on.
    """
    metrics = Metrics(settings.metrics_tenant)
    health = Health(time.monotonic)
    metrics.watch(health)
    metrics.show_certificates(certificate_expiries(settings))
    health.replaced_files = FilesOfStart(settings).replaced
    with ExitStack() as parts:
        page = ModelsPage()
        stop_server, port = serve_health(
            settings.metrics_host,
            settings.metrics_port,
            health,
            metrics.registry,
            {MODELS_PAGE: page.body},
        )
        parts.callback(stop_server)
        # First, since what is wrong or absent here needs no Kafka to be found.
        policy = Policy() if settings.policy is None else read_policy(settings.policy)
        sources = parts.enter_context(closing(ModelSources(settings, metrics)))
        isolation = make_isolation(settings, health.progressed)
        parts.callback(isolation.close)
        runtime, schemas = make_runtime(settings, metrics, isolation), make_schemas(settings)
        tracing = make_tracing(settings, settings.worker_name, metrics)
        if tracing is not None:
            parts.callback(tracing.close)
        health.starting = f"Kafka at {settings.kafka} has not answered yet"
        same_partitions, lanes = reach_kafka(settings), make_lanes(settings)
        health.starting = "models are loading"
        sources.begin(runtime)
        watts = make_meters(runtime).watts
        pipelines = load_pipelines(
            settings,
            policy,
            metrics,
            lanes,
            lambda task: Edition(
                sources.first_ladder(task),
                policy.for_task(task),
                watts=watts,
                schemas=schemas,
                pixels=IsolatedImages(isolation),
            ),
        )
        health.loaded()
        logger.info(
            "serving tasks=%s kafka=%s metrics=http://%s:%d/metrics",
            ",".join(settings.task),
            settings.kafka,
            settings.metrics_host,
            port,
        )
        tune_interpreter(lanes)
        send_event = parts.enter_context(closing(EventProducer(settings.kafka, settings.security)))
        events = Events(send_event, metrics.observe_event, worker=settings.worker_name)
        telemetry = Telemetry(metrics, events, health, tracing)
        worker = _Worker(settings, pipelines, lanes, same_partitions, telemetry, isolation)
        parts.callback(StallGuard(health, settings.drain_s, worker.attempts.blame).close)
        building = None
        if isinstance(runtime, CpuAndGpu) and settings.runtime.has_engines:
            building = EngineBuilding(settings.engines, settings.runtime.flavour)
            parts.callback(building.close)
        sources.start(worker.serving, runtime, events, page, building)
        if settings.follow_policies:
            parts.callback(worker.follow_policies().close)
        asyncio.run(worker.run())


class _Worker:
    """Makes the parts of a worker, connects them, and ends them in order.

    On the event loop, FastStream gives each poll to `Reading.take`, and `Reading.work` serves
    between two polls. `Partitions` does what needs the consumer itself, on the consumer's thread.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        pipelines: Sequence[Pipeline],
        lanes: Lanes,
        same_partitions: Mapping[str, int],
        telemetry: Telemetry,
        isolation: Isolation,
    ) -> None:
        self._settings = settings
        metrics, events, health, _ = telemetry
        self._metrics, self._events, self._health = metrics, events, health
        self._failure: OunceError | None = None
        self._lanes = lanes
        delivery = self._delivery = make_delivery(settings, same_partitions, metrics)
        health.delivery_trouble = lambda: delivery.trouble
        self._refused_labels = RefusedLabels(
            settings.kafka,
            {pipeline.task.name: pipeline.task for pipeline in pipelines},
            settings.max_message_bytes,
            settings.security,
        )
        self._labels = LabelReader(
            settings.kafka,
            settings.task,
            fetch_wait_ms=settings.fetch_wait_ms,
            security=settings.security,
            refused=self._refused_labels,
        )
        self.serving = Serving(settings, pipelines, lanes, delivery, telemetry, labels=self._labels)
        tasks = self.serving.tasks
        news = ReadingNews(events, metrics, tasks, settings.group, settings.when_no_offsets)
        kafka = client_settings(settings)
        view = BrokerView(lambda: AdminClient(kafka), partial(why_silent, kafka))
        starts = make_starts(settings, kafka, view, pipelines)
        self.attempts = attempts = Attempts(isolation, news, settings.most_open)
        self._partitions = Partitions(self.serving, starts, attempts, news, health, self._fail)
        self._refused_labels.owns = self._partitions.owns
        reading = Reading(
            self.serving,
            self._partitions,
            health,
            self._fail,
            lambda: self._is_leaving,
            describe_kind(settings),
        )
        broker = make_broker(settings, reading)
        self._subscriber = subscribe(broker, settings, tasks, self._partitions, reading.take)
        self._supervision = Supervision(
            view,
            GroupQuestion(kafka, settings.group),
            self._partitions,
            news,
            health,
            ConsumerControl(
                lambda: self.serving.is_full or self._is_leaving, self._restart_consumer
            ),
        )
        self._trials = Trials(settings, self.serving, metrics, settings.worker_name)
        self._app = FastStream(broker, logger=None, on_shutdown=[self._drain])

    def follow_policies(self) -> TopicFollower:
        """Put the current version of the policy in force, then each that comes."""
        settings = self._settings
        following = PolicyFollowing(
            self.serving,
            settings.task,
            self._events,
            self._metrics,
            KeptPolicy(settings.state),
            self._trials.canaries,
        )
        self._trials.follow(following)
        follower = TopicFollower(
            settings.kafka,
            policies_topic(),
            following,
            self._metrics.count_passed_over(policies_topic()),
            fetch_wait_ms=settings.fetch_wait_ms,
            security=settings.security,
        )
        follower.start()
        if not follower.wait_until_caught_up(_POLICY_S):
            following.use_kept()
        return follower

    async def run(self) -> None:
        self.serving.tell_unmet_floors()
        supervising = asyncio.create_task(self._supervise())
        judging = asyncio.create_task(self._trials.judge())
        try:
            await self._app.run()
        except KafkaException as e:
            raise BrokerError(f"Kafka at {self._settings.kafka}: {e.args[0].str()}") from e
        finally:
            supervising.cancel()
            judging.cancel()
            self._lanes.close()
            self._delivery.close()
            self._labels.close()
            self._refused_labels.close()
            self._trials.close()
            self.serving.close()
        if self._failure is not None:
            raise self._failure
        logger.info("drained and stopped")

    async def _drain(self) -> None:
        """Before the consumer leaves: take no more, and finish what was taken. Leaving revokes the
        partitions, which commits it."""
        self._health.draining = True
        try:
            await self.serving.drain()
        except Exception as e:
            self._fail(as_ours(e))
        await asyncio.to_thread(self._partitions.wait_for_commit, _COMMIT_S)

    async def _supervise(self) -> None:
        try:
            await self._supervision.run()
        except Exception as e:
            self._fail(as_ours(e))

    async def _restart_consumer(self) -> None:
        async with asyncio.timeout(self._settings.drain_s + _RESTART_S):
            await self._subscriber.stop()  # gives up the partitions, which may take --drain-s
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
