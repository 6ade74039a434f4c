"""Workers' pages without workers: real metrics behind a real server."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from ounce_edge.pipeline.reports import GroupReport, Report
from ounce_edge.telemetry.health import Health, serve_health
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_schemas.models_page import MODELS_PAGE
from ounce_schemas.routing import Choice

from tests.support.edge.ladders import DIGITS, ladder, served

LIGHT, HEAVY = "light", "heavy"


class FakeWorker:
    """A page that says what it is told."""

    def __init__(self, task: str = "digits") -> None:
        spec = DIGITS.model_copy(update={"name": task})
        self.task = task
        self.metrics = Metrics()
        self.health = Health(time.monotonic)
        self.health.starting, self.health.partitions = None, 1
        self.ladder = ladder(spec, served(DIGITS, LIGHT), served(DIGITS, HEAVY))
        self.metrics.describe("v7", [self.ladder])
        self.page = ModelsPage()
        self.address = ""

    def answer(
        self, model: str, latencies_ms: Sequence[float], late: int = 0, under: int = 0
    ) -> None:
        """Count answers of a model, so many of them late, or under their floor."""
        report = Report(self.task)
        report.groups.append(
            GroupReport(
                model=model,
                plan=model,
                choice=Choice.LIGHTEST_FEASIBLE,
                n=len(latencies_ms),
                deadline_misses=late,
                floor_misses=under,
                latency_ms=np.array(latencies_ms, dtype=float),
                run_ms=1.0,
                always_best_ms=2.0,
                refused=(),
                regret=0.0,
                cost=0.0,
                saved=0.0,
                policy_version="v7",
            )
        )
        self.metrics.observe(report)


@contextmanager
def page_of(worker: FakeWorker) -> Iterator[FakeWorker]:
    """Serve its pages on a port that the system chooses."""
    pages = {MODELS_PAGE: worker.page.body}
    stop, port = serve_health("127.0.0.1", 0, worker.health, worker.metrics.registry, pages)
    worker.address = f"127.0.0.1:{port}"
    try:
        yield worker
    finally:
        stop()
