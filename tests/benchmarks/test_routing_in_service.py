"""What is learned from one run of a worker, to foresee another one."""

from collections.abc import Sequence

import numpy as np
import pytest
from ounce_schemas.prediction import Decision, Prediction
from ounce_schemas.routing import Choice

from benchmarks.routing import workloads
from benchmarks.routing.in_service import InService, learn
from benchmarks.routing.overhead import Overhead
from benchmarks.routing.simulation import Result
from tests.support.routing import OVERHEAD, TABLE

N_MODELS = len(TABLE.models)


def a_worker() -> InService:
    """A worker that is slower than the simulation knows; messages are under way for a time that
    varies."""
    sent_ms = np.arange(0.0, 2000.0, 5.0)
    return InService(
        excess_ms=[np.array([0.02, 0.03, 0.04])] * N_MODELS,
        overhead=Overhead(
            poll_ms=0.3, admit_ms=0.002, step_ms=0.05, group_ms=0.032, answer_ms=0.002
        ),
        sent_ms=sent_ms,
        under_way_ms=3.0 + 2.0 * np.sin(sent_ms / 100.0),
    )


def answers(workload: workloads.Workload, result: Result) -> Sequence[Prediction]:
    """What the worker would have published."""
    latency_ms = result.finish_ms - workload.arrival_ms
    return [
        Prediction(
            model_name=TABLE.models[TABLE.plans[result.plan[i]].steps[0].model],
            model_version="1",
            id=str(i),
            parameters=Decision(
                task=TABLE.task,
                plan=TABLE.plans[result.plan[i]].name,
                reason=Choice.LIGHTEST_FEASIBLE,
                policy_version="1",
                catalogue_version="1",
                max_latency_ms=float(workload.max_latency_ms[i]),
                min_accuracy=float(workload.floor[i]),
                expected_accuracy=1.0,
                latency_ms=float(latency_ms[i]),
                deadline_met=True,
                floor_met=True,
                cost_ms=float(result.compute_ms[i]),
                saved_ms=0.0,
            ),
            outputs=[],
        )
        for i in range(len(workload))
    ]


def test_a_run_at_half_the_rate_foretells_times_and_latencies() -> None:
    worker = a_worker()
    seen = workloads.make("Poisson", TABLE, 400.0, 1, 2.0)
    result = worker.simulate(TABLE, seen)
    known = learn(TABLE, OVERHEAD, seen, answers(seen, result), result.busy_ms)
    assert known.overhead.poll_ms == pytest.approx(0.3, rel=0.1)
    load = workloads.make("Poisson", TABLE, 800.0, 2, 2.0)
    truth, foreseen = (side.simulate(TABLE, load) for side in (worker, known))
    assert foreseen.compute_ms.mean() == pytest.approx(truth.compute_ms.mean(), rel=0.1)
    for percentile in (50, 99):
        expected, found = (
            np.percentile(r.finish_ms - load.arrival_ms, percentile) for r in (truth, foreseen)
        )
        assert found == pytest.approx(expected, rel=0.15)


def test_a_model_that_was_not_seen_is_believed_to_be_like_the_others() -> None:
    seen = workloads.make("steady", TABLE, 200.0, 1, 1.0)
    result = a_worker().simulate(TABLE, seen)
    of_one_model = [answers(seen, result)[0]] * len(seen)
    known = learn(TABLE, OVERHEAD, seen, of_one_model, result.busy_ms)
    assert len({tuple(excess_ms) for excess_ms in known.excess_ms}) == 1
