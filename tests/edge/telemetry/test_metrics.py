"""What a worker tells Prometheus."""

import subprocess

import numpy as np
import pytest
from ounce_edge.pipeline.reports import GroupReport, ModelCall, Report
from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.label import LabelOutcome
from ounce_schemas.routing import Choice
from prometheus_client import generate_latest

from tests.support.edge import pipelines
from tests.support.edge.ladders import DIGITS, served


def samples(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    }


def test_a_batch_is_counted_once_everywhere() -> None:
    metrics = Metrics()
    report = Report(
        task="digits",
        groups=[
            GroupReport(
                model="mlp",
                plan="mlp>cnn@0.9",
                policy_version="p1",
                choice=Choice.LIGHTEST_FEASIBLE,
                n=3,
                run_ms=2.0,
                always_best_ms=10.0,
                cost=2.0,
                saved=8.0,
                latency_ms=np.array([1.0, 5, 9]),
                deadline_misses=1,
                floor_misses=0,
            ),
            GroupReport(
                model="cnn",
                plan="cnn",
                policy_version="p1",
                choice=Choice.FALLBACK_FASTEST,
                n=1,
                run_ms=4.0,
                always_best_ms=4.0,
                cost=4.0,
                saved=0.0,
                latency_ms=np.array([200.0]),
                deadline_misses=1,
                floor_misses=1,
            ),
        ],
        calls=[ModelCall("mlp", 3, 2.0), ModelCall("cnn", 1, 4.0, is_on_gpu=True)],
        escalated=1,
        waited_ms=np.array([0.5, 1, 2, 3]),
        decide_ms=0.25,
        repeats=2,
        timestamps_off=4,
        unknown_text=5,
        unseen_missing=3,
        rejected=[Reason.NULL_VALUE, Reason.NULL_VALUE],
        next_offsets={},
    )
    metrics.observe(report)
    metrics.observe(report)
    metrics.set_lag({("digits", 0): 5, ("digits", 1): 0})
    metrics.set_lag({("digits", 1): 7})
    found = samples(generate_latest(metrics.registry).decode())
    for name, value in {
        'ounce_messages_total{model="mlp",outcome="answered",task="digits"}': 6,
        'ounce_messages_total{model="cnn",outcome="fallback",task="digits"}': 2,
        'ounce_messages_total{model="none",outcome="dead-letter",task="digits"}': 4,
        'ounce_dead_letters_total{reason="null-value",task="digits"}': 4,
        'ounce_fallbacks_total{fallback="fastest",task="digits"}': 2,
        'ounce_deadline_misses_total{model="mlp",task="digits"}': 2,
        'ounce_floor_misses_total{model="cnn",task="digits"}': 2,
        'ounce_duplicates_total{task="digits"}': 4,
        'ounce_timestamps_off_total{task="digits"}': 8,
        'ounce_unknown_text_total{task="digits"}': 10,
        'ounce_unseen_missing_total{task="digits"}': 6,
        'ounce_compute_seconds_total{model="mlp",task="digits"}': 0.004,
        'ounce_compute_gpu_seconds_total{task="digits"}': 0.008,
        'ounce_plan_messages_total{plan="mlp>cnn@0.9",reason="lightest-feasible",task="digits"}': 6,
        'ounce_escalations_total{task="digits"}': 2,
        'ounce_cost_total{task="digits"}': 12,
        'ounce_cost_saved{task="digits"}': 16,
        'ounce_compute_always_best_seconds_total{task="digits"}': 0.028,
        'ounce_compute_saved_seconds{task="digits"}': 0.016,
        'ounce_decision_seconds_total{task="digits"}': 0.0005,
        'ounce_end_to_end_latency_seconds_count{task="digits"}': 8,
        'ounce_end_to_end_latency_seconds_sum{task="digits"}': 0.43,
        'ounce_queue_wait_seconds_count{task="digits"}': 8,
        'ounce_batch_size_sum{model="mlp",task="digits"}': 6,
        'ounce_service_latency_seconds_count{model="cnn",task="digits"}': 2,
        'ounce_consumer_lag{partition="1",task="digits"}': 7,
    }.items():
        assert found[name] == pytest.approx(value), name
    assert 'ounce_consumer_lag{partition="0",task="digits"}' not in found


def test_labels_and_events_are_counted_and_there_from_the_start() -> None:
    metrics = Metrics()
    pipeline = pipelines.pipeline(served(DIGITS, "a"))
    metrics.describe("built-in", [pipeline.ladder])
    metrics.show(pipeline.snapshot())
    found = samples(generate_latest(metrics.registry).decode())
    series = [name for name in found if name.startswith(("ounce_labels_", "ounce_events_"))]
    assert len(series) == len(LabelOutcome) + len(EventKind)
    assert {found[name] for name in series} == {0}
    for _ in range(2):
        metrics.observe_labels("digits", {LabelOutcome.JOINED: 3, LabelOutcome.DROPPED: 0})
        metrics.observe_event("digits", EventKind.MODEL_RESTORED)
    found = samples(generate_latest(metrics.registry).decode())
    assert {name: value for name, value in found.items() if name in series and value} == {
        'ounce_labels_total{outcome="joined",task="digits"}': 6,
        'ounce_events_total{kind="model-restored",task="digits"}': 2,
    }


@pytest.mark.prometheus
def test_names_and_units_are_as_prometheus_wants_them() -> None:
    metrics = Metrics()
    pipeline = pipelines.pipeline(served(DIGITS, "a"))
    metrics.describe("built-in", [pipeline.ladder])
    metrics.show(pipeline.snapshot())
    page = generate_latest(metrics.registry)
    assert remarks(page) == ""
    assert "_total" in remarks(page + b"# HELP ounce_x x\n# TYPE ounce_x counter\nounce_x 1\n")


def remarks(page: bytes) -> str:
    """What promtool has to say of a page of metrics."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False
    )
    return (done.stdout + done.stderr).decode()
