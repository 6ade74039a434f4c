"""What a worker tells Prometheus and its supervisor."""

import urllib.error
import urllib.request

import numpy as np
import pytest
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import GroupReport, ModelCall, Report
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health, serve_health
from ounce_edge.telemetry.metrics import BulkHistogram, Metrics
from ounce_schemas.errors import OunceError, Reason
from ounce_schemas.event import EventKind
from ounce_schemas.label import LabelOutcome
from ounce_schemas.policy import Policy
from ounce_schemas.routing import Choice
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from tests.support.edge.ladders import DIGITS, ladder, served


def test_a_bulk_histogram_is_exposed_as_prometheus_clients_own() -> None:
    values = np.random.default_rng(0).exponential(0.02, 500)
    values[:3] = 0.01, 0.1, 100.0  # on a bound, on a bound, beyond all
    buckets = (0.001, 0.01, 0.1)
    registries = CollectorRegistry(), CollectorRegistry()
    theirs = Histogram("h_seconds", "Help", ["task"], buckets=buckets, registry=registries[0])
    for value in values:
        theirs.labels("t").observe(value)
    ours = BulkHistogram("h_seconds", "Help", ["task"], buckets, registries[1])
    for value in values[:3].tolist():
        ours.observe_one(("t",), value)
    ours.observe(("t",), values[3:4])
    ours.observe(("t",), values[4:])
    expected, found = (samples(generate_latest(r).decode()) for r in registries)
    assert found == pytest.approx(expected)


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
        calls=[ModelCall("mlp", 3, 2.0), ModelCall("cnn", 1, 4.0)],
        escalated=1,
        waited_ms=np.array([0.5, 1, 2, 3]),
        decide_ms=0.25,
        repeats=2,
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
        'ounce_compute_seconds_total{model="mlp",task="digits"}': 0.004,
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
    pipeline = Pipeline(
        ladder(DIGITS, served(DIGITS, "a")),
        Policy().for_task("digits"),
        believe=lambda model: card_belief(model.card),
    )
    metrics.describe(Policy(), [pipeline])
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


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_ready_names_what_is_missing() -> None:
    health = Health(Clock())
    assert health.ready() == (False, "models are loading")
    health.models_loaded = True
    assert health.ready() == (False, "no partition is assigned")
    health.partitions = 2
    assert health.ready() == (True, "ready")
    health.draining = True
    assert health.ready() == (False, "draining")


def test_healthy_only_while_records_progress() -> None:
    clock = Clock()
    health = Health(clock)
    health.lag = 12
    clock.now_s += STALLED_AFTER_S
    assert health.healthy() == (True, "healthy")
    clock.now_s += 1
    assert health.healthy() == (False, "no progress for 31 s with 12 records waiting")
    health.progressed()
    assert health.healthy()[0]


def test_the_port_serves_three_pages_and_names_them() -> None:
    health = Health(Clock(), models_loaded=True)
    metrics = Metrics()
    stop, port = serve_health("127.0.0.1", 0, health, metrics.registry)
    try:
        assert get(port, "/healthz") == (200, "healthy\n")
        assert get(port, "/readyz") == (503, "no partition is assigned\n")
        assert get(port, "/metrics")[0] == 200
        assert get(port, "/") == (404, "try /metrics, /healthz or /readyz\n")
        with pytest.raises(OunceError, match=f"can't listen on 127.0.0.1:{port} for metrics"):
            serve_health("127.0.0.1", port, health, metrics.registry)
    finally:
        stop()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()
