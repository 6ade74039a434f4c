"""Energy: the kernel's counters, as files that a test writes, and objectives in predictions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.energy import EnergyMeter, measured_watts
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from ounce_schemas.routing import Objective
from pydantic import ValidationError

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, serve, served
from tests.support.edge.pipelines import edition, pipeline, standing_clocks


class Package:
    """A processor package's counter."""

    def __init__(self, folder: Path, number: int, most: int = 10**9) -> None:
        self._file = folder / f"intel-rapl:{number}" / "energy_uj"
        self._file.parent.mkdir(parents=True)
        (self._file.parent / "max_energy_range_uj").write_text(f"{most}\n")
        self.set(0)

    def set(self, energy_uj: int) -> None:
        self._file.write_text(f"{energy_uj}\n")


def test_joules_of_all_packages_since_the_last_call(tmp_path: Path) -> None:
    packages = [Package(tmp_path, 0), Package(tmp_path, 1, most=5_000_000)]
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0: counted there
    meter = EnergyMeter(tmp_path)
    assert meter.is_there
    packages[0].set(2_000_000)
    packages[1].set(4_500_000)
    assert meter.joules() == pytest.approx(6.5)
    packages[1].set(500_000)  # its counter began again
    assert meter.joules() == pytest.approx(1.000001)


def test_without_counters_nothing_is_measured(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path / "absent")
    assert not meter.is_there
    assert measured_watts(served(DIGITS, "a"), meter) is None


def test_a_models_power_is_what_it_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, now_s, joules = Package(tmp_path, 0), 0.0, 0.0

    def pass_time(seconds: float, watts: float) -> None:
        nonlocal now_s, joules
        now_s += seconds
        joules += watts * seconds
        package.set(round(joules * 1e6))

    def run(inputs: Any) -> Any:
        pass_time(0.01, 12.0)
        return np.full((len(inputs["input"]), 3), 1 / 3, np.float32)

    monkeypatch.setattr("ounce_edge.models.energy.time.sleep", lambda s: pass_time(s, 5.0))
    monkeypatch.setattr("ounce_edge.models.energy.time.perf_counter", lambda: now_s)
    watts = measured_watts(served(DIGITS, "a", run), EnergyMeter(tmp_path))
    assert watts == pytest.approx(7.0, rel=0.01)


def decide(objective: Objective, **policy: Any) -> Any:
    light = served(DIGITS, "light", accuracy=0.85, ms_per_item=0.01, size_bytes=10)
    heavy = served(DIGITS, "heavy", accuracy=0.99, ms_per_item=2.0, size_bytes=90)
    watts = {"light": 500.0}
    serving = Pipeline(
        edition(
            light,
            heavy,
            watts=lambda model: watts.get(model.card.model),
            objective=objective,
            min_accuracy=0.5,
            **policy,
        ),
        clocks=standing_clocks(lambda: 1000.0),
    )
    outbox = Outbox()
    report = serve(serving, [FakeRecord(raw(1, 2, 3, 4))], outbox)
    return msgspec.json.decode(outbox.records[0][1] or b"", type=Prediction), report.groups[0]


def test_cpu_time_is_the_cost_unless_a_policy_says_otherwise() -> None:
    answer, group = decide(Objective.CPU_TIME)
    assert answer.model_name == "light"
    assert answer.parameters.cost is None
    assert group.cost == pytest.approx(group.run_ms)


def test_energy_may_make_the_quicker_model_the_dearer_one() -> None:
    answer, group = decide(Objective.ENERGY, power_watts=1.0)
    assert answer.model_name == "heavy"  # 2 ms at 1 W, instead of 0.01 ms at 500 W
    assert answer.parameters.objective is Objective.ENERGY
    assert group.cost == pytest.approx(group.run_ms / 1e3)
    assert answer.parameters.cost_saved == 0.0


def test_memory_counts_the_bytes_of_a_plans_models() -> None:
    answer, _ = decide(Objective.MEMORY)
    decision = answer.parameters
    assert decision.objective is Objective.MEMORY
    assert (answer.model_name, decision.cost, decision.cost_saved) == ("light", 10.0, 80.0)


