"""What a scrape of a worker with many tasks costs."""

import gzip
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from ounce_edge.pipeline.reports import GroupReport, ModelCall, Report
from ounce_edge.telemetry.exposition import make_metrics_app
from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas.routing import Choice

from benchmarks import results
from benchmarks.results import Table
from tests.support.edge.ladders import DIGITS, ladder, served

N_TASKS, N_MODELS = 20, 8
_ROUNDS = 30
_ASKED = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/metrics",
    "QUERY_STRING": "",
    "HTTP_ACCEPT": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    "HTTP_ACCEPT_ENCODING": "gzip",
}
"""As Prometheus asks."""


def scrape_table() -> Table:
    """Processor time of scrapes, where all models of all tasks answered since the last, or few."""
    metrics = Metrics()
    tasks, models = _names("task", N_TASKS), _names("model", N_MODELS)
    for task in tasks:
        spec = DIGITS.model_copy(update={"name": task})
        metrics.describe("v1", [ladder(spec, *(served(DIGITS, model) for model in models))])
        _answer(metrics, task, models)
    app = make_metrics_app(metrics.registry)
    page = gzip.decompress(_scrape(app))
    rows: list[list[results.Cell]] = []
    for what, n in (("none", 0), ("one of each task", 1), ("all of all tasks", N_MODELS)):
        times_ms = []
        for _ in range(_ROUNDS):
            for task in tasks:
                _answer(metrics, task, models[:n])
            began_s = time.process_time()
            _scrape(app)
            times_ms.append((time.process_time() - began_s) * 1e3)
        ms = statistics.median(times_ms)
        rows.append([what, round(ms, 2), f"{ms / 10:.2f}%"])
    n_lines, size_kb = page.count(b"\n"), len(page) / 1e3
    note = (
        f"{N_TASKS} tasks of {N_MODELS} models, {n_lines:,} lines, {size_kb:,.0f} kB, "
        f"compressed as Prometheus asks; medians of {_ROUNDS}."
    )
    columns = [
        "models that answered since the last scrape",
        "ms of processor a scrape",
        "of one processor, once a second",
    ]
    return Table(columns, rows, note)


def _names(kind: str, n: int) -> list[str]:
    return [f"{kind}-{i}" for i in range(n)]


def _answer(metrics: Metrics, task: str, models: Sequence[str]) -> None:
    """Count three answers of each model."""
    report = Report(task, waited_ms=np.full(3 * len(models), 0.7))
    for model in models:
        report.calls.append(ModelCall(model, 3, 1.2))
        report.groups.append(
            GroupReport(
                model=model,
                plan=model,
                policy_version="v1",
                choice=Choice.LIGHTEST_FEASIBLE,
                n=3,
                run_ms=1.2,
                always_best_ms=5.0,
                cost=1.2,
                saved=3.8,
                latency_ms=np.array([1.1, 2.2, 33.3]),
                deadline_misses=1,
                floor_misses=1,
            )
        )
    metrics.observe(report)


def _scrape(app: Any) -> bytes:
    return b"".join(app(_ASKED, lambda *_: None))
