"""Running a plan: an input that a model can't answer costs no other one, and little time."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.execution import Outcome, run_plan
from ounce_edge.models.halving import FAILED_ALONE, MOST_CRASHES, call_model, most_calls
from ounce_edge.models.runtimes.base import CrashedError
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plans import Model, PlanStep

from tests.support.edge.ladders import DIGITS, served

OPTIONS: dict[str, Any] = {"accuracy": 0.9}


def answers_but(bad: Callable[[Any], Any], *, raises: bool) -> Callable[[Any], Any]:
    """A model that fails on a call with a bad input, or answers it with no number."""

    def answer(inputs: Any) -> Any:
        x = inputs["input"]
        is_bad = bad(x[:, 0])
        if raises and is_bad.any():
            raise RuntimeError("index out of range")
        result = np.tile(np.array([0.1, 0.7, 0.2], np.float32), (len(x), 1))
        result[is_bad] = np.nan
        return result

    return answer


def run(answer: Callable[[Any], Any], n: int, second: Any = None) -> tuple[Outcome, FakeModel]:
    """A group whose i-th input begins with i; the sample's begin with less than 0."""
    models = [served(DIGITS, "a", answer, **OPTIONS), served(DIGITS, "b", second, **OPTIONS)]
    beliefs = [Model(m.card.model, 1, LatencyBelief([1], [1.0], [1.0])) for m in models]
    steps = [PlanStep(0)] if second is None else [PlanStep(0, 1.0, 0.8), PlanStep(1)]
    inputs = {"input": np.tile(np.arange(100.0, n + 100.0, dtype=np.float32)[:, None], (1, 4))}
    outcome = run_plan(steps, models, beliefs, inputs, None)
    first: Any = models[0].loaded if second is None else models[1].loaded
    return outcome, first


def is_one_of(*bad: int) -> Callable[[Any], Any]:
    return lambda x: np.isin(x, [100 + i for i in bad])


def items(parts: Any) -> list[int]:
    return sorted(i for part in parts for i in part.items.tolist())


@pytest.mark.parametrize("n", [1, 2, 3, 17, 100, 1000])
@pytest.mark.parametrize("raises", [True, False])
def test_one_bad_input_alone_fails(n: int, raises: bool) -> None:
    outcome, model = run(answers_but(is_one_of(n // 2), raises=raises), n)
    assert items(outcome.failures) == [n // 2]
    assert not any(failure.is_models_fault for failure in outcome.failures)
    assert items(outcome.answered) == [i for i in range(n) if i != n // 2]
    assert not len(outcome.put_off)
    for answered in outcome.answered:
        assert (outcome.result[answered.items].argmax(axis=1) == 1).all()
    n_calls = len(model.batch_sizes)
    assert n_calls <= (2 + 2 * math.ceil(math.log2(n)) if raises else 2)
    assert sum(call.n for call in outcome.calls) == (n - 1 if raises else n)


def test_many_bad_inputs_cost_a_bounded_number_of_calls_and_no_other_input() -> None:
    n, bad = 1000, set(range(0, 1000, 7))
    left, failed, answered = set(range(n)), set[int](), set[int]()
    for _ in range(n):
        some = sorted(left)
        answer = answers_but(is_one_of(*(some.index(i) for i in bad & left)), raises=True)
        outcome, model = run(answer, len(some))
        assert len(model.batch_sizes) <= most_calls(len(some)) + 1  # and one on its sample
        assert not any(failure.is_models_fault for failure in outcome.failures)
        parts = [items(outcome.failures), items(outcome.answered), outcome.put_off.tolist()]
        assert sorted([*parts[0], *parts[1], *parts[2]]) == list(range(len(some)))
        failed |= {some[i] for i in parts[0]}
        answered |= {some[i] for i in parts[1]}
        left = {some[i] for i in parts[2]}
        if not left:
            break
    assert (failed, answered) == (bad, set(range(n)) - bad)


@pytest.mark.parametrize("raises", [True, False])
def test_a_model_that_fails_on_all_of_a_group_is_at_fault_although_it_answers_its_sample(
    raises: bool,
) -> None:
    outcome, model = run(answers_but(lambda x: x >= 100, raises=raises), 256)
    assert items(outcome.failures) == list(range(256))
    assert all(failure.is_models_fault for failure in outcome.failures)
    assert outcome.answered == []
    assert len(model.batch_sizes) <= 2 + 8 + 2 * FAILED_ALONE


@pytest.mark.parametrize("raises", [True, False])
def test_a_model_that_fails_on_its_own_sample_is_at_fault_at_once(raises: bool) -> None:
    outcome, model = run(answers_but(lambda x: x == x, raises=raises), 100)
    assert [(f.is_models_fault, len(f.items)) for f in outcome.failures] == [(True, 100)]
    assert model.batch_sizes == [100, 1]


def test_in_a_further_step_too_only_the_bad_input_fails() -> None:
    def unsure(inputs: Any) -> Any:
        return np.tile(np.array([0.2, 0.5, 0.3], np.float32), (len(inputs["input"]), 1))

    outcome, heavy = run(unsure, 64, answers_but(is_one_of(9), raises=True))
    assert items(outcome.failures) == [9]
    assert items(outcome.answered) == [i for i in range(64) if i != 9]
    assert {a.n_steps for a in outcome.answered} == {2}
    assert outcome.n_of_steps() == [64, 63]
    run_ms = [sum(c.run_ms for c in outcome.calls if c.step == k) for k in (0, 1)]
    assert outcome.cost(2) == pytest.approx(run_ms[0] / 64 + run_ms[1] / 63)
    assert len(heavy.batch_sizes) <= 2 + 2 * 6


def crashes_on(bad: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def answer(inputs: Any) -> Any:
        x = inputs["input"]
        if bad(x[:, 0]).any():
            raise CrashedError("took its process down")
        return np.tile(np.array([0.1, 0.7, 0.2], np.float32), (len(x), 1))

    return answer


@pytest.mark.parametrize("n", [1, 2, 17])
def test_an_input_that_takes_a_process_down_is_found_by_calls_for_each_alone(n: int) -> None:
    outcome, model = run(crashes_on(is_one_of(n // 2)), n)
    [failure] = outcome.failures
    assert (failure.items.tolist(), failure.text) == ([n // 2], "took its process down")
    assert (failure.is_crash, failure.is_models_fault) == (True, True)
    assert items(outcome.answered) == [i for i in range(n) if i != n // 2]
    assert model.batch_sizes == ([1] if n == 1 else [n] + [1] * n)


def test_few_processes_are_lost_to_one_group() -> None:
    outcome, model = run(crashes_on(lambda x: x >= 104), 100)
    assert items(outcome.failures) == [4, 5, 6]
    assert items(outcome.answered) == [0, 1, 2, 3]
    assert outcome.put_off.tolist() == [*range(7, 100)]
    assert len(model.batch_sizes) == 1 + 4 + MOST_CRASHES


def test_a_crash_that_does_not_come_again_costs_nothing() -> None:
    outcome, _ = run(crashes_on(lambda x: np.array([len(x) > 1])), 9)
    assert (outcome.failures, items(outcome.answered)) == ([], [*range(9)])


def test_a_call_takes_from_its_begin_to_its_end_on_the_clock() -> None:
    now_s = itertools.count(100.0, 0.25)
    attempt = call_model(
        served(DIGITS, "a"), {"input": np.zeros((3, 4), np.float32)}, lambda: next(now_s)
    )
    [call] = attempt.calls
    assert (call.n, call.run_ms, call.ended_at_s) == (3, 250.0, 100.25)
