"""What serves in a worker, without consumer and broker."""

import asyncio
import time
from collections.abc import Collection
from typing import Any

import msgspec
from confluent_kafka import TopicPartition
from ounce_edge.broker.delivery.base import Confirmed, Delivery
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.wire.records import Outgoing
from ounce_edge.worker.serving.serving import Serving, Telemetry
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.errors import OunceError

NOWHERE = "127.0.0.1:1"
"""Bootstrap servers: nobody listens there."""


class FakeDelivery:
    """A `Delivery` whose broker has at once what is published, unless it takes nothing.

    Args:
        is_transactional: whether answers are there only with the offsets.
    """

    trouble: str | None = None
    confirm_ms = 0.0

    def __init__(self, is_transactional: bool = False) -> None:
        self.is_transactional = is_transactional
        self.is_aborted = False
        self.takes_nothing = False
        self.unconfirmed_s = 0.0
        self.published: list[str] = []
        """Ids of the answers."""
        self._collected: list[str] = []
        self._under_way: tuple[list[TopicPartition], list[str], Confirmed] | None = None
        self._acknowledged: list[TopicPartition] = []

    def publish(self, outgoing: Outgoing) -> None:
        ids = [msgspec.json.decode(value or b"")["id"] for value in outgoing.values]
        (self._collected if self.is_transactional else self.published).extend(ids)

    @property
    def is_settled(self) -> bool:
        return self._under_way is None

    async def settled(self, timeout_s: float) -> bool:
        await asyncio.sleep(0)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> bool:
        if self._under_way is not None and not self.takes_nothing:
            (offsets, ids, then), self._under_way = self._under_way, None
            self._acknowledged += offsets
            self.published += ids
            self.unconfirmed_s = 0.0
            then([])
        return self.is_settled

    def start_confirming(self, offsets: list[TopicPartition], then: Confirmed) -> None:
        assert self.is_settled
        collected, self._collected = self._collected, []
        if not self.is_aborted:
            self._under_way = offsets, collected, then
            self.unconfirmed_s = 1e-9
            self.wait(0)

    def take_acknowledged(self) -> list[TopicPartition]:
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, offsets: list[TopicPartition]) -> None:
        self._acknowledged = [*offsets, *self._acknowledged]

    def disown(self, partitions: Collection[TopicPartition]) -> None:
        gone = {(at.topic, at.partition) for at in partitions}
        self._acknowledged = [
            at for at in self._acknowledged if (at.topic, at.partition) not in gone
        ]

    def follow(self, consumer: Any) -> None:
        pass

    def abandon(self) -> None:
        self._collected = []
        self.is_aborted = self.is_transactional

    def start_over(self) -> None:
        self._collected = []
        self.is_aborted = False

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
        Telemetry(
            metrics,
            Events(lambda key, value, headers: None, metrics.observe_event),
            Health(time.monotonic) if health is None else health,
        ),
        labels,
    )


def must_not_fail(error: OunceError) -> None:
    """For what is called with an error that ends the worker."""
    raise error
