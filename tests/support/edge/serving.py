"""What serves in a worker, without consumer and broker."""

import time
from collections.abc import Collection
from typing import Any

import msgspec
from confluent_kafka import TopicPartition
from ounce_edge.broker.base import Delivery
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Outgoing
from ounce_edge.worker.serving import Serving
from ounce_edge.worker.settings import WorkerSettings
from ounce_schemas.errors import OunceError

NOWHERE = "127.0.0.1:1"
"""Bootstrap servers: nobody listens there."""


class FakeDelivery:
    """A `Delivery` whose broker has at once what is published."""

    is_aborted = False
    confirm_ms = unconfirmed_s = 0.0
    trouble = None

    def __init__(self, is_transactional: bool = False) -> None:
        self.is_transactional = is_transactional
        self.published: list[str] = []
        """Ids of the answers."""
        self._taken: list[TopicPartition] = []

    def publish(self, outgoing: Outgoing) -> None:
        self.published += [msgspec.json.decode(value or b"")["id"] for value in outgoing.values]

    def wait(self) -> None:
        pass

    async def confirm(self, offsets: list[TopicPartition]) -> None:
        self.start_confirming(offsets)

    def start_confirming(self, offsets: list[TopicPartition]) -> None:
        self._taken += offsets

    def take_acknowledged(self) -> list[TopicPartition]:
        taken, self._taken = self._taken, []
        return taken

    def give_back(self, offsets: list[TopicPartition]) -> None:
        self._taken = [*offsets, *self._taken]

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        gone = {(at.topic, at.partition) for at in partitions}
        self._taken = [at for at in self._taken if (at.topic, at.partition) not in gone]

    def follow(self, consumer: Any) -> None:
        pass

    def start_over(self) -> None:
        pass

    def close(self) -> None:
        pass


def serving_of(
    *pipelines: Pipeline,
    delivery: Delivery,
    lanes: Lanes | None = None,
    health: Health | None = None,
    metrics: Metrics | None = None,
    labels: Any = None,
    **settings: Any,
) -> Serving:
    """Serves these pipelines, as a worker with these settings does; its events go nowhere."""
    metrics = Metrics() if metrics is None else metrics
    tasks = tuple(pipeline.task.name for pipeline in pipelines)
    return Serving(
        WorkerSettings(task=tasks, kafka=NOWHERE, **settings),
        pipelines,
        Lanes(0) if lanes is None else lanes,
        delivery,
        Events(lambda key, value, headers: None, metrics.observe_event),
        metrics,
        Health(time.monotonic) if health is None else health,
        labels,
    )


def must_not_fail(error: OunceError) -> None:
    """For what is called with an error that ends the worker."""
    raise error
