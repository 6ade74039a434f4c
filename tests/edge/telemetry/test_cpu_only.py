"""Models that a GPU can't take are counted apart from those that are refused."""

from dataclasses import replace

from ounce_edge.telemetry.metrics import Metrics

from tests.support.edge.ladders import DIGITS, ladder, served


def test_models_on_the_cpu_alone_are_counted() -> None:
    metrics = Metrics()
    found = ladder(DIGITS, served(DIGITS, "a"))
    metrics.describe("v1", [replace(found, cpu_only=["a: why", "b: why"])])

    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"task": "digits"})

    assert value("ounce_models_cpu_only") == 2
    assert value("ounce_models_refused") == 0
