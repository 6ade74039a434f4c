"""The consumer's side of a worker, without consumer and broker."""

import time
from collections.abc import Mapping
from typing import Any

from ounce_edge.broker.reading.starts import Start
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.health import Health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.reading.attempts import Attempts
from ounce_edge.worker.reading.news import ReadingNews
from ounce_edge.worker.reading.partitions import Partitions
from ounce_edge.worker.serving.serving import Serving

from tests.support.edge.serving import must_not_fail


class FakeStarts:
    """Every partition begins at offset 3; the client is not told."""

    def find(self, consumer: Any, places: Any, missed: Any) -> dict[Any, Start]:
        return {place: Start(3) for place in places}

    def begin(self, consumer: Any, starts: Any) -> None:
        pass

    def unreadable(self, topics: Any) -> str | None:
        return None


def partitions_of(serving: Serving, tasks: Mapping[str, str] | None = None) -> Partitions:
    """Partitions of what is served, or of these topics; events go nowhere."""
    starts: Any = FakeStarts()
    events = Events(lambda key, value, headers: None, lambda task, kind: None)
    news = ReadingNews(events, Metrics(), tasks or serving.tasks, "g", "beginning")
    attempts = Attempts(Isolation(OnnxCpuRuntime), news, most_open=100)
    return Partitions(serving, starts, attempts, news, Health(time.monotonic), must_not_fail)
