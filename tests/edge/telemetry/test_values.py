"""Counters and gauges, against prometheus-client's own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ounce_edge.telemetry.exposition import page_of
from ounce_edge.telemetry.values import Values
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

HOSTILE = 'a"b\\c\nd%s{}'


def both(change: Callable[[Any, Any], None]) -> tuple[CollectorRegistry, CollectorRegistry]:
    """A change to a counter and a gauge, of the library and of ours."""
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    change(
        Counter("c", "Text", ["a", "b"], registry=theirs), Gauge("g", "T", ["a"], registry=theirs)
    )
    change(Values("c", "Text", ["a", "b"], ours, "counter"), Values("g", "T", ["a"], ours, "gauge"))
    return theirs, ours


def some(counter: Any, gauge: Any) -> None:
    counter.labels("x", HOSTILE).inc()
    counter.labels("x", HOSTILE).inc(2.5)
    counter.labels("y", "z")
    gauge.labels(HOSTILE).set(-3)
    gauge.labels(HOSTILE).inc(-1)
    gauge.labels("gone").set(1)
    gauge.remove("gone")
    gauge.remove("never")


@pytest.mark.parametrize("encode", [generate_latest, openmetrics])
def test_the_page_is_that_of_the_library(encode: Any) -> None:
    theirs, ours = both(some)
    for _ in range(2):  # the second is from memory
        assert page_of(ours, encode is openmetrics) == encode(theirs) == encode(ours)


def test_a_line_follows_its_value() -> None:
    registry = CollectorRegistry()
    gauge = Values("g", "T", [], registry, "gauge")
    for value in (0, 1, 1, float("nan"), 1, 1e300, 0):
        gauge.set(value)
        assert page_of(registry, False) == generate_latest(registry)
    answers = iter([True, False])
    gauge.set_function(lambda: next(answers))
    assert b"\ng 1.0\n" in page_of(registry, False)
    assert b"\ng 0.0\n" in page_of(registry, False)


def test_what_is_replaced_is_gone() -> None:
    registry = CollectorRegistry()
    gauge = Values("g", "T", ["a"], registry, "gauge")
    gauge.replace({("x",): 1, ("y",): 2})
    gauge.replace({("y",): 3})
    assert registry.get_sample_value("g", {"a": "x"}) is None
    assert registry.get_sample_value("g", {"a": "y"}) == 3


def test_a_counter_never_falls_and_labels_are_all_given() -> None:
    counter = Values("c", "T", ["a"], CollectorRegistry(), "counter")
    with pytest.raises(ValueError, match=r"c_total.*can't take -1"):
        counter.labels("x").inc(-1)
    with pytest.raises(ValueError, match="argument"):
        counter.labels("x", "y")


def test_threads_lose_no_count() -> None:
    counter = Values("c", "T", ["a"], CollectorRegistry(), "counter")

    def add() -> None:
        for i in range(5000):
            counter.labels(f"x{i % 2}").inc()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [counter.labels(name).value for name in ("x0", "x1")] == [10_000, 10_000]
