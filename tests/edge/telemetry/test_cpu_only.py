"""Models that a GPU can't take are counted apart from those that are refused, by reason."""

from dataclasses import replace

from ounce_edge.models.catalogue import CpuOnly, WhyCpu
from ounce_edge.telemetry.metrics import Metrics

from tests.support.edge.ladders import DIGITS, ladder, served


def test_models_on_the_cpu_alone_are_counted() -> None:
    metrics = Metrics()
    found = ladder(DIGITS, served(DIGITS, "a"))
    refused = [CpuOnly(name, WhyCpu.REFUSED, "operator Strange") for name in "ab"]

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"task": "digits", **labels})

    def reasons() -> dict[WhyCpu, float | None]:
        return {why: value("ounce_models_cpu_only", reason=why) for why in WhyCpu}

    metrics.describe("v1", [replace(found, cpu_only=refused)])
    assert reasons() == {why: 2 if why is WhyCpu.REFUSED else 0 for why in WhyCpu}
    metrics.describe("v1", [replace(found, cpu_only=[CpuOnly("a", WhyCpu.NO_ENGINE, "none")])])
    assert reasons() == {why: 1 if why is WhyCpu.NO_ENGINE else 0 for why in WhyCpu}
    assert value("ounce_models_refused") == 0