def test_cost_and_saving_in_joules_are_of_the_models_that_ran_and_the_best() -> None:
    models = [
        served(DIGITS, "light", accuracy=0.85, ms_per_item=0.01),
        served(DIGITS, "heavy", accuracy=0.99, ms_per_item=2.0),
    ]
    watts, n = {"light": 3.0, "heavy": 50.0}, 4
    serving = Pipeline(
        edition(
            *models,
            watts=lambda model: watts[model.card.model],
            objective=Objective.ENERGY,
            min_accuracy=0.5,
        ),
        clocks=standing_clocks(lambda: 1000.0),
    )
    records = [FakeRecord(raw(1, 2, 3, 4), offset_=i) for i in range(n)]
    [group] = serve(serving, records, Outbox()).groups
    assert (group.model, group.n) == ("light", n)
    assert group.cost == pytest.approx(3.0 * group.run_ms / 1e3)
    assert group.cost + group.saved == pytest.approx(50.0 * group.always_best_ms / 1e3)


def on_gpu(objective: Objective, prices: dict[str, float], **policy: Any) -> Any:
    """One message for a model on the processor and one on the GPU, which is quicker."""
    cpu = served(DIGITS, "model", accuracy=0.95, ms_per_item=1.0)
    gpu = replace(served(DIGITS, "model-gpu", accuracy=0.95, ms_per_item=0.5), runtime="tensorrt")
    rules = {"objective": objective, "prices": prices, "min_accuracy": 0.5, **policy}
    serving, outbox = pipeline(cpu, gpu, clock=lambda: 1000.0, **rules), Outbox()
    report = serve(serving, [FakeRecord(raw(1, 2, 3, 4))], outbox)
    return msgspec.json.decode(outbox.records[0][1] or b"", type=Prediction), report


def test_time_on_the_gpu_is_told_apart() -> None:
    answer, report = on_gpu(Objective.CPU_TIME, {})
    assert answer.model_name == "model-gpu"
    assert answer.parameters.gpu_ms == answer.parameters.cost_ms > 0
    assert [call.is_on_gpu for call in report.calls] == [True]
    answer, report = on_gpu(Objective.PRICE, {"gpu_ms": 3.0})
    assert (answer.model_name, answer.parameters.gpu_ms) == ("model", None)
    assert [call.is_on_gpu for call in report.calls] == [False]


@pytest.mark.parametrize(
    ("prices", "power", "model", "per_ms"),
    [
        ({}, {}, "model-gpu", 1.0),
        ({"gpu_ms": 3.0}, {}, "model", 1.0),
        ({"cpu_ms": 4.0, "gpu_ms": 3.0}, {}, "model-gpu", 3.0),
        ({"joule": 20.0}, {}, "model", 1.0 + 20.0 * 10.0 / 1e3),
        ({"joule": 20.0}, {"gpu_power_watts": 15.0}, "model-gpu", 1.0 + 20.0 * 15.0 / 1e3),
        ({"cpu_ms": 0.0, "gpu_ms": 0.0, "joule": 1.0}, {"power_watts": 40.0}, "model", 0.04),
    ],
)
def test_the_price_is_of_time_on_each_and_of_joules(
    prices: dict[str, float], power: dict[str, float], model: str, per_ms: float
) -> None:
    answer, report = on_gpu(Objective.PRICE, prices, **power)
    [group] = report.groups
    assert answer.model_name == model
    assert answer.parameters.objective is Objective.PRICE
    assert group.cost == pytest.approx(per_ms * group.run_ms)
    assert answer.parameters.cost == pytest.approx(group.cost, rel=1e-4)


def test_prices_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ValidationError, match="one has to cost something"):
        Policy.model_validate({"prices": {"cpu_ms": 0, "gpu_ms": 0}})


def test_a_log_without_prices_counts_time() -> None:
    models = [Model("a", 1, LatencyBelief([1], [2.0], [3.0]), watts=5.0, price_per_ms=7.0)]
    plans = Plans(models, [Plan("a", [PlanStep(0)], AccuracyPrior(0.9, 0.8, 1.0, 10))])
    state = plans.renew_state(0.0)
    tables = replace(plans.tables, objective=Objective.PRICE)
    assert tables.view(state).calls[0, 1].cost == pytest.approx(14.0)
    joules = replace(tables, objective=Objective.ENERGY).view(state)
    assert joules.calls[0, 1].cost == pytest.approx(0.01)
