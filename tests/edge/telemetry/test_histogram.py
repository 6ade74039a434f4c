"""A histogram that takes arrays, against prometheus-client's own."""

import numpy as np
import pytest
from ounce_edge.telemetry.exposition import page_of
from ounce_edge.telemetry.histogram import BulkHistogram
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics


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
    assert samples(page_of(registries[1], False).decode()) == found


def test_the_page_follows_what_is_added_and_has_many_values() -> None:
    registry = CollectorRegistry()
    ours = BulkHistogram("h_seconds", "Help", ["task"], (1.0,), registry)
    hostile = "100%s\n"
    for n in (1, 1, 999_997, 1, 1):
        ours.observe((hostile,), np.full(n, 0.5))
        assert page_of(registry, False) == generate_latest(registry)
    ours.observe((hostile,), np.array([2.0]))
    assert page_of(registry, False) == generate_latest(registry)


def test_exemplars_are_in_one_of_the_formats() -> None:
    registry = CollectorRegistry()
    ours = BulkHistogram("h_seconds", "Help", ["task"], (1.0,), registry)
    for trace_id in ("a" * 32, "b" * 32):
        ours.observe(("t",), np.array([0.5]))
        ours.exemplify(("t",), 0.5, trace_id, 7.0)
        for _ in range(2):
            assert page_of(registry, True) == openmetrics(registry)
            assert trace_id in page_of(registry, True).decode()
            assert trace_id not in page_of(registry, False).decode()


def samples(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    }
