"""A histogram that takes arrays, against prometheus-client's own."""

import inspect

import numpy as np
import pytest
from ounce_edge.telemetry.exposition import page_of
from ounce_edge.telemetry.histogram import BulkHistogram
from prometheus_client import CollectorRegistry, Histogram, Metric, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import BucketSpan, NativeHistogram, Sample


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


def test_the_client_makes_no_native_histograms_as_the_page_of_metrics_says() -> None:
    assert not [p for p in inspect.signature(Histogram).parameters if "native" in p]
    native = NativeHistogram(1, 0.5, 3, 1e-9, 0, [BucketSpan(0, 1)], None, [1], None)
    family = Metric("h_seconds", "Help", "histogram")
    family.samples.append(Sample("h_seconds", {}, 0, None, None, native))
    registry = CollectorRegistry()
    registry.register(FixedFamily(family))
    for version in ("0.0.1", "1.0.0"):
        assert b"schema" not in openmetrics(registry, version=version)
    assert b"schema:3" in openmetrics(registry, version="2.0.0")


class FixedFamily(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]
