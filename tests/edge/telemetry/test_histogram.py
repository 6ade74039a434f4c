"""A histogram that takes arrays, against prometheus-client's own."""

import numpy as np
import pytest
from ounce_edge.telemetry.histogram import BulkHistogram
from prometheus_client import CollectorRegistry, Histogram, generate_latest


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
